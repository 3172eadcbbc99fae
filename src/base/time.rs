//! Times are values. Nothing below the shard reads a clock.

use std::time::Duration;

/// Milliseconds since 1970, as Kafka stamps records; -1 is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const NONE: Timestamp = Timestamp(-1);

    /// Milliseconds from `earlier` to `self`; negative when the wall clock went back.
    pub fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Nanoseconds of a monotonic clock; only differences and order mean anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(pub u64);

impl Instant {
    pub fn plus(self, wait: Duration) -> Instant {
        Instant(
            self.0
                .saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// Zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The two clocks, read together once per turn. `instant` steers deadlines, `wall` stamps records and retention.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    pub instant: Instant,
    pub wall: Timestamp,
}
