//! Durations recorded twice: in the few buckets of a scrape, and in full for `/v1/latency`.
//!
//! ```text
//! full: unit 128 ns       2,048 places of one unit, then again and again 1,024 places, each twice as wide as before
//!       place   0 .. 2048      .. 3072      .. 4096            .. 20480
//!       units   0 .. 2048 by 1 .. 4096 by 2 .. 8192 by 4       .. 2^29 (69 s) by 262,144
//! ```
//!
//! The layout of an HdrHistogram of three digits, so that one can be made of it: less than 0.1 % is lost of a duration,
//! or 128 ns.

use super::catalog::Metric;
use super::histogram::{Histogram, HistogramSnapshot};
use super::snapshot::{Collect, Labels, Sample};
use std::cell::{Cell, OnceCell};
use std::time::Duration;

/// Shorter durations than this are not told apart.
pub const UNIT_NANOS: u64 = 1 << UNIT_BITS;
const UNIT_BITS: u32 = 7;
/// What is longer counts as this.
pub const LONGEST_NANOS: u64 = (1 << (UNIT_BITS + 29)) - 1;
const FINE: u64 = 2_048;
const PLACES: usize = place_of(LONGEST_NANOS) + 1;
const _: () = assert!(PLACES == 20 * 1_024);

/// A stage that one core times. Its first duration makes room for the full counts (160 KiB, of which memory is used where
/// durations fall); recording allocates nothing after that.
#[derive(Default, Debug)]
pub struct Latency {
    buckets: Histogram,
    full: OnceCell<Box<[Cell<u64>]>>,
}

/// The full counts of one stage at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LatencySnapshot {
    pub metric: &'static Metric,
    pub labels: Labels,
    counts: Vec<u64>,
}

impl Latency {
    pub fn record(&self, duration: Duration) {
        self.buckets.record(duration);
        let full = self.full.get_or_init(|| vec![Cell::new(0); PLACES].into());
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let count = &full[place_of(nanos.min(LONGEST_NANOS))];
        count.set(count.get() + 1);
    }

    pub fn snapshot(&self) -> HistogramSnapshot {
        self.buckets.snapshot()
    }

    /// `None` when nothing was ever recorded.
    pub fn full(&self, metric: &'static Metric, labels: Labels) -> Option<LatencySnapshot> {
        let counts = self.full.get()?.iter().map(Cell::get).collect();
        Some(LatencySnapshot {
            metric,
            labels,
            counts,
        })
    }
}

impl LatencySnapshot {
    /// Those of two cores become those of both.
    pub fn add(&mut self, other: &LatencySnapshot) {
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count += other;
        }
    }

    /// The shortest duration of each place that has any, in nanoseconds, and how many fell there.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().zip(0..);
        let counts = counts.filter(|(count, _)| **count > 0);
        counts.map(|(count, place)| (nanos_at(place), *count))
    }
}

const fn place_of(nanos: u64) -> usize {
    let units = nanos >> UNIT_BITS;
    let octave = (units | (FINE - 1)).ilog2() - (FINE - 1).ilog2();
    (octave as u64 * (FINE / 2) + (units >> octave)) as usize
}

const fn nanos_at(place: u64) -> u64 {
    let octave = (place / (FINE / 2)).saturating_sub(1);
    ((place - octave * (FINE / 2)) << octave) << UNIT_BITS
}

impl Collect for Latency {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        self.buckets.collect(metric, labels, samples);
    }

    fn is_untouched(&self) -> bool {
        self.full.get().is_none()
    }

    fn latencies<'a>(
        &'a self,
        metric: &'static Metric,
        labels: &Labels,
        found: &mut Vec<(&'static Metric, Labels, &'a Latency)>,
    ) {
        if !self.is_untouched() {
            found.push((metric, labels.clone(), self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalog::COMMIT_CYCLE_SECONDS;

    fn of(durations: &[u64]) -> LatencySnapshot {
        let latency = Latency::default();
        for nanos in durations {
            latency.record(Duration::from_nanos(*nanos));
        }
        assert_eq!(latency.snapshot().count(), durations.len() as u64);
        let full = latency.full(&COMMIT_CYCLE_SECONDS, Labels::new());
        full.expect("recorded")
    }

    #[test]
    fn a_duration_is_found_again_to_three_digits() {
        for nanos in [
            0,
            127,
            128,
            500,
            262_143,
            262_144,
            524_288,
            7_654_321,
            59_000_000_000,
        ] {
            let found: Vec<_> = of(&[nanos]).counts().collect();
            let [(lowest, 1)] = found[..] else {
                panic!("{found:?}");
            };
            let lost = nanos - lowest;
            assert!(
                lost < UNIT_NANOS.max(nanos / 1_000),
                "{nanos} became {lowest}"
            );
        }
    }

    #[test]
    fn places_follow_each_other_without_a_gap() {
        for place in 1..PLACES as u64 {
            let lowest = nanos_at(place);
            assert_eq!(place_of(lowest), place as usize);
            assert_eq!(place_of(lowest - 1), place as usize - 1);
        }
    }

    #[test]
    fn what_is_longer_than_the_longest_is_counted_as_it() {
        let full = of(&[LONGEST_NANOS, LONGEST_NANOS + 1, u64::MAX]);
        let counts: Vec<_> = full.counts().map(|(_, count)| count).collect();
        assert_eq!(counts, [3]);
        let empty = Latency::default();
        assert_eq!(empty.full(&COMMIT_CYCLE_SECONDS, Labels::new()), None);
    }

    #[test]
    fn the_counts_of_two_cores_add_up() {
        let mut all = of(&[1_280, 1_280, 5_000_000]);
        all.add(&of(&[1_280, 640]));
        let counts: Vec<_> = all.counts().collect();
        assert_eq!(counts[..2], [(640, 1), (1_280, 3)]);
        assert_eq!(counts.len(), 3);
    }
}
