//! `/v1/latency`: what every stage took since the start, in full. Percentiles in seconds, and beside them the histogram
//! itself (V2, deflated, base64; values in nanoseconds) for the tools that read and draw such.

use super::thread::State;
use crate::metrics::LatencySnapshot;
use crate::metrics::latency::{LONGEST_NANOS, UNIT_NANOS};
use crate::metrics::snapshot::Labels;
use crate::shard::request::{Observation, Observed};
use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

pub(super) async fn latency(
    extract::State(state): extract::State<Arc<State>>,
) -> impl IntoResponse {
    let (mut all, mut silent) = (Vec::new(), Vec::new());
    for (shard, answer) in state
        .shards
        .ask(Observation::Latencies)
        .await
        .into_iter()
        .enumerate()
    {
        match answer {
            Some(Observed::Latencies(found)) => {
                found.into_iter().for_each(|one| merge(&mut all, one))
            }
            _ => silent.push(shard),
        }
    }
    let body = json!({
        "unit": "seconds",
        "since": "start",
        "histogram_format": "HdrHistogram V2, deflated, base64",
        "histogram_unit": "nanoseconds",
        "shards_silent": silent,
        "latencies": all.iter().map(row).collect::<Vec<_>>(),
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body:#}\n"),
    )
}

/// The same stage of several cores is one.
fn merge(all: &mut Vec<LatencySnapshot>, one: LatencySnapshot) {
    let same =
        |other: &&mut LatencySnapshot| other.metric == one.metric && other.labels == one.labels;
    match all.iter_mut().find(same) {
        None => all.push(one),
        Some(other) => other.add(&one),
    }
}

fn row(latency: &LatencySnapshot) -> Value {
    let histogram = &histogram(latency);
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
    put("name", latency.metric.name.into());
    put("labels", labels(&latency.labels));
    put("count", histogram.len().into());
    put("min", seconds(histogram.min() as f64));
    put("mean", seconds(histogram.mean()));
    for (name, quantile) in QUANTILES {
        put(name, seconds(histogram.value_at_quantile(quantile) as f64));
    }
    put("max", seconds(histogram.max() as f64));
    put("histogram", encoded(histogram).into());
    Value::Object(row)
}

/// The form other tools know. It has the same places, so nothing is lost.
fn histogram(latency: &LatencySnapshot) -> Histogram<u64> {
    let made = Histogram::new_with_bounds(UNIT_NANOS, LONGEST_NANOS, 3);
    let mut histogram = made.expect("constants in range");
    for (nanos, count) in latency.counts() {
        let recorded = histogram.record_n(nanos, count);
        recorded.expect("no place is beyond the longest");
    }
    histogram
}

fn labels(labels: &Labels) -> Value {
    let labels = labels.iter();
    let labels = labels.map(|(name, value)| ((*name).to_owned(), Value::from(&**value)));
    Value::Object(labels.collect())
}

fn seconds(nanos: f64) -> Value {
    (nanos / 1e9).into()
}

fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
    written.expect("memory takes all bytes");
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Latency;
    use crate::metrics::catalog::COMMIT_CYCLE_SECONDS;
    use hdrhistogram::serialization::Deserializer;
    use std::time::Duration;

    fn of(stage: &'static str, nanos: &[u64]) -> LatencySnapshot {
        let latency = Latency::default();
        for nanos in nanos {
            latency.record(Duration::from_nanos(*nanos));
        }
        let labels = vec![("stage", stage.into())];
        let full = latency.full(&COMMIT_CYCLE_SECONDS, labels);
        full.expect("recorded")
    }

    #[test]
    fn the_same_stage_of_two_cores_is_one_row() {
        let mut all = Vec::new();
        for one in [of("a", &[1_000_000]), of("b", &[5]), of("a", &[3_000_000])] {
            merge(&mut all, one);
        }
        assert_eq!(all.len(), 2);
        let row = row(&all[0]);
        assert_eq!(row["labels"], json!({"stage": "a"}));
        assert_eq!(row["count"], 2);
        let close = |name: &str, seconds: f64| {
            let found = row[name].as_f64().expect("a number");
            assert!((found / seconds - 1.0).abs() < 0.001, "{name}: {found}");
        };
        close("min", 0.001);
        close("p50", 0.001);
        close("p99.99", 0.003);
        close("max", 0.003);
        close("mean", 0.002);
    }

    #[test]
    fn the_histogram_itself_can_be_read_back() {
        let durations = [10_000, 20_000, 20_001, 300_000, 30_000_000, LONGEST_NANOS];
        let latency = of("a", &durations);
        let text = row(&latency)["histogram"]
            .as_str()
            .expect("text")
            .to_owned();
        // What other tools know it by.
        assert!(text.starts_with("HISTFAAA"), "{text}");
        let bytes = STANDARD.decode(text).expect("base64");
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut &*bytes).expect("V2");
        assert_eq!(read, histogram(&latency));
        // As if it had been an HdrHistogram from the beginning.
        let mut recorded =
            Histogram::<u64>::new_with_bounds(UNIT_NANOS, LONGEST_NANOS, 3).expect("bounds");
        for nanos in durations {
            recorded.record(nanos).expect("in range");
        }
        assert_eq!(read, recorded);
    }
}
