//! The table of broker configs: one row per key, sorted by name. Names, types, defaults and ranges are Apache
//! Kafka's (4.1), as is what changes without a restart.

use super::topic::Durability;
use super::value::{Check, Kind};

/// One row of the table.
#[derive(Debug)]
pub struct BrokerKey {
    pub name: &'static str,
    pub kind: Kind,
    /// None: not set, another key of its group holds.
    pub default: Option<&'static str>,
    pub check: Check,
    pub change: Change,
    pub documentation: &'static str,
}

/// How a broker config gets another value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// By IncrementalAlterConfigs, for one broker or for all.
    Dynamic,
    /// The same, for one broker only.
    PerBroker,
    /// In the `[kafka]` section of the file, at the next start.
    Restart,
    /// Follows from another setting, named here.
    Derived(&'static str),
}

/// Keys that say the same in different units, the winner first.
const GROUPS: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &[
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
    ],
];

pub fn find(name: &str) -> Option<&'static BrokerKey> {
    let index = BROKER_KEYS
        .binary_search_by(|key| key.name.cmp(name))
        .ok()?;
    Some(&BROKER_KEYS[index])
}

/// The names under which a value for `key` may be set, the winner first. Empty for a key that stands alone.
pub fn group(key: &BrokerKey) -> &'static [&'static str] {
    let led_by = |group: &&&[&str]| group.contains(&key.name) && !is_trailing(key.name);
    GROUPS.iter().find(led_by).copied().unwrap_or(&[])
}

/// The scheduler interval stands for itself; it only backs the interval.
fn is_trailing(name: &str) -> bool {
    name == "log.flush.scheduler.interval.ms"
}

const FOREVER: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
const POLICIES: &[&str] = &["compact", "delete"];
const STAMPS: &[&str] = &["CreateTime", "LogAppendTime"];
const ASSIGNORS: &[&str] = &["uniform", "range"];

#[rustfmt::skip]
macro_rules! key {
    ($name:literal, $kind:ident, $default:expr, $check:expr, $change:expr, $doc:literal) => {
        BrokerKey {
            name: $name, kind: Kind::$kind, default: $default, check: $check, change: $change, documentation: $doc,
        }
    };
}

use Change::{Derived, Dynamic, PerBroker, Restart};
use Check::{Any, AtLeast, Between, GzipLevel, OneOf, Ratio};

