//! The snapshot a scrape gets of this shard.

use super::core::Core;
use crate::metrics::ShardSnapshot;

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
        let of_store = self.store.cells();
        // The store only refuses; who waits, and once for how many refusals, is known here.
        of_store.admission_waits.set(self.admission_waits.get());
        ShardSnapshot::take(self.id, &self.plane, of_store, cells)
    }
}
