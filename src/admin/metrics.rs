//! `/metrics`, bounded whatever the number of topics, and `/metrics/detail`, which names them, up to a configured number
//! of series.

use super::text_format::{CONTENT_TYPE, encode};
use super::thread::State;
use crate::base::ids::ShardId;
use crate::metrics::catalog::{CATALOG, DETAIL, DROPPED_SERIES, GROUPS_OFFSETS, SHARD_UP};
use crate::metrics::{NodeCells, Sample, Value};
use crate::shard::request::{GroupsLag, Observation, Observed};
use axum::extract;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use rustix::fs::statvfs;
use std::path::Path;
use std::sync::Arc;

pub(super) async fn scrape(extract::State(state): extract::State<Arc<State>>) -> impl IntoResponse {
    let text = encode(CATALOG, samples(&state).await.iter());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

async fn samples(state: &State) -> Vec<Sample> {
    let node = NodeCells::default();
    let (mut samples, mut are_all_up) = (Vec::new(), true);
    for (shard, answer) in (0..).zip(state.shards.ask(Observation::Snapshot).await) {
        let shard = ShardId(shard);
        samples.push(up_sample(shard, answer.is_some()));
        node.shards.add(1);
        are_all_up &= answer.is_some();
        if let Some(Observed::Snapshot {
            snapshot,
            is_failed,
        }) = answer
        {
            samples.extend(snapshot.samples);
            if is_failed {
                node.directory_failed.set(1);
            }
        }
    }
    let shards = node.shards.get() as usize;
    if are_all_up {
        add_lag(state, shards, &mut samples).await;
    }
    observe_disk(state.data_dir(), &node);
    node.start_seconds.set(state.started_in().as_secs_f64());
    samples.extend(node.samples());
    samples
}

fn up_sample(shard: ShardId, is_up: bool) -> Sample {
    Sample {
        metric: &SHARD_UP,
        labels: vec![("shard", shard.to_string().into())],
        value: Value::Number(f64::from(u8::from(is_up))),
    }
}

/// What groups have before them takes two questions, and none where nobody committed anything. With a shard that does not
/// answer it is not known, and left out.
async fn add_lag(state: &State, shards: usize, samples: &mut Vec<Sample>) {
    let is_committed =
        |sample: &Sample| sample.metric == &GROUPS_OFFSETS && sample.value != Value::Number(0.0);
    let lags = match samples.iter().any(is_committed) {
        true => lags(state).await,
        false => vec![GroupsLag::default(); shards],
    };
    if lags.len() == shards {
        let lags = (0..).map(ShardId).zip(lags);
        samples.extend(lags.flat_map(|(shard, lag)| lag.samples(shard)));
    }
}

/// Of every shard that answers.
async fn lags(state: &State) -> Vec<GroupsLag> {
    let Some(ends) = state.shards.ends().await else {
        return Vec::new();
    };
    let answers = state.shards.ask(Observation::Lag(ends)).await;
    let lags = answers.into_iter().filter_map(|answer| match answer {
        Some(Observed::Lag(lag)) => Some(lag),
        _ => None,
    });
    lags.collect()
}

fn observe_disk(data_dir: &Path, node: &NodeCells) {
    // Without an answer they read 0, which alarms somebody.
    if let Ok(found) = statvfs(data_dir) {
        node.disk_free.set(found.f_bavail * found.f_frsize);
        node.disk_size.set(found.f_blocks * found.f_frsize);
    }
}

/// 503 when a shard does not answer: half of it would look like lag that is gone.
pub(super) async fn detail(extract::State(state): extract::State<Arc<State>>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, CONTENT_TYPE)];
    match detail_samples(&state).await {
        Some(samples) => (StatusCode::OK, content_type, encode(DETAIL, samples.iter())),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            content_type,
            "# a shard does not answer\n".to_owned(),
        ),
    }
}

async fn detail_samples(state: &State) -> Option<Vec<Sample>> {
    let series_max = state.series_max();
    let ends = state.shards.ends().await?;
    let what = Observation::Detail { ends, series_max };
    let (mut samples, mut dropped) = (Vec::new(), 0);
    for answer in state.shards.ask(what).await {
        let Some(Observed::Detail(detail)) = answer else {
            return None;
        };
        samples.extend(detail.samples);
        dropped += detail.dropped;
    }
    // Each shard kept to the limit, now all together do. What stays is what comes first in the catalogue.
    let place = |sample: &Sample| DETAIL.iter().position(|metric| *metric == sample.metric);
    samples.sort_by_key(place);
    dropped += samples.len().saturating_sub(series_max) as u64;
    samples.truncate(series_max);
    samples.push(Sample {
        metric: &DROPPED_SERIES,
        labels: Vec::new(),
        value: Value::Count(dropped),
    });
    Some(samples)
}
