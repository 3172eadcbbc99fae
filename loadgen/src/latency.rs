//! Histograms of latencies, and what may be said about them.

use crate::result::Latency;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use std::collections::BTreeMap;

/// Nanoseconds.
pub(crate) type Values = Histogram<u64>;

/// Longer than this is recorded as this.
pub(crate) const LATENCY_NS_MAX: u64 = 60 * 1_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// A percentile is quoted when as many samples lie above it.
pub(crate) const SAMPLES_ABOVE_MIN: f64 = 10.0;

const QUOTED: [f64; 6] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99];

pub(crate) fn new_histogram() -> Values {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
        .expect("bounds that a histogram can have")
}

/// In microseconds; none when the samples cannot carry it.
pub(crate) fn percentile(values: &Values, percent: f64) -> Option<f64> {
    let above = values.len() as f64 * (100.0 - percent) / 100.0;
    // A ten-thousandth of a sample: 100,000 samples have ten above p99.99 whatever the rounding.
    (above + 1e-4 >= SAMPLES_ABOVE_MIN).then(|| micros(at_rank(values, percent)))
}

/// The smallest value that so many percent of the samples do not exceed. Asked for by the middle of its rank: the
/// histogram multiplies in floating point, and would take the next sample where the product is a hair above a whole
/// number.
fn at_rank(values: &Values, percent: f64) -> u64 {
    let count = values.len() as f64;
    let rank = (count * percent / 100.0 - RANK_ROUNDING).ceil().max(1.0);
    values.value_at_quantile((rank - 0.5) / count)
}

/// Beyond the rounding of a product of any count of samples that a run can have.
const RANK_ROUNDING: f64 = 1e-6;

/// Compressed V2, base64: what other tools read.
pub(crate) fn encoded(values: &Values) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(values, &mut bytes)
        .expect("memory takes any histogram");
    STANDARD.encode(bytes)
}

/// What [`encoded`] made, from a file that may hold anything.
pub(crate) fn decoded(text: &str) -> Result<Values, String> {
    let bytes = STANDARD.decode(text);
    let bytes = bytes.map_err(|error| format!("not a histogram: {error}"))?;
    let values = Deserializer::new().deserialize(&mut bytes.as_slice());
    values.map_err(|error| format!("not a histogram: {error}"))
}

pub(crate) fn summary(values: &Values) -> Latency {
    let quoted = QUOTED.iter().filter_map(|&percent| {
        let value = percentile(values, percent)?;
        Some((format!("p{percent}"), value))
    });
    let seen = !values.is_empty();
    Latency {
        count: values.len(),
        min: if seen { micros(values.min()) } else { 0.0 },
        mean: values.mean() / 1_000.0,
        max: micros(values.max()),
        percentiles: quoted.collect::<BTreeMap<_, _>>(),
        histogram: encoded(values),
    }
}

pub(crate) fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_ten_samples_above_it() {
        let mut values = new_histogram();
        for sample in 1..=999u64 {
            values.saturating_record(sample * 1_000);
        }
        assert_eq!(percentile(&values, 99.0), None);
        values.saturating_record(1_000_000);
        assert!(percentile(&values, 99.0).is_some());
        assert_eq!(percentile(&values, 99.9), None);
        let names: Vec<_> = summary(&values).percentiles.into_keys().collect();
        assert_eq!(names, ["p50", "p90", "p95", "p99"]);
    }

    #[test]
    fn percentiles_lie_within_a_thousandth_of_the_sorted_samples() {
        let mut prng = ottla::base::prng::Prng::new(11);
        let mut values = new_histogram();
        let mut samples: Vec<u64> = (0..200_000)
            .map(|_| 20_000 + prng.below(1 << (14 + prng.clone().below(18))))
            .collect();
        for &sample in &samples {
            values.saturating_record(sample);
        }
        samples.sort_unstable();
        for percent in QUOTED {
            let rank = (samples.len() as f64 * percent / 100.0).ceil() as usize;
            let exact = samples[rank - 1] as f64 / 1_000.0;
            let told = percentile(&values, percent).expect("enough samples");
            assert!(
                (told - exact).abs() <= exact / 1_000.0,
                "{percent}: {told} {exact}"
            );
        }
    }
}
