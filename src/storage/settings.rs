//! What storage is told at its start.

use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{Incarnation, Life, NodeId, PartitionId, ShardId, TopicId, Uuid};
use crate::base::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use crate::log::log_config::{CompactionConfig, LogConfig};

/// How to open a data directory. A node view.
#[derive(Clone, Debug)]
pub struct OpenSettings {
    /// The data directory.
    pub root: PathBuf,
    pub node_id: NodeId,
    /// Used when the directory is fresh.
    pub new_cluster_id: Uuid,
    /// 128 random bits, from which a fresh directory takes its incarnation.
    pub new_incarnation: Incarnation,
    pub limits: Limits,
}

/// Whose directory this is, and which run of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    pub cluster_id: Uuid,
    pub node_id: NodeId,
    pub incarnation: Incarnation,
    pub life: Life,
}

/// What cluster metadata says about partitions of this node.
#[derive(Clone, Default, Debug)]
pub struct KnownTopics {
    /// Name and number of partitions.
    pub live: BTreeMap<TopicId, (String, u32)>,
    /// Topics with a tombstone: their files go.
    pub deleted: BTreeSet<TopicId>,
}

/// Partitions of which an operator takes what is left, each with the latest leader epoch it can have seen.
pub type AcceptedLoss = BTreeMap<PartitionId, LeaderEpoch>;

/// The stable rule that places a partition on one of `shards` shards.
pub type Place = fn(PartitionId, u16) -> ShardId;

/// Settings of one shard's store.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The data directory.
    pub root: PathBuf,
    pub limits: Limits,
    /// How often retention looks for segments that may go.
    pub retention_check_ms: u64,
    /// At first; `Store::configure_compaction` changes it.
    pub compaction: CompactionSettings,
}

/// How a shard compacts logs, one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompactionSettings {
    /// How often logs to compact are looked for.
    pub check_ms: u64,
    /// Memory for the keys of a compaction. What does not fit waits for the next.
    pub map_bytes: usize,
}
