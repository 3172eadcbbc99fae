//! What really happened, so that a campaign cannot pass by doing nothing.

use crate::counters::counters;

counters! {
    /// Sums over everything a run did.
    pub struct Coverage {
        lives,
        cuts_in_recovery,
        cuts_while_serving,
        /// Lives that ended with nothing under way, or after an injected fault.
        quiet_ends,
        clean_stops,
        faults,
        /// Lives in which the disk was full for a while.
        full_disks,
        shard_count_changes,
        reads,
        duplicates,
        repeated_after_crash,
        batches_lost_unanswered,
        record_deletions,
        logs_cut,
        promises,
        read_faults,
        stalls,
        /// Writes about which the drive is to lie: damage is no surprise then.
        lies,
        topics_created,
        topics_deleted,
        waits_for_room,
        cycles,
        laps,
        journal_bytes,
        segment_bytes,
        /// Times the journal was written round, in one life of one shard.
        ring_laps_in_one_life,
    }
}
