//! What this shard counts, and the snapshot a scrape gets.

use std::cell::Cell;

/// A number that only this core touches.
#[derive(Default, Debug)]
pub struct Count(Cell<u64>);

impl Count {
    pub fn add(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

#[derive(Default)]
pub(super) struct ShardStats {
    /// Requests answered `Busy`.
    pub(super) busy: Count,
}

/// What a scrape gets of one shard.
#[derive(Default, Debug)]
pub struct ShardSnapshot {}
