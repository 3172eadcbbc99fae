//! The Prometheus text format, version 0.0.4.
//!
//! Written by hand: the usual encoder writes OpenMetrics, whose counters older readers (and `promtool check metrics`) take
//! for untyped ones without a description.

use crate::metrics::snapshot::{Labels, families};
use crate::metrics::{HistogramSnapshot, Metric, Sample, Value};
use std::fmt::Write;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Samples in the order of `catalog`.
pub(super) fn encode<'a>(
    catalog: &[&'static Metric],
    samples: impl Iterator<Item = &'a Sample>,
) -> String {
    let mut text = String::new();
    for (metric, samples) in families(catalog, samples) {
        head(&mut text, metric);
        for sample in samples {
            write_sample(&mut text, sample);
        }
    }
    text
}

fn head(text: &mut String, metric: &Metric) {
    let (name, kind) = (metric.name, metric.kind.name());
    line(text, format_args!("# HELP {name} {}", escaped(metric.help)));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn write_sample(text: &mut String, sample: &Sample) {
    let (name, labels) = (sample.metric.name, &sample.labels);
    match &sample.value {
        Value::Count(count) => line(text, format_args!("{name}{} {count}", Braces(labels, None))),
        Value::Number(value) => line(text, format_args!("{name}{} {value}", Braces(labels, None))),
        Value::Histogram(histogram) => write_histogram(text, name, labels, histogram),
    }
}

fn write_histogram(text: &mut String, name: &str, labels: &Labels, histogram: &HistogramSnapshot) {
    let mut below = 0;
    for (bound, count) in histogram.buckets() {
        below += count;
        let bound = match bound.is_finite() {
            true => bound.to_string(),
            false => "+Inf".to_owned(),
        };
        let braces = Braces(labels, Some(&bound));
        line(text, format_args!("{name}_bucket{braces} {below}"));
    }
    let braces = Braces(labels, None);
    line(
        text,
        format_args!("{name}_sum{braces} {}", histogram.sum_seconds()),
    );
    line(
        text,
        format_args!("{name}_count{braces} {}", histogram.count()),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}

/// Labels in braces, `le` last; nothing when there are none.
struct Braces<'a>(&'a Labels, Option<&'a str>);

impl std::fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = self.0.iter().map(|(name, value)| (*name, &**value));
        let bound = self.1.map(|bound| ("le", bound));
        let mut before = '{';
        for (name, value) in labels.chain(bound) {
            write!(
                f,
                "{before}{name}=\"{}\"",
                escaped(value).replace('"', "\\\"")
            )?;
            before = ',';
        }
        match before {
            ',' => f.write_str("}"),
            _ => Ok(()),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ShardId;
    use crate::metrics::catalog::SHARD_UP;
    use crate::metrics::{
        CATALOG, NodeCells, PlaneCells, ShardCells, ShardSnapshot, Stage, StoreCells, label,
    };
    use std::time::Duration;

    fn scrape(plane: &PlaneCells) -> String {
        let cells = (StoreCells::default(), ShardCells::default());
        let shard = ShardSnapshot::take(ShardId(1), plane, &cells.0, &cells.1);
        let mut samples = NodeCells::default().samples();
        samples.extend(shard.samples);
        samples.push(Sample {
            metric: &SHARD_UP,
            labels: vec![("shard", "0".into())],
            value: Value::Number(0.0),
        });
        encode(CATALOG, samples.iter())
    }

    #[test]
    fn a_histogram_counts_upwards_and_ends_with_everything() {
        let plane = PlaneCells::default();
        let seconds = plane.request_seconds.at(label::Api::Fetch).at(Stage::Total);
        for millis in [1, 3, 30_000] {
            seconds.record(Duration::from_millis(millis));
        }
        let text = scrape(&plane);
        let name = "ottla_request_seconds";
        let labels = "shard=\"1\",api=\"fetch\",stage=\"total\"";
        for line in [
            format!("# TYPE {name} histogram"),
            format!("{name}_bucket{{{labels},le=\"0.0005\"}} 0"),
            format!("{name}_bucket{{{labels},le=\"0.001\"}} 1"),
            format!("{name}_bucket{{{labels},le=\"0.005\"}} 2"),
            format!("{name}_bucket{{{labels},le=\"10\"}} 2"),
            format!("{name}_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("{name}_sum{{{labels}}} 30.004"),
            format!("{name}_count{{{labels}}} 3"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
    }

    #[test]
    fn every_line_is_a_sample_or_says_what_comes() {
        let text = scrape(&PlaneCells::default());
        assert!(text.contains("ottla_shard_up{shard=\"0\"} 0\n"));
        let mut described = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                described = help.split(' ').next().expect("a name").to_owned();
                continue;
            }
            let rest = line.strip_prefix("# TYPE ").unwrap_or(line);
            assert!(rest.starts_with(&described), "{line}");
            assert!(!rest.ends_with(' '), "{line}");
        }
    }
}
