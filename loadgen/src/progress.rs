//! What a run has done so far: written by its threads ten times a second, read by the live view, and at the end the
//! time line of the result.
//!
//! A thread counts in a [`Reporter`] of its own and adds it up here; the histogram of a second is merged when the
//! second is over. A second is complete when every thread has reported it.

use crate::clock::{SECOND_NS, now_ns};
use crate::latency::{Values, encoded, new_histogram, percentile};
use crate::result::Second;
use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// How often a thread adds its counters up.
const REPORT_INTERVAL_NS: u64 = 100_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Connections, topics, batches.
    Prepare,
    WarmUp,
    Measure,
    /// The schedule is over; answers are waited for.
    Drain,
    Verify,
    /// The same workload against the sink.
    Sink,
    Done,
}

impl Phase {
    const ALL: [Phase; 7] = [
        Phase::Prepare,
        Phase::WarmUp,
        Phase::Measure,
        Phase::Drain,
        Phase::Verify,
        Phase::Sink,
        Phase::Done,
    ];
}

/// The window of a run on its clock. Nothing outside it is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Window {
    pub(crate) fn contains(&self, time_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&time_ns)
    }

    /// How many measured seconds are over, the last of which may be a part of one; none before the first begins.
    fn seconds_over(&self, time_ns: u64) -> Option<u32> {
        let inside = time_ns.checked_sub(self.start_ns)?;
        let all = (self.end_ns - self.start_ns).div_ceil(SECOND_NS);
        match time_ns >= self.end_ns {
            true => Some(all as u32),
            false => Some((inside / SECOND_NS) as u32),
        }
    }
}

/// One run, shared by its threads.
pub(crate) struct Progress {
    phase: AtomicU8,
    window_start_ns: AtomicU64,
    window_end_ns: AtomicU64,
    totals: Totals,
    /// Requests whose time has come and that are not acknowledged.
    backlog: AtomicI64,
    reporters: AtomicUsize,
    seconds: Mutex<Seconds>,
    notes: Mutex<Vec<String>>,
}

/// Since the first request, warm-up included.
#[derive(Default)]
struct Totals {
    records: AtomicU64,
    consumed_records: AtomicU64,
    errors: AtomicU64,
}

#[derive(Default)]
struct Seconds {
    complete: Vec<Second>,
    /// Complete seconds of measurements before this one.
    before: u32,
    open: BTreeMap<u32, OpenSecond>,
}

struct OpenSecond {
    reports: usize,
    counts: Counts,
    backlog: u64,
    latency: Values,
}

/// What a thread counted since it last reported.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) consumed_records: u64,
    pub(crate) errors: u64,
}

