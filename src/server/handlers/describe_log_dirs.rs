//! DescribeLogDirs 1-4: the one data directory, the bytes of each partition's log in it, and its volume. Kafka's rules: a
//! partition that is not here is left out, a failed directory is an error without content.

use super::by_shard::{ByShard, results_of};
use crate::base::ids::{PartitionId, Uuid};
use crate::control::{Image, Topic};
use crate::server::call::Call;
use crate::server::errors::{self, Unanswered};
use crate::server::reply_queue::Dispatched;
use crate::shard::Answer;
use crate::shard::request::{ReadError, Request, Response};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use std::collections::BTreeSet;

results_of!(log_bytes, LogBytes, Result<u64, ReadError>);

pub(in crate::server) fn handle(call: Call, request: DescribeLogDirsRequest) -> Dispatched {
    let handle = &call.server.handle;
    let mut directory = DescribeLogDirsResult {
        log_dir: handle.settings().data_dir.display().to_string(),
        ..DescribeLogDirsResult::default()
    };
    if handle.is_failed() {
        directory.error_code = call.code(ErrorCode::KafkaStorageError);
        return call.ready(&response(directory));
    }
    let wanted = wanted(&call.image(), request.topics.as_deref());
    let mut partitions = ByShard::new();
    for (place, (_, indexes)) in wanted.iter().enumerate() {
        for id in indexes {
            partitions.push(handle.owner(*id), *id, (place, id.index));
        }
    }
    let space = handle.send(handle.id(), Request::Space);
    let sent = partitions.send(handle, Request::LogBytes);
    let answering = call.clone();
    call.later(async move {
        let mut topics: Vec<DescribeLogDirsTopic> = wanted.into_iter().map(named).collect();
        let mut refused = fill_space(&mut directory, space).await.err();
        sent.collect(log_bytes, |(topic, index): (usize, u32), result| {
            match result {
                Ok(Ok(bytes)) => topics[topic].partitions.push(partition(index, bytes)),
                // Deleted meanwhile.
                Ok(Err(ReadError::UnknownPartition)) => {}
                Ok(Err(error)) => refused = Some(errors::read(error)),
                Err(unanswered) => refused = Some(errors::unanswered_read(unanswered)),
            }
        })
        .await;
        for topic in &mut topics {
            topic.partitions.sort_by_key(|found| found.partition_index);
        }
        topics.retain(|topic| !topic.partitions.is_empty());
        match refused {
            None => directory.topics = topics,
            Some(code) => directory.error_code = answering.code(code),
        }
        response(directory)
    })
}

fn response(directory: DescribeLogDirsResult) -> DescribeLogDirsResponse {
    DescribeLogDirsResponse {
        results: vec![directory],
        ..DescribeLogDirsResponse::default()
    }
}

/// Topics that exist, by name, with those of their partitions that were asked for. None: everything.
fn wanted(
    image: &Image,
    topics: Option<&[DescribableLogDirTopic]>,
) -> Vec<(String, BTreeSet<PartitionId>)> {
    let all = |topic: &Topic| {
        (0..topic.partitions)
            .map(|index| id(topic.id, index))
            .collect()
    };
    let Some(named) = topics else {
        let topics = image.topics();
        return topics.map(|t| (t.name.to_string(), all(t))).collect();
    };
    let mut found: std::collections::BTreeMap<String, BTreeSet<PartitionId>> = Default::default();
    for wanted in named {
        let Some(topic) = image.topic(&wanted.topic) else {
            continue;
        };
        let here = wanted
            .partitions
            .iter()
            .filter(|index| topic.has_partition(**index));
        let ids = here.map(|index| id(topic.id, index.unsigned_abs()));
        found.entry(wanted.topic.clone()).or_default().extend(ids);
    }
    found.into_iter().collect()
}

fn id(topic: Uuid, index: u32) -> PartitionId {
    PartitionId { topic, index }
}

fn named((name, _): (String, BTreeSet<PartitionId>)) -> DescribeLogDirsTopic {
    DescribeLogDirsTopic {
        name,
        ..DescribeLogDirsTopic::default()
    }
}

fn partition(index: u32, bytes: u64) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: i32::try_from(index).expect("partitions are counted in an i32"),
        partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
        ..DescribeLogDirsPartition::default()
    }
}

async fn fill_space(directory: &mut DescribeLogDirsResult, space: Answer) -> Result<(), ErrorCode> {
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    match space.await {
        Response::Space(Some(space)) => {
            directory.total_bytes = bytes(space.total_bytes);
            directory.usable_bytes = bytes(space.free_bytes);
            Ok(())
        }
        Response::Space(None) => Err(ErrorCode::KafkaStorageError),
        other => Err(errors::unanswered_read(Unanswered::from(other))),
    }
}
