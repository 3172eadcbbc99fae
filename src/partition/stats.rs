//! Plain numbers of one partition; its shard adds them up for a scrape.

/// Counters since the start, and gauges of this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PartitionStats {
    pub batches: u64,
    pub records: u64,
    pub bytes: u64,
    /// Batches of idempotent producers that came again and were not appended again.
    pub duplicates: u64,
    /// Batches refused because one before them is missing.
    pub sequence_gaps: u64,
    /// Batches refused because a newer session of their producer exists.
    pub fenced_batches: u64,
    /// Answers "unknown": deadline, failure, deletion.
    pub unknown_answers: u64,
    /// Gauge: producers remembered.
    pub producers: usize,
    /// Gauge: produces and deletions that wait to become durable.
    pub parked_writes: usize,
    /// Gauge: readers that wait for data.
    pub parked_reads: usize,
}
