//! Log lines of all layers and of the runtime go to standard error, through a thread of their own: a shard never
//! waits for a terminal or a pipe, lines beyond the buffer are dropped and counted.

use crate::shard::log_control;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait for the writer, at most.
const LINES_WAITING_MAX: usize = 16_384;

/// Keeps the writer alive; what is buffered is written when it goes.
pub struct Logging {
    _guard: WorkerGuard,
}

/// `level` as in `info` or `info,ottla::storage=debug`; the variable `OTTLA_LOG` goes before it.
pub fn start(level: &str) -> Result<Logging, String> {
    let wish = std::env::var("OTTLA_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(&wish)
        .map_err(|error| format!("the log level {wish:?} is not understood: {error}"))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_WAITING_MAX)
        .thread_name("log")
        .finish(std::io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .with_thread_names(true)
        .with_env_filter(filter)
        .with_filter_reloading();
    let reload = subscriber.reload_handle();
    log_control::install(&wish, move |filter| {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        reload.reload(filter).map_err(|error| error.to_string())
    });
    let subscriber = subscriber.finish();
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|_| "the log was started twice".to_owned())?;
    // The runtime tells of unregistered memory and the like through `log`.
    tracing_log::LogTracer::init().map_err(|_| "the log was started twice".to_owned())?;
    Ok(Logging { _guard: guard })
}
