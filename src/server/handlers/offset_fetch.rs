//! OffsetFetch 1-9: of one group, from 8 on of several (KIP-709). No offset is no error: -1. From 2 on null topics mean
//! all. `require_stable` (7) waits for transactions, of which there are none yet.

use super::coordinators::{answer_of, ask};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::group::{Command, FetchOffsets, FoundCommit};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use std::sync::Arc;

const SEVERAL_FROM: i16 = 8;
/// Before it an error of the group stands at each partition.
const GROUP_ERROR_FROM: i16 = 2;

pub(in crate::server) fn handle(call: Call, request: OffsetFetchRequest) -> Dispatched {
    let groups = match call.version {
        ..SEVERAL_FROM => vec![single(&request)],
        _ => request.groups,
    };
    let asked: Vec<_> = groups
        .into_iter()
        .map(|group| (ask(&call, command(&group)), group))
        .collect();
    let answering = call.clone();
    call.later(async move {
        let mut groups = Vec::with_capacity(asked.len());
        for (answer, group) in asked {
            groups.push(found(
                &answering,
                group,
                answer_of!(answer.await, FetchOffsets),
            ));
        }
        match answering.version {
            ..SEVERAL_FROM => flat(&answering, groups.remove(0)),
            _ => OffsetFetchResponse {
                groups,
                ..OffsetFetchResponse::default()
            },
        }
    })
}

/// The one group of an old request, in the shape of the new.
fn single(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name.clone(),
            partition_indexes: topic.partition_indexes.clone(),
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics,
        ..OffsetFetchRequestGroup::default()
    }
}

fn command(group: &OffsetFetchRequestGroup) -> Command {
    let wanted = group.topics.as_ref().map(|topics| {
        let partitions = topics.iter().flat_map(|topic| {
            let name: Arc<str> = topic.name.as_str().into();
            let indexes = topic.partition_indexes.iter();
            indexes.map(move |index| (name.clone(), *index))
        });
        partitions.collect()
    });
    Command::FetchOffsets(FetchOffsets {
        group: group.group_id.as_str().into(),
        wanted,
    })
}

fn found(
    call: &Call,
    group: OffsetFetchRequestGroup,
    found: Result<Vec<FoundCommit>, ErrorCode>,
) -> OffsetFetchResponseGroup {
    let mut response = OffsetFetchResponseGroup {
        group_id: group.group_id,
        ..OffsetFetchResponseGroup::default()
    };
    match found {
        Ok(found) => match group.topics {
            None => response.topics = all(found),
            Some(topics) => response.topics = wanted(topics, found.into_iter().map(partition)),
        },
        Err(code) => {
            response.error_code = call.code(code);
            if call.version < GROUP_ERROR_FROM {
                let topics = group.topics.unwrap_or_default();
                let indexes = topics
                    .iter()
                    .flat_map(|topic| topic.partition_indexes.clone());
                let failed = indexes.map(|partition_index| OffsetFetchResponsePartitions {
                    partition_index,
                    committed_offset: -1,
                    metadata: Some(String::new()),
                    error_code: response.error_code,
                    ..OffsetFetchResponsePartitions::default()
                });
                let failed: Vec<_> = failed.collect();
                response.topics = wanted(topics, failed.into_iter());
            }
        }
    }
    response
}

/// Partitions in the order of the request, under its topics.
fn wanted(
    topics: Vec<OffsetFetchRequestTopics>,
    mut partitions: impl Iterator<Item = OffsetFetchResponsePartitions>,
) -> Vec<OffsetFetchResponseTopics> {
    let topics = topics.into_iter().map(|topic| OffsetFetchResponseTopics {
        partitions: partitions
            .by_ref()
            .take(topic.partition_indexes.len())
            .collect(),
        name: topic.name,
        ..OffsetFetchResponseTopics::default()
    });
    topics.collect()
}

/// Everything there is, which comes sorted by topic.
fn all(found: Vec<FoundCommit>) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for commit in found {
        if topics
            .last()
            .is_none_or(|topic| *topic.name != *commit.topic)
        {
            topics.push(OffsetFetchResponseTopics {
                name: commit.topic.to_string(),
                ..OffsetFetchResponseTopics::default()
            });
        }
        let last = topics.last_mut().expect("just pushed");
        last.partitions.push(partition(commit));
    }
    topics
}

fn partition(found: FoundCommit) -> OffsetFetchResponsePartitions {
    let committed = found.committed.as_ref();
    OffsetFetchResponsePartitions {
        partition_index: found.partition,
        committed_offset: committed.map_or(-1, |committed| committed.offset),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(
            committed.map_or_else(String::new, |committed| committed.metadata.to_string()),
        ),
        ..OffsetFetchResponsePartitions::default()
    }
}

/// The answer before version 8.
fn flat(call: &Call, group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        let partitions = partitions.map(|partition| OffsetFetchResponsePartition {
            partition_index: partition.partition_index,
            committed_offset: partition.committed_offset,
            committed_leader_epoch: partition.committed_leader_epoch,
            metadata: partition.metadata,
            error_code: partition.error_code,
            ..OffsetFetchResponsePartition::default()
        });
        OffsetFetchResponseTopic {
            name: topic.name,
            partitions: partitions.collect(),
            ..OffsetFetchResponseTopic::default()
        }
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: match call.version {
            ..GROUP_ERROR_FROM => 0,
            _ => group.error_code,
        },
        ..OffsetFetchResponse::default()
    }
}