/// What a view shows. Totals include the warm-up.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) phase: Phase,
    /// Negative during the warm-up.
    pub(crate) measured_seconds: f64,
    pub(crate) planned_seconds: f64,
    pub(crate) records: u64,
    pub(crate) consumed_records: u64,
    pub(crate) backlog: u64,
    pub(crate) errors: u64,
    /// Complete seconds, from the one asked for.
    pub(crate) seconds: Vec<Second>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Progress> {
        Arc::new(Progress {
            phase: AtomicU8::new(0),
            window_start_ns: AtomicU64::new(0),
            window_end_ns: AtomicU64::new(0),
            totals: Totals::default(),
            backlog: AtomicI64::new(0),
            reporters: AtomicUsize::new(0),
            seconds: Mutex::default(),
            notes: Mutex::default(),
        })
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Told before the threads of a measurement start. Another measurement goes on in the same time line.
    pub(crate) fn plan(&self, window: Window) {
        self.reporters.store(0, Relaxed);
        self.lock().begin();
        self.window_start_ns.store(window.start_ns, Relaxed);
        self.window_end_ns.store(window.end_ns, Relaxed);
    }

    /// A line for whoever watches: what a rate gave, before the next is tried.
    pub(crate) fn note(&self, line: String) {
        let mut notes = self.notes.lock().expect("no thread panics holding it");
        notes.push(line);
    }

    /// Lines that nobody has seen yet.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        mem::take(&mut *self.notes.lock().expect("no thread panics holding it"))
    }

    /// Complete seconds from number `first` on, and where the run stands.
    pub(crate) fn snapshot(&self, first: usize) -> Snapshot {
        let (start, end) = (
            self.window_start_ns.load(Relaxed),
            self.window_end_ns.load(Relaxed),
        );
        let now = now_ns().min(end);
        let seconds = self.lock();
        Snapshot {
            phase: Phase::ALL[usize::from(self.phase.load(Relaxed))],
            measured_seconds: (now as f64 - start as f64) / SECOND_NS as f64,
            planned_seconds: crate::clock::seconds(end - start),
            records: self.totals.records.load(Relaxed),
            consumed_records: self.totals.consumed_records.load(Relaxed),
            backlog: u64::try_from(self.backlog.load(Relaxed)).unwrap_or(0),
            errors: self.totals.errors.load(Relaxed),
            seconds: seconds.complete.get(first..).unwrap_or_default().to_vec(),
        }
    }

    /// The time line, after every reporter has finished.
    pub(crate) fn timeline(&self) -> Vec<Second> {
        self.lock().complete.clone()
    }

    fn add(&self, counts: &Counts, backlog: i64) {
        self.totals.records.fetch_add(counts.records, Relaxed);
        let consumed = &self.totals.consumed_records;
        consumed.fetch_add(counts.consumed_records, Relaxed);
        self.totals.errors.fetch_add(counts.errors, Relaxed);
        self.backlog.fetch_add(backlog, Relaxed);
    }

    fn close_second(&self, number: u32, counts: &Counts, backlog: u64, latency: &Values) {
        let mut seconds = self.lock();
        let open = seconds.open.entry(number).or_insert_with(|| OpenSecond {
            reports: 0,
            counts: Counts::default(),
            backlog: 0,
            latency: new_histogram(),
        });
        open.reports += 1;
        open.counts.add(counts);
        open.backlog += backlog;
        open.latency.add(latency).expect("histograms of one shape");
        let reporters = self.reporters.load(Relaxed);
        while let Some(first) = seconds.open.first_entry() {
            if first.get().reports < reporters {
                break;
            }
            let (number, open) = first.remove_entry();
            let number = seconds.before + number;
            seconds.complete.push(open.complete(number));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seconds> {
        self.seconds.lock().expect("no thread panics holding it")
    }
}

impl Seconds {
    fn begin(&mut self) {
        self.open.clear();
        self.before = self.complete.len() as u32;
    }
}

impl OpenSecond {
    fn complete(&self, second: u32) -> Second {
        let seen = !self.latency.is_empty();
        Second {
            second,
            records: self.counts.records,
            payload_bytes: self.counts.payload_bytes,
            consumed_records: self.counts.consumed_records,
            backlog: self.backlog,
            errors: self.counts.errors,
            p50: percentile(&self.latency, 50.0),
            p99: percentile(&self.latency, 99.0),
            max: seen.then(|| self.latency.max() as f64 / 1_000.0),
            histogram: seen.then(|| encoded(&self.latency)),
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.records += other.records;
        self.payload_bytes += other.payload_bytes;
        self.consumed_records += other.consumed_records;
        self.errors += other.errors;
    }
}

/// One thread's share. Costs a comparison per turn and a few atomics each tenth of a second.
pub(crate) struct Reporter {
    progress: Arc<Progress>,
    window: Window,
    pub(crate) counts: Counts,
    reported_backlog: u64,
    next_report_ns: u64,
    /// Whether a report fell into the window.
    is_measuring: bool,
    /// Seconds that were reported as over.
    closed: u32,
    in_second: Counts,
    latency: Values,
}

impl Reporter {
    /// All reporters of a run are made before any of its threads starts.
    pub(crate) fn new(progress: &Arc<Progress>, window: Window) -> Reporter {
        progress.reporters.fetch_add(1, Relaxed);
        Reporter {
            progress: progress.clone(),
            window,
            counts: Counts::default(),
            reported_backlog: 0,
            next_report_ns: 0,
            is_measuring: false,
            closed: 0,
            in_second: Counts::default(),
            latency: new_histogram(),
        }
    }

    /// A request was acknowledged now, `latency_ns` after its time had come.
    pub(crate) fn latency(&mut self, latency_ns: u64) {
        self.latency.saturating_record(latency_ns);
    }

    /// When the thread must look at [`Reporter::tick`] again.
    pub(crate) fn next_report_ns(&self) -> u64 {
        self.next_report_ns
    }

    pub(crate) fn tick(&mut self, now_ns: u64, backlog: u64) {
        if now_ns >= self.next_report_ns {
            self.report(now_ns, backlog);
        }
    }

    /// Closes every second that has begun, so that the time line is whole.
    pub(crate) fn finish(&mut self, backlog: u64) {
        self.report(self.window.end_ns, backlog);
        self.progress
            .add(&Counts::default(), -(self.reported_backlog as i64));
    }

    fn report(&mut self, now_ns: u64, backlog: u64) {
        let counts = mem::take(&mut self.counts);
        let delta = backlog as i64 - self.reported_backlog as i64;
        self.progress.add(&counts, delta);
        self.reported_backlog = backlog;
        // What came since the last report belongs to the second that was open then.
        self.in_second.add(&counts);
        match self.window.seconds_over(now_ns) {
            // Warm-up.
            None => self.begin_second(),
            Some(over) => self.close_until(over, backlog),
        }
        self.next_report_ns = self.next_boundary(now_ns);
    }

    /// A report is due at the end of each second, so that seconds are as long as they say.
    fn next_boundary(&self, now_ns: u64) -> u64 {
        let start = self.window.start_ns;
        let boundary = match now_ns < start {
            true => start,
            false => start + ((now_ns - start) / SECOND_NS + 1) * SECOND_NS,
        };
        boundary.min(now_ns + REPORT_INTERVAL_NS)
    }

    fn close_until(&mut self, over: u32, backlog: u64) {
        if !self.is_measuring && over == 0 {
            // The first report of the window: a moment of the warm-up hangs on it.
            self.begin_second();
        }
        self.is_measuring = true;
        for number in self.closed..over {
            let counts = self.in_second;
            self.progress
                .close_second(number, &counts, backlog, &self.latency);
            self.begin_second();
        }
        self.closed = over;
    }

    fn begin_second(&mut self) {
        self.in_second = Counts::default();
        self.latency.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_complete_when_every_thread_reported_it() {
        let progress = Progress::new();
        let window = Window {
            start_ns: 10 * SECOND_NS,
            end_ns: 12 * SECOND_NS,
        };
        progress.plan(window);
        let mut threads = [(); 2].map(|()| Reporter::new(&progress, window));
        for thread in &mut threads {
            thread.counts.records = 5;
            thread.tick(window.start_ns - 1, 0);
            thread.tick(window.start_ns, 0);
            thread.counts.records = 7;
            thread.latency(2_000_000);
        }
        threads[0].tick(window.start_ns + SECOND_NS, 3);
        assert!(progress.timeline().is_empty());
        threads[1].tick(window.start_ns + SECOND_NS, 4);
        let timeline = progress.timeline();
        assert_eq!(timeline.len(), 1);
        assert_eq!((timeline[0].records, timeline[0].backlog), (14, 7));
        assert!(
            timeline[0]
                .max
                .is_some_and(|max| (1_990.0..2_010.0).contains(&max))
        );
        for thread in &mut threads {
            thread.finish(0);
        }
        assert_eq!(progress.timeline().len(), 2);
        assert_eq!(progress.snapshot(0).records, 24);
    }

    #[test]
    fn a_thread_that_ends_early_leaves_a_whole_time_line() {
        let progress = Progress::new();
        let window = Window {
            start_ns: 10 * SECOND_NS,
            end_ns: 13 * SECOND_NS,
        };
        progress.plan(window);
        let mut early = Reporter::new(&progress, window);
        let mut late = Reporter::new(&progress, window);
        early.tick(window.start_ns - 1, 0);
        early.counts.consumed_records = 9;
        early.finish(0);
        for second in 0..4 {
            late.tick(window.start_ns + second * SECOND_NS, 0);
            late.tick(window.end_ns + second * SECOND_NS, 0);
        }
        late.finish(0);
        let timeline = progress.timeline();
        let consumed: Vec<u64> = timeline
            .iter()
            .map(|second| second.consumed_records)
            .collect();
        assert_eq!(consumed, [9, 0, 0]);
    }
}
