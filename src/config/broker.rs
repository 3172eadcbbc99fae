//! What one broker is configured to do, typed.

use super::broker_keys::{BROKER_KEYS, Change, find};
use super::layers::BrokerLayers;
use super::problem::ConfigProblem;
use super::topic::{TopicConfig, TopicRules, check_support};
use super::value::canonical;
use std::time::Duration;

/// The broker configs this release acts on, resolved over all layers. A view of one node.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    pub auto_create_topics: bool,
    pub delete_topics: bool,
    /// For a topic whose creator leaves it open.
    pub partitions_default: i32,
    pub replication_factor_default: i16,
    pub request_bytes_max: usize,
    pub fetch_bytes_max: usize,
    /// Of all shards together.
    pub fetch_sessions_max: usize,
    /// Partitions of one DescribeTopicPartitions answer.
    pub described_partitions_max: i32,
    /// None: connections may idle for ever.
    pub connection_idle_max: Option<Duration>,
    pub connections_per_ip_max: u32,
    /// Segments that may go are looked for this often.
    pub retention_check_ms: u64,
    /// Logs to compact are looked for this often.
    pub compaction_check_ms: u64,
    /// Memory for keys while logs are compacted, of all shards together.
    pub compaction_map_bytes: usize,
    pub producer_id_expiration_ms: i64,
    pub groups: GroupConfig,
    /// What a topic without overrides does.
    pub topic: TopicConfig,
}

/// What consumer groups may do, and how the topic of their state is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    pub session_ms_min: i32,
    pub session_ms_max: i32,
    pub members_max: usize,
    pub initial_delay_ms: u64,
    pub offsets_retention_ms: i64,
    pub expiry_check_ms: u64,
    pub metadata_bytes_max: usize,
    pub topic_partitions: i32,
    pub topic_segment_bytes: i64,
}

/// Who sets a broker config.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setter {
    /// The node's own file, environment or command line.
    Node,
    /// A client, for one broker.
    Client,
    /// A client, for all brokers.
    ClientForAll,
}

/// Checks one broker config, and returns the canonical value.
pub fn check(
    name: &str,
    value: &str,
    setter: Setter,
    rules: &TopicRules,
) -> Result<String, ConfigProblem> {
    let named = || name.to_owned();
    let key = find(name).ok_or_else(|| ConfigProblem::UnknownBrokerConfig { name: named() })?;
    match (setter, key.change) {
        (Setter::Node, _) | (_, Change::Dynamic) | (Setter::Client, Change::PerBroker) => {}
        (Setter::ClientForAll, Change::PerBroker) => {
            return Err(ConfigProblem::NotClusterWide { name: named() });
        }
        _ => return Err(ConfigProblem::NotDynamic { name: named() }),
    }
    let value = canonical(name, value, key.kind, key.check)?;
    check_support(name, &value, rules)?;
    Ok(value)
}

impl BrokerConfig {
    /// Fails when a layer holds a value that this release does not understand.
    pub fn resolve(
        layers: &BrokerLayers,
        rules: &TopicRules,
    ) -> Result<BrokerConfig, ConfigProblem> {
        let values = Values(layers);
        Ok(BrokerConfig {
            auto_create_topics: values.text("auto.create.topics.enable")? == "true",
            delete_topics: values.text("delete.topic.enable")? == "true",
            partitions_default: values.number("num.partitions")?,
            replication_factor_default: values.number("default.replication.factor")?,
            request_bytes_max: values.number("socket.request.max.bytes")?,
            fetch_bytes_max: values.number("fetch.max.bytes")?,
            fetch_sessions_max: values.number("max.incremental.fetch.session.cache.slots")?,
            described_partitions_max: values.number("max.request.partition.size.limit")?,
            retention_check_ms: values.number("log.retention.check.interval.ms")?,
            compaction_check_ms: values.number("log.cleaner.backoff.ms")?,
            compaction_map_bytes: values.number("log.cleaner.dedupe.buffer.size")?,
            connection_idle_max: u64::try_from(values.number::<i64>("connections.max.idle.ms")?)
                .ok()
                .map(Duration::from_millis),
            connections_per_ip_max: values.number("max.connections.per.ip")?,
            producer_id_expiration_ms: values.number("producer.id.expiration.ms")?,
            groups: values.groups()?,
            topic: TopicConfig::inherit(layers, rules)?,
        })
    }

    /// Checks what depends on more than one config.
    pub fn check_whole(&self) -> Result<(), ConfigProblem> {
        self.topic.check_whole()
    }
}

/// Values in force, by name.
struct Values<'a>(&'a BrokerLayers);

impl Values<'_> {
    fn text(&self, name: &str) -> Result<String, ConfigProblem> {
        let key = find(name).expect("the name is in the table");
        let default = key.default.expect("a typed key has a default");
        canonical(
            name,
            self.0.get(name).unwrap_or(default),
            key.kind,
            key.check,
        )
    }

    fn groups(&self) -> Result<GroupConfig, ConfigProblem> {
        let metadata_bytes_max: i64 = self.number("offset.metadata.max.bytes")?;
        let retention_minutes: i64 = self.number("offsets.retention.minutes")?;
        Ok(GroupConfig {
            session_ms_min: self.number("group.min.session.timeout.ms")?,
            session_ms_max: self.number("group.max.session.timeout.ms")?,
            members_max: self.number("group.max.size")?,
            initial_delay_ms: self.number("group.initial.rebalance.delay.ms")?,
            offsets_retention_ms: retention_minutes * 60_000,
            expiry_check_ms: self.number("offsets.retention.check.interval.ms")?,
            metadata_bytes_max: usize::try_from(metadata_bytes_max).unwrap_or(0),
            topic_partitions: self.number("offsets.topic.num.partitions")?,
            topic_segment_bytes: self.number("offsets.topic.segment.bytes")?,
        })
    }

    fn number<N: TryFrom<i64>>(&self, name: &str) -> Result<N, ConfigProblem> {
        let value = self.text(name)?;
        let number: i64 = value.parse().expect("a canonical integer is an integer");
        N::try_from(number).map_err(|_| ConfigProblem::Invalid {
            name: name.to_owned(),
            value,
            reason: super::problem::Reason::Above(i64::from(i16::MAX)),
        })
    }
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig::resolve(&BrokerLayers::default(), &TopicRules::default())
            .expect("the table's defaults are valid")
    }
}

/// Every name of the table, in its order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BROKER_KEYS.iter().map(|key| key.name)
}

#[cfg(test)]
mod tests;
