//! Configs of topics and brokers: shown, changed, refused.

use ottla::wire::messages::alter_configs as legacy;
use ottla::wire::messages::describe_configs::*;
use ottla::wire::messages::incremental_alter_configs::*;

use super::build::*;
use crate::session::{Client, Session};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe(resources: &[(i8, &str, Option<&[&str]>)]) -> DescribeConfigsRequest {
    let resource =
        |&(resource_type, name, keys): &(i8, &str, Option<&[&str]>)| DescribeConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configuration_keys: keys.map(|keys| keys.iter().map(ToString::to_string).collect()),
            ..Default::default()
        };
    DescribeConfigsRequest {
        resources: resources.iter().map(resource).collect(),
        include_synonyms: true,
        include_documentation: true,
        ..Default::default()
    }
}

fn alter(
    resource_type: i8,
    name: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> IncrementalAlterConfigsRequest {
    let config = |&(name, config_operation, value): &(&str, i8, Option<&str>)| AlterableConfig {
        name: name.to_owned(),
        config_operation,
        value: value.map(str::to_owned),
        ..Default::default()
    };
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configs: changes.iter().map(config).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Every config of every kind of resource.
pub(super) fn shown(session: &Session) {
    let mut client = session.client();
    let plain = client.topic("plain", 1, &[]);
    let own = client.topic(
        "own",
        1,
        &[
            ("retention.ms", Some("77")),
            ("cleanup.policy", Some("delete")),
        ],
    );
    client.ask("a topic", &describe(&[(TOPIC, &plain.name, None)]));
    client.ask("a topic of its own", &describe(&[(TOPIC, &own.name, None)]));
    client.ask("the broker", &describe(&[(BROKER, "0", None)]));
    client.ask("all brokers", &describe(&[(BROKER, "", None)]));
    let keys = Some(&["retention.ms", "no.such.key", "segment.bytes"][..]);
    client.ask("three keys", &describe(&[(TOPIC, &own.name, keys)]));
    client.ask("no key", &describe(&[(TOPIC, &own.name, Some(&[]))]));
    let several = [
        (TOPIC, &*plain.name, keys),
        (TOPIC, "nowhere at all", None),
        (BROKER, "7", None),
        (BROKER, "x", None),
    ];
    client.ask("several", &describe(&several));
    client.ask("the same twice", &describe(&[several[0], several[0]]));
    let mut request = describe(&[(TOPIC, &own.name, keys)]);
    (request.include_synonyms, request.include_documentation) = (false, false);
    client.ask("without synonyms", &request);
    for resource_type in [0, 1, 3, 8, 16, 32, -1] {
        client.ask(
            &format!("type {resource_type}"),
            &describe(&[(resource_type, "x", None)]),
        );
    }
    client.delete(&plain);
    client.delete(&own);
}

/// Values for topic configs, good and bad.
const VALUES: &[(&str, &[&str])] = &[
    (
        "cleanup.policy",
        &[
            "delete",
            "compact",
            "compact,delete",
            "",
            "delete,delete",
            "none",
        ],
    ),
    ("compression.gzip.level", &["1", "9", "0", "-1", "10"]),
    ("compression.lz4.level", &["1", "17", "0", "18"]),
    (
        "compression.zstd.level",
        &["22", "23", "-131072", "-131073"],
    ),
    (
        "compression.type",
        &["gzip", "producer", "uncompressed", "none", "GZIP"],
    ),
    ("delete.retention.ms", &["0", "-1", "x"]),
    ("file.delete.delay.ms", &["0", "-1"]),
    ("flush.messages", &["1", "0"]),
    ("flush.ms", &["0", "-1"]),
    (
        "follower.replication.throttled.replicas",
        &["*", "0:0", "0:0,1:0", "zero", "none", ""],
    ),
    ("leader.replication.throttled.replicas", &["*", "x:y"]),
    ("index.interval.bytes", &["0", "-1"]),
    ("local.retention.bytes", &["-2", "-3", "1"]),
    ("local.retention.ms", &["-2", "-3", "1"]),
    ("max.compaction.lag.ms", &["1", "0"]),
    (
        "max.message.bytes",
        &["0", "-1", "2147483648", " 5 ", "5.0", "1e3"],
    ),
    (
        "message.timestamp.after.max.ms",
        &["0", "-1", "9223372036854775807"],
    ),
    ("message.timestamp.before.max.ms", &["0", "-1"]),
    ("message.timestamp.type", &["LogAppendTime", "createtime"]),
    ("message.downconversion.enable", &["true"]),
    ("message.format.version", &["3.0"]),
    (
        "min.cleanable.dirty.ratio",
        &["0", "1", "1.1", "-0.1", "0.25", ".5", "NaN"],
    ),
    ("min.compaction.lag.ms", &["0", "-1"]),
    ("min.insync.replicas", &["1", "0", "2"]),
    ("preallocate", &["true", "FALSE", "yes"]),
    ("remote.storage.enable", &["false", "true", "x"]),
    ("remote.log.copy.disable", &["true", "false"]),
    ("remote.log.delete.on.disable", &["true"]),
    ("retention.bytes", &["-1", "-2", "0"]),
    ("retention.ms", &["-1", "-2", "0", "9223372036854775808"]),
    ("segment.bytes", &["1048576", "1048575", "0", "2147483647"]),
    ("segment.index.bytes", &["4", "3"]),
    ("segment.jitter.ms", &["0", "-1"]),
    ("segment.ms", &["1", "0"]),
    ("unclean.leader.election.enable", &["true", "1"]),
    ("no.such.config", &["1"]),
    ("", &["1"]),
];

pub(super) fn of_topics(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("changed", 1, &[]);
    for &(key, values) in VALUES {
        for value in values {
            let mut request = alter(TOPIC, &topic.name, &[(key, SET, Some(value))]);
            request.validate_only = true;
            client.ask(&format!("{key}={value}"), &request);
            let mut request = create(vec![new_topic(
                &session.name("dry"),
                1,
                &[(key, Some(value))],
            )]);
            request.validate_only = true;
            client.ask(&format!("created with {key}={value}"), &request);
        }
        for (what, operation, value) in [
            ("null", SET, None),
            ("delete", DELETE, None),
            ("delete x", DELETE, Some("x")),
            ("append", APPEND, Some("compact")),
            ("subtract", SUBTRACT, Some("delete")),
        ] {
            let mut request = alter(TOPIC, &topic.name, &[(key, operation, value)]);
            request.validate_only = true;
            client.ask(&format!("{key}: {what}"), &request);
        }
    }
    client.delete(&topic);
}

pub(super) fn changes(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("altered", 1, &[("segment.ms", Some("500"))]);
    let name = topic.name.clone();
    client.ask(
        "two set",
        &alter(
            TOPIC,
            &name,
            &[
                ("retention.ms", SET, Some("99")),
                ("flush.ms", SET, Some("5")),
            ],
        ),
    );
    client.settle_config(TOPIC, &name, "retention.ms", Some("99"));
    client.ask("shown", &describe(&[(TOPIC, &name, None)]));
    client.ask(
        "one of two is wrong",
        &alter(
            TOPIC,
            &name,
            &[
                ("retention.ms", SET, Some("98")),
                ("flush.ms", SET, Some("x")),
            ],
        ),
    );
    client.ask(
        "the same twice",
        &alter(
            TOPIC,
            &name,
            &[
                ("retention.ms", SET, Some("1")),
                ("retention.ms", SET, Some("2")),
            ],
        ),
    );
    let mut both = alter(TOPIC, &name, &[("retention.ms", DELETE, None)]);
    both.resources.extend(
        alter(
            TOPIC,
            &session.name("stranger"),
            &[("flush.ms", SET, Some("1"))],
        )
        .resources,
    );
    client.ask("one of two exists", &both);
    client.settle_config(TOPIC, &name, "retention.ms", Some("-1"));
    client.ask("shown again", &describe(&[(TOPIC, &name, None)]));
    lists(&mut client, &name);
    replaced(&mut client, &name);
    client.delete(&topic);
    client.ask(
        "of a topic that is gone",
        &alter(TOPIC, &name, &[("flush.ms", SET, Some("1"))]),
    );
    client.ask("described, gone", &describe(&[(TOPIC, &name, None)]));
}

/// One resource twice, and configs that are lists.
fn lists(client: &mut Client, name: &str) {
    let mut twice = alter(TOPIC, name, &[("flush.ms", SET, Some("6"))]);
    twice.resources.extend(twice.resources.clone());
    client.ask("a resource twice", &twice);
    client.ask(
        "deleted that was not set",
        &alter(TOPIC, name, &[("max.message.bytes", DELETE, None)]),
    );
    let list = |operation, value| {
        alter(
            TOPIC,
            name,
            &[(
                "follower.replication.throttled.replicas",
                operation,
                Some(value),
            )],
        )
    };
    for (operation, value) in [
        (APPEND, "0:0"),
        (APPEND, "1:0"),
        (APPEND, "0:0"),
        (SUBTRACT, "1:0"),
        (SUBTRACT, "9:9"),
        (APPEND, "x"),
    ] {
        client.ask(
            &format!("list {operation} {value}"),
            &list(operation, value),
        );
    }
}

/// The request that replaces all configs of a resource.
fn replaced(client: &mut Client, name: &str) {
    let request = |configs: Configs, validate_only| legacy::AlterConfigsRequest {
        resources: vec![legacy::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: name.to_owned(),
            configs: configs
                .iter()
                .map(|&(name, value)| legacy::AlterableConfig {
                    name: name.to_owned(),
                    value: value.map(str::to_owned),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        validate_only,
        ..Default::default()
    };
    client.ask(
        "replaced, dry",
        &request(&[("retention.ms", Some("1234"))], true),
    );
    client.ask(
        "replaced, wrong",
        &request(&[("retention.ms", Some("x"))], false),
    );
    client.ask(
        "replaced by null",
        &request(&[("retention.ms", None)], false),
    );
    client.ask(
        "replaced by a stranger",
        &request(&[("no.such.config", Some("1"))], false),
    );
    client.ask(
        "replaced",
        &request(&[("retention.ms", Some("1234"))], false),
    );
    client.settle_config(TOPIC, name, "retention.ms", Some("1234"));
    client.ask("shown after", &describe(&[(TOPIC, name, None)]));
    client.ask("replaced by nothing", &request(&[], false));
    client.settle_config(TOPIC, name, "retention.ms", Some("-1"));
    client.ask("shown in the end", &describe(&[(TOPIC, name, None)]));
}

/// Configs of one broker and of all.
pub(super) fn of_brokers(session: &Session) {
    let mut client = session.client();
    for name in ["0", ""] {
        for (key, value, is_dynamic) in [
            ("log.retention.bytes", Some("77777777"), true),
            ("message.max.bytes", Some("2000000"), true),
            ("message.max.bytes", Some("-1"), false),
            ("log.cleanup.policy", Some("nothing"), false),
            ("num.io.threads", Some("4"), false),
            ("num.partitions", Some("9"), false),
            ("node.id", Some("9"), false),
            ("no.such.config", Some("9"), false),
            ("retention.ms", Some("9"), false),
            ("log.retention.bytes", None, false),
            ("listeners", Some("PLAINTEXT://x:1"), false),
            ("auto.create.topics.enable", Some("false"), false),
            ("log.retention.hours", Some("1"), false),
        ] {
            let what = format!("broker {name:?} {key}={value:?}");
            let mut request = alter(BROKER, name, &[(key, SET, value)]);
            request.validate_only = !is_dynamic;
            client.ask(&what, &request);
            if is_dynamic {
                client.settle_config(BROKER, name, key, value);
                client.ask(
                    &format!("{what}, shown"),
                    &describe(&[(BROKER, name, Some(&[key]))]),
                );
                client.ask(
                    &format!("{what}, deleted"),
                    &alter(BROKER, name, &[(key, DELETE, None)]),
                );
                let by_default = if key == "message.max.bytes" {
                    "1048588"
                } else {
                    "-1"
                };
                let gone = (!name.is_empty()).then_some(by_default);
                client.settle_config(BROKER, name, key, gone);
            }
        }
    }
    for name in ["1", "x", "-1", "00"] {
        client.ask(
            &format!("broker {name:?}"),
            &alter(BROKER, name, &[("log.retention.bytes", SET, Some("1"))]),
        );
    }
    for resource_type in [0, 1, 3, 5, 99, -1] {
        client.ask(
            &format!("type {resource_type}"),
            &alter(resource_type, "x", &[("a", SET, Some("b"))]),
        );
    }
}
