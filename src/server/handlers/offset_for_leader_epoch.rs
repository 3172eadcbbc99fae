//! OffsetForLeaderEpoch 2-4: where an epoch ends in this leader's log, so that a client sees whether its own idea of the
//! log was cut off (KIP-320). No such epoch: -1 and -1 without an error.

use super::by_shard::{ByShard, results_of};
use super::topics;
use crate::base::epoch::LeaderEpoch;
use crate::control::Image;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{EpochEnd, EpochEndOf, ReadError, Request};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

results_of!(ends, EpochEnds, Result<EpochEnd, ReadError>);

pub(in crate::server) fn handle(call: Call, request: OffsetForLeaderEpochRequest) -> Dispatched {
    let image = call.image();
    let mut wanted = ByShard::new();
    let mut response = OffsetForLeaderEpochResponse::default();
    for (topic_place, topic) in request.topics.into_iter().enumerate() {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (place, part) in topic.partitions.iter().enumerate() {
            let mut partition = EpochEndOffset {
                partition: part.partition,
                ..EpochEndOffset::default()
            };
            match question(&image, &topic.topic, part) {
                Ok(question) => {
                    let shard = call.server.handle.owner(question.partition);
                    wanted.push(shard, question, (topic_place, place));
                }
                Err(code) => partition.error_code = call.code(code),
            }
            partitions.push(partition);
        }
        response.topics.push(OffsetForLeaderTopicResult {
            topic: topic.topic,
            partitions,
            ..OffsetForLeaderTopicResult::default()
        });
    }
    let sent = wanted.send(&call.server.handle, Request::EpochEnds);
    let answering = call.clone();
    call.later(async move {
        sent.collect(ends, |(topic, place): (usize, usize), result| {
            let partition = &mut response.topics[topic].partitions[place];
            match errors::found(result) {
                Ok(found) => {
                    partition.leader_epoch = found.epoch.0;
                    partition.end_offset = found.end.0;
                }
                Err(code) => partition.error_code = answering.code(code),
            }
        })
        .await;
        response
    })
}

fn question(
    image: &Image,
    name: &str,
    part: &OffsetForLeaderPartition,
) -> Result<EpochEndOf, ErrorCode> {
    let topic = image
        .topic(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(EpochEndOf {
        partition: topics::partition(topic, part.partition)?,
        current: LeaderEpoch(part.current_leader_epoch),
        wanted: LeaderEpoch(part.leader_epoch),
    })
}
