//! A consuming thread: its fetchers, until it is told to stop or they have read what there was.

use super::fetcher::{Fetcher, Shared};
use super::outcome::Outcome;
use crate::clock::{MILLISECOND_NS, now_ns};
use crate::failure::Failure;
use crate::net::poll::Poll;
use crate::progress::{Reporter, Window};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Longest sleep: how late a thread may notice that it is to stop.
const SLEEP_NS_MAX: u64 = 50 * MILLISECOND_NS;

pub(crate) struct Plan {
    pub(crate) topic: String,
    pub(crate) version: i16,
    pub(crate) fetch_bytes: usize,
    pub(crate) window: Window,
    pub(crate) keep_places: bool,
    pub(crate) fetchers: Vec<Fetcher>,
    pub(crate) reporter: Reporter,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) core: Option<usize>,
}

/// Runs the thread until `stop`, or until every fetcher is done.
pub(crate) fn run(plan: Plan) -> Result<Outcome, Failure> {
    if let Some(id) = plan.core {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
    let mut shared = Shared {
        topic: plan.topic,
        version: plan.version,
        fetch_bytes: plan.fetch_bytes,
        outcome: Outcome::new(plan.window, plan.keep_places),
        reporter: plan.reporter,
        poll: Poll::new(false).map_err(broken)?,
    };
    let mut fetchers = plan.fetchers;
    while !plan.stop.load(Relaxed) && !fetchers.iter().all(|fetcher| fetcher.is_done) {
        let now = now_ns();
        for fetcher in &mut fetchers {
            fetcher.proceed(now, &mut shared);
        }
        shared.reporter.tick(now, 0);
        let again = fetchers.iter().filter_map(Fetcher::again_ns).min();
        let wake = again
            .unwrap_or(u64::MAX)
            .min(shared.reporter.next_report_ns());
        let wait = wake.saturating_sub(now_ns()).min(SLEEP_NS_MAX);
        shared.poll.wait(wait).map_err(broken)?;
        let mut at = 0;
        while let Some(ready) = shared.poll.ready(at) {
            at += 1;
            let fetcher = &mut fetchers[ready.number];
            if ready.readable {
                fetcher.read(&mut shared);
            }
            if ready.writable {
                fetcher.write(&mut shared);
            }
        }
    }
    shared.reporter.finish(0);
    Ok(shared.outcome)
}

fn broken(error: io::Error) -> Failure {
    Failure::new(format!("a consuming thread: {error}"))
}
