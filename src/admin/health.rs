//! `/health/live`: the process answers. `/health/ready`: clients should be sent here.

use super::thread::State;
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
    for (shard, report) in state.shards.reports().await.iter().enumerate() {
        match report {
            None => return unavailable(&format!("not ready: shard {shard} does not answer")),
            Some(report) if report.is_failed => {
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
