//! Heartbeat 0-4: the member lives; it is told when it has to join again.

use super::coordinators::{answer_of, ask};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Command, MemberRef};
use crate::wire::ErrorCode;
use crate::wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

pub(in crate::server) fn handle(call: Call, request: HeartbeatRequest) -> Dispatched {
    let asked = ask(
        &call,
        Command::Heartbeat(MemberRef {
            group: request.group_id.into(),
            generation: request.generation_id,
            member: request.member_id,
            instance: request.group_instance_id,
        }),
    );
    let answering = call.clone();
    call.later(async move {
        let code = match answer_of!(asked.await, Heartbeat) {
            Ok(()) => ErrorCode::None,
            Err(code) => code,
        };
        HeartbeatResponse {
            error_code: answering.code(code),
            ..HeartbeatResponse::default()
        }
    })
}
