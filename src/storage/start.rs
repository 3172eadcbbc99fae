//! What recovery hands to a shard, and what the shard learns from its store at the start.

use super::failure::DirectoryFailure;
use super::settings::Identity;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{PartitionId, ShardId};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::log::epoch_table::EpochTable;
use crate::log::offline::Offline;
use crate::log::producer_table::ProducerTable;
use crate::log::section::Section;

/// Everything a shard's store needs to begin its life. Travels from the core that recovered to the one that serves.
#[derive(Debug)]
pub struct RecoveredShard {
    pub(crate) shard: ShardId,
    pub(crate) identity: Identity,
    /// Topic name and state of each partition; all of it is in synced segments and in the start snapshot.
    pub(crate) partitions: Vec<(String, Section)>,
    /// Where the start snapshot lies.
    pub(crate) slot: usize,
    pub(crate) generation: u64,
    /// Wall time when the directory was last served.
    pub(crate) last_wall: Timestamp,
    /// Read from the journal of the last life.
    pub(crate) journal_bytes: u64,
    pub(crate) failure: DirectoryFailure,
}

impl RecoveredShard {
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    pub fn identity(&self) -> Identity {
        self.identity
    }
}

/// One partition as it stands when its shard starts to serve. All of it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStart {
    pub id: PartitionId,
    pub log_start: Offset,
    pub next_offset: Offset,
    pub epochs: EpochTable,
    /// No message of an older leader epoch is obeyed; `NONE` when nothing was promised.
    pub promise: LeaderEpoch,
    pub producers: ProducerTable,
    /// Largest timestamp of any batch; `NONE` when there is none.
    pub max_timestamp: Timestamp,
    /// A partition that serves nothing, and why.
    pub offline: Option<Offline>,
}

impl PartitionStart {
    pub(super) fn of(section: &Section) -> PartitionStart {
        PartitionStart {
            id: section.id,
            log_start: section.log_start,
            next_offset: section.next_offset,
            epochs: section.epochs.clone(),
            promise: section.promise,
            producers: section.producers.clone(),
            max_timestamp: section.largest().timestamp,
            offline: section.offline,
        }
    }
}

/// A shard's store has stopped and left nothing to replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    pub shard: ShardId,
    /// Generation of its last snapshot, for `Directory::mark_clean`.
    pub generation: u64,
}
