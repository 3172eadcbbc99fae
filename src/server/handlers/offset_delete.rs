//! OffsetDelete 0 (KIP-496): forgets offsets in topics that the group does not consume. Answered when that is durable.

use super::coordinators::{answer_of, ask};
use super::topics;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Command, DeleteOffsets};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use std::sync::Arc;

pub(in crate::server) fn handle(call: Call, request: OffsetDeleteRequest) -> Dispatched {
    let image = call.image();
    let mut response = OffsetDeleteResponse::default();
    let (mut items, mut places) = (Vec::new(), Vec::new());
    for (topic_place, topic) in request.topics.into_iter().enumerate() {
        let name: Arc<str> = topic.name.as_str().into();
        let known = image.topic(&name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (place, part) in topic.partitions.iter().enumerate() {
            let index = part.partition_index;
            let exists = known.is_some_and(|topic| topics::partition(topic, index).is_ok());
            let mut answer = OffsetDeleteResponsePartition {
                partition_index: index,
                ..OffsetDeleteResponsePartition::default()
            };
            if exists {
                items.push((name.clone(), index));
                places.push((topic_place, place));
            } else {
                answer.error_code = call.code(ErrorCode::UnknownTopicOrPartition);
            }
            partitions.push(answer);
        }
        response.topics.push(OffsetDeleteResponseTopic {
            name: topic.name,
            partitions,
            ..OffsetDeleteResponseTopic::default()
        });
    }
    let group = request.group_id.into();
    let asked = ask(
        &call,
        Command::DeleteOffsets(DeleteOffsets { group, items }),
    );
    let answering = call.clone();
    call.later(async move {
        match answer_of!(asked.await, DeleteOffsets) {
            Ok(results) => {
                for ((topic, place), result) in places.into_iter().zip(results) {
                    let code = result.map_or_else(errors::group, |()| ErrorCode::None);
                    let partition = &mut response.topics[topic].partitions[place];
                    partition.error_code = answering.code(code);
                }
                response
            }
            Err(code) => OffsetDeleteResponse {
                error_code: answering.code(code),
                ..OffsetDeleteResponse::default()
            },
        }
    })
}
