//! Admin requests of one item each, at any version.

use super::client::Connection;
use ottla::wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use ottla::wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsTopic,
};
use ottla::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use ottla::wire::messages::describe_producers::{
    DescribeProducersRequest, PartitionResponse, TopicRequest,
};
use ottla::wire::messages::describe_quorum::{
    DescribeQuorumRequest, RequestPartitionData, RequestTopicData,
};
use ottla::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest,
};
use ottla::wire::messages::init_producer_id::InitProducerIdRequest;
use ottla::wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const LOGGER: i8 = 8;
pub const GROUP: i8 = 32;
pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

/// Asks for the quorum of the metadata, whose one partition is 0.
pub fn metadata_quorum(partition_index: i32) -> DescribeQuorumRequest {
    let partition = RequestPartitionData {
        partition_index,
        ..RequestPartitionData::default()
    };
    let topic = RequestTopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: vec![partition],
        ..RequestTopicData::default()
    };
    DescribeQuorumRequest {
        topics: vec![topic],
        ..DescribeQuorumRequest::default()
    }
}

impl Connection {
    pub fn delete_topic(&mut self, name: &str) {
        assert_eq!(self.delete_topic_at(name, 6), 0, "{name}");
    }

    /// The error code.
    pub fn delete_topic_at(&mut self, name: &str, version: i16) -> i16 {
        let state = DeleteTopicState {
            name: Some(name.into()),
            ..DeleteTopicState::default()
        };
        let (topics, names) = match version {
            6.. => (vec![state], Vec::new()),
            _ => (Vec::new(), vec![name.to_string()]),
        };
        let request = DeleteTopicsRequest {
            topics,
            topic_names: names,
            timeout_ms: 30_000,
            ..DeleteTopicsRequest::default()
        };
        self.call(&request, version).responses[0].error_code
    }

    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) -> i64 {
        let answer = self.delete_records_at(topic, partition, offset, 2);
        assert_eq!(answer.error_code, 0, "{topic}-{partition} {offset}");
        answer.low_watermark
    }

    pub fn delete_records_at(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        version: i16,
    ) -> DeleteRecordsPartitionResult {
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.into(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index: partition,
                    offset,
                    ..DeleteRecordsPartition::default()
                }],
                ..DeleteRecordsTopic::default()
            }],
            timeout_ms: 30_000,
            ..DeleteRecordsRequest::default()
        };
        self.call(&request, version).topics[0].partitions.remove(0)
    }

    pub fn epoch_end_at(
        &mut self,
        topic: &str,
        partition: i32,
        epoch: i32,
        version: i16,
    ) -> EpochEndOffset {
        let request = OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![OffsetForLeaderTopic {
                topic: topic.into(),
                partitions: vec![OffsetForLeaderPartition {
                    partition,
                    current_leader_epoch: -1,
                    leader_epoch: epoch,
                    ..OffsetForLeaderPartition::default()
                }],
                ..OffsetForLeaderTopic::default()
            }],
            ..OffsetForLeaderEpochRequest::default()
        };
        self.call(&request, version).topics[0].partitions.remove(0)
    }

    pub fn describe_configs_at(
        &mut self,
        kind: i8,
        name: &str,
        version: i16,
    ) -> DescribeConfigsResult {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: kind,
                resource_name: name.into(),
                configuration_keys: None,
                ..DescribeConfigsResource::default()
            }],
            include_synonyms: true,
            include_documentation: version >= 3,
            ..DescribeConfigsRequest::default()
        };
        self.call(&request, version).results.remove(0)
    }

    pub fn config(&mut self, kind: i8, name: &str, key: &str) -> DescribeConfigsResourceResult {
        let answer = self.describe_configs_at(kind, name, 4);
        assert_eq!(answer.error_code, 0, "{name}: {:?}", answer.error_message);
        let row = answer.configs.into_iter().find(|row| row.name == key);
        row.unwrap_or_else(|| panic!("{name} has no {key}"))
    }

    pub fn config_value(&mut self, kind: i8, name: &str, key: &str) -> String {
        self.config(kind, name, key).value.expect("a value")
    }

    pub fn create_partitions_at(
        &mut self,
        topic: &str,
        count: i32,
        version: i16,
    ) -> CreatePartitionsTopicResult {
        self.create_partitions(topic, count, version, false)
    }

    pub fn create_partitions(
        &mut self,
        topic: &str,
        count: i32,
        version: i16,
        validate_only: bool,
    ) -> CreatePartitionsTopicResult {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.into(),
                count,
                assignments: None,
                ..CreatePartitionsTopic::default()
            }],
            timeout_ms: 30_000,
            validate_only,
            ..CreatePartitionsRequest::default()
        };
        self.call(&request, version).results.remove(0)
    }

    /// (key, operation, value) applied to one resource.
    pub fn alter_configs_at(
        &mut self,
        kind: i8,
        name: &str,
        operations: &[(&str, i8, Option<&str>)],
        version: i16,
    ) -> AlterConfigsResourceResponse {
        let configs = operations
            .iter()
            .map(|(key, operation, value)| AlterableConfig {
                name: key.to_string(),
                config_operation: *operation,
                value: value.map(Into::into),
                ..AlterableConfig::default()
            });
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: kind,
                resource_name: name.into(),
                configs: configs.collect(),
                ..AlterConfigsResource::default()
            }],
            ..IncrementalAlterConfigsRequest::default()
        };
        self.call(&request, version).responses.remove(0)
    }

    pub fn set_config(&mut self, kind: i8, name: &str, key: &str, value: &str) {
        let answer = self.alter_configs_at(kind, name, &[(key, SET, Some(value))], 1);
        assert_eq!(answer.error_code, 0, "{key}: {:?}", answer.error_message);
    }

    /// Who writes to a partition, as it remembers them.
    pub fn producers_of(&mut self, topic: &str, partition: i32) -> PartitionResponse {
        let request = DescribeProducersRequest {
            topics: vec![TopicRequest {
                name: topic.into(),
                partition_indexes: vec![partition],
                ..TopicRequest::default()
            }],
            ..DescribeProducersRequest::default()
        };
        self.call(&request, 0).topics.remove(0).partitions.remove(0)
    }

    /// A producer id and its epoch.
    pub fn init_producer_id(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest {
            transactional_id: None,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let answer = self.call(&request, 4);
        assert_eq!(answer.error_code, 0);
        (answer.producer_id, answer.producer_epoch)
    }
}
