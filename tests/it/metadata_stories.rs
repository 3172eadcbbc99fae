//! Metadata and DescribeCluster: who the broker is and what topics there are.

use crate::harness::broker::Broker;
use crate::harness::client::{Connection, Question};
use crate::harness::wait::wait_for;
use ottla::base::ids::Uuid;
use ottla::wire::messages::describe_cluster::DescribeClusterRequest;
use ottla::wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use ottla::wire::{ApiKey, Encode, ErrorCode, Writer};

fn named(names: &[&str]) -> Option<Vec<MetadataRequestTopic>> {
    let topics = names.iter().map(|name| MetadataRequestTopic {
        name: Some(name.to_string()),
        ..MetadataRequestTopic::default()
    });
    Some(topics.collect())
}

fn metadata(
    client: &mut Connection,
    topics: Option<Vec<MetadataRequestTopic>>,
    create: bool,
    version: i16,
) -> MetadataResponse {
    let request = MetadataRequest {
        topics,
        allow_auto_topic_creation: create,
        ..MetadataRequest::default()
    };
    client.call(&request, version)
}

fn only(mut answer: MetadataResponse) -> MetadataResponseTopic {
    assert_eq!(answer.topics.len(), 1, "{answer:?}");
    answer.topics.remove(0)
}

#[test]
fn a_broker_says_who_it_is_and_stays_it() {
    let mut broker = Broker::start("metadata_identity");
    let mut client = Connection::open(&broker.address);
    let first = metadata(&mut client, None, false, 12);
    let cluster = first.cluster_id.clone().expect("a cluster id");
    assert!(Uuid::parse(&cluster).is_some(), "{cluster}");
    assert_eq!(first.brokers.len(), 1);
    let own = &first.brokers[0];
    assert_eq!(format!("{}:{}", own.host, own.port), broker.address);
    assert_eq!(first.controller_id, own.node_id);
    assert!(own.node_id >= 0);

    let described = client.call(&DescribeClusterRequest::default(), 2);
    assert_eq!(described.error_code, 0);
    assert_eq!(described.cluster_id, cluster);
    assert_eq!(described.controller_id, own.node_id);
    assert_eq!(described.brokers.len(), 1);
    assert_eq!(described.brokers[0].port, own.port);

    broker.kill();
    broker.restart();
    let second = metadata(&mut Connection::open(&broker.address), None, false, 12);
    assert_eq!(second.cluster_id, Some(cluster));
}

#[test]
fn all_none_or_some_topics_by_version() {
    let broker = Broker::start("metadata_lists");
    let mut client = Connection::open(&broker.address);
    for name in ["b", "a", "c"] {
        client.create_topic(name, 3, &[]);
    }
    let names = |answer: MetadataResponse| {
        let names = answer
            .topics
            .into_iter()
            .map(|topic| topic.name.expect("a name"));
        names.collect::<Vec<_>>()
    };
    // Version 0: the empty list means all. Later: null means all, the empty list none.
    assert_eq!(names(metadata(&mut client, Some(vec![]), true, 0)).len(), 3);
    for version in [1, 4, 9, 12, 13] {
        let all = names(metadata(&mut client, None, true, version));
        assert_eq!(all, ["a", "b", "c"], "version {version}");
        let none = names(metadata(&mut client, Some(vec![]), true, version));
        assert!(none.is_empty(), "version {version}");
    }
    let some = names(metadata(&mut client, named(&["c", "a"]), false, 12));
    assert_eq!(some.len(), 2);
}

/// What librdkafka 2.12 sends for all topics: it forgets three bytes of a count, and Apache Kafka does not look.
#[derive(Debug)]
struct WithBytesLeftOver(MetadataRequest);

impl Encode for WithBytesLeftOver {
    fn encode(&self, writer: &mut Writer, version: i16) {
        self.0.encode(writer, version);
        for left_over in [1, 0, 0] {
            writer.int8(left_over);
        }
    }
}

impl Question for WithBytesLeftOver {
    const KEY: ApiKey = ApiKey::Metadata;
    type Answer = MetadataResponse;
}

#[test]
fn bytes_after_a_request_are_ignored() {
    let broker = Broker::start("metadata_left_over");
    let mut client = Connection::open(&broker.address);
    client.create_topic("listed", 1, &[]);
    let request = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    let answer = client.call(&WithBytesLeftOver(request), 13);
    assert_eq!(only(answer).name.as_deref(), Some("listed"));
    assert_eq!(client.metadata_of("listed").error_code, 0);
}

#[test]
fn a_topic_is_described_whole() {
    let broker = Broker::start("metadata_topic");
    let mut client = Connection::open(&broker.address);
    let id = client.create_topic("whole", 5, &[]);
    let node = metadata(&mut client, None, false, 12).controller_id;
    let topic = client.metadata_of("whole");
    assert_eq!((topic.error_code, topic.topic_id), (0, id));
    assert!(!topic.is_internal);
    let indexes: Vec<i32> = topic
        .partitions
        .iter()
        .map(|part| part.partition_index)
        .collect();
    assert_eq!(indexes, [0, 1, 2, 3, 4]);
    for partition in &topic.partitions {
        assert_eq!(partition.error_code, 0);
        assert_eq!(partition.leader_id, node);
        assert_eq!(partition.replica_nodes, [node]);
        assert_eq!(partition.isr_nodes, [node]);
        assert!(partition.offline_replicas.is_empty());
        assert!(partition.leader_epoch >= 0);
    }
    // By id, and by an id that is nobody's.
    let by_id = |id| {
        Some(vec![MetadataRequestTopic {
            topic_id: id,
            name: None,
            ..MetadataRequestTopic::default()
        }])
    };
    let found = only(metadata(&mut client, by_id(id), false, 12));
    assert_eq!(found.name.as_deref(), Some("whole"));
    let unknown = only(metadata(&mut client, by_id(Uuid([9; 16])), false, 12));
    assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.code());
}

#[test]
fn a_topic_is_created_by_asking_for_it() {
    let broker = Broker::start_with("metadata_auto", |start| {
        start.set("kafka.num.partitions", "3")
    });
    let mut client = Connection::open(&broker.address);
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let first = only(metadata(&mut client, named(&["wanted"]), true, 12));
    assert_eq!(first.error_code, unknown, "as Kafka 4: not at once");
    let topic = wait_for("the created topic", || {
        let topic = client.metadata_of("wanted");
        (topic.error_code == 0).then_some(topic)
    });
    assert_eq!(topic.partitions.len(), 3);
    // Not when the client forbids it, not by listing everything, not with an impossible name.
    let forbidden = only(metadata(&mut client, named(&["unwanted"]), false, 12));
    assert_eq!(forbidden.error_code, unknown);
    let invalid = only(metadata(&mut client, named(&["not/a/topic"]), true, 12));
    assert_eq!(invalid.error_code, ErrorCode::InvalidTopicException.code());
    let all = metadata(&mut client, None, true, 12).topics;
    assert_eq!(all.len(), 1);
}

#[test]
fn creation_by_asking_can_be_switched_off() {
    let broker = Broker::start_with("metadata_no_auto", |start| {
        start.set("kafka.auto.create.topics.enable", "false")
    });
    let mut client = Connection::open(&broker.address);
    for _ in 0..3 {
        let topic = only(metadata(&mut client, named(&["wanted"]), true, 12));
        assert_eq!(topic.error_code, ErrorCode::UnknownTopicOrPartition.code());
    }
    assert!(metadata(&mut client, None, true, 12).topics.is_empty());
}
