//! What one topic is configured to do, typed.

use super::layers::{BrokerLayers, Overrides};
use super::problem::{ConfigProblem, Reason};
use super::topic_keys::{OWN_PREFIX, RESERVED_KEYS, TOPIC_KEYS, TopicKey, find};
use super::value::{Check, Kind, canonical, elements};
use crate::base::limits::Limits;
use std::borrow::Cow;

/// What an acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// On the device, by the flush of its commit cycle.
    #[default]
    Flushed,
    /// In the leader's memory.
    Memory,
}

impl Durability {
    /// The names a topic may use; `replicated` is understood, and refused while nothing replicates.
    pub const NAMES: &[&str] = &["flushed", "replicated", "memory"];

    pub fn name(self) -> &'static str {
        match self {
            Durability::Flushed => "flushed",
            Durability::Memory => "memory",
        }
    }
}

/// Whose time a record's timestamp is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// `compression.type`; anything but `Producer` is only reported for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompressionType {
    #[default]
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// `cleanup.policy`; both may hold, and neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    pub compact: bool,
    pub delete: bool,
}

/// The configs of a topic that have an effect, resolved over the broker's and the defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TopicConfig {
    pub cleanup: CleanupPolicy,
    pub durability: Durability,
    /// -1: for ever.
    pub retention_ms: i64,
    /// -1: no limit.
    pub retention_bytes: i64,
    pub segment_bytes: u32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    /// Largest batch as sent; never above what the node's memory allows.
    pub batch_bytes_max: usize,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub min_insync_replicas: i32,
    pub unclean_leader_election: bool,
    pub compression: CompressionType,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
}

/// What a topic may ask of this node and this release, beyond the ranges of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicRules {
    pub segment_bytes_min: usize,
    pub batch_bytes_max: usize,
}

impl TopicRules {
    pub fn of(limits: &Limits) -> TopicRules {
        TopicRules {
            segment_bytes_min: limits.segment_bytes_min,
            batch_bytes_max: limits.batch_bytes_max(),
        }
    }
}

impl Default for TopicRules {
    fn default() -> TopicRules {
        TopicRules::of(&Limits::DEFAULT)
    }
}

/// Checks one topic config as a client sets it, and returns the canonical value.
pub fn check(name: &str, value: &str, rules: &TopicRules) -> Result<String, ConfigProblem> {
    let key = find(name).ok_or_else(|| unknown(name))?;
    let value = canonical(name, value, key.kind, key.check)?;
    check_support(name, &value, rules)?;
    Ok(value)
}

/// Checks what this release and this node can do with a value that the table allows. `name` may be a topic config
/// or the broker config it comes from.
pub(super) fn check_support(
    name: &str,
    value: &str,
    rules: &TopicRules,
) -> Result<(), ConfigProblem> {
    let invalid = |reason| ConfigProblem::Invalid {
        name: name.to_owned(),
        value: value.to_owned(),
        reason,
    };
    let number = || {
        value
            .parse::<i64>()
            .expect("an integer key holds an integer")
    };
    match narrowed(name, rules) {
        Some(Check::AtLeast(least)) if number() < least => {
            return Err(invalid(Reason::Below(least)));
        }
        Some(Check::Between(_, limit)) if number() > limit => {
            let setting = "shards.pool";
            return Err(invalid(Reason::AboveNodeLimit { limit, setting }));
        }
        _ => {}
    }
    match name {
        "ottla.durability" if value == "replicated" => Err(ConfigProblem::ReplicationMissing {
            name: name.to_owned(),
        }),
        "remote.storage.enable" if value == "true" => Err(ConfigProblem::TieringMissing),
        _ => Ok(()),
    }
}

/// The range of a key of which this node takes less than the table allows. `name` may be a topic config or the broker
/// config it comes from.
pub fn narrowed(name: &str, rules: &TopicRules) -> Option<Check> {
    match name {
        "segment.bytes" | "log.segment.bytes" => {
            Some(Check::AtLeast(rules.segment_bytes_min as i64))
        }
        "max.message.bytes" | "message.max.bytes" => {
            Some(Check::Between(0, rules.batch_bytes_max as i64))
        }
        _ => None,
    }
}

fn unknown(name: &str) -> ConfigProblem {
    if RESERVED_KEYS.contains(&name) {
        ConfigProblem::Reserved {
            name: name.to_owned(),
        }
    } else {
        ConfigProblem::UnknownTopicConfig {
            name: name.to_owned(),
        }
    }
}

/// True for keys that clients see only when they are set or asked for by name.
pub fn is_own(name: &str) -> bool {
    name.starts_with(OWN_PREFIX)
}

/// The value a topic without an override has.
pub(super) fn inherited<'a>(key: &TopicKey, layers: &'a BrokerLayers) -> Cow<'a, str> {
    let set = key
        .synonyms
        .iter()
        .find_map(|s| Some((s, layers.get(s.name)?)));
    match set {
        Some((synonym, value)) => scaled(value, synonym.factor),
        None => Cow::Borrowed(key.default),
    }
}

