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
}

impl LogConfig {
    /// Kafka's defaults.
    pub const DEFAULT: LogConfig = LogConfig {
        segment_bytes: 1 << 30,
        segment_ms: 7 * 24 * 3_600_000,
        retention_ms: Some(7 * 24 * 3_600_000),
        retention_bytes: None,
    };
}
