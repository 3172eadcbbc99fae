//! Requests that stories make again and again.

use ottla::base::ids::Uuid;
use ottla::wire::messages as m;
use ottla::wire::messages::create_topics::*;
use ottla::wire::messages::delete_records::*;
use ottla::wire::messages::fetch::*;
use ottla::wire::messages::list_offsets::*;
use ottla::wire::messages::offset_for_leader_epoch::*;
use ottla::wire::messages::produce::*;

use super::batches::{Record, batch};
use crate::session::Client;

pub(super) const TIMEOUT_MS: i32 = 10_000;
/// Long past, so that no timestamp of a record is taken for a time of now.
pub(super) const LONG_AGO: i64 = 1_600_000_000_000;

/// A topic as either kind of version names it.
#[derive(Clone, Default)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) id: Uuid,
}

pub(super) type Configs<'a> = &'a [(&'a str, Option<&'a str>)];

pub(super) fn new_topic(name: &str, partitions: i32, configs: Configs) -> CreatableTopic {
    let config = |&(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    }
}

pub(super) fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest {
        topics,
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    }
}

pub(super) fn produce(topic: &Topic, acks: i16, data: Vec<(i32, Vec<u8>)>) -> ProduceRequest {
    let partition = |(index, records): (i32, Vec<u8>)| PartitionProduceData {
        index,
        records: Some(records.into()),
        ..Default::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: TIMEOUT_MS,
        topic_data: [TopicProduceData {
            name: topic.name.as_str().into(),
            topic_id: topic.id,
            partition_data: data.into_iter().map(partition).collect(),
            ..Default::default()
        }]
        .into(),
        ..Default::default()
    }
}

pub(super) fn fetch(topic: &Topic, from: &[(i32, i64)]) -> FetchRequest {
    let partition = |&(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: topic.name.clone(),
            topic_id: topic.id,
            partitions: from.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn list_offsets(topic: &Topic, asked: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |&(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..Default::default()
    };
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.name.clone(),
            partitions: asked.iter().map(partition).collect(),
            ..Default::default()
        }],
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    }
}

pub(super) fn delete_records(topic: &Topic, before: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |&(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index,
        offset,
        ..Default::default()
    };
    DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.name.clone(),
            partitions: before.iter().map(partition).collect(),
            ..Default::default()
        }],
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    }
}

pub(super) fn end_of_epoch(
    topic: &Topic,
    partition: i32,
    current_leader_epoch: i32,
    leader_epoch: i32,
) -> OffsetForLeaderEpochRequest {
    OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic {
            topic: topic.name.clone(),
            partitions: vec![OffsetForLeaderPartition {
                partition,
                current_leader_epoch,
                leader_epoch,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Records a second apart.
pub(super) fn records(values: &[&str]) -> Vec<Record> {
    let stamped = values.iter().zip(LONG_AGO / 1000..);
    stamped
        .map(|(value, second)| Record::value(*value).at(second * 1000))
        .collect()
}

pub(super) fn values(values: &[&str]) -> Vec<u8> {
    batch(&records(values))
}

impl Client<'_> {
    /// A topic to work with, without a note.
    pub(super) fn topic(&mut self, name: &str, partitions: i32, configs: Configs) -> Topic {
        let name = self.name(name);
        let answer = self.quietly(&create(vec![new_topic(&name, partitions, configs)]), 7);
        let is_there = answer.is_some_and(|answer| answer.topics[0].error_code == 0);
        let id = match is_there {
            true => self.settle_topic(&name, partitions as usize),
            false => Uuid::ZERO,
        };
        Topic { name, id }
    }

    /// A topic whose name follows from nothing that exists.
    pub(super) fn nowhere(&self) -> Topic {
        let id = Uuid([0xab; 16]);
        Topic {
            name: self.name("nowhere"),
            id,
        }
    }

    /// Appends, without a note.
    pub(super) fn fill(&mut self, topic: &Topic, partition: i32, batches: &[Vec<u8>]) {
        for batch in batches {
            self.quietly(&produce(topic, -1, vec![(partition, batch.clone())]), 12);
        }
    }

    pub(super) fn delete(&mut self, topic: &Topic) {
        let request = m::delete_topics::DeleteTopicsRequest {
            topic_names: vec![topic.name.clone()],
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        self.quietly(&request, 5);
        self.settle_gone(&topic.name);
    }
}
