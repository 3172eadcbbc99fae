//! One measurement: a window, threads that produce and consume, and what they found.

use super::parts;
use crate::args::Mode;
use crate::client::cluster::{Cluster, End, Topic};
use crate::clock::{MILLISECOND_NS, SECOND_NS, now_ns};
use crate::consume;
use crate::cpu;
use crate::failure::Failure;
use crate::latency::Values;
use crate::produce;
use crate::progress::{Phase, Progress, Reporter, Window};
use crate::schedule::Schedule;
use crate::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between the plan and its first request: every thread is in its loop by then.
const LEAD_NS: u64 = 100 * MILLISECOND_NS;
/// After the last acknowledgement, consumers may take so long to meet its record.
const CATCH_UP_NS_MAX: u64 = 5 * SECOND_NS;
/// Longer than a report takes to come: when nothing was met for so long, nothing more arrives.
const QUIET_NS: u64 = 300 * MILLISECOND_NS;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What makes requests due in this measurement.
#[derive(Clone)]
pub(crate) enum Drive {
    Open(Arc<Schedule>),
    Closed { in_flight: usize },
}

/// What a measurement needs to know about its broker.
pub(crate) struct Place<'a> {
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) topic: &'a Topic,
    pub(crate) pool: &'a Arc<crate::workload::pool::Pool>,
    /// Numbers of connections already used by measurements of this run: streams are never shared.
    pub(crate) first_connection: u16,
}

pub(crate) struct Measured {
    pub(crate) window: Window,
    pub(crate) produced: Option<produce::outcome::Outcome>,
    pub(crate) consumed: Option<consume::outcome::Outcome>,
    /// The reader of old records beside a tail.
    pub(crate) caught_up: Option<consume::outcome::Outcome>,
    /// Connections that came and went.
    pub(crate) stormed: Option<produce::outcome::Outcome>,
    pub(crate) end_to_end: Option<Values>,
    pub(crate) before: cpu::Reading,
    pub(crate) after: cpu::Reading,
    /// The window, or less when a reader was done before.
    pub(crate) seconds: f64,
}

pub(crate) type Producing = JoinHandle<Result<produce::outcome::Outcome, Failure>>;
pub(crate) type Consuming = JoinHandle<Result<consume::outcome::Outcome, Failure>>;

