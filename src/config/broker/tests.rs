use super::*;
use crate::config::topic_keys::TOPIC_KEYS;

#[test]
fn the_table_is_sorted_documented_and_has_valid_defaults() {
    assert!(BROKER_KEYS.is_sorted_by(|a, b| a.name < b.name));
    for key in BROKER_KEYS {
        assert!(key.documentation.ends_with('.'), "{}", key.name);
        let Some(default) = key.default else { continue };
        let stored = canonical(key.name, default, key.kind, key.check);
        assert_eq!(stored.as_deref(), Ok(default), "{}", key.name);
    }
}

#[test]
fn a_topic_config_and_its_synonyms_agree() {
    for key in TOPIC_KEYS {
        for (index, synonym) in key.synonyms.iter().enumerate() {
            let broker = find(synonym.name).expect("a synonym is a broker config");
            // Kafka lets the finest unit be changed at run time, the coarse ones only by a restart.
            assert_eq!(
                broker.change == Change::Dynamic,
                index == 0,
                "{}",
                synonym.name
            );
            if synonym.factor == 1 {
                assert_eq!(broker.kind, key.kind, "{}", key.name);
                assert!(
                    broker.default.is_none_or(|d| d == key.default),
                    "{}",
                    key.name
                );
            }
        }
    }
}

#[test]
fn the_defaults_are_kafkas() {
    let config = BrokerConfig::default();
    assert!(config.auto_create_topics && config.delete_topics);
    assert_eq!(config.partitions_default, 1);
    assert_eq!(config.replication_factor_default, 1);
    assert_eq!(config.request_bytes_max, 104_857_600);
    assert_eq!(config.fetch_bytes_max, 57_671_680);
    assert_eq!(config.connection_idle_max, Some(Duration::from_mins(10)));
    assert_eq!(config.topic, TopicConfig::default());
    let groups = GroupConfig {
        session_ms_min: 6_000,
        session_ms_max: 1_800_000,
        members_max: i32::MAX as usize,
        initial_delay_ms: 3_000,
        offsets_retention_ms: 7 * 24 * 3_600_000,
        expiry_check_ms: 600_000,
        metadata_bytes_max: 4_096,
        topic_partitions: 50,
        topic_segment_bytes: 104_857_600,
    };
    assert_eq!(config.groups, groups);
}
