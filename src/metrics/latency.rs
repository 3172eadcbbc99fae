//! Durations recorded twice: in the few buckets of a scrape, and in full for `/v1/latency`.

use super::catalog::Metric;
use super::histogram::{Histogram, HistogramSnapshot};
use super::snapshot::{Collect, Labels, Sample};
use std::cell::{OnceCell, RefCell};
use std::time::Duration;

/// Every duration in nanoseconds, three digits of it.
pub type FullHistogram = hdrhistogram::Histogram<u64>;

/// What is longer counts as this.
pub const LONGEST: Duration = Duration::from_secs(60);
/// Shorter durations than this are not told apart: a clock does not, and it saves a quarter of the memory.
const UNIT_NANOS: u64 = 128;
const DIGITS: u8 = 3;

/// A stage that one core times. Its first duration makes the full histogram (160 KiB, of which a page is used for every
/// 512 values that occur); recording allocates nothing after that.
#[derive(Default, Debug)]
pub struct Latency {
    buckets: Histogram,
    full: OnceCell<RefCell<FullHistogram>>,
}

/// The full histogram of one stage at one moment; may cross threads.
#[derive(Clone, PartialEq, Debug)]
pub struct LatencySnapshot {
    pub metric: &'static Metric,
    pub labels: Labels,
    pub histogram: FullHistogram,
}

/// A histogram without durations; those of all stages can be added up.
pub fn full_histogram() -> FullHistogram {
    let made = FullHistogram::new_with_bounds(UNIT_NANOS, nanos(LONGEST), DIGITS);
    made.expect("constants in range")
}

impl Latency {
    pub fn record(&self, duration: Duration) {
        self.buckets.record(duration);
        let full = self.full.get_or_init(|| RefCell::new(full_histogram()));
        full.borrow_mut().saturating_record(nanos(duration));
    }

    pub fn snapshot(&self) -> HistogramSnapshot {
        self.buckets.snapshot()
    }

    /// `None` when nothing was ever recorded.
    pub fn full(&self) -> Option<FullHistogram> {
        self.full.get().map(|full| full.borrow().clone())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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

    #[test]
    fn a_duration_is_found_again_to_three_digits() {
        for nanos in [500, 9_999, 123_456, 7_654_321, 59_000_000_000] {
            let latency = Latency::default();
            latency.record(Duration::from_nanos(nanos));
            let full = latency.full().expect("recorded");
            let found = full.max();
            let error = found.abs_diff(nanos);
            assert!(
                error <= UNIT_NANOS.max(nanos / 1_000),
                "{nanos} became {found}"
            );
            assert_eq!(full.len(), 1);
            assert_eq!(latency.snapshot().count(), 1);
        }
    }

    #[test]
    fn what_is_longer_than_the_longest_is_counted_as_it() {
        let latency = Latency::default();
        assert_eq!(latency.full(), None);
        latency.record(Duration::from_secs(3_600));
        latency.record(Duration::MAX);
        let full = latency.full().expect("recorded");
        assert_eq!(full.len(), 2);
        assert!(full.max() >= nanos(LONGEST));
    }

    #[test]
    fn histograms_of_two_cores_add_up() {
        let (one, other) = (Latency::default(), Latency::default());
        (1..=90).for_each(|_| one.record(Duration::from_millis(1)));
        (1..=10).for_each(|_| other.record(Duration::from_millis(40)));
        let mut all = full_histogram();
        for latency in [one, other] {
            all.add(latency.full().expect("recorded"))
                .expect("one shape");
        }
        let millis = |quantile| all.value_at_quantile(quantile) as f64 / 1e6;
        assert_eq!(all.len(), 100);
        assert!((0.999..1.001).contains(&millis(0.9)), "{}", millis(0.9));
        assert!((39.9..40.1).contains(&millis(0.91)), "{}", millis(0.91));
    }
}
