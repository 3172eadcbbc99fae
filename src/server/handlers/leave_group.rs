//! LeaveGroup 0-5: one member, from 3 on several, static ones by their instance alone (KIP-345).

use super::coordinators::{answer_of, ask};
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Command, GroupError, LeaveRequest, Leaver};
use crate::wire::ErrorCode;
use crate::wire::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

const SEVERAL_FROM: i16 = 3;

pub(in crate::server) fn handle(call: Call, request: LeaveGroupRequest) -> Dispatched {
    let members = match call.version {
        ..SEVERAL_FROM => vec![MemberIdentity {
            member_id: request.member_id,
            ..MemberIdentity::default()
        }],
        _ => request.members,
    };
    for member in &members {
        if let Some(reason) = member.reason.as_deref().filter(|reason| !reason.is_empty()) {
            let (group, member) = (&request.group_id, &member.member_id);
            tracing::debug!(group, member, reason, "a member leaves");
        }
    }
    let leavers = members.iter().map(|member| Leaver {
        member: member.member_id.clone(),
        instance: member.group_instance_id.clone(),
    });
    let asked = ask(
        &call,
        Command::Leave(LeaveRequest {
            group: request.group_id.into(),
            leavers: leavers.collect(),
        }),
    );
    let answering = call.clone();
    call.later(async move { answer(&answering, members, answer_of!(asked.await, Leave)) })
}

fn answer(
    call: &Call,
    members: Vec<MemberIdentity>,
    left: Result<Vec<Result<(), GroupError>>, ErrorCode>,
) -> LeaveGroupResponse {
    let left = match left {
        Ok(left) => left,
        // A group that does not exist has none of these members.
        Err(ErrorCode::UnknownMemberId) => {
            vec![Err(GroupError::UnknownMemberId); members.len()]
        }
        Err(code) => {
            return LeaveGroupResponse {
                error_code: call.code(code),
                ..LeaveGroupResponse::default()
            };
        }
    };
    let codes = left.into_iter().map(|result| match result {
        Ok(()) => call.code(ErrorCode::None),
        Err(error) => call.code(errors::group(error)),
    });
    if call.version < SEVERAL_FROM {
        return LeaveGroupResponse {
            error_code: codes.into_iter().next().unwrap_or_default(),
            ..LeaveGroupResponse::default()
        };
    }
    let members = members.into_iter().zip(codes);
    let members = members.map(|(member, error_code)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code,
        ..MemberResponse::default()
    });
    LeaveGroupResponse {
        members: members.collect(),
        ..LeaveGroupResponse::default()
    }
}
