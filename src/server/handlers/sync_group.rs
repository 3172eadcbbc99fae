//! SyncGroup 0-5: answered when the leader's assignment is durable. Version 5 names the protocol it speaks of (KIP-559).

use super::coordinators::{answer_of, ask};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Assignment, Command, MemberRef, SyncRequest};
use crate::wire::ErrorCode;
use crate::wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;

const PROTOCOL_FROM: i16 = 5;

pub(in crate::server) fn handle(call: Call, request: SyncGroupRequest) -> Dispatched {
    let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if call.version >= PROTOCOL_FROM && !is_named {
        return call.ready(&refused(&call, ErrorCode::InconsistentGroupProtocol));
    }
    let assignments = request.assignments.into_iter();
    let assignments = assignments.map(|each| Assignment {
        member: each.member_id,
        // A copy: a slice would keep the whole frame.
        assignment: Bytes::copy_from_slice(&each.assignment),
    });
    let asked = ask(
        &call,
        Command::Sync(SyncRequest {
            who: MemberRef {
                group: request.group_id.into(),
                generation: request.generation_id,
                member: request.member_id,
                instance: request.group_instance_id,
            },
            protocol_type: request.protocol_type,
            protocol: request.protocol_name,
            assignments: assignments.collect(),
        }),
    );
    let answering = call.clone();
    call.later(async move {
        match answer_of!(asked.await, Sync) {
            Ok(synced) => SyncGroupResponse {
                protocol_type: synced.protocol_type,
                protocol_name: synced.protocol,
                assignment: synced.assignment,
                ..SyncGroupResponse::default()
            },
            Err(code) => refused(&answering, code),
        }
    })
}

fn refused(call: &Call, code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: call.code(code),
        ..SyncGroupResponse::default()
    }
}
