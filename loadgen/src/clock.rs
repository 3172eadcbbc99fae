//! The one clock of a run: nanoseconds of `CLOCK_MONOTONIC`, the same in every thread.

use rustix::time::{ClockId, clock_gettime};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
pub(crate) const MILLISECOND_NS: u64 = 1_000_000;

pub(crate) fn now_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// CPU time of this process, all threads.
pub(crate) fn process_cpu_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

pub(crate) fn wall_ms() -> i64 {
    i64::try_from(read(ClockId::Realtime) / MILLISECOND_NS)
        .expect("a date before the year 292 million")
}

pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / SECOND_NS as f64
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * SECOND_NS + time.tv_nsec as u64
}