pub(crate) fn measure(
    settings: &Settings,
    drive: &Drive,
    place: &mut Place<'_>,
    progress: &Arc<Progress>,
) -> Result<Measured, Failure> {
    let tail_from = place.cluster.offsets(place.topic, End::Latest)?;
    let connections = match settings.has_producers() {
        true => parts::connect(settings, place)?,
        false => Vec::new(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let group = match settings.mode {
        Mode::Groups => Some(parts::group(settings, place, &tail_from, &stop)?),
        _ => None,
    };
    let start_ns = now_ns() + LEAD_NS;
    let window_start = start_ns + settings.warmup.as_nanos() as u64;
    let window = Window {
        start_ns: window_start,
        end_ns: window_start + settings.duration.as_nanos() as u64,
    };
    progress.plan(window);
    progress.enter(Phase::WarmUp);
    let scene = parts::Scene {
        settings,
        window,
        start_ns,
        stop,
        progress,
    };
    // Readers first: they wait for records, not the other way round.
    let tails = match (group, settings.waits_for_records()) {
        (Some(group), _) => group.start(|| (window, Reporter::new(progress, window))),
        (None, true) => parts::tails(&scene, place, &tail_from)?,
        (None, false) => Vec::new(),
    };
    let laps = match settings.mode {
        Mode::Consume => parts::laps(&scene, place, &tail_from, settings.consumers)?,
        Mode::CatchUp => parts::laps(&scene, place, &tail_from, 1)?,
        _ => Vec::new(),
    };
    let storm = match settings.mode {
        Mode::Storm => vec![parts::storm(&scene, place, drive)?],
        _ => Vec::new(),
    };
    let cast = Cast {
        producers: parts::producers(&scene, place, drive, connections)?,
        tails,
        laps,
        storm,
    };
    let costs = watch(settings, progress, window, &cast.laps);
    progress.enter(Phase::Drain);
    cast.end(&scene, costs)
}

/// The threads of a measurement.
struct Cast {
    producers: Vec<Producing>,
    tails: Vec<Consuming>,
    laps: Vec<Consuming>,
    storm: Vec<Producing>,
}

impl Cast {
    /// Producers end by themselves, then consumers are told to.
    fn end(
        self,
        scene: &parts::Scene<'_>,
        (before, after): (cpu::Reading, cpu::Reading),
    ) -> Result<Measured, Failure> {
        let settings = scene.settings;
        let produced = join(self.producers, produce::outcome::Outcome::merge)?;
        if produced.is_some() && !self.tails.is_empty() {
            await_consumers(scene.progress);
        }
        scene.stop.store(true, Relaxed);
        let window = scene.window;
        let mut measured = Measured {
            window,
            produced,
            consumed: join(self.tails, consume::outcome::Outcome::merge)?,
            caught_up: join(self.laps, consume::outcome::Outcome::merge)?,
            stormed: join(self.storm, produce::outcome::Outcome::merge)?,
            end_to_end: None,
            before,
            after,
            seconds: crate::clock::seconds(window.end_ns - window.start_ns),
        };
        measured.join_ends();
        measured.shorten(settings);
        Ok(measured)
    }
}

impl Measured {
    fn join_ends(&mut self) {
        let produced = self
            .produced
            .as_mut()
            .and_then(|outcome| outcome.places.take());
        let consumed = self
            .consumed
            .as_mut()
            .and_then(|outcome| outcome.places.take());
        if let (Some(produced), Some(consumed)) = (produced, consumed) {
            let values = consume::join::latencies(produced, &consumed, self.window);
            self.end_to_end = Some(values);
        }
    }

    /// A reader that has read everything once is done: its time is what it took.
    fn shorten(&mut self, settings: &Settings) {
        if settings.mode == Mode::Consume
            && settings.once
            && let Some(read) = &self.caught_up
        {
            let taken = read.last_ns.saturating_sub(self.window.start_ns);
            self.seconds = self.seconds.min(crate::clock::seconds(taken).max(1e-6));
        }
    }
}

/// Sleeps through the window; reads the CPU at both ends of it.
fn watch(
    settings: &Settings,
    progress: &Progress,
    window: Window,
    readers: &[Consuming],
) -> (cpu::Reading, cpu::Reading) {
    let only_readers = settings.mode == Mode::Consume;
    let done = || only_readers && readers.iter().all(JoinHandle::is_finished);
    sleep_until(window.start_ns, done);
    progress.enter(Phase::Measure);
    let before = cpu::read(settings.broker_pid);
    sleep_until(window.end_ns, done);
    (before, cpu::read(settings.broker_pid))
}

fn sleep_until(time_ns: u64, done: impl Fn() -> bool) {
    loop {
        let left = Duration::from_nanos(time_ns.saturating_sub(now_ns()));
        if left.is_zero() || done() {
            return;
        }
        thread::sleep(left.min(LOOK_INTERVAL * 5));
    }
}

/// What was acknowledged is on its way to the consumers: they get a little time for it.
fn await_consumers(progress: &Progress) {
    let deadline = now_ns() + CATCH_UP_NS_MAX;
    let mut seen = (0, now_ns());
    while now_ns() < deadline {
        let consumed = progress.snapshot(usize::MAX).consumed_records;
        if consumed != seen.0 {
            seen = (consumed, now_ns());
        } else if now_ns() - seen.1 > QUIET_NS {
            return;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

/// All threads of a kind, as one; none when there was none.
fn join<T>(
    threads: Vec<JoinHandle<Result<T, Failure>>>,
    merge: fn(&mut T, T),
) -> Result<Option<T>, Failure> {
    let mut all: Option<T> = None;
    for thread in threads {
        let one = thread
            .join()
            .map_err(|_| Failure::new("a thread panicked"))??;
        match &mut all {
            Some(all) => merge(all, one),
            None => all = Some(one),
        }
    }
    Ok(all)
}
