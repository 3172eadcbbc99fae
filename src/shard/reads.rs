//! Reads: what the partition allows, then what the store has. Each runs as a task, because the bytes may lie on disk.

use super::core::Core;
use super::request::{
    EpochEndOf, FetchPart, Fetched, FoundOffset, Isolation, OffsetOf, ReadError, Response,
};
use crate::base::few::Few;
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::partition::{self, OffsetAnswer, Partition, ReadRequest};
use crate::storage::errors;
use crate::storage::runtime::Runtime;
use std::rc::Rc;

pub(super) struct Fetch {
    pub(super) parts: Vec<FetchPart>,
    pub(super) bytes_max: usize,
    pub(super) at_least_one: bool,
    pub(super) isolation: Isolation,
}

impl Fetch {
    pub(super) async fn run(self, core: Rc<Core>) -> Response {
        let mut answers = Vec::with_capacity(self.parts.len());
        let mut room = self.bytes_max;
        let mut at_least_one = self.at_least_one;
        for part in &self.parts {
            let bytes_max = part.bytes_max.min(room);
            let fetched = self.read(&core, part, bytes_max, at_least_one).await;
            if let Ok(fetched) = &fetched {
                room = room.saturating_sub(fetched.bytes);
                at_least_one &= fetched.bytes == 0;
            }
            answers.push(fetched);
            core.runtime.yield_now().await;
        }
        Response::Fetch(answers)
    }

    async fn read(
        &self,
        core: &Core,
        part: &FetchPart,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Fetched, ReadError> {
        let want = ReadRequest {
            from: part.from,
            isolation: self.isolation,
            leader_epoch: part.leader_epoch,
        };
        let id = part.partition;
        let view = core.look(id, |partition| partition.read(want))?;
        let mut fetched = Fetched {
            high_watermark: view.high_watermark,
            last_stable: view.last_stable,
            log_start: view.log_start,
            ..Fetched::default()
        };
        if view.from < view.below && (bytes_max > 0 || at_least_one) {
            let read = core
                .store
                .read(id, view.from, view.below, bytes_max, at_least_one);
            let read = read.await.map_err(read_error)?;
            fetched.pieces = read.pieces;
            fetched.bytes = read.bytes;
        }
        Ok(fetched)
    }
}

pub(super) async fn list_offsets(
    core: Rc<Core>,
    queries: Few<OffsetOf>,
    isolation: Isolation,
) -> Response {
    let mut answers = Few::with_capacity(queries.len());
    for query in queries {
        answers.push(list_offset(&core, query, isolation).await);
        core.runtime.yield_now().await;
    }
    Response::ListOffsets(answers)
}

async fn list_offset(
    core: &Core,
    wanted: OffsetOf,
    isolation: Isolation,
) -> Result<FoundOffset, ReadError> {
    let (id, query, epoch) = (wanted.partition, wanted.query, wanted.leader_epoch);
    let answer = core.look(id, |partition| {
        partition.offset_for(query, isolation, epoch)
    })?;
    let found = match answer {
        OffsetAnswer::Known(found) => return Ok(found),
        OffsetAnswer::LookUpTimestamp {
            at_least, below, ..
        } => core.store.offset_for_timestamp(id, at_least, below).await,
        OffsetAnswer::LookUpMaxTimestamp { below, .. } => core.store.max_timestamp(id, below).await,
    };
    let found = found.map_err(read_error)?;
    let (offset, timestamp) = found.unwrap_or((Offset::NONE, Timestamp::NONE));
    let leader_epoch = core.look(id, |partition| Ok(partition.epoch_at(offset)))?;
    Ok(FoundOffset {
        offset,
        timestamp,
        leader_epoch,
    })
}

impl Core {
    pub(super) fn epoch_ends(&self, wanted: &[EpochEndOf]) -> Response {
        let ends = wanted.iter().map(|of| {
            self.look(of.partition, |partition| {
                partition.epoch_end(of.current, of.wanted)
            })
        });
        Response::EpochEnds(ends.collect())
    }

    /// Asks a partition something that changes nothing.
    pub(super) fn look<T>(
        &self,
        id: PartitionId,
        ask: impl FnOnce(&Partition) -> Result<T, partition::ReadError>,
    ) -> Result<T, ReadError> {
        let partitions = self.partitions.borrow();
        let owned = partitions.get(&id).ok_or(ReadError::UnknownPartition)?;
        ask(&owned.partition).map_err(|error| match error {
            partition::ReadError::Unavailable(_) => ReadError::Offline,
            partition::ReadError::OffsetOutOfRange {
                log_start,
                high_watermark,
            } => ReadError::OffsetOutOfRange {
                log_start,
                high_watermark,
            },
            partition::ReadError::FencedLeaderEpoch { .. } => ReadError::FencedLeaderEpoch,
            partition::ReadError::UnknownLeaderEpoch { .. } => ReadError::UnknownLeaderEpoch,
        })
    }
}

fn read_error(error: errors::ReadError) -> ReadError {
    match error {
        errors::ReadError::Unknown => ReadError::UnknownPartition,
        // The log start rose between the look and the read.
        errors::ReadError::OutOfRange {
            log_start,
            next_offset,
        } => ReadError::OffsetOutOfRange {
            log_start,
            high_watermark: next_offset,
        },
        // Storage has told what it found.
        errors::ReadError::Damaged { .. } | errors::ReadError::Disk(_) => ReadError::Offline,
        errors::ReadError::Replaced => unreachable!("storage begins such a read anew"),
    }
}
