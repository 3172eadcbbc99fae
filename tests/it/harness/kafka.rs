//! The few things nearly every story does: make a topic, write to it, read all of it.

use super::batches::{self, Record, Stored};
use super::client::Connection;
use ottla::base::ids::Uuid;
use ottla::wire::ErrorCode;
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use ottla::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use ottla::wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponseTopic,
};
use ottla::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use std::io;

/// The highest versions that name topics by name.
pub const PRODUCE_VERSION: i16 = 12;
pub const FETCH_VERSION: i16 = 12;
pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;

pub fn new_topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: -1,
        configs: configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig {
                name: name.to_string(),
                value: Some(value.to_string()),
                ..CreatableTopicConfig::default()
            })
            .collect(),
        ..CreatableTopic::default()
    }
}

pub fn produce_request(topic: &str, partition: i32, batch: Vec<u8>, acks: i16) -> ProduceRequest {
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: [TopicProduceData {
            name: topic.into(),
            partition_data: [PartitionProduceData {
                index: partition,
                records: Some(batch.into()),
                ..PartitionProduceData::default()
            }]
            .into(),
            ..TopicProduceData::default()
        }]
        .into(),
        ..ProduceRequest::default()
    }
}

pub fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 16 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition,
                current_leader_epoch: -1,
                fetch_offset: offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: 16 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

/// All record bytes of one answered partition.
pub fn record_bytes(data: &PartitionData) -> Vec<u8> {
    let pieces = data.records.as_ref();
    pieces.map_or(Vec::new(), |pieces| pieces.0.concat())
}

impl Connection {
    /// Creates a topic and returns its id.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let request = CreateTopicsRequest {
            topics: vec![new_topic(name, partitions, configs)],
            timeout_ms: 30_000,
            ..CreateTopicsRequest::default()
        };
        let answer = self.call(&request, 7);
        let topic = &answer.topics[0];
        assert_eq!(topic.error_code, 0, "{name}: {:?}", topic.error_message);
        topic.topic_id
    }

    pub fn metadata_of(&mut self, name: &str) -> MetadataResponseTopic {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.into()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        self.call(&request, 12).topics.remove(0)
    }

    pub fn try_produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Vec<u8>,
    ) -> io::Result<PartitionProduceResponse> {
        let request = produce_request(topic, partition, batch, -1);
        let mut answer = self.try_call(&request, PRODUCE_VERSION)?;
        Ok(answer.responses[0].partition_responses.remove(0))
    }

    /// Appends and returns the base offset.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> i64 {
        let answer = self
            .try_produce(topic, partition, batch)
            .expect("an answer");
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        answer.base_offset
    }

    pub fn produce_values(&mut self, topic: &str, partition: i32, values: &[&str]) -> i64 {
        let records: Vec<Record> = values.iter().map(|value| Record::value(*value)).collect();
        self.produce(topic, partition, batches::batch(&records))
    }

    pub fn refused(&mut self, topic: &str, partition: i32, batch: Vec<u8>) -> ErrorCode {
        let answer = self
            .try_produce(topic, partition, batch)
            .expect("an answer");
        assert_eq!(answer.base_offset, -1, "{answer:?}");
        ErrorCode::from_code(answer.error_code).expect("one of Kafka's codes")
    }

    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let mut answer = self.call(&fetch_request(topic, partition, offset), FETCH_VERSION);
        assert_eq!(answer.error_code, 0);
        answer.responses[0].partitions.remove(0)
    }

    /// Every batch from the log start to the high watermark; offsets are checked to be dense.
    pub fn read_all(&mut self, topic: &str, partition: i32) -> Vec<Stored> {
        let mut next = self.offset(topic, partition, EARLIEST);
        let end = self.offset(topic, partition, LATEST);
        let mut found = Vec::new();
        while next < end {
            let data = self.fetch(topic, partition, next);
            assert_eq!(data.error_code, 0, "{topic}-{partition} at {next}");
            let batches = batches::read(&record_bytes(&data));
            assert!(
                !batches.is_empty(),
                "{topic}-{partition}: nothing at {next}"
            );
            for record in batches.iter().flat_map(|batch| &batch.records) {
                // The first batch may begin before the log start, which lies inside it.
                if record.offset >= next {
                    assert_eq!(record.offset, next, "{topic}-{partition}: dense");
                    next += 1;
                }
            }
            found.extend(batches);
        }
        found
    }

    pub fn values(&mut self, topic: &str, partition: i32) -> Vec<String> {
        let batches = self.read_all(topic, partition);
        let records = batches.into_iter().flat_map(|batch| batch.records);
        let values = records.map(|record| record.value.expect("a value"));
        values
            .map(|value| String::from_utf8(value).expect("text"))
            .collect()
    }

    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> i64 {
        let answer = self.list_offset(topic, partition, timestamp);
        assert_eq!(answer.error_code, 0, "{topic}-{partition} {timestamp}");
        answer.offset
    }

    pub fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> ListOffsetsPartitionResponse {
        self.list_offset_at(topic, partition, timestamp, 10)
    }

    pub fn list_offset_at(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        version: i16,
    ) -> ListOffsetsPartitionResponse {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: topic.into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    current_leader_epoch: -1,
                    timestamp,
                    ..ListOffsetsPartition::default()
                }],
                ..ListOffsetsTopic::default()
            }],
            ..ListOffsetsRequest::default()
        };
        self.call(&request, version).topics[0].partitions.remove(0)
    }
}
