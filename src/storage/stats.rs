//! Numbers of one store, for metrics. Counters only grow.

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Journal records written and acknowledged by the device, and their bytes.
    pub cycles: u64,
    pub journal_bytes: u64,
    /// Laps that ended with a durable snapshot.
    pub laps: u64,
    pub snapshot_bytes: u64,
    pub segment_bytes: u64,
    /// Bytes of the ring that may be reserved.
    pub journal_free_bytes: u64,
    /// Bytes in tails not yet in synced segments.
    pub dirty_bytes: u64,
    /// Bytes of all tails.
    pub pool_used_bytes: u64,
    pub partitions: u64,
    pub partitions_offline: u64,
    /// Reads from segments and the bytes they brought.
    pub cold_reads: u64,
    pub cold_read_bytes: u64,
    /// Segment files open now.
    pub files_open: u64,
    /// Admission is shut because the disk is full.
    pub disk_full: bool,
    /// The directory failed.
    pub failed: bool,
    /// Deletion by time pauses because the wall clock jumped.
    pub retention_paused: bool,
}
