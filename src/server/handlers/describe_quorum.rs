//! DescribeQuorum 0-2: who keeps the cluster's metadata. Kafka's name for its log is `__cluster_metadata`, partition 0; the
//! one node leads it and is the only voter. Offsets count its records.

use super::metadata::endpoints;
use crate::base::ids::Uuid;
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState,
    RequestTopicData, TopicData,
};

const LISTENER: &str = "PLAINTEXT";

pub(in crate::server) fn handle(call: Call, request: DescribeQuorumRequest) -> Dispatched {
    let response = match asks_for_metadata(&request.topics) {
        true => quorum(&call),
        false => DescribeQuorumResponse {
            topics: request
                .topics
                .into_iter()
                .map(|topic| unknown(&call, topic))
                .collect(),
            ..DescribeQuorumResponse::default()
        },
    };
    call.ready(&response)
}

fn asks_for_metadata(topics: &[RequestTopicData]) -> bool {
    let [topic] = topics else { return false };
    let [partition] = &topic.partitions[..] else {
        return false;
    };
    topic.topic_name == crate::control::names::METADATA_TOPIC && partition.partition_index == 0
}

fn quorum(call: &Call) -> DescribeQuorumResponse {
    let image = call.image();
    let end = i64::try_from(image.version).unwrap_or(i64::MAX);
    let now = call.server.handle.now().wall.0;
    let voter = ReplicaState {
        replica_id: image.node_id.0,
        replica_directory_id: Uuid::ZERO,
        log_end_offset: end,
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
        ..ReplicaState::default()
    };
    let partition = PartitionData {
        leader_id: image.node_id.0,
        leader_epoch: i32::try_from(image.term).unwrap_or(i32::MAX),
        high_watermark: end,
        current_voters: vec![voter],
        ..PartitionData::default()
    };
    let nodes = endpoints(&image).into_iter().map(|broker| Node {
        node_id: broker.node_id,
        listeners: vec![Listener {
            name: LISTENER.to_owned(),
            host: broker.host,
            port: u16::try_from(broker.port).expect("it was a port"),
            ..Listener::default()
        }],
        ..Node::default()
    });
    DescribeQuorumResponse {
        topics: vec![TopicData {
            topic_name: crate::control::names::METADATA_TOPIC.to_owned(),
            partitions: vec![partition],
            ..TopicData::default()
        }],
        nodes: nodes.collect(),
        ..DescribeQuorumResponse::default()
    }
}

fn unknown(call: &Call, topic: RequestTopicData) -> TopicData {
    let code = ErrorCode::UnknownTopicOrPartition;
    let partitions = topic.partitions.iter().map(|wanted| PartitionData {
        partition_index: wanted.partition_index,
        error_code: call.code(code),
        error_message: Some("This server does not host this topic-partition.".to_owned()),
        ..PartitionData::default()
    });
    TopicData {
        partitions: partitions.collect(),
        topic_name: topic.topic_name,
        ..TopicData::default()
    }
}
