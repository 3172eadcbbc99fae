//! JoinGroup 0-9: answered when the generation is complete. From 4 on a new dynamic member is first told its id (KIP-394),
//! from 5 on members may be static (KIP-345), 9 tells a returning static leader to keep the assignment (KIP-814).

use super::coordinators::ask;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Answer, Command, JoinRequest, Joined, Protocol};
use crate::wire::ErrorCode;
use crate::wire::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use bytes::Bytes;

const KNOWN_ID_FROM: i16 = 4;
const NULL_PROTOCOL_FROM: i16 = 7;
const SKIP_FROM: i16 = 9;

pub(in crate::server) fn handle(call: Call, request: JoinGroupRequest) -> Dispatched {
    if let Some(reason) = request
        .reason
        .as_deref()
        .filter(|reason| !reason.is_empty())
    {
        tracing::debug!(group = request.group_id, reason, "a member joins");
    }
    let asked = ask(&call, command(&call, request));
    let answering = call.clone();
    call.later(async move { answer(&answering, asked.await) })
}

fn command(call: &Call, request: JoinGroupRequest) -> Command {
    // Version 0 has one timeout for both.
    let rebalance_timeout_ms = match request.rebalance_timeout_ms {
        -1 => request.session_timeout_ms,
        given => given,
    };
    let peer = &call.peer;
    let protocols = request.protocols.into_iter();
    let protocols = protocols.map(|protocol| Protocol {
        name: protocol.name,
        // A copy: a slice would keep the whole frame.
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    Command::Join(JoinRequest {
        group: request.group_id.into(),
        member: request.member_id,
        instance: request.group_instance_id,
        client_id: peer.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: peer.host.to_string(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type,
        protocols: protocols.collect(),
        fresh: call.server.handle.random_uuid(),
        needs_known_id: call.version >= KNOWN_ID_FROM,
        knows_skip: call.version >= SKIP_FROM,
    })
}

fn answer(call: &Call, answer: Result<Answer, ErrorCode>) -> JoinGroupResponse {
    let (member_id, result) = match answer {
        Ok(Answer::Join(Joined { member, result })) => (member, result.map_err(errors::group)),
        Ok(_) => (String::new(), Err(ErrorCode::UnknownServerError)),
        Err(code) => (String::new(), Err(code)),
    };
    // Before version 7 there is no null.
    let no_protocol = (call.version < NULL_PROTOCOL_FROM).then(String::new);
    let generation = match result {
        Ok(generation) => generation,
        Err(code) => {
            return JoinGroupResponse {
                error_code: call.code(code),
                generation_id: -1,
                protocol_name: no_protocol,
                member_id,
                ..JoinGroupResponse::default()
            };
        }
    };
    let members = generation.members.into_iter();
    let members = members.map(|member| JoinGroupResponseMember {
        member_id: member.member,
        group_instance_id: member.instance,
        metadata: member.metadata,
        ..JoinGroupResponseMember::default()
    });
    JoinGroupResponse {
        generation_id: generation.generation,
        protocol_type: generation.protocol_type,
        protocol_name: generation.protocol.or(no_protocol),
        leader: generation.leader,
        skip_assignment: generation.skip_assignment,
        member_id,
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}
