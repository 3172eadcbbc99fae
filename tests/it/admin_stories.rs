//! Topics made, grown and deleted by admin requests.

use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::{LATEST, new_topic};
use crate::harness::wait::wait_until;
use ottla::base::ids::Uuid;
use ottla::wire::ErrorCode;
use ottla::wire::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicResult, CreateTopicsRequest,
};
use ottla::wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla::wire::messages::metadata::MetadataRequest;
use std::fs;

fn create(
    client: &mut Connection,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: 30_000,
        validate_only,
        ..CreateTopicsRequest::default()
    };
    client.call(&request, 7).topics
}

fn topic_count(client: &mut Connection) -> usize {
    let request = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    client.call(&request, 12).topics.len()
}

#[test]
fn a_created_topic_reports_what_it_became() {
    let broker = Broker::start_with("admin_create", |start| {
        start.set("kafka.num.partitions", "7")
    });
    let mut client = Connection::open(&broker.address);
    let results = create(
        &mut client,
        vec![new_topic("made", -1, &[("retention.ms", "1234")])],
        false,
    );
    let made = &results[0];
    assert_eq!(
        (
            made.error_code,
            made.num_partitions,
            made.replication_factor
        ),
        (0, 7, 1)
    );
    assert!(!made.topic_id.is_zero());
    let configs = made.configs.as_ref().expect("configs");
    let retention = configs
        .iter()
        .find(|config| config.name == "retention.ms")
        .expect("a row");
    assert_eq!(retention.value.as_deref(), Some("1234"));
    assert_eq!(client.metadata_of("made").topic_id, made.topic_id);
}

#[test]
fn a_trial_changes_nothing_and_reports_everything() {
    let broker = Broker::start("admin_validate");
    let mut client = Connection::open(&broker.address);
    let topics = vec![
        new_topic("trial", 3, &[]),
        new_topic("bad", 3, &[("retention.ms", "soon")]),
    ];
    let results = create(&mut client, topics, true);
    assert_eq!((results[0].error_code, results[0].num_partitions), (0, 3));
    assert_eq!(results[1].error_code, ErrorCode::InvalidConfig.code());
    assert_eq!(topic_count(&mut client), 0);
    client.create_topic("grows", 2, &[]);
    assert_eq!(client.create_partitions("grows", 5, 3, true).error_code, 0);
    assert_eq!(client.metadata_of("grows").partitions.len(), 2);
}

#[test]
fn topics_that_cannot_be_are_refused_one_by_one() {
    let broker = Broker::start("admin_refused");
    let mut client = Connection::open(&broker.address);
    client.create_topic("taken", 1, &[]);
    client.create_topic("with.dot", 1, &[]);
    let rows = impossible_topics();
    // All in one request with a good one in their midst.
    let mut topics: Vec<CreatableTopic> = rows.iter().map(|(topic, _)| topic.clone()).collect();
    topics.insert(3, new_topic("good", 1, &[]));
    let results = create(&mut client, topics, false);
    for (topic, code) in &rows {
        let result = results
            .iter()
            .find(|result| result.name == topic.name)
            .expect("a result");
        assert_eq!(
            result.error_code,
            code.code(),
            "{}: {:?}",
            topic.name,
            result.error_message
        );
        assert!(result.error_message.is_some(), "{}", topic.name);
    }
    assert_eq!(client.metadata_of("good").error_code, 0);
    assert_eq!(topic_count(&mut client), 3);
}

fn impossible_topics() -> Vec<(CreatableTopic, ErrorCode)> {
    let named = |name: &str| new_topic(name, 1, &[]);
    let configured = |name: &str, key: &str, value: &str| new_topic(name, 1, &[(key, value)]);
    let replicated = CreatableTopic {
        replication_factor: 3,
        ..named("replicated")
    };
    let elsewhere = CreatableTopic {
        num_partitions: -1,
        assignments: vec![CreatableReplicaAssignment {
            partition_index: 0,
            broker_ids: vec![12345],
            ..CreatableReplicaAssignment::default()
        }],
        ..named("elsewhere")
    };
    let name = ErrorCode::InvalidTopicException;
    let config = ErrorCode::InvalidConfig;
    vec![
        (named("taken"), ErrorCode::TopicAlreadyExists),
        (named("with_dot"), name),
        (named(""), name),
        (named(".."), name),
        (named("a b"), name),
        (named(&"x".repeat(250)), name),
        (new_topic("none", 0, &[]), ErrorCode::InvalidPartitions),
        (new_topic("negative", -2, &[]), ErrorCode::InvalidPartitions),
        (replicated, ErrorCode::InvalidReplicationFactor),
        (elsewhere, ErrorCode::InvalidReplicaAssignment),
        (configured("unknown-key", "no.such.key", "1"), config),
        (configured("bad-value", "segment.bytes", "-5"), config),
        (configured("bad-policy", "cleanup.policy", "squash"), config),
    ]
}

