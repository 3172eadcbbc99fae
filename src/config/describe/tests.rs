use super::*;
use crate::config::broker;

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

fn names(wanted: &[&str]) -> Vec<String> {
    wanted.iter().map(|&name| name.to_owned()).collect()
}

/// One row as text: value, source, read-only, synonyms.
fn shown(rows: &[Description], name: &str) -> String {
    let row = rows
        .iter()
        .find(|row| row.name == name)
        .expect("the row is shown");
    let synonyms: Vec<String> = row
        .synonyms
        .iter()
        .map(|s| format!("{}={} {:?}", s.name, s.value, s.source))
        .collect();
    let value = row.value.as_deref().unwrap_or("-");
    let access = if row.read_only { "ro" } else { "rw" };
    format!(
        "{value} {:?} {access} [{}]",
        row.source,
        synonyms.join(", ")
    )
}

#[test]
fn a_topic_shows_where_each_value_comes_from() {
    let fixed = overrides(&[
        ("log.retention.hours", "1"),
        ("log.segment.bytes", "2097152"),
    ]);
    let mut layers = BrokerLayers::from_fixed(fixed);
    layers.cluster = overrides(&[("log.segment.bytes", "3145728")]).into();
    let own = overrides(&[("max.message.bytes", "2000")]);
    let rows = topic(&own, &layers, None);
    for (name, expected) in [
        (
            "max.message.bytes",
            "2000 Topic rw [max.message.bytes=2000 Topic, message.max.bytes=1048588 Default]",
        ),
        (
            "segment.bytes",
            "3145728 DynamicCluster rw [log.segment.bytes=3145728 DynamicCluster, \
             log.segment.bytes=2097152 StaticBroker, log.segment.bytes=1073741824 Default]",
        ),
        (
            "retention.ms",
            "3600000 StaticBroker rw [log.retention.hours=1 StaticBroker, \
             log.retention.hours=168 Default]",
        ),
        ("segment.ms", "604800000 Default rw []"),
        ("flush.ms", "9223372036854775807 Default rw []"),
        (
            "retention.bytes",
            "-1 Default rw [log.retention.bytes=-1 Default]",
        ),
        ("leader.replication.throttled.replicas", " Default rw []"),
    ] {
        assert_eq!(shown(&rows, name), expected, "{name}");
    }
    assert!(
        rows.iter()
            .all(|row| !row.sensitive && !row.documentation.is_empty())
    );
}

#[test]
fn a_broker_shows_where_each_value_comes_from() {
    let fixed = overrides(&[
        ("listeners", "PLAINTEXT://localhost:9092"),
        ("node.id", "0"),
    ]);
    let mut layers = BrokerLayers::from_fixed(fixed);
    layers.node = overrides(&[("log.retention.ms", "5000")]).into();
    let rows = broker(&layers, None);
    for (name, expected) in [
        (
            "log.retention.ms",
            "5000 DynamicBroker rw [log.retention.ms=5000 DynamicBroker, \
             log.retention.hours=168 Default]",
        ),
        ("log.retention.minutes", "- Default ro []"),
        (
            "log.retention.hours",
            "168 Default ro [log.retention.hours=168 Default]",
        ),
        (
            "log.flush.interval.messages",
            "9223372036854775807 Default rw \
             [log.flush.interval.messages=9223372036854775807 Default]",
        ),
        ("log.flush.interval.ms", "- Default rw []"),
        (
            "log.flush.scheduler.interval.ms",
            "9223372036854775807 Default ro \
             [log.flush.scheduler.interval.ms=9223372036854775807 Default]",
        ),
        (
            "listeners",
            "PLAINTEXT://localhost:9092 StaticBroker ro \
             [listeners=PLAINTEXT://localhost:9092 StaticBroker, \
             listeners=PLAINTEXT://localhost:9092 Default]",
        ),
        ("num.partitions", "1 Default ro [num.partitions=1 Default]"),
        ("broker.rack", "- Default ro []"),
    ] {
        assert_eq!(shown(&rows, name), expected, "{name}");
    }
    let all: Vec<_> = broker::names()
        .filter(|name| *name != "ottla.durability")
        .collect();
    assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), all);
}

#[test]
fn the_cluster_default_shows_only_what_is_set() {
    let layers = BrokerLayers {
        cluster: overrides(&[("background.threads", "12")]).into(),
        node: overrides(&[("background.threads", "11")]).into(),
        ..BrokerLayers::default()
    };
    let rows = cluster(&layers, None);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        shown(&rows, "background.threads"),
        "12 DynamicCluster rw [background.threads=12 DynamicCluster]"
    );
    assert!(cluster(&layers, Some(&names(&["num.io.threads"]))).is_empty());
}

#[test]
fn only_wanted_names_are_shown() {
    let wanted = names(&["retention.ms", "no.such", "cleanup.policy"]);
    let rows = topic(&Overrides::new(), &BrokerLayers::default(), Some(&wanted));
    let shown: Vec<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(shown, ["cleanup.policy", "retention.ms"]);
    let all = topic(&Overrides::new(), &BrokerLayers::default(), Some(&[]));
    assert_eq!(all.len(), TOPIC_KEYS.len() - 1);
}

#[test]
fn keys_of_our_own_show_when_set_or_asked_for() {
    let is_shown = |own: &[(&str, &str)], layers: &BrokerLayers, wanted: &[&str]| {
        let wanted = names(wanted);
        let rows = topic(&overrides(own), layers, Some(&wanted));
        rows.iter().any(|row| row.name == "ottla.durability")
    };
    let plain = BrokerLayers::default();
    assert!(!is_shown(&[], &plain, &[]));
    assert!(is_shown(&[], &plain, &["ottla.durability"]));
    assert!(is_shown(&[("ottla.durability", "memory")], &plain, &[]));
    let memory = BrokerLayers::from_fixed(overrides(&[("ottla.durability", "memory")]));
    assert!(is_shown(&[], &memory, &[]));
    assert!(
        broker(&memory, None)
            .iter()
            .any(|row| row.name == "ottla.durability")
    );
}
