//! `/metrics` in the Prometheus text format, version 0.0.4.
//!
//! Written by hand: the usual encoder writes OpenMetrics, whose counters older readers (and `promtool check metrics`) take
//! for untyped ones without a description.

use super::bridge::Report;
use super::thread::State;
use crate::metrics::catalog::{Kind, Metric, SHARD_UP};
use crate::metrics::snapshot::{Labels, families};
use crate::metrics::{HistogramSnapshot, NodeCells, Sample, ShardSnapshot, Value};
use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;
use std::fmt::Write;
use std::sync::Arc;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn scrape(extract::State(state): extract::State<Arc<State>>) -> impl IntoResponse {
    let reports = state.shards.reports().await;
    let text = text(&state, reports);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

fn text(state: &State, reports: Vec<Option<Report>>) -> String {
    let node = NodeCells::default();
    node.shards.set(reports.len() as u64);
    let is_failed = reports.iter().flatten().any(|report| report.is_failed);
    node.directory_failed.set(u64::from(is_failed));
    node.start_seconds.set(state.started_in().as_secs_f64());
    let mut samples = node.samples();
    let up = reports.iter().enumerate();
    samples.extend(up.map(|(shard, report)| up_sample(shard, report.is_some())));
    let reports = reports.into_iter().flatten();
    let shards: Vec<ShardSnapshot> = reports.map(|report| report.snapshot).collect();
    encode(&samples, &shards)
}

fn up_sample(shard: usize, is_up: bool) -> Sample {
    Sample {
        metric: &SHARD_UP,
        labels: vec![("shard", shard.to_string().into())],
        value: Value::Gauge(f64::from(u8::from(is_up))),
    }
}

fn encode(node: &[Sample], shards: &[ShardSnapshot]) -> String {
    let mut text = String::new();
    for (metric, samples) in families(node, shards) {
        head(&mut text, metric);
        for sample in samples {
            write_sample(&mut text, sample);
        }
    }
    text
}

fn head(text: &mut String, metric: &Metric) {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let name = metric.name;
    line(text, format_args!("# HELP {name} {}", escaped(metric.help)));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn write_sample(text: &mut String, sample: &Sample) {
    let (name, labels) = (sample.metric.name, &sample.labels);
    match &sample.value {
        Value::Counter(count) => line(text, format_args!("{name}{} {count}", Braces(labels, None))),
        Value::Gauge(value) => line(text, format_args!("{name}{} {value}", Braces(labels, None))),
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
    use crate::metrics::{PlaneCells, ShardCells, Stage, StoreCells, label};
    use std::time::Duration;

    fn scrape(plane: &PlaneCells) -> String {
        let cells = (StoreCells::default(), ShardCells::default());
        let shard = ShardSnapshot::take(ShardId(1), plane, &cells.0, &cells.1);
        let mut node = NodeCells::default().samples();
        node.push(up_sample(0, false));
        encode(&node, &[shard])
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
