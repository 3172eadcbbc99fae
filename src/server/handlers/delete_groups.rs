//! DeleteGroups 0-2: forgets groups without members, and their offsets. Answered when that is durable.

use super::coordinators::{answer_of, ask};
use super::topics::once;
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::Command;
use crate::wire::ErrorCode;
use crate::wire::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};

pub(in crate::server) fn handle(call: Call, request: DeleteGroupsRequest) -> Dispatched {
    // A group named twice is deleted and answered once.
    let names = once(request.groups_names.into_iter(), String::clone);
    let asked: Vec<_> = names
        .map(|group| (ask(&call, Command::Delete(group.as_str().into())), group))
        .collect();
    let answering = call.clone();
    call.later(async move {
        let mut results = Vec::with_capacity(asked.len());
        for (answer, group_id) in asked {
            let code = match answer_of!(answer.await, Delete) {
                Ok(()) => ErrorCode::None,
                Err(code) => code,
            };
            results.push(DeletableGroupResult {
                group_id,
                error_code: answering.code(code),
                ..DeletableGroupResult::default()
            });
        }
        DeleteGroupsResponse {
            results,
            ..DeleteGroupsResponse::default()
        }
    })
}
