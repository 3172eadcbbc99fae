//! The table of topic configs: one row per key, sorted by name. Names, types, defaults and ranges are Apache
//! Kafka's (4.1); what a row says about its effect is true of this broker.

use super::topic::Durability;
use super::value::{Check, Kind};

/// One row of the table.
#[derive(Debug)]
pub struct TopicKey {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub check: Check,
    /// Broker configs a topic inherits the value from, the first that is set wins.
    pub synonyms: &'static [Synonym],
    pub documentation: &'static str,
}

/// A broker config, and what one unit of it is in units of the topic config.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synonym {
    pub name: &'static str,
    pub factor: i64,
}

/// Keys of ottla's own that are promised for later; refused until they work.
pub const RESERVED_KEYS: &[&str] = &[
    "ottla.chain",
    "ottla.conflate.lag",
    "ottla.core",
    "ottla.filter",
    "ottla.ingest.clock",
    "ottla.latency.class",
    "ottla.order.group",
];

/// Keys of ottla's own begin with this; clients see them only when set or asked for by name.
pub const OWN_PREFIX: &str = "ottla.";

pub fn find(name: &str) -> Option<&'static TopicKey> {
    let index = TOPIC_KEYS.binary_search_by(|key| key.name.cmp(name)).ok()?;
    Some(&TOPIC_KEYS[index])
}

const fn same(name: &'static str) -> Synonym {
    Synonym { name, factor: 1 }
}

const fn hours(name: &'static str) -> Synonym {
    Synonym {
        name,
        factor: 3_600_000,
    }
}

const fn minutes(name: &'static str) -> Synonym {
    Synonym {
        name,
        factor: 60_000,
    }
}

const FOREVER: &str = "9223372036854775807";
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
const POLICIES: &[&str] = &["compact", "delete"];
const STAMPS: &[&str] = &["CreateTime", "LogAppendTime"];

#[rustfmt::skip]
macro_rules! key {
    ($name:literal, $kind:ident, $default:expr, $check:expr, [$($synonym:expr),*], $doc:literal) => {
        TopicKey {
            name: $name, kind: Kind::$kind, default: $default, check: $check,
            synonyms: &[$($synonym),*], documentation: $doc,
        }
    };
}

