//! The cluster's metadata at one version: immutable, shared by every core, replaced as a whole.

use super::controller::Start;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{NodeId, TopicId, Uuid};
use crate::config::{
    BrokerConfig, BrokerLayers, ConfigProblem, Overrides, TopicConfig, TopicRules,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A version of the cluster's metadata. A clone shares everything: each change copies only the maps it touches.
#[derive(Clone, Debug)]
pub struct Image {
    /// Records applied so far; +1 with each.
    pub version: u64,
    pub cluster_id: Uuid,
    /// The node this image is read on.
    pub node_id: NodeId,
    /// None until the node has registered for the first time.
    pub broker: Option<Arc<Broker>>,
    /// Number of the node's current run, +1 with each registration.
    pub term: u32,
    /// The next producer id that nobody was given.
    pub next_producer_id: i64,
    /// What this node's broker configs come from: metadata over its own file.
    pub layers: BrokerLayers,
    /// The same, typed.
    pub config: Arc<BrokerConfig>,
    /// What topics may ask of this node.
    pub rules: TopicRules,
    /// Broker configs set through the metadata; `None` is the cluster-wide default.
    pub(super) broker_overrides: Arc<BTreeMap<Option<NodeId>, Arc<Overrides>>>,
    /// Configs of groups, by group.
    pub(super) group_overrides: Arc<BTreeMap<Arc<str>, Arc<Overrides>>>,
    pub(super) topics: Arc<BTreeMap<Arc<str>, Arc<Topic>>>,
    pub(super) names: Arc<BTreeMap<TopicId, Arc<str>>>,
    /// Topics by their name with `.` read as `_`: two names that differ only there may not coexist.
    pub(super) folded_names: Arc<BTreeMap<String, Arc<str>>>,
    pub(super) tombstones: Arc<BTreeMap<TopicId, Tombstone>>,
    pub(super) partitions: usize,
}

/// A broker, as clients are told to reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    pub node_id: NodeId,
    pub host: String,
    pub port: u16,
    pub rack: Option<String>,
}

/// One topic.
#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    pub id: TopicId,
    pub name: Arc<str>,
    pub partitions: u32,
    pub replication_factor: i16,
    /// Made by the broker for its own state; clients do not write to it.
    pub internal: bool,
    /// The node's term when the topic was created.
    pub created_term: u32,
    /// Configs set on the topic itself, in canonical form.
    pub overrides: Overrides,
    /// What holds, over the broker's configs and the defaults.
    pub config: TopicConfig,
}

/// A deleted topic whose files are not yet known to be gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tombstone {
    pub name: Arc<str>,
    pub partitions: u32,
}

/// How one image differs from an earlier one; what a shard must do.
#[derive(Clone, Default, Debug)]
pub struct Changes {
    pub created: Vec<Arc<Topic>>,
    /// New partitions or another configuration: (before, after).
    pub changed: Vec<(Arc<Topic>, Arc<Topic>)>,
    pub deleted: Vec<Arc<Topic>>,
}

impl Image {
    /// A cluster nobody has used yet.
    ///
    /// Fails when the node's own broker configs are not valid.
    pub(super) fn empty(start: &Start) -> Result<Image, ConfigProblem> {
        let mut image = Image {
            version: 0,
            cluster_id: start.cluster_id,
            node_id: start.node_id,
            broker: None,
            term: 0,
            next_producer_id: 0,
            layers: BrokerLayers {
                fixed: start.fixed.clone(),
                ..BrokerLayers::default()
            },
            config: Arc::default(),
            rules: start.rules,
            broker_overrides: Arc::default(),
            group_overrides: Arc::default(),
            topics: Arc::default(),
            names: Arc::default(),
            folded_names: Arc::default(),
            tombstones: Arc::default(),
            partitions: 0,
        };
        image.refresh_config()?;
        Ok(image)
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// Partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    /// Deleted topics whose removal from disk is not confirmed.
    pub fn tombstones(&self) -> impl ExactSizeIterator<Item = (TopicId, &Tombstone)> {
        self.tombstones
            .iter()
            .map(|(id, tombstone)| (*id, tombstone))
    }

    /// The epoch its leader, this node, has in the current term: 0 in the term of the topic's creation.
    pub fn leader_epoch(&self, topic: &Topic) -> LeaderEpoch {
        let terms = self.term - topic.created_term;
        LeaderEpoch(i32::try_from(terms).expect("a node restarts less than 2^31 times"))
    }

    /// Broker configs set through the metadata; `None` is the cluster-wide default.
    pub fn broker_overrides(&self, node: Option<NodeId>) -> Option<&Arc<Overrides>> {
        self.broker_overrides.get(&node)
    }

    /// Configs of one group.
    pub fn group_overrides(&self, group: &str) -> Option<&Arc<Overrides>> {
        self.group_overrides.get(group)
    }

    /// Groups that have configs, by name.
    pub fn configured_groups(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.group_overrides.keys()
    }

    /// What became of `older` on the way here. Topics are compared by identity first, so that it costs little.
    pub fn changes_since(&self, older: &Image) -> Changes {
        let mut changes = Changes::default();
        for topic in self.topics() {
            match older.topic_by_id(topic.id) {
                None => changes.created.push(topic.clone()),
                Some(before) if Arc::ptr_eq(before, topic) || before == topic => {}
                Some(before) => changes.changed.push((before.clone(), topic.clone())),
            }
        }
        let gone = |topic: &&Arc<Topic>| self.topic_by_id(topic.id).is_none();
        changes.deleted = older.topics().filter(gone).cloned().collect();
        changes
    }
}

impl Topic {
    pub fn has_partition(&self, index: i32) -> bool {
        u32::try_from(index).is_ok_and(|index| index < self.partitions)
    }
}