#[rustfmt::skip]
pub const BROKER_KEYS: &[BrokerKey] = &[
    key!("advertised.listeners", List, None, Any, Derived("listeners.advertised"),
        "Where clients are told to connect."),
    key!("auto.create.topics.enable", Boolean, Some("true"), Any, Restart,
        "Whether asking for an unknown topic's metadata creates it."),
    key!("background.threads", Int, Some("10"), AtLeast(1), Dynamic,
        "Accepted without effect: this broker has one thread per core and no pools."),
    key!("broker.rack", String, None, Any, Derived("node.rack"),
        "The rack this broker stands in."),
    key!("compression.gzip.level", Int, Some("-1"), GzipLevel, Dynamic,
        "Default of the topic config of the same name."),
    key!("compression.lz4.level", Int, Some("9"), Between(1, 17), Dynamic,
        "Default of the topic config of the same name."),
    key!("compression.type", String, Some("producer"), OneOf(CODECS), Dynamic,
        "Default of the topic config of the same name."),
    key!("compression.zstd.level", Int, Some("3"), Between(-131_072, 22), Dynamic,
        "Default of the topic config of the same name."),
    key!("connections.max.idle.ms", Long, Some("600000"), Any, Restart,
        "A connection without a request for this long is closed; a negative value keeps it for ever."),
    key!("default.replication.factor", Int, Some("1"), AtLeast(1), Restart,
        "Replicas of a topic whose creator leaves the number open."),
    key!("delete.topic.enable", Boolean, Some("true"), Any, Restart,
        "Whether topics can be deleted."),
    key!("fetch.max.bytes", Int, Some("57671680"), AtLeast(1024), Restart,
        "Most record bytes of one fetch answer, whatever the client asks for; one batch is always sent."),
    key!("group.consumer.assignors", List, Some("uniform,range"), OneOf(ASSIGNORS), Restart,
        "Assignors offered to consumer groups, the default first."),
    key!("group.consumer.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Restart,
        "How often members of a consumer group report."),
    key!("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), AtLeast(1), Restart,
        "Longest consumer.heartbeat.interval.ms a group may be given."),
    key!("group.consumer.max.session.timeout.ms", Int, Some("60000"), AtLeast(1), Restart,
        "Longest consumer.session.timeout.ms a group may be given."),
    key!("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Restart,
        "Shortest consumer.heartbeat.interval.ms a group may be given."),
    key!("group.consumer.min.session.timeout.ms", Int, Some("45000"), AtLeast(1), Restart,
        "Shortest consumer.session.timeout.ms a group may be given."),
    key!("group.consumer.session.timeout.ms", Int, Some("45000"), AtLeast(1), Restart,
        "A member of a consumer group that is silent for this long is removed."),
    key!("group.initial.rebalance.delay.ms", Int, Some("3000"), AtLeast(0), Restart,
        "How long the first rebalance of an empty classic group waits for more members."),
    key!("group.max.session.timeout.ms", Int, Some("1800000"), Any, Restart,
        "Longest session timeout a member of a classic group may ask for."),
    key!("group.max.size", Int, Some("2147483647"), AtLeast(1), Restart,
        "Most members of one classic group; further ones are refused. A node has a limit of its own besides."),
    key!("group.min.session.timeout.ms", Int, Some("6000"), Any, Restart,
        "Shortest session timeout a member of a classic group may ask for."),
    key!("listeners", List, Some("PLAINTEXT://localhost:9092"), Any, Derived("listeners.kafka"),
        "Where this broker listens."),
    key!("log.cleaner.backoff.ms", Long, Some("15000"), AtLeast(0), Dynamic,
        "How often logs to compact are looked for."),
    key!("log.cleaner.dedupe.buffer.size", Long, Some("134217728"), AtLeast(0), Dynamic,
        "Memory for keys while logs are compacted, of all cores together, taken when it is needed. A key takes 32 bytes; \
         of a log with more keys the rest waits for the next compaction."),
    key!("log.cleaner.delete.retention.ms", Long, Some("86400000"), AtLeast(0), Dynamic,
        "Default of the topic config delete.retention.ms."),
    key!("log.cleaner.max.compaction.lag.ms", Long, Some(FOREVER), AtLeast(1), Dynamic,
        "Default of the topic config max.compaction.lag.ms."),
    key!("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), Ratio, Dynamic,
        "Default of the topic config min.cleanable.dirty.ratio."),
    key!("log.cleaner.min.compaction.lag.ms", Long, Some("0"), AtLeast(0), Dynamic,
        "Default of the topic config min.compaction.lag.ms."),
    key!("log.cleanup.policy", List, Some("delete"), OneOf(POLICIES), Dynamic,
        "Default of the topic config cleanup.policy."),
    key!("log.dirs", List, None, Any, Derived("node.data_dir"),
        "Where this broker keeps its data."),
    key!("log.flush.interval.messages", Long, Some(FOREVER), AtLeast(1), Dynamic,
        "Accepted without effect: every commit cycle is flushed before it is acknowledged."),
    key!("log.flush.interval.ms", Long, None, Any, Dynamic,
        "Accepted without effect: every commit cycle is flushed before it is acknowledged."),
    key!("log.flush.scheduler.interval.ms", Long, Some(FOREVER), Any, Restart,
        "Accepted without effect: every commit cycle is flushed before it is acknowledged."),
    key!("log.index.interval.bytes", Int, Some("4096"), AtLeast(0), Dynamic,
        "Default of the topic config index.interval.bytes."),
    key!("log.index.size.max.bytes", Int, Some("10485760"), AtLeast(4), Dynamic,
        "Default of the topic config segment.index.bytes."),
    key!("log.local.retention.bytes", Long, Some("-2"), AtLeast(-2), Dynamic,
        "Default of the topic config local.retention.bytes."),
    key!("log.local.retention.ms", Long, Some("-2"), AtLeast(-2), Dynamic,
        "Default of the topic config local.retention.ms."),
    key!("log.message.timestamp.after.max.ms", Long, Some("3600000"), AtLeast(0), Dynamic,
        "Default of the topic config message.timestamp.after.max.ms."),
    key!("log.message.timestamp.before.max.ms", Long, Some(FOREVER), AtLeast(0), Dynamic,
        "Default of the topic config message.timestamp.before.max.ms."),
    key!("log.message.timestamp.type", String, Some("CreateTime"), OneOf(STAMPS), Dynamic,
        "Default of the topic config message.timestamp.type."),
    key!("log.preallocate", Boolean, Some("false"), Any, Dynamic,
        "Default of the topic config preallocate."),
    key!("log.retention.bytes", Long, Some("-1"), Any, Dynamic,
        "Default of the topic config retention.bytes, per partition."),
    key!("log.retention.check.interval.ms", Long, Some("300000"), AtLeast(1), Restart,
        "How often segments that may go are looked for."),
    key!("log.retention.hours", Int, Some("168"), AtLeast(-1), Restart,
        "Default of the topic config retention.ms, in hours; -1 is for ever."),
    key!("log.retention.minutes", Int, None, AtLeast(-1), Restart,
        "Default of the topic config retention.ms, in minutes; wins over log.retention.hours."),
    key!("log.retention.ms", Long, None, AtLeast(-1), Dynamic,
        "Default of the topic config retention.ms; wins over minutes and hours."),
    key!("log.roll.hours", Int, Some("168"), AtLeast(1), Restart,
        "Default of the topic config segment.ms, in hours."),
    key!("log.roll.jitter.hours", Int, Some("0"), AtLeast(0), Restart,
        "Default of the topic config segment.jitter.ms, in hours."),
    key!("log.roll.jitter.ms", Long, None, AtLeast(0), Dynamic,
        "Default of the topic config segment.jitter.ms; wins over log.roll.jitter.hours."),
    key!("log.roll.ms", Long, None, AtLeast(1), Dynamic,
        "Default of the topic config segment.ms; wins over log.roll.hours."),
    key!("log.segment.bytes", Int, Some("1073741824"), AtLeast(1), Dynamic,
        "Default of the topic config segment.bytes."),
    key!("log.segment.delete.delay.ms", Long, Some("60000"), AtLeast(0), Dynamic,
        "Default of the topic config file.delete.delay.ms."),
    key!("max.connections.per.ip", Int, Some("2147483647"), AtLeast(0), Dynamic,
        "Most connections from one address; further ones are closed."),
    key!("max.incremental.fetch.session.cache.slots", Int, Some("1000"), AtLeast(0), Restart,
        "Most incremental fetch sessions, shared out among the cores; further clients name all partitions each time."),
    key!("max.request.partition.size.limit", Int, Some("2000"), AtLeast(1), Restart,
        "Most partitions of one answer that describes topics page by page."),
    key!("message.max.bytes", Int, Some("1048588"), AtLeast(0), Dynamic,
        "Default of the topic config max.message.bytes. A node refuses more than an eighth of a shard's memory pool."),
    key!("min.insync.replicas", Int, Some("1"), AtLeast(1), Dynamic,
        "Default of the topic config of the same name."),
    key!("node.id", Int, Some("0"), AtLeast(0), Derived("node.id"),
        "The number of this broker."),
    key!("num.io.threads", Int, Some("8"), AtLeast(1), Dynamic,
        "Accepted without effect: this broker has one thread per core and no pools."),
    key!("num.network.threads", Int, Some("3"), AtLeast(1), Dynamic,
        "Accepted without effect: this broker has one thread per core and no pools."),
    key!("num.partitions", Int, Some("1"), AtLeast(1), Restart,
        "Partitions of a topic whose creator leaves the number open, and of created-on-demand topics."),
    key!("offset.metadata.max.bytes", Int, Some("4096"), Any, Restart,
        "Longest text a client may attach to a committed offset."),
    key!("offsets.retention.check.interval.ms", Long, Some("600000"), AtLeast(1), Restart,
        "How often offsets that are kept for too long are looked for."),
    key!("offsets.retention.minutes", Int, Some("10080"), AtLeast(1), Restart,
        "How long the offsets of an empty group are kept; of a group that only commits, after each commit."),
    key!("offsets.topic.num.partitions", Int, Some("50"), AtLeast(1), Restart,
        "Partitions of the topic that holds group state, fixed when it is created."),
    key!("offsets.topic.replication.factor", Short, Some("3"), AtLeast(1), Restart,
        "Replicas of the topic that holds group state; at most the number of nodes is used."),
    key!("offsets.topic.segment.bytes", Int, Some("104857600"), AtLeast(1), Restart,
        "segment.bytes of the topic that holds group state, set when it is created."),
    key!("ottla.durability", String, Some("flushed"), OneOf(Durability::NAMES), Dynamic,
        "Default of the topic config of the same name."),
    key!("producer.id.expiration.ms", Int, Some("86400000"), AtLeast(1), Dynamic,
        "How long an idle idempotent producer is remembered by a partition."),
    key!("replica.lag.time.max.ms", Long, Some("30000"), Any, Restart,
        "A replica that has not caught up for this long leaves the in-sync set."),
    key!("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Any, PerBroker,
        "Accepted without effect: this broker does not speak Kerberos."),
    key!("socket.request.max.bytes", Int, Some("104857600"), AtLeast(1), Restart,
        "Largest request frame; a larger one closes its connection, and so does one above a quarter of shards.pool."),
    key!("transaction.max.timeout.ms", Int, Some("900000"), AtLeast(1), Restart,
        "Longest transaction timeout a producer may ask for."),
    key!("transaction.state.log.min.isr", Int, Some("2"), AtLeast(1), Restart,
        "min.insync.replicas of the topic that holds transaction state; at most the number of nodes is used."),
    key!("transaction.state.log.num.partitions", Int, Some("50"), AtLeast(1), Restart,
        "Partitions of the topic that holds transaction state, fixed when it is created."),
    key!("transaction.state.log.replication.factor", Short, Some("3"), AtLeast(1), Restart,
        "Replicas of the topic that holds transaction state; at most the number of nodes is used."),
    key!("transactional.id.expiration.ms", Int, Some("604800000"), AtLeast(1), Restart,
        "How long an unused transactional id is remembered."),
    key!("unclean.leader.election.enable", Boolean, Some("false"), Any, Dynamic,
        "Default of the topic config of the same name."),
];
