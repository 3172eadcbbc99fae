//! The snapshot a scrape gets of this shard.

use super::core::Core;
use crate::metrics::{ShardSnapshot, StoreCells};
use crate::storage::stats::StoreStats;

impl Core {
    pub(super) fn snapshot(&self) -> ShardSnapshot {
        let store = self.store.stats();
        let cells = &self.cells;
        cells.mailbox_depth.set(self.mailbox.waiting() as u64);
        cells.fetch_waiters.set(self.waits.borrow().len() as u64);
        cells.partitions.set(store.partitions);
        cells.partitions_offline.set(store.partitions_offline);
        let partitions = self.partitions.borrow();
        let live = partitions
            .values()
            .map(|owned| owned.partition.stats().duplicates);
        let duplicates = live.sum::<u64>() + self.duplicates_before.get();
        cells.produce_duplicates.set(duplicates);
        ShardSnapshot::take(self.id, &self.plane, &self.store_cells(&store), cells)
    }

    fn store_cells(&self, store: &StoreStats) -> StoreCells {
        let cells = StoreCells::default();
        let limits = &self.settings.limits;
        cells.commit_cycles.set(store.cycles);
        cells.commit_bytes.set(store.journal_bytes);
        let ring = (limits.journal_files * limits.journal_file_bytes) as f64;
        cells
            .journal_free
            .set(store.journal_free_bytes as f64 / ring);
        cells.laps.set(store.laps);
        cells.segment_bytes.set(store.segment_bytes);
        cells.tail_dirty_bytes.set(store.dirty_bytes);
        cells.pool_used.set(store.pool_used_bytes);
        cells.pool_limit.set(limits.pool_bytes as u64);
        cells.admission_waits.set(self.admission_waits.get());
        cells.cold_reads.set(store.cold_reads);
        cells.cold_read_bytes.set(store.cold_read_bytes);
        cells
    }
}
