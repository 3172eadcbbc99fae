use super::*;

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

fn inherit(layers: &BrokerLayers) -> TopicConfig {
    TopicConfig::inherit(layers, &TopicRules::default()).expect("the layers are valid")
}

#[test]
fn the_table_is_sorted_documented_and_has_valid_defaults() {
    assert!(TOPIC_KEYS.is_sorted_by(|a, b| a.name < b.name));
    for key in TOPIC_KEYS {
        let stored = canonical(key.name, key.default, key.kind, key.check);
        assert_eq!(stored.as_deref(), Ok(key.default), "{}", key.name);
        assert!(key.documentation.ends_with('.'), "{}", key.name);
        assert!(!RESERVED_KEYS.contains(&key.name));
    }
}

#[test]
fn the_typed_defaults_are_those_of_the_table() {
    assert_eq!(inherit(&BrokerLayers::default()), TopicConfig::default());
}

#[test]
fn a_topic_inherits_from_the_first_synonym_that_is_set() {
    let fixed = [
        ("log.retention.hours", "2"),
        ("log.retention.minutes", "30"),
    ];
    let mut layers = BrokerLayers::from_fixed(overrides(&fixed[..1]));
    assert_eq!(inherit(&layers).retention_ms, 7_200_000);
    layers = BrokerLayers::from_fixed(overrides(&fixed));
    assert_eq!(inherit(&layers).retention_ms, 1_800_000);
    layers.cluster = overrides(&[("log.retention.ms", "5000")]).into();
    assert_eq!(inherit(&layers).retention_ms, 5_000);
    layers.node = overrides(&[("log.retention.ms", "6000")]).into();
    assert_eq!(inherit(&layers).retention_ms, 6_000);
    let topic = overrides(&[("retention.ms", "-1")]);
    let own = inherit(&layers).with(&topic, &TopicRules::default());
    assert_eq!(own.map(|config| config.retention_ms), Ok(-1));
}

#[test]
fn no_limit_is_no_limit_in_every_unit() {
    let layers = BrokerLayers::from_fixed(overrides(&[("log.retention.hours", "-1")]));
    assert_eq!(inherit(&layers).retention_ms, -1);
}

#[test]
fn a_coarse_unit_does_not_overflow() {
    let layers = BrokerLayers::from_fixed(overrides(&[("log.roll.hours", "2147483647")]));
    assert_eq!(inherit(&layers).segment_ms, 2_147_483_647 * 3_600_000);
}

#[test]
fn every_config_with_an_effect_arrives_in_its_field() {
    let set = overrides(&[
        ("cleanup.policy", ""),
        ("compression.type", "zstd"),
        ("delete.retention.ms", "1"),
        ("max.compaction.lag.ms", "9"),
        ("max.message.bytes", "2000"),
        ("message.timestamp.after.max.ms", "3"),
        ("message.timestamp.before.max.ms", "4"),
        ("message.timestamp.type", "LogAppendTime"),
        ("min.cleanable.dirty.ratio", "0.25"),
        ("min.compaction.lag.ms", "8"),
        ("min.insync.replicas", "2"),
        ("ottla.durability", "memory"),
        ("retention.bytes", "5"),
        ("retention.ms", "6"),
        ("segment.bytes", "1048576"),
        ("segment.jitter.ms", "7"),
        ("segment.ms", "10"),
        ("unclean.leader.election.enable", "true"),
    ]);
    let config = TopicConfig::default().with(&set, &TopicRules::default());
    let expected = TopicConfig {
        cleanup: CleanupPolicy {
            compact: false,
            delete: false,
        },
        durability: Durability::Memory,
        retention_ms: 6,
        retention_bytes: 5,
        segment_bytes: 1 << 20,
        segment_ms: 10,
        segment_jitter_ms: 7,
        batch_bytes_max: 2000,
        timestamp_type: TimestampType::LogAppendTime,
        timestamp_before_max_ms: 4,
        timestamp_after_max_ms: 3,
        min_insync_replicas: 2,
        unclean_leader_election: true,
        compression: CompressionType::Zstd,
        delete_retention_ms: 1,
        min_compaction_lag_ms: 8,
        max_compaction_lag_ms: 9,
        min_cleanable_dirty_ratio: 0.25,
    };
    assert_eq!(config, Ok(expected));
}

#[test]
fn what_clients_set_in_practice_is_accepted() {
    let rules = TopicRules::default();
    for (name, value) in [
        ("cleanup.policy", "delete"),
        ("compression.type", "lz4"),
        ("flush.messages", "1"),
        ("flush.ms", "12345678"),
        ("follower.replication.throttled.replicas", "0:1,1:2"),
        ("leader.replication.throttled.replicas", "*"),
        ("max.message.bytes", "8388608"),
        ("preallocate", "TRUE"),
        ("remote.storage.enable", "false"),
        ("retention.ms", "-1"),
        ("segment.bytes", "1048576"),
    ] {
        assert!(check(name, value, &rules).is_ok(), "{name}");
    }
}

#[test]
fn what_does_not_work_is_refused_and_says_why() {
    let rules = TopicRules::default();
    for (name, value, message) in [
        ("no.such", "1", "Unknown topic config name: no.such"),
        (
            "message.format.version",
            "3.0",
            "Unknown topic config name: message.format.version",
        ),
        (
            "ottla.nonsense",
            "1",
            "Unknown topic config name: ottla.nonsense",
        ),
        (
            "ottla.latency.class",
            "gold",
            "Config ottla.latency.class is reserved for a later release and has no effect yet",
        ),
        (
            "cleanup.policy",
            "compact,squash",
            "Invalid value squash for configuration cleanup.policy: String must be one of: \
             compact, delete",
        ),
        (
            "ottla.durability",
            "replicated",
            "Invalid value replicated for configuration ottla.durability: this cluster does not \
             replicate; use flushed or memory",
        ),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage.",
        ),
        (
            "segment.bytes",
            "1048575",
            "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "max.message.bytes",
            "8388609",
            "Invalid value 8388609 for configuration max.message.bytes: Value must be no more \
             than 8388608 on this node; raise the setting shards.pool",
        ),
        (
            "retention.ms",
            "forever",
            "Invalid value forever for configuration retention.ms: Not a number of type LONG",
        ),
        (
            "message.timestamp.type",
            "createtime",
            "Invalid value createtime for configuration message.timestamp.type: String must be \
             one of: CreateTime, LogAppendTime",
        ),
    ] {
        let problem = check(name, value, &rules).unwrap_err();
        assert_eq!(problem.to_string(), message);
    }
    for name in RESERVED_KEYS {
        assert!(matches!(
            check(name, "1", &rules),
            Err(ConfigProblem::Reserved { .. })
        ));
    }
}

#[test]
fn contradictions_are_refused() {
    let rules = TopicRules::default();
    let with = |pairs: &[(&str, &str)]| TopicConfig::default().with(&overrides(pairs), &rules);
    let lag = with(&[
        ("min.compaction.lag.ms", "2"),
        ("max.compaction.lag.ms", "1"),
    ])
    .unwrap();
    assert_eq!(
        lag.check_whole().unwrap_err().to_string(),
        "conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)"
    );
}

#[test]
fn a_node_with_less_memory_serves_a_topic_that_was_given_more() {
    let large = overrides(&[("max.message.bytes", "8388608")]);
    let small = TopicRules {
        batch_bytes_max: 65_536,
        ..TopicRules::default()
    };
    let config = TopicConfig::default().with(&large, &small);
    assert_eq!(config.map(|config| config.batch_bytes_max), Ok(65_536));
}
