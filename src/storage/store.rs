//! One shard's storage: appends into tails, commits, reads.

use super::disk::Disk;
use super::errors::{NoRoom, OpenError, ReadError};
use super::event::Observer;
use super::runtime::Runtime;
use super::settings::StoreSettings;
use super::start::{PartitionStart, RecoveredShard, Stopped};
use super::stats::StoreStats;
use crate::base::ids::{PartitionId, ShardId};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::log::log_config::LogConfig;
use crate::log::note::Note;
use crate::record::StampedBatch;
use bytes::Bytes;
use std::rc::Rc;

/// The storage of one shard. Owned by its core; every method is called there.
pub struct Store<D: Disk, R: Runtime> {
    disk: D,
    runtime: R,
    settings: StoreSettings,
    shard: ShardId,
    observer: Rc<dyn Observer>,
}

/// Room in ring and pool for one batch. Used up by `append`; dropping it gives the room back.
#[derive(Debug)]
#[must_use = "room that is not used must be given back"]
pub struct Reservation {
    bytes: u64,
}

/// Whole batches, in order, each with its CRC checked if it came from disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadBytes {
    pub pieces: Vec<Bytes>,
    pub bytes: usize,
}

impl<D: Disk, R: Runtime> Store<D, R> {
    /// Begins to serve what recovery left: pre-writes the first journal file, starts the tasks of the store.
    pub async fn start(
        disk: D,
        runtime: R,
        settings: StoreSettings,
        recovered: RecoveredShard,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<Store<D, R>>, OpenError> {
        Ok(Rc::new(Store {
            disk,
            runtime,
            settings,
            shard: recovered.shard,
            observer,
        }))
    }

    /// Every partition of this shard, as it stood at the start.
    pub fn partitions(&self) -> Vec<PartitionStart> {
        Vec::new()
    }

    /// Makes a partition known. Nothing happens on disk before its first lap.
    pub fn create_partition(&self, _id: PartitionId, _topic_name: &str, _config: LogConfig) {}

    pub fn configure(&self, _id: PartitionId, _config: LogConfig) {}

    /// Forgets a partition at once and durably, removes its files in the background, then says `Removed`.
    pub fn drop_partition(&self, _id: PartitionId) {}

    /// Takes room for a batch of this many bytes, before it gets its offset.
    pub fn reserve(&self, _id: PartitionId, batch_bytes: usize) -> Result<Reservation, NoRoom> {
        let _ = Reservation {
            bytes: batch_bytes as u64,
        }
        .bytes;
        Err(NoRoom::Closed)
    }

    /// Appends to the tail; the next commit cycle makes it durable.
    pub fn append(&self, _id: PartitionId, _room: Reservation, _batch: StampedBatch) {}

    /// Makes a small change durable with the next cycle, in order with the batches around it.
    pub fn note(&self, _id: PartitionId, _note: Note) {}

    /// Whole batches from the one that contains `from`, below `below`, up to `bytes_max`; with `at_least_one` the
    /// first batch comes whatever its size.
    pub async fn read(
        &self,
        _id: PartitionId,
        _from: Offset,
        _below: Offset,
        _bytes_max: usize,
        _at_least_one: bool,
    ) -> Result<ReadBytes, ReadError> {
        Err(ReadError::Unknown)
    }

    /// About how many bytes lie in `from..below`.
    pub fn available_bytes(&self, _id: PartitionId, _from: Offset, _below: Offset) -> u64 {
        0
    }

    /// The first record at or above `at_least` in time, below `below` in offset.
    pub async fn offset_for_timestamp(
        &self,
        _id: PartitionId,
        _at_least: Timestamp,
        _below: Offset,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        Err(ReadError::Unknown)
    }

    /// The record with the largest timestamp below `below`; the first of them when several have it.
    pub async fn max_timestamp(
        &self,
        _id: PartitionId,
        _below: Offset,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        Err(ReadError::Unknown)
    }

    pub fn stats(&self) -> StoreStats {
        StoreStats::default()
    }

    /// Makes everything durable in segments and a last snapshot. The caller appends nothing any more.
    pub async fn stop(&self) -> Result<Stopped, OpenError> {
        let _ = (&self.disk, &self.runtime, &self.settings, &self.observer);
        Ok(Stopped {
            shard: self.shard,
            generation: 0,
        })
    }
}
