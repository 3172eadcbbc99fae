//! FindCoordinator 0-6: answered, because clients read more from its version than groups. librdkafka before 2.11 compresses
//! with LZ4 only where version 0 is known. There are no groups and no transactions yet: a definite refusal that says so,
//! never a retriable one, on which a client would wait for ever.

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

const GROUPS_MISSING: &str =
    "This release has no consumer groups; assign partitions by hand and keep offsets yourself.";

pub(in crate::server) fn handle(call: Call, request: FindCoordinatorRequest) -> Dispatched {
    let (code, message) = refusal(request.key_type, call.version);
    let code = call.code(code);
    let message = Some(message.to_owned());
    let mut response = FindCoordinatorResponse::default();
    if call.version < BATCHED_FROM {
        response.error_code = code;
        response.error_message = message;
        response.node_id = -1;
        response.port = -1;
        return call.ready(&response);
    }
    // Said once: there may be tens of thousands of keys.
    let messages = std::iter::once(message).chain(std::iter::repeat(None));
    let keys = request.coordinator_keys.into_iter().zip(messages);
    response.coordinators = keys
        .map(|(key, error_message)| Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: code,
            error_message,
            ..Coordinator::default()
        })
        .collect();
    call.ready(&response)
}

fn refusal(key_type: i8, version: i16) -> (ErrorCode, &'static str) {
    match key_type {
        GROUP => (ErrorCode::GroupAuthorizationFailed, GROUPS_MISSING),
        SHARE if version >= SHARE_FROM => (ErrorCode::GroupAuthorizationFailed, GROUPS_MISSING),
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
