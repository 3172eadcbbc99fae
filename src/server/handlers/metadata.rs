//! Metadata 0-13: brokers and topics. One broker, which is its own controller and leads every partition.
//!
//! Version 0: an empty list means all topics; later null does, and an empty list means none. A topic that may be created
//! on its own is answered as unknown once more while that happens, as Kafka does; clients ask again. Asking for all
//! topics creates none.

use crate::base::ids::ShardId;
use crate::control::command::NewTopic;
use crate::control::{Command, Image, Topic, names};
use crate::server::call::Call;
use crate::server::plane::Server;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{Request, Response};
use crate::wire::ErrorCode;
use crate::wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::messages::produce::NodeEndpoint;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Before version 4 every client that names a topic wants it created.
const CREATION_CHOICE_FROM: i16 = 4;
/// Versions 10 and 11 have the field for an id, but not yet its meaning.
const TOPIC_IDS_FROM: i16 = 12;
/// Topics on their way to being created on behalf of one shard's clients.
const CREATING_MAX: usize = 1_000;
/// Kafka's operation numbers as bits: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
pub(super) const TOPIC_OPERATIONS: i32 =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
pub(super) const CLUSTER_OPERATIONS: i32 =
    1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

pub(in crate::server) fn handle(call: Call, request: MetadataRequest) -> Dispatched {
    let image = call.image();
    let with_operations = request.include_topic_authorized_operations;
    let topics = match &request.topics {
        None => all(&image),
        Some(topics) if topics.is_empty() && call.version == 0 => all(&image),
        Some(topics) => named(&call, &image, topics, may_create(&call, &request)),
    };
    let topics = topics.into_iter().map(|mut topic| {
        topic.topic_authorized_operations = match with_operations && topic.error_code == 0 {
            true => TOPIC_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        };
        topic
    });
    call.ready(&MetadataResponse {
        brokers: brokers(&image),
        cluster_id: Some(image.cluster_id.to_string()),
        controller_id: image.node_id.0,
        topics: topics.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => OPERATIONS_NOT_ASKED,
        },
        ..MetadataResponse::default()
    })
}

fn brokers(image: &Image) -> Vec<MetadataResponseBroker> {
    let brokers = image.broker.iter().map(|broker| MetadataResponseBroker {
        node_id: broker.node_id.0,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        rack: broker.rack.clone(),
        ..MetadataResponseBroker::default()
    });
    brokers.collect()
}

/// Where the broker is dialled, as answers of other APIs say it.
pub(super) fn endpoints(image: &Image) -> Vec<NodeEndpoint> {
    let brokers = image.broker.iter().map(|broker| NodeEndpoint {
        node_id: broker.node_id.0,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        rack: broker.rack.clone(),
        ..NodeEndpoint::default()
    });
    brokers.collect()
}

fn all(image: &Image) -> Vec<MetadataResponseTopic> {
    image.topics().map(|topic| found(image, topic)).collect()
}

fn may_create(call: &Call, request: &MetadataRequest) -> bool {
    let wanted = call.version < CREATION_CHOICE_FROM || request.allow_auto_topic_creation;
    wanted && call.image().config.auto_create_topics
}

fn named(
    call: &Call,
    image: &Image,
    topics: &[MetadataRequestTopic],
    create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut seen = BTreeSet::new();
    let topics = topics
        .iter()
        .filter(|topic| seen.insert((&topic.name, topic.topic_id)));
    let answer = |topic: &MetadataRequestTopic| {
        let refused = |code| MetadataResponseTopic {
            error_code: call.code(code),
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            ..MetadataResponseTopic::default()
        };
        let by_id = !topic.topic_id.is_zero();
        match &topic.name {
            None if call.version < TOPIC_IDS_FROM => refused(ErrorCode::InvalidRequest),
            _ if by_id && call.version < TOPIC_IDS_FROM => refused(ErrorCode::InvalidRequest),
            _ if by_id => match image.topic_by_id(topic.topic_id) {
                Some(topic) => found(image, topic),
                None => MetadataResponseTopic {
                    name: None,
                    ..refused(ErrorCode::UnknownTopicId)
                },
            },
            None => refused(ErrorCode::InvalidRequest),
            Some(name) => match image.topic(name) {
                Some(topic) => found(image, topic),
                None => refused(missing(call, name, create)),
            },
        }
    };
    topics.map(answer).collect()
}

fn found(image: &Image, topic: &Topic) -> MetadataResponseTopic {
    let leader = image.node_id.0;
    let partitions = (0..topic.partitions).map(|index| MetadataResponsePartition {
        partition_index: i32::try_from(index).expect("partitions are counted in an i32"),
        leader_id: leader,
        leader_epoch: image.leader_epoch(topic).0,
        replica_nodes: vec![leader],
        isr_nodes: vec![leader],
        ..MetadataResponsePartition::default()
    });
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.internal,
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

/// What is said of a topic that is not there; perhaps it is on its way when this returns.
fn missing(call: &Call, name: &str, create: bool) -> ErrorCode {
    if names::check_form(name).is_err() {
        return ErrorCode::InvalidTopicException;
    }
    if create && !names::is_internal(name) {
        create_topic(&call.server, name);
    }
    ErrorCode::UnknownTopicOrPartition
}

/// Asks for the topic once, however many clients want it at the same time.
fn create_topic(server: &Rc<Server>, name: &str) {
    let mut creating = server.creating.borrow_mut();
    if creating.len() >= CREATING_MAX || !creating.insert(name.to_owned()) {
        return;
    }
    drop(creating);
    let topic = NewTopic {
        name: name.to_owned(),
        id: server.handle.random_uuid(),
        partitions: -1,
        replication_factor: -1,
        ..NewTopic::default()
    };
    let command = Command::CreateTopics {
        topics: vec![topic],
        validate_only: false,
    };
    let answer = server.handle.send(ShardId(0), Request::Propose(command));
    let (server, name) = (server.clone(), name.to_owned());
    let handle = server.handle.clone();
    handle.spawn(async move {
        if let Response::Propose(Ok(outcome)) = answer.await {
            tracing::debug!(topic = name, ?outcome, "automatic creation");
        }
        server.creating.borrow_mut().remove(&name);
    });
}
