//! Durations in fixed buckets, 1-2-5 per decade from 10 us to 10 s.

use std::cell::Cell;
use std::time::Duration;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Upper bounds in nanoseconds, inclusive; one more bucket holds what is longer.
pub const BOUNDS_NANOS: [u64; 19] = [
    10 * MICRO,
    20 * MICRO,
    50 * MICRO,
    100 * MICRO,
    200 * MICRO,
    500 * MICRO,
    MILLI,
    2 * MILLI,
    5 * MILLI,
    10 * MILLI,
    20 * MILLI,
    50 * MILLI,
    100 * MILLI,
    200 * MILLI,
    500 * MILLI,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
];

const BUCKETS: usize = BOUNDS_NANOS.len() + 1;

/// By the highest bit of a duration: how many bounds are lower than all durations of that bit. At most one more is among
/// them, because each bound is at least twice the one before.
const LOWER_BOUNDS: [u8; 64] = {
    let mut lower = [0; 64];
    let (mut bit, mut bounds) = (0, 0);
    while bit < 64 {
        while bounds < BOUNDS_NANOS.len() && BOUNDS_NANOS[bounds] < 1 << bit {
            bounds += 1;
        }
        lower[bit] = bounds as u8;
        bit += 1;
    }
    lower
};

/// A histogram that one core fills. Recording is two comparisons and two additions.
#[derive(Debug)]
pub struct Histogram {
    counts: [Cell<u64>; BUCKETS],
    sum_nanos: Cell<u64>,
}

/// A histogram at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistogramSnapshot {
    counts: [u64; BUCKETS],
    sum_nanos: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            counts: std::array::from_fn(|_| Cell::new(0)),
            sum_nanos: Cell::new(0),
        }
    }
}

impl Histogram {
    pub fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let count = &self.counts[bucket_of(nanos)];
        count.set(count.get() + 1);
        self.sum_nanos.set(self.sum_nanos.get().wrapping_add(nanos));
    }

    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            counts: std::array::from_fn(|bucket| self.counts[bucket].get()),
            sum_nanos: self.sum_nanos.get(),
        }
    }
}

/// The first whose bound is not lower, found without branches: several durations of every request are recorded.
fn bucket_of(nanos: u64) -> usize {
    let lower = usize::from(LOWER_BOUNDS[(nanos | 1).ilog2() as usize]);
    let is_above_next = BOUNDS_NANOS.get(lower).is_some_and(|&bound| bound < nanos);
    lower + usize::from(is_above_next)
}

impl HistogramSnapshot {
    /// (upper bound in seconds, durations in this bucket alone), rising; the last bound is `f64::INFINITY`.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = BOUNDS_NANOS
            .iter()
            .map(|&nanos| nanos as f64 / SECOND as f64);
        let bounds = bounds.chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied())
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 / SECOND as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        for (nanos, bucket) in [
            (0, 0),
            (1, 0),
            (10_000, 0),
            (10_001, 1),
            (20_000, 1),
            (999_999, 6),
            (1_000_000, 6),
            (1_000_001, 7),
            (10 * SECOND, 18),
            (10 * SECOND + 1, 19),
            (u64::MAX, 19),
        ] {
            let histogram = Histogram::default();
            histogram.record(Duration::from_nanos(nanos));
            let counts = histogram.snapshot().counts;
            assert_eq!(counts.iter().position(|&c| c == 1), Some(bucket), "{nanos}");
        }
        for near in BOUNDS_NANOS.iter().flat_map(|bound| bound - 1..=bound + 1) {
            let searched = BOUNDS_NANOS.partition_point(|&bound| bound < near);
            assert_eq!(bucket_of(near), searched, "{near}");
        }
    }

    #[test]
    fn buckets_are_in_seconds_and_add_up() {
        let histogram = Histogram::default();
        for millis in [1, 1, 30_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 3);
        assert_eq!(snapshot.sum_seconds(), 30.002);
        let full: Vec<_> = snapshot.buckets().filter(|&(_, count)| count > 0).collect();
        assert_eq!(full, [(0.001, 2), (f64::INFINITY, 1)]);
        assert_eq!(snapshot.buckets().next(), Some((0.000_01, 0)));
        assert!(BOUNDS_NANOS.is_sorted());
    }
}
