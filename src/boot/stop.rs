//! A stop: no new connections, answers for what is under way, a last lap of every store, the mark of a clean end.

use super::failure::StartError;
use super::shards::Crew;
use crate::base::limits::STOP_MS_MAX;
use crate::shard::runtime::ShardRuntime;
use crate::storage::directory::Directory;
use crate::storage::dma::DmaDisk;
use crate::storage::errors::OpenError;
use crate::storage::runtime::Runtime;
use flume::Receiver;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::time::Duration;

/// Catches SIGTERM and SIGINT from now on. The first is received here, and if the process has not ended a bounded time
/// later, it is ended: what was acknowledged is durable anyway.
pub(super) fn signals() -> Result<Receiver<i32>, StartError> {
    let failed = |error: std::io::Error| StartError::Runtime {
        reason: error.to_string(),
    };
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let (requested, request) = flume::bounded(1);
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let thread = thread.spawn(move || {
        let mut caught = signals.forever();
        let _ = caught.next().map(|signal| requested.send(signal));
        // Further signals change nothing: a stop is bounded in time, and some senders send twice.
        std::thread::sleep(Duration::from_millis(STOP_MS_MAX));
        let line = "ottla: the stop took too long: cut off; nothing acknowledged is lost, the next start replays\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
        std::process::exit(1);
    });
    thread.map_err(failed)?;
    Ok(request)
}

/// Drains and stops. What was acknowledged is durable either way; after a stop on a full disk the next start replays it.
pub(super) async fn stop(
    crew: &Crew,
    mut directory: Directory<DmaDisk>,
    runtime: &ShardRuntime,
) -> Result<(), OpenError> {
    crew.drain().await;
    match crew.stop().await {
        Ok(stopped) => {
            let generations = stopped.iter().map(|stopped| stopped.generation).collect();
            let wall = runtime.now().wall;
            directory.mark_clean(generations, wall).await?;
            tracing::info!("stopped, nothing to replay");
        }
        Err(OpenError::NoSpace { .. }) => tracing::warn!(
            "stopped on a full disk: nothing acknowledged is lost, the next start replays what did not fit. \
             Fix: free space before it"
        ),
        Err(error) => return Err(error),
    }
    directory.close().await
}
