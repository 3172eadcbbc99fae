//! DescribeGroups 0-6: state and members. An unknown group is `Dead` without an error before version 6, and
//! GROUP_ID_NOT_FOUND from there on.

use super::coordinators::{answer_of, ask};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group;
use crate::shard::request::group::{Command, DescribedMember, GroupState};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

const NOT_FOUND_FROM: i16 = 6;
/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(in crate::server) fn handle(call: Call, request: DescribeGroupsRequest) -> Dispatched {
    let with_operations = request.include_authorized_operations;
    let asked: Vec<_> = request
        .groups
        .into_iter()
        .map(|group| (ask(&call, Command::Describe(group.as_str().into())), group))
        .collect();
    let answering = call.clone();
    call.later(async move {
        let mut groups = Vec::with_capacity(asked.len());
        for (answer, group) in asked {
            let mut described = described(&answering, group, answer_of!(answer.await, Describe));
            if with_operations && described.error_code == 0 {
                described.authorized_operations = GROUP_OPERATIONS;
            }
            groups.push(described);
        }
        DescribeGroupsResponse {
            groups,
            ..DescribeGroupsResponse::default()
        }
    })
}

fn described(
    call: &Call,
    group_id: String,
    answer: Result<group::DescribedGroup, ErrorCode>,
) -> DescribedGroup {
    match answer {
        Ok(found) => DescribedGroup {
            group_id,
            group_state: found.state.name().to_owned(),
            protocol_type: found.protocol_type,
            protocol_data: found.protocol,
            members: found.members.into_iter().map(member).collect(),
            ..DescribedGroup::default()
        },
        Err(ErrorCode::GroupIdNotFound) => dead(call, group_id),
        Err(code) => DescribedGroup {
            error_code: call.code(code),
            group_id,
            ..DescribedGroup::default()
        },
    }
}

fn dead(call: &Call, group_id: String) -> DescribedGroup {
    let mut group = DescribedGroup {
        group_state: GroupState::Dead.name().to_owned(),
        ..DescribedGroup::default()
    };
    if call.version >= NOT_FOUND_FROM {
        group.error_code = call.code(ErrorCode::GroupIdNotFound);
        group.error_message = Some(format!("Group {group_id} not found."));
    }
    group.group_id = group_id;
    group
}

fn member(member: DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.member,
        group_instance_id: member.instance,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
        ..DescribedGroupMember::default()
    }
}
