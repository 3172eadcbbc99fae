//! What a topic's settings mean for its log.

/// The part of a topic's configuration that storage obeys. A partition view; copied to the core that owns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// A segment is closed before it would grow beyond this (`segment.bytes`).
    pub segment_bytes: u64,
    /// A segment is closed when its first batch is older than this (`segment.ms`).
    pub segment_ms: u64,
    /// Segments whose newest batch is older than this may go (`retention.ms`); `None` keeps them for ever.
    pub retention_ms: Option<u64>,
    /// The oldest segments may go while the rest holds at least this much (`retention.bytes`).
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy` has `compact`.
    pub compaction: Option<CompactionConfig>,
}

/// What a topic's settings mean for the compaction of its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompactionConfig {
    /// Share of uncompacted bytes above which the log is compacted, in millionths (`min.cleanable.dirty.ratio`).
    pub dirty_millionths_min: u32,
    /// Segments with a younger record are left alone (`min.compaction.lag.ms`).
    pub lag_ms_min: u64,
    /// A record that is older makes the log be compacted whatever the share (`max.compaction.lag.ms`).
    pub lag_ms_max: u64,
    /// How long the marker of a deleted key stays (`delete.retention.ms`).
    pub marker_retention_ms: u64,
}

impl CompactionConfig {
    /// Kafka's defaults.
    pub const DEFAULT: CompactionConfig = CompactionConfig {
        dirty_millionths_min: 500_000,
        lag_ms_min: 0,
        lag_ms_max: u64::MAX,
        marker_retention_ms: 24 * 3_600_000,
    };
}

impl LogConfig {
    /// Age from which a segment is closed by the next batch: what has to be compacted in time must be closed before.
    pub fn roll_ms(&self) -> u64 {
        let lag_max = self.compaction.map_or(u64::MAX, |config| config.lag_ms_max);
        self.segment_ms.min(lag_max)
    }

    /// Kafka's defaults.
    pub const DEFAULT: LogConfig = LogConfig {
        segment_bytes: 1 << 30,
        segment_ms: 7 * 24 * 3_600_000,
        retention_ms: Some(7 * 24 * 3_600_000),
        retention_bytes: None,
        compaction: None,
    };
}
