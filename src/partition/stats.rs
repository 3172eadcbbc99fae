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

impl PartitionStats {
    /// The numbers of two partitions become those of both.
    pub fn add(&mut self, other: &PartitionStats) {
        self.batches += other.batches;
        self.records += other.records;
        self.bytes += other.bytes;
        self.duplicates += other.duplicates;
        self.sequence_gaps += other.sequence_gaps;
        self.fenced_batches += other.fenced_batches;
        self.unknown_answers += other.unknown_answers;
        self.producers += other.producers;
        self.parked_writes += other.parked_writes;
        self.parked_reads += other.parked_reads;
    }

    /// What stays when the partition is gone.
    pub fn counters(&self) -> PartitionStats {
        PartitionStats {
            producers: 0,
            parked_writes: 0,
            parked_reads: 0,
            ..*self
        }
    }
}
