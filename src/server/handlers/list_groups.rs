//! ListGroups 0-5: every group of this broker, from 4 on by state (KIP-518), from 5 on by type. All are classic ones.

use crate::base::ids::ShardId;
use crate::server::call::Call;
use crate::server::errors::{self, Unanswered};
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::ListedGroup as Found;
use crate::shard::request::{Request, Response};
use crate::wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

const CLASSIC: &str = "classic";

pub(in crate::server) fn handle(call: Call, request: ListGroupsRequest) -> Dispatched {
    let handle = &call.server.handle;
    let shards = (0..handle.shard_count()).map(ShardId);
    let asked: Vec<_> = shards
        .map(|shard| handle.send(shard, Request::ListGroups))
        .collect();
    let answering = call.clone();
    call.later(async move {
        let mut response = ListGroupsResponse::default();
        for answer in asked {
            let code = match answer.await {
                Response::ListGroups(Ok(found)) => {
                    let wanted = found.into_iter().filter(|group| is_wanted(&request, group));
                    response.groups.extend(wanted.map(listed));
                    continue;
                }
                Response::ListGroups(Err(error)) => errors::group(error),
                other => errors::unanswered_group(Unanswered::from(other), false),
            };
            return ListGroupsResponse {
                error_code: answering.code(code),
                ..ListGroupsResponse::default()
            };
        }
        response
    })
}

fn is_wanted(request: &ListGroupsRequest, group: &Found) -> bool {
    let matches = |filter: &[String], name: &str| {
        filter.is_empty()
            || filter
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    matches(&request.states_filter, group.state.name()) && matches(&request.types_filter, CLASSIC)
}

fn listed(group: Found) -> ListedGroup {
    ListedGroup {
        group_id: group.group.to_string(),
        protocol_type: group.protocol_type,
        group_state: group.state.name().to_owned(),
        group_type: CLASSIC.to_owned(),
        ..ListedGroup::default()
    }
}
