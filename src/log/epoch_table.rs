//! Which leader epoch each record was written in.
//!
//! ```text
//! entries   (3, 0) (5, 40) (6, 40) (9, 72)      log end 80
//! epoch      3: 0..40       5, 6: zero-width or 40..72       9: 72..80
//! ```
//! An entry is the marker of its epoch, between the records `start - 1` and `start`. It takes no offset itself, so an
//! epoch that wrote nothing is an entry with the start of the next one.

use super::table_error::{TableError, take, take_count};
use crate::base::epoch::LeaderEpoch;
use crate::base::offset::Offset;

const ENTRY_BYTES: usize = 12;

/// One leader epoch and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    pub epoch: LeaderEpoch,
    pub start: Offset,
}

/// The epochs of one replica's log. Epochs rise strictly, starts never fall.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochTable {
    entries: Vec<EpochEntry>,
}

impl EpochTable {
    /// Begins `epoch` at `start`.
    ///
    /// Panics when a later epoch, or one that starts later, is known: epochs of a log only go forward.
    pub fn begin(&mut self, epoch: LeaderEpoch, start: Offset) {
        assert!(
            epoch.0 >= 0 && start >= Offset::ZERO,
            "an epoch and its start are real"
        );
        if let Some(last) = self.entries.last() {
            assert!(
                last.epoch < epoch,
                "epoch {epoch} after epoch {}",
                last.epoch
            );
            assert!(
                last.start <= start,
                "epoch {epoch} starts below its predecessor"
            );
        }
        self.entries.push(EpochEntry { epoch, start });
    }

    /// Forgets what a cut voids: epochs that start at or after the new end.
    pub fn truncate(&mut self, end: Offset) {
        let kept = self.entries.partition_point(|entry| entry.start < end);
        self.entries.truncate(kept);
    }

    /// Folds everything below the log start into one entry: the epoch of the log start, beginning there.
    pub fn raise_start(&mut self, log_start: Offset) {
        let below = self
            .entries
            .partition_point(|entry| entry.start <= log_start);
        if below == 0 {
            return;
        }
        self.entries.drain(..below - 1);
        self.entries[0].start = log_start;
        assert!(self.entries.is_sorted_by(is_successor));
    }

    /// Replaces everything by one epoch: a replica that starts over empty.
    pub fn reset(&mut self, epoch: LeaderEpoch, start: Offset) {
        self.entries.clear();
        self.begin(epoch, start);
    }

    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The latest epoch with an entry.
    pub fn last(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The epoch of the record at `offset`, as far as the table reaches back.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// Where `wanted` ended: the largest known epoch up to it, and the start of the next one (the log end for the
    /// latest). An epoch from before the table is answered with itself and the first known start. `None` above the
    /// latest epoch.
    ///
    /// This is Kafka's OffsetForLeaderEpoch: a client whose position lies above the answered end has read records
    /// that were cut away.
    pub fn end_of(&self, wanted: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        let last = self.last()?;
        assert!(last.start <= log_end, "no epoch starts beyond the log end");
        if wanted < LeaderEpoch(0) || wanted > last.epoch {
            return None;
        }
        if wanted == last.epoch {
            return Some((wanted, log_end));
        }
        let next = self.entries.partition_point(|entry| entry.epoch <= wanted);
        let floor = next
            .checked_sub(1)
            .map_or(wanted, |index| self.entries[index].epoch);
        Some((floor, self.entries[next].start))
    }

    /// `count u32, (epoch i32, start i64)*`, little-endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let count = u32::try_from(self.entries.len()).expect("epochs are 31-bit numbers");
        out.extend_from_slice(&count.to_le_bytes());
        for entry in &self.entries {
            out.extend_from_slice(&entry.epoch.0.to_le_bytes());
            out.extend_from_slice(&entry.start.0.to_le_bytes());
        }
    }

    /// Reads what `encode` wrote and moves `bytes` past it. Allocates no more than the bytes can fill.
    pub fn decode(bytes: &mut &[u8]) -> Result<EpochTable, TableError> {
        let count = take_count(bytes, ENTRY_BYTES, usize::MAX)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(EpochEntry {
                epoch: LeaderEpoch(i32::from_le_bytes(take(bytes)?)),
                start: Offset(i64::from_le_bytes(take(bytes)?)),
            });
        }
        let is_real = entries
            .first()
            .is_none_or(|first| first.epoch.0 >= 0 && first.start.0 >= 0);
        if !is_real || !entries.is_sorted_by(is_successor) {
            return Err(TableError::Order);
        }
        Ok(EpochTable { entries })
    }
}

fn is_successor(earlier: &EpochEntry, later: &EpochEntry) -> bool {
    earlier.epoch < later.epoch && earlier.start <= later.start
}

#[cfg(test)]
mod tests;
