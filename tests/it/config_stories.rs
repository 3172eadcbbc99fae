//! DescribeConfigs and IncrementalAlterConfigs: what is set, where it comes from, and that it works at once.

use crate::harness::batches::{self, Record};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::operator::{APPEND, BROKER, DELETE, GROUP, LOGGER, SET, SUBTRACT, TOPIC};
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use ottla::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

/// Kafka's numbers of where a value comes from.
const FROM_TOPIC: i8 = 1;
const FROM_DYNAMIC_DEFAULT: i8 = 3;
const FROM_STATIC: i8 = 4;
const FROM_DEFAULT: i8 = 5;
const FROM_LOGGER: i8 = 6;
const FROM_GROUP: i8 = 8;

fn node_id(client: &mut Connection) -> String {
    let request = MetadataRequest::default();
    client.call(&request, 12).controller_id.to_string()
}

#[test]
fn a_topic_shows_defaults_and_what_was_set() {
    let broker = Broker::start_with("config_describe", |start| {
        start.set("kafka.log.retention.ms", "777000")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("shown", 1, &[("segment.bytes", "2097152")]);
    let rows = [
        ("segment.bytes", "2097152", FROM_TOPIC),
        ("retention.ms", "777000", FROM_STATIC),
        ("cleanup.policy", "delete", FROM_DEFAULT),
        ("max.message.bytes", "1048588", FROM_DEFAULT),
        ("message.timestamp.type", "CreateTime", FROM_DEFAULT),
        ("compression.type", "producer", FROM_DEFAULT),
        ("min.insync.replicas", "1", FROM_DEFAULT),
    ];
    for (key, value, source) in rows {
        let row = client.config(TOPIC, "shown", key);
        assert_eq!(row.value.as_deref(), Some(value), "{key}");
        assert_eq!(row.config_source, source, "{key}");
        assert!(!row.is_sensitive && !row.read_only, "{key}");
        assert!(
            row.documentation.is_some_and(|text| text.len() > 20),
            "{key}"
        );
        assert!(row.config_type != 0, "{key}");
    }
    let synonyms = client.config(TOPIC, "shown", "segment.bytes").synonyms;
    assert_eq!(synonyms[0].source, FROM_TOPIC);
    assert!(
        synonyms
            .iter()
            .any(|row| row.name == "log.segment.bytes" && row.source == FROM_DEFAULT)
    );
    let unknown = client.describe_configs_at(TOPIC, "nowhere", 4);
    assert_eq!(
        unknown.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let nonsense = client.describe_configs_at(TOPIC, "no/name", 4);
    assert_eq!(nonsense.error_code, ErrorCode::InvalidTopicException.code());
    // Our own keys surprise some clients, so they show only when set or asked for.
    let all = client.describe_configs_at(TOPIC, "shown", 4).configs;
    assert!(all.iter().all(|row| !row.name.starts_with("ottla.")));
}

#[test]
fn a_broker_shows_its_settings() {
    let broker = Broker::start("config_broker");
    let mut client = Connection::open(&broker.address);
    let node = node_id(&mut client);
    for (key, value) in [
        ("num.partitions", "1"),
        ("auto.create.topics.enable", "true"),
        ("node.id", node.as_str()),
        ("message.max.bytes", "1048588"),
    ] {
        assert_eq!(client.config_value(BROKER, &node, key), value, "{key}");
    }
    assert!(client.config(BROKER, &node, "node.id").read_only);
    let stranger = client.describe_configs_at(BROKER, "4711", 4);
    assert_ne!(stranger.error_code, 0);
}

#[test]
fn topic_configs_change_at_once_and_last() {
    let mut broker = Broker::start("config_alter");
    let mut client = Connection::open(&broker.address);
    client.create_topic("tuned", 1, &[]);
    let large = || batches::batch(&[Record::value("x".repeat(5_000))]);
    client.produce("tuned", 0, large());
    client.set_config(TOPIC, "tuned", "max.message.bytes", "1000");
    assert_eq!(
        client.refused("tuned", 0, large()),
        ErrorCode::MessageTooLarge
    );
    client.set_config(TOPIC, "tuned", "retention.ms", "60000000");
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(
        client.refused("tuned", 0, large()),
        ErrorCode::MessageTooLarge
    );
    assert_eq!(
        client.config_value(TOPIC, "tuned", "retention.ms"),
        "60000000"
    );
    // Deleted, the default is back.
    let answer = client.alter_configs_at(TOPIC, "tuned", &[("max.message.bytes", DELETE, None)], 1);
    assert_eq!(answer.error_code, 0);
    client.produce("tuned", 0, large());
    assert_eq!(
        client
            .config(TOPIC, "tuned", "max.message.bytes")
            .config_source,
        FROM_DEFAULT
    );
}

#[test]
fn lists_take_and_give_items() {
    let broker = Broker::start("config_lists");
    let mut client = Connection::open(&broker.address);
    client.create_topic("lists", 1, &[]);
    let key = "leader.replication.throttled.replicas";
    for (operation, value, expected) in [
        (SET, "0:0", "0:0"),
        (APPEND, "1:0", "0:0,1:0"),
        (SUBTRACT, "0:0", "1:0"),
    ] {
        let answer = client.alter_configs_at(TOPIC, "lists", &[(key, operation, Some(value))], 1);
        assert_eq!(
            answer.error_code, 0,
            "{operation}: {:?}",
            answer.error_message
        );
        assert_eq!(client.config_value(TOPIC, "lists", key), expected);
    }
}

#[test]
fn a_bad_value_changes_nothing_of_its_resource() {
    let broker = Broker::start("config_bad");
    let mut client = Connection::open(&broker.address);
    client.create_topic("bad", 1, &[]);
    let rows: &[(&str, i8, Option<&str>)] = &[
        ("retention.ms", SET, Some("soon")),
        ("segment.bytes", SET, Some("1")),
        ("no.such.key", SET, Some("1")),
        ("cleanup.policy", SET, Some("squash")),
        ("message.timestamp.type", SET, Some("Never")),
        ("retention.ms", APPEND, Some("1")),
    ];
    for row in rows {
        let operations = [("segment.ms", SET, Some("1000000")), *row];
        let answer = client.alter_configs_at(TOPIC, "bad", &operations, 1);
        let refused = [
            ErrorCode::InvalidConfig.code(),
            ErrorCode::InvalidRequest.code(),
        ];
        assert!(
            refused.contains(&answer.error_code),
            "{row:?}: {}",
            answer.error_code
        );
        assert!(answer.error_message.is_some(), "{row:?}");
        assert_eq!(
            client.config(TOPIC, "bad", "segment.ms").config_source,
            FROM_DEFAULT
        );
    }
    let answer =
        client.alter_configs_at(TOPIC, "nowhere", &[("segment.ms", SET, Some("1000000"))], 1);
    assert_eq!(answer.error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[test]
fn broker_defaults_change_for_all() {
    let mut broker = Broker::start("config_broker_alter");
    let mut client = Connection::open(&broker.address);
    client.create_topic("heir", 1, &[]);
    // The empty name stands for every broker.
    client.set_config(BROKER, "", "log.retention.ms", "123456789");
    let row = client.config(TOPIC, "heir", "retention.ms");
    assert_eq!(row.value.as_deref(), Some("123456789"));
    assert_eq!(row.config_source, FROM_DYNAMIC_DEFAULT);
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(
        client.config_value(TOPIC, "heir", "retention.ms"),
        "123456789"
    );
    let node = node_id(&mut client);
    let read_only = client.alter_configs_at(BROKER, &node, &[("node.id", SET, Some("9"))], 1);
    assert_eq!(read_only.error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn a_group_keeps_its_configs() {
    let mut broker = Broker::start("config_group");
    let mut client = Connection::open(&broker.address);
    let timeout = "consumer.session.timeout.ms";
    let before = client.config(GROUP, "readers", timeout);
    assert_eq!(before.value.as_deref(), Some("45000"));
    assert_eq!(before.config_source, FROM_DEFAULT);
    assert_eq!(before.synonyms[0].name, "group.consumer.session.timeout.ms");

    client.set_config(GROUP, "readers", timeout, "50000");
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    let row = client.config(GROUP, "readers", timeout);
    assert_eq!(row.value.as_deref(), Some("50000"));
    assert_eq!(row.config_source, FROM_GROUP);
    let synonyms = row.synonyms.iter().map(|s| (s.name.as_str(), s.source));
    let expected = [
        (timeout, FROM_GROUP),
        ("group.consumer.session.timeout.ms", FROM_DEFAULT),
    ];
    assert_eq!(synonyms.collect::<Vec<_>>(), expected);

    for (group, value, code) in [
        ("readers", "1", ErrorCode::InvalidConfig),
        ("", "50000", ErrorCode::InvalidRequest),
    ] {
        let answer = client.alter_configs_at(GROUP, group, &[(timeout, SET, Some(value))], 1);
        assert_eq!(answer.error_code, code.code(), "{group} {value}");
    }
}

/// By asking for its metadata.
fn create_on_demand(client: &mut Connection, name: &str) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(name.into()),
            ..MetadataRequestTopic::default()
        }]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    };
    wait_until("the topic is created", || {
        client.call(&request, 12).topics[0].error_code == 0
    });
}

#[test]
fn log_levels_change_while_the_broker_runs() {
    let broker = Broker::start("config_loggers");
    let mut client = Connection::open(&broker.address);
    let node = node_id(&mut client);
    let created = |name: &str| format!("topic=\"{name}\"");
    let row = client.config(LOGGER, &node, "ottla::server");
    assert_eq!(
        (row.value.as_deref(), row.config_source),
        (Some("INFO"), FROM_LOGGER)
    );
    create_on_demand(&mut client, "quiet");

    for (operations, code) in [
        (
            &[("ottla::server", SET, Some("LOUD"))][..],
            ErrorCode::InvalidConfig,
        ),
        (&[("no.such", SET, Some("DEBUG"))], ErrorCode::InvalidConfig),
        (
            &[("ottla", SET, Some("DEBUG")), ("root", DELETE, None)],
            ErrorCode::InvalidRequest,
        ),
        (
            &[("ottla::server", APPEND, Some("DEBUG"))],
            ErrorCode::InvalidRequest,
        ),
        (&[("ottla::server", SET, None)], ErrorCode::InvalidRequest),
    ] {
        let answer = client.alter_configs_at(LOGGER, &node, operations, 1);
        assert_eq!(answer.error_code, code.code(), "{operations:?}");
    }
    for name in ["", "9999", "four"] {
        let wanted = [("ottla", SET, Some("DEBUG"))];
        let answer = client.alter_configs_at(LOGGER, name, &wanted, 1);
        assert_eq!(
            answer.error_code,
            ErrorCode::InvalidRequest.code(),
            "{name}"
        );
    }
    assert_eq!(client.config_value(LOGGER, &node, "ottla"), "INFO");

    client.set_config(LOGGER, &node, "ottla::server", "DEBUG");
    assert_eq!(client.config_value(LOGGER, &node, "ottla::server"), "DEBUG");
    assert_eq!(client.config_value(LOGGER, &node, "ottla::storage"), "INFO");
    create_on_demand(&mut client, "loud");
    wait_until("the line is there", || {
        broker.log().contains(&created("loud"))
    });

    let unset = [("ottla::server", DELETE, None)];
    let answer = client.alter_configs_at(LOGGER, &node, &unset, 1);
    assert_eq!(answer.error_code, 0);
    create_on_demand(&mut client, "quiet-again");
    client.set_config(LOGGER, &node, "root", "WARN");
    // Lines come in order, and this one tells of the last change.
    wait_until("the last change is told", || {
        broker.log().matches("the log shows other lines").count() == 3
    });
    let log = broker.log();
    assert!(
        !log.contains(&created("quiet")) && !log.contains(&created("quiet-again")),
        "{log}"
    );
}
