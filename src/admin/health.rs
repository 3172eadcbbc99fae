//! `/health/live`: the process answers. `/health/ready`: clients should be sent here.

use super::thread::State;
use crate::shard::request::{Observation, Observed};
use axum::extract;
use axum::http::StatusCode;
use std::sync::Arc;

pub(super) async fn live() -> &'static str {
    "live\n"
}

/// 503 with the reason until every shard serves, while one does not answer, and when the data directory has failed.
pub(super) async fn ready(
    extract::State(state): extract::State<Arc<State>>,
) -> (StatusCode, String) {
    if !state.is_ready() {
        return unavailable("not ready: starting or stopping");
    }
    let answers = state.shards.ask(Observation::Snapshot).await;
    for (shard, answer) in answers.iter().enumerate() {
        match answer {
            None => return unavailable(&format!("not ready: shard {shard} does not answer")),
            Some(Observed::Snapshot {
                is_failed: true, ..
            }) => {
                return unavailable("not ready: the data directory has failed");
            }
            Some(_) => {}
        }
    }
    (StatusCode::OK, "ready\n".to_owned())
}

fn unavailable(reason: &str) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"))
}
