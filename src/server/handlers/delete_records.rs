//! DeleteRecords 0-2: raises the first readable offset. Answered when the new start is durable; -1 means everything
//! that is committed. Of a topic that is compacted and never deletes, no records are deleted: POLICY_VIOLATION.

use super::by_shard::{ByShard, results_of};
use super::topics;
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::control::Image;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{CutAt, DeleteRecordsError, Request};
use crate::wire::ErrorCode;
use crate::wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use std::time::Duration;

/// As for produce: a note on the disk takes a moment.
const TIMEOUT_MS_MIN: u64 = 1_000;

results_of!(starts, DeleteRecords, Result<Offset, DeleteRecordsError>);

pub(in crate::server) fn handle(call: Call, request: DeleteRecordsRequest) -> Dispatched {
    let image = call.image();
    let timeout = u64::try_from(request.timeout_ms)
        .unwrap_or(0)
        .max(TIMEOUT_MS_MIN);
    let now = call.server.handle.instant();
    let deadline = now.plus(Duration::from_millis(timeout));
    let mut cuts = ByShard::new();
    let mut response = DeleteRecordsResponse::default();
    for (topic_place, topic) in request.topics.into_iter().enumerate() {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (place, part) in topic.partitions.iter().enumerate() {
            let mut partition = DeleteRecordsPartitionResult {
                partition_index: part.partition_index,
                low_watermark: Offset::NONE.0,
                ..DeleteRecordsPartitionResult::default()
            };
            match cut(&image, &topic.name, part) {
                Ok(cut) => {
                    let shard = call.server.handle.owner(cut.0);
                    cuts.push(shard, cut, (topic_place, place));
                }
                Err(code) => partition.error_code = call.code(code),
            }
            partitions.push(partition);
        }
        response.topics.push(DeleteRecordsTopicResult {
            name: topic.name,
            partitions,
            ..DeleteRecordsTopicResult::default()
        });
    }
    let sent = cuts.send(&call.server.handle, |cuts| Request::DeleteRecords {
        cuts,
        deadline,
    });
    let answering = call.clone();
    call.later(async move {
        sent.collect(starts, |(topic, place): (usize, usize), result| {
            let partition = &mut response.topics[topic].partitions[place];
            let code = match result {
                Ok(Ok(log_start)) => {
                    partition.low_watermark = log_start.0;
                    return;
                }
                Ok(Err(error)) => errors::delete_records(error),
                Err(unanswered) => errors::unanswered_write(unanswered),
            };
            partition.error_code = answering.code(code);
        })
        .await;
        response
    })
}

fn cut(
    image: &Image,
    name: &str,
    part: &DeleteRecordsPartition,
) -> Result<(PartitionId, CutAt), ErrorCode> {
    let topic = image
        .topic(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topics::partition(topic, part.partition_index)?;
    // The newest record of each key is what such a topic promises to keep.
    if !topic.config.cleanup.delete && !topic.internal {
        return Err(ErrorCode::PolicyViolation);
    }
    match part.offset {
        -1 => Ok((partition, CutAt::HighWatermark)),
        0.. => Ok((partition, CutAt::Offset(Offset(part.offset)))),
        _ => Err(ErrorCode::OffsetOutOfRange),
    }
}