/// `value` in the topic config's unit. A negative number is "no limit" in every unit.
pub(super) fn scaled(value: &str, factor: i64) -> Cow<'_, str> {
    match value.parse::<i64>() {
        Ok(number) if factor != 1 && number >= 0 => {
            Cow::Owned(number.saturating_mul(factor).to_string())
        }
        _ => Cow::Borrowed(value),
    }
}

impl TopicConfig {
    /// What a topic without overrides does under a broker of these layers.
    ///
    /// Fails when a layer holds a value that this release does not understand.
    pub fn inherit(
        layers: &BrokerLayers,
        rules: &TopicRules,
    ) -> Result<TopicConfig, ConfigProblem> {
        let mut config = TopicConfig::default();
        for key in TOPIC_KEYS {
            config.set(key, &inherited(key, layers), rules)?;
        }
        Ok(config)
    }

    /// This configuration under a topic's own overrides.
    ///
    /// Fails when there is one that this release does not understand; what [`check`] passed is understood.
    pub fn with(
        &self,
        overrides: &Overrides,
        rules: &TopicRules,
    ) -> Result<TopicConfig, ConfigProblem> {
        let mut config = *self;
        for (name, value) in overrides {
            let key = find(name).ok_or_else(|| unknown(name))?;
            config.set(key, value, rules)?;
        }
        Ok(config)
    }

    /// Checks what depends on more than one config.
    pub fn check_whole(&self) -> Result<(), ConfigProblem> {
        if self.min_compaction_lag_ms > self.max_compaction_lag_ms {
            return Err(ConfigProblem::LagConflict {
                min: self.min_compaction_lag_ms,
                max: self.max_compaction_lag_ms,
            });
        }
        Ok(())
    }

    /// Takes over one value. Keys without an effect are checked and leave no trace.
    fn set(
        &mut self,
        key: &TopicKey,
        value: &str,
        rules: &TopicRules,
    ) -> Result<(), ConfigProblem> {
        let value = canonical(key.name, value, key.kind, key.check)?;
        match key.kind {
            Kind::Int | Kind::Long | Kind::Short => {
                let number = value.parse().expect("a canonical integer is an integer");
                self.set_number(key.name, number, rules);
            }
            Kind::Double => {
                let ratio = value.parse().expect("a canonical double is a double");
                self.min_cleanable_dirty_ratio = ratio;
            }
            Kind::Boolean => {
                if key.name == "unclean.leader.election.enable" {
                    self.unclean_leader_election = value == "true";
                }
            }
            Kind::String | Kind::List => self.set_word(key.name, &value)?,
        }
        Ok(())
    }

    fn set_number(&mut self, name: &str, number: i64, rules: &TopicRules) {
        match name {
            "retention.ms" => self.retention_ms = number,
            "retention.bytes" => self.retention_bytes = number,
            "segment.bytes" => {
                self.segment_bytes = u32::try_from(number).expect("checked: 1 and up")
            }
            "segment.ms" => self.segment_ms = number,
            "segment.jitter.ms" => self.segment_jitter_ms = number,
            "max.message.bytes" => {
                // A node restarted with less memory serves a topic that was given more.
                let wanted = usize::try_from(number).expect("checked: 0 and up");
                self.batch_bytes_max = wanted.min(rules.batch_bytes_max);
            }
            "message.timestamp.before.max.ms" => self.timestamp_before_max_ms = number,
            "message.timestamp.after.max.ms" => self.timestamp_after_max_ms = number,
            "min.insync.replicas" => {
                self.min_insync_replicas = i32::try_from(number).expect("checked: an INT");
            }
            "delete.retention.ms" => self.delete_retention_ms = number,
            "min.compaction.lag.ms" => self.min_compaction_lag_ms = number,
            "max.compaction.lag.ms" => self.max_compaction_lag_ms = number,
            _ => {}
        }
    }

    fn set_word(&mut self, name: &str, value: &str) -> Result<(), ConfigProblem> {
        match name {
            "cleanup.policy" => {
                self.cleanup = CleanupPolicy {
                    compact: elements(value).any(|policy| policy == "compact"),
                    delete: elements(value).any(|policy| policy == "delete"),
                }
            }
            "ottla.durability" => {
                self.durability = match value {
                    "flushed" => Durability::Flushed,
                    "memory" => Durability::Memory,
                    _ => {
                        let name = name.to_owned();
                        return Err(ConfigProblem::ReplicationMissing { name });
                    }
                }
            }
            "message.timestamp.type" => {
                self.timestamp_type = match value {
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => TimestampType::CreateTime,
                }
            }
            "compression.type" => {
                self.compression = match value {
                    "uncompressed" => CompressionType::Uncompressed,
                    "gzip" => CompressionType::Gzip,
                    "snappy" => CompressionType::Snappy,
                    "lz4" => CompressionType::Lz4,
                    "zstd" => CompressionType::Zstd,
                    _ => CompressionType::Producer,
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Default for TopicConfig {
    /// The table's defaults; a test compares the two.
    fn default() -> TopicConfig {
        TopicConfig {
            cleanup: CleanupPolicy {
                compact: false,
                delete: true,
            },
            durability: Durability::Flushed,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            batch_bytes_max: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            min_insync_replicas: 1,
            unclean_leader_election: false,
            compression: CompressionType::Producer,
            delete_retention_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
        }
    }
}

#[cfg(test)]
mod tests;
