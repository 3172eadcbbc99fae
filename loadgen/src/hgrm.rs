//! `.hgrm`: the percentile distribution of one histogram as text, as Java's `outputPercentileDistribution` writes it
//! and the HdrHistogram plotter reads it. Values are milliseconds.

use crate::latency::{LATENCY_NS_MAX, Values};
use std::fmt::Write as _;

/// Lines for each halving of the distance to 100 %.
const TICKS_PER_HALF: u32 = 5;
const NS_PER_MS: f64 = 1e6;

pub(crate) fn distribution(values: &Values) -> String {
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    if !values.is_empty() {
        lines(values, &mut text);
    }
    let milliseconds = |ns: f64| ns / NS_PER_MS;
    let (mean, deviation) = (milliseconds(values.mean()), milliseconds(values.stdev()));
    let max = milliseconds(values.max() as f64);
    let (total, sub_buckets) = (values.len(), sub_buckets(values));
    let buckets = values.buckets();
    write!(
        text,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n\
         #[Max     = {max:12.3}, Total count    = {total:12}]\n\
         #[Buckets = {buckets:12}, SubBuckets     = {sub_buckets:12}]\n"
    )
    .expect("a string takes any text");
    text
}

fn lines(values: &Values, text: &mut String) {
    let mut total = 0;
    for step in values.iter_quantiles(TICKS_PER_HALF) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = step.value_iterated_to() as f64 / NS_PER_MS;
        write!(text, "{value:12.3} {quantile:2.12} {total:10}").expect("a string takes any text");
        if quantile < 1.0 {
            write!(text, " {:14.2}", 1.0 / (1.0 - quantile)).expect("a string takes any text");
        }
        text.push('\n');
    }
}

/// Values that are told apart before a bucket doubles its width: a power of two that holds twice the digits.
fn sub_buckets(values: &Values) -> u64 {
    let digits = u32::from(values.sigfig());
    (2 * 10u64.pow(digits)).next_power_of_two()
}

/// The three digits of a value fit below the longest latency.
const _: () = assert!(LATENCY_NS_MAX as f64 / NS_PER_MS < 99_999_999.0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::new_histogram;

    #[test]
    fn what_is_read_back_agrees_with_the_histogram() {
        let mut values = new_histogram();
        let mut prng = ottla::base::prng::Prng::new(3);
        for _ in 0..50_000 {
            values.saturating_record(50_000 + prng.below(1 << 24));
        }
        let text = distribution(&values);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                line.split_whitespace()
                    .map(|word| word.parse().expect("a number"))
                    .collect()
            })
            .collect();
        assert!(rows.len() > 40, "{}", rows.len());
        for row in &rows {
            let expected = values.value_at_quantile(row[1]) as f64 / NS_PER_MS;
            assert!(
                (row[0] - expected).abs() <= expected / 1_000.0 + 0.0005,
                "{row:?} {expected}"
            );
            // Not below: a value stands for its bucket.
            let ns = (row[0] * NS_PER_MS) as u64;
            assert!(row[2] / 50_000.0 + 1e-9 >= row[1], "{row:?} {ns}");
        }
        let last = rows.last().expect("a last row");
        assert_eq!((last[1], last[2], last.len()), (1.0, 50_000.0, 3));
        assert!(text.contains("Total count    =        50000]"));
        assert!(text.ends_with("SubBuckets     =         2048]\n"), "{text}");
    }

    #[test]
    fn an_empty_histogram_has_no_lines() {
        assert_eq!(distribution(&new_histogram()).lines().count(), 5);
    }
}
