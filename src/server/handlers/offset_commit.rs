//! OffsetCommit 2-9: answered when the offsets are durable. Partitions this cluster does not have are refused one by one.
//! 2 to 4 may bring a retention of their own; from 9 on a missing group has its own code.

use super::coordinators::{answer_of, ask};
use super::topics;
use crate::control::Image;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Command, CommitItem, CommitRequest, GroupError, MemberRef};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use std::sync::Arc;

const MISSING_GROUPS_FROM: i16 = 9;

/// Topic and partition in the answer.
type Place = (usize, usize);

pub(in crate::server) fn handle(call: Call, request: OffsetCommitRequest) -> Dispatched {
    let (mut response, items, places) = plan(&call, &call.image(), request.topics);
    if items.is_empty() {
        return call.ready(&response);
    }
    let asked = ask(
        &call,
        Command::Commit(CommitRequest {
            who: MemberRef {
                group: request.group_id.into(),
                generation: request.generation_id_or_member_epoch,
                member: request.member_id,
                instance: request.group_instance_id,
            },
            knows_missing_groups: call.version >= MISSING_GROUPS_FROM,
            retention_ms: (request.retention_time_ms != -1).then_some(request.retention_time_ms),
            items,
        }),
    );
    let answering = call.clone();
    call.later(async move {
        let results = answer_of!(asked.await, Commit);
        fill(&answering, &mut response, &places, results);
        response
    })
}

/// What the coordinator is asked, and where its answers go.
fn plan(
    call: &Call,
    image: &Image,
    topics: Vec<OffsetCommitRequestTopic>,
) -> (OffsetCommitResponse, Vec<CommitItem>, Vec<Place>) {
    let mut response = OffsetCommitResponse::default();
    let (mut items, mut places) = (Vec::new(), Vec::new());
    // A topic without partitions is not answered.
    let topics = topics
        .into_iter()
        .filter(|topic| !topic.partitions.is_empty());
    for (topic_place, topic) in topics.enumerate() {
        let name: Arc<str> = topic.name.as_str().into();
        let known = image.topic(&name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (place, part) in topic.partitions.into_iter().enumerate() {
            let mut answer = OffsetCommitResponsePartition {
                partition_index: part.partition_index,
                ..OffsetCommitResponsePartition::default()
            };
            let exists =
                known.is_some_and(|topic| topics::partition(topic, part.partition_index).is_ok());
            if exists {
                places.push((topic_place, place));
                items.push(CommitItem {
                    topic: name.clone(),
                    partition: part.partition_index,
                    offset: part.committed_offset,
                    leader_epoch: part.committed_leader_epoch,
                    metadata: part.committed_metadata.unwrap_or_default(),
                });
            } else {
                answer.error_code = call.code(ErrorCode::UnknownTopicOrPartition);
            }
            partitions.push(answer);
        }
        response.topics.push(OffsetCommitResponseTopic {
            name: topic.name,
            partitions,
            ..OffsetCommitResponseTopic::default()
        });
    }
    (response, items, places)
}

fn fill(
    call: &Call,
    response: &mut OffsetCommitResponse,
    places: &[Place],
    results: Result<Vec<Result<(), GroupError>>, ErrorCode>,
) {
    for (index, (topic, partition)) in places.iter().enumerate() {
        let code = match &results {
            Err(code) => *code,
            Ok(results) => match results.get(index) {
                Some(Ok(())) => ErrorCode::None,
                Some(Err(error)) => errors::group(*error),
                None => ErrorCode::UnknownServerError,
            },
        };
        response.topics[*topic].partitions[*partition].error_code = call.code(code);
    }
}