#[test]
fn a_name_twice_in_one_request_is_a_mistake() {
    let broker = Broker::start("admin_twice");
    let mut client = Connection::open(&broker.address);
    let results = create(
        &mut client,
        vec![new_topic("twin", 1, &[]), new_topic("twin", 2, &[])],
        false,
    );
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::InvalidRequest.code()], "answered once");
    assert_eq!(topic_count(&mut client), 0);
}

#[test]
fn a_deleted_topic_is_gone_and_its_name_is_free() {
    let mut broker = Broker::start("admin_delete");
    let mut client = Connection::open(&broker.address);
    let first = client.create_topic("phoenix", 2, &[]);
    client.produce_values("phoenix", 0, &["ashes"]);
    client.delete_topic("phoenix");
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(client.metadata_of("phoenix").error_code, unknown);
    assert_eq!(client.delete_topic_at("phoenix", 6), unknown);
    let second = client.create_topic("phoenix", 2, &[]);
    assert_ne!(first, second);
    assert_eq!(client.offset("phoenix", 0, LATEST), 0);
    assert_eq!(client.produce_values("phoenix", 0, &["risen"]), 0);
    // The old id is nobody's, also for deleting.
    assert_eq!(
        delete_by_id(&mut client, first),
        ErrorCode::UnknownTopicId.code()
    );
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.values("phoenix", 0), ["risen"]);
    assert_eq!(folders_of_topics(&broker), [second.to_string()]);
    assert_eq!(delete_by_id(&mut client, second), 0);
    assert_eq!(topic_count(&mut client), 0);
    wait_until("the removal of its files", || {
        folders_of_topics(&broker).is_empty()
    });
}

#[test]
fn deleting_can_be_switched_off() {
    let broker = Broker::start_with("admin_delete_off", |start| {
        start.set("kafka.delete.topic.enable", "false")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("stays", 1, &[]);
    for (version, code) in [
        (2, ErrorCode::InvalidRequest),
        (3, ErrorCode::TopicDeletionDisabled),
        (6, ErrorCode::TopicDeletionDisabled),
    ] {
        assert_eq!(client.delete_topic_at("stays", version), code.code());
    }
    assert_eq!(topic_count(&mut client), 1);
}

/// Its shards tell of each partition whose files are gone; the last word removes the topic.
#[test]
fn a_wide_topic_is_removed_whole() {
    let mut broker = Broker::start("admin_delete_wide");
    let mut client = Connection::open(&broker.address);
    client.create_topic("wide", 10_000, &[]);
    client.produce_values("wide", 1, &["a file"]);
    broker.kill();
    broker.restart();
    assert_eq!(folders_of_topics(&broker).len(), 1);
    Connection::open(&broker.address).delete_topic("wide");
    wait_until("the removal of its files", || {
        folders_of_topics(&broker).is_empty()
    });
}

fn delete_by_id(client: &mut Connection, id: Uuid) -> i16 {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: None,
            topic_id: id,
            ..DeleteTopicState::default()
        }],
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    client.call(&request, 6).responses[0].error_code
}

fn folders_of_topics(broker: &Broker) -> Vec<String> {
    let entries = fs::read_dir(broker.data().join("topics")).into_iter();
    let names = entries.flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn partitions_grow_and_never_shrink() {
    let mut broker = Broker::start("admin_partitions");
    let mut client = Connection::open(&broker.address);
    client.create_topic("grows", 2, &[]);
    client.produce_values("grows", 1, &["old"]);
    for (count, code) in [
        (1, ErrorCode::InvalidPartitions),
        (2, ErrorCode::InvalidPartitions),
        (0, ErrorCode::InvalidPartitions),
        (5, ErrorCode::None),
    ] {
        let result = client.create_partitions_at("grows", count, 3);
        assert_eq!(result.error_code, code.code(), "{count}");
    }
    let unknown = client.create_partitions_at("nowhere", 5, 3);
    assert_eq!(
        unknown.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    client.produce_values("grows", 4, &["new"]);
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.metadata_of("grows").partitions.len(), 5);
    assert_eq!(client.values("grows", 1), ["old"]);
    assert_eq!(client.values("grows", 4), ["new"]);
}
