//! FindCoordinator 0-6: this broker, for every group; the topic that holds their state is made by the first who asks.
//! There are no transactions and no share groups yet: a definite refusal that says so, never a retriable one, on which
//! a client would wait for ever.

use super::coordinators;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// From here on many keys are asked at once (KIP-699).
const BATCHED_FROM: i16 = 4;
/// From here on share groups have coordinators (KIP-932).
const SHARE_FROM: i16 = 6;

const SHARE_GROUPS_MISSING: &str = "This release has no share groups; use a consumer group.";

pub(in crate::server) fn handle(call: Call, request: FindCoordinatorRequest) -> Dispatched {
    let keys = match call.version {
        ..BATCHED_FROM => vec![request.key],
        _ => request.coordinator_keys,
    };
    if request.key_type != GROUP {
        let refused = refusal(request.key_type, call.version);
        return call.ready(&answer(&call, keys, Err(refused)));
    }
    let ready = coordinators::ensure(&call);
    let answering = call.clone();
    call.later(async move {
        let missing = "The topic of consumer groups could not be made.";
        let result = ready.await.map_err(|code| (code, missing));
        answer(&answering, keys, result)
    })
}

fn refusal(key_type: i8, version: i16) -> (ErrorCode, &'static str) {
    match key_type {
        SHARE if version >= SHARE_FROM => {
            (ErrorCode::GroupAuthorizationFailed, SHARE_GROUPS_MISSING)
        }
        TRANSACTION => (
            ErrorCode::TransactionalIdAuthorizationFailed,
            errors::TRANSACTIONS_MISSING,
        ),
        _ => (
            ErrorCode::InvalidRequest,
            "Coordinators are of groups (0) or transactional ids (1).",
        ),
    }
}

fn answer(
    call: &Call,
    keys: Vec<String>,
    result: Result<(), (ErrorCode, &str)>,
) -> FindCoordinatorResponse {
    let image = call.image();
    let found = image.broker.as_ref().filter(|_| result.is_ok());
    // Kafka spells out success in the old versions alone.
    let success = match call.version {
        ..BATCHED_FROM => (ErrorCode::None, "NONE"),
        _ => (ErrorCode::None, ""),
    };
    let (code, message) = result.err().unwrap_or(success);
    let one = Coordinator {
        node_id: found.map_or(-1, |broker| broker.node_id.0),
        host: found.map_or_else(String::new, |broker| broker.host.clone()),
        port: found.map_or(-1, |broker| i32::from(broker.port)),
        error_code: call.code(code),
        error_message: Some(message.to_owned()),
        ..Coordinator::default()
    };
    if call.version >= BATCHED_FROM {
        let coordinators = keys
            .into_iter()
            .map(|key| Coordinator { key, ..one.clone() });
        return FindCoordinatorResponse {
            coordinators: coordinators.collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: one.error_message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..FindCoordinatorResponse::default()
    }
}