#[rustfmt::skip]
pub const TOPIC_KEYS: &[TopicKey] = &[
    key!("cleanup.policy", List, "delete", Check::OneOf(POLICIES), [same("log.cleanup.policy")],
        "What happens to old segments: delete removes them by age and size, compact keeps the newest record of each \
         key, and refuses records without one. Both may hold."),
    key!("compression.gzip.level", Int, "-1", Check::GzipLevel, [same("compression.gzip.level")],
        "Level used when this broker compresses with gzip; -1 is the codec's own default."),
    key!("compression.lz4.level", Int, "9", Check::Between(1, 17), [same("compression.lz4.level")],
        "Level used when this broker compresses with lz4."),
    key!("compression.type", String, "producer", Check::OneOf(CODECS), [same("compression.type")],
        "Codec of stored batches. producer stores what the client sent; other values are accepted and reported, \
         but batches are stored as sent for now."),
    key!("compression.zstd.level", Int, "3", Check::Between(-131_072, 22), [same("compression.zstd.level")],
        "Level used when this broker compresses with zstd."),
    key!("delete.retention.ms", Long, "86400000", Check::AtLeast(0), [same("log.cleaner.delete.retention.ms")],
        "How long a compacted topic keeps the marker of a deleted key, in milliseconds."),
    key!("file.delete.delay.ms", Long, "60000", Check::AtLeast(0), [same("log.segment.delete.delay.ms")],
        "Accepted without effect: a removed segment is unlinked at once and its space is freed in steps, after \
         running reads."),
    key!("flush.messages", Long, FOREVER, Check::AtLeast(1), [same("log.flush.interval.messages")],
        "Accepted without effect: every commit cycle is flushed before it is acknowledged, see ottla.durability."),
    key!("flush.ms", Long, FOREVER, Check::AtLeast(0),
        [same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")],
        "Accepted without effect: every commit cycle is flushed before it is acknowledged, see ottla.durability."),
    key!("follower.replication.throttled.replicas", List, "", Check::Replicas, [],
        "Replicas whose copying is throttled on the follower's side; * means all."),
    key!("index.interval.bytes", Int, "4096", Check::AtLeast(0), [same("log.index.interval.bytes")],
        "Accepted without effect: the index has one entry per 64 KiB of log."),
    key!("leader.replication.throttled.replicas", List, "", Check::Replicas, [],
        "Replicas whose copying is throttled on the leader's side; * means all."),
    key!("local.retention.bytes", Long, "-2", Check::AtLeast(-2), [same("log.local.retention.bytes")],
        "Accepted without effect: there is no remote tier. -2 means retention.bytes."),
    key!("local.retention.ms", Long, "-2", Check::AtLeast(-2), [same("log.local.retention.ms")],
        "Accepted without effect: there is no remote tier. -2 means retention.ms."),
    key!("max.compaction.lag.ms", Long, FOREVER, Check::AtLeast(1), [same("log.cleaner.max.compaction.lag.ms")],
        "Longest time a record of a compacted topic stays uncompacted, in milliseconds."),
    key!("max.message.bytes", Int, "1048588", Check::AtLeast(0), [same("message.max.bytes")],
        "Largest record batch, as sent (compressed). A node refuses more than an eighth of a shard's memory pool."),
    key!("message.timestamp.after.max.ms", Long, "3600000", Check::AtLeast(0),
        [same("log.message.timestamp.after.max.ms")],
        "How far a client's timestamp may lie in the future, in milliseconds; beyond it the batch is refused."),
    key!("message.timestamp.before.max.ms", Long, FOREVER, Check::AtLeast(0),
        [same("log.message.timestamp.before.max.ms")],
        "How far a client's timestamp may lie in the past, in milliseconds; beyond it the batch is refused."),
    key!("message.timestamp.type", String, "CreateTime", Check::OneOf(STAMPS), [same("log.message.timestamp.type")],
        "CreateTime keeps the client's timestamps, LogAppendTime replaces them by the time of the append."),
    key!("min.cleanable.dirty.ratio", Double, "0.5", Check::Ratio, [same("log.cleaner.min.cleanable.ratio")],
        "Share of uncompacted bytes from which a compacted log is compacted again."),
    key!("min.compaction.lag.ms", Long, "0", Check::AtLeast(0), [same("log.cleaner.min.compaction.lag.ms")],
        "Shortest time a record of a compacted topic stays uncompacted, in milliseconds."),
    key!("min.insync.replicas", Int, "1", Check::AtLeast(1), [same("min.insync.replicas")],
        "Replicas that must be in sync for a write with acks=all; at most the number of replicas is asked for."),
    key!("ottla.durability", String, "flushed", Check::OneOf(Durability::NAMES), [same("ottla.durability")],
        "What an acknowledgement promises. flushed: on the device; survives power loss. memory: in this node's \
         memory; faster, and the newest records are lost when the machine stops. replicated: refused until there \
         are replicas."),
    key!("preallocate", Boolean, "false", Check::Any, [same("log.preallocate")],
        "Accepted without effect: segments always grow ahead of the writer, in steps."),
    key!("remote.log.copy.disable", Boolean, "false", Check::Any, [],
        "Accepted without effect: there is no remote tier."),
    key!("remote.log.delete.on.disable", Boolean, "false", Check::Any, [],
        "Accepted without effect: there is no remote tier."),
    key!("remote.storage.enable", Boolean, "false", Check::Any, [],
        "Only false is accepted: there is no remote tier."),
    key!("retention.bytes", Long, "-1", Check::Any, [same("log.retention.bytes")],
        "Bytes of one partition from which its oldest segments are removed; -1 is no limit."),
    key!("retention.ms", Long, "604800000", Check::AtLeast(-1),
        [same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")],
        "How long a segment is kept after its newest record, in milliseconds; -1 is for ever."),
    key!("segment.bytes", Int, "1073741824", Check::AtLeast(1), [same("log.segment.bytes")],
        "Size from which a new segment is started. Retention removes whole segments."),
    key!("segment.index.bytes", Int, "10485760", Check::AtLeast(4), [same("log.index.size.max.bytes")],
        "Accepted without effect: the index is as large as its segment needs."),
    key!("segment.jitter.ms", Long, "0", Check::AtLeast(0),
        [same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")],
        "Largest random part by which segment.ms is shortened, so that partitions do not roll together."),
    key!("segment.ms", Long, "604800000", Check::AtLeast(1), [same("log.roll.ms"), hours("log.roll.hours")],
        "Age of its first record from which a segment that is not full is closed, in milliseconds."),
    key!("unclean.leader.election.enable", Boolean, "false", Check::Any, [same("unclean.leader.election.enable")],
        "Whether a replica that may lack acknowledged records may lead when no other is left."),
];
