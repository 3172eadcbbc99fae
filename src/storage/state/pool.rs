//! The account of tail memory.
//!
//! ```text
//! dirty + promised ≤ pool / 2        all tails ≤ pool × 3/4, the rest is for requests
//! ```

use super::State;
use crate::base::ids::PartitionId;
use crate::base::limits::Limits;
use std::ops::Bound;

pub(in crate::storage) struct Pool {
    dirty_max: u64,
    tails_max: u64,
    dirty: u64,
    promised: u64,
    held: u64,
    /// All that tails ever took: the clock by which what they hold is old.
    taken: u64,
    /// Where the search for something to let go of goes on.
    evict_after: Option<PartitionId>,
}

impl Pool {
    pub(super) fn new(limits: &Limits) -> Pool {
        Pool {
            dirty_max: limits.dirty_bytes_max() as u64,
            tails_max: (limits.pool_bytes / 4 * 3) as u64,
            dirty: 0,
            promised: 0,
            held: 0,
            taken: 0,
            evict_after: None,
        }
    }

    /// Whether a batch of this size may be promised room without anything being let go.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        self.dirty + self.promised + bytes <= self.dirty_max
            && self.held + self.promised + bytes <= self.tails_max
    }

    fn is_held_by_clean(&self, bytes: usize) -> bool {
        self.dirty + self.promised + bytes as u64 <= self.dirty_max
    }

    pub(super) fn promise(&mut self, bytes: u64) {
        self.promised += bytes;
    }

    pub(super) fn settle(&mut self, bytes: u64) {
        assert!(bytes <= self.promised, "only what was promised is settled");
        self.promised -= bytes;
    }

    pub(super) fn add_dirty(&mut self, bytes: u64) {
        self.dirty += bytes;
    }

    pub(super) fn remove_dirty(&mut self, bytes: u64) {
        assert!(bytes <= self.dirty, "only what was counted is uncounted");
        self.dirty -= bytes;
    }

    /// What the open chunk of one tail of so many may hold: together an eighth of all tails.
    pub(super) fn chunk_share(&self, tails: usize) -> usize {
        (self.tails_max / 8) as usize / tails.max(1)
    }

    /// The tail of a partition held `before` and holds `after`.
    pub(in crate::storage) fn recharge(&mut self, before: usize, after: usize) {
        self.taken += after.saturating_sub(before) as u64;
        self.held = self.held + after as u64 - before as u64;
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(in crate::storage) fn dirty(&self) -> u64 {
        self.dirty
    }

    pub(in crate::storage) fn held(&self) -> u64 {
        self.held
    }

    pub(in crate::storage) fn tails_max(&self) -> u64 {
        self.tails_max
    }
}

impl State {
    /// Lets clean tail bytes go until `bytes` fit, and an eighth more, so that the next caller finds some.
    pub(super) fn evict(&mut self, bytes: usize) -> bool {
        if !self.pool.is_held_by_clean(bytes) {
            return false;
        }
        let wanted = self
            .pool
            .tails_max
            .saturating_sub(bytes as u64 + self.pool.promised);
        let target = wanted.saturating_sub(self.pool.tails_max / 8);
        // The oldest of all tails goes first: about as much was taken since then as may be held.
        let old = self.pool.taken.saturating_sub(target);
        for before in [old, old + target / 4, u64::MAX] {
            self.evict_round(target, before, false);
        }
        // What the next batch of a partition needs goes last: it would have to be read back.
        self.evict_round(target, u64::MAX, true);
        self.pool.has_room(bytes)
    }

    /// Passes over each partition once, as long as more than `target` is held; lets go of what was appended before then.
    fn evict_round(&mut self, target: u64, before: u64, rests: bool) {
        let mut left = self.partitions.len();
        while self.pool.held > target && left > 0 {
            let after = self
                .pool
                .evict_after
                .map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.partitions.range_mut((after, Bound::Unbounded)).next();
            let Some((&id, partition)) = next else {
                self.pool.evict_after = None;
                if self.partitions.is_empty() {
                    break;
                }
                continue;
            };
            self.pool.evict_after = Some(id);
            left -= 1;
            let synced = partition.log.section().synced;
            let held = partition.log.tail().charge();
            let tail = partition.log.tail_mut();
            while held - tail.charge() < (self.pool.held - target) as usize
                && tail.oldest().is_some_and(|appended| appended < before)
                && tail.evict(synced)
            {}
            if rests {
                tail.rest();
            }
            self.pool.recharge(held, partition.log.tail().charge());
        }
    }
}
