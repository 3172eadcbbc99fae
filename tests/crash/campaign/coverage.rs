//! What really happened, so that a campaign cannot pass by doing nothing.

/// Sums over everything a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    pub lives: u64,
    pub cuts_in_recovery: u64,
    pub cuts_while_serving: u64,
    /// Lives that ended with nothing under way, or after an injected fault.
    pub quiet_ends: u64,
    pub clean_stops: u64,
    pub faults: u64,
    pub shard_count_changes: u64,
    pub reads: u64,
    pub duplicates: u64,
    pub repeated_after_crash: u64,
    pub batches_lost_unanswered: u64,
    pub record_deletions: u64,
    pub topics_created: u64,
    pub topics_deleted: u64,
    pub waits_for_room: u64,
    pub cycles: u64,
    pub laps: u64,
    pub journal_bytes: u64,
    pub segment_bytes: u64,
    /// Times the journal was written round, in one life of one shard.
    pub ring_laps_in_one_life: u64,
}
