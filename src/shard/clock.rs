//! The only clock of the broker. Everything below is handed what it says.

use crate::base::time::{Instant, Now, Timestamp};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Monotonic time counts from the start of the process, so that the shards agree on it.
#[derive(Clone, Copy)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// Called once by boot, whose copies the shards get; what measures for itself alone has its own.
    pub fn start() -> Clock {
        Clock {
            origin: std::time::Instant::now(),
        }
    }

    pub fn now(&self) -> Now {
        Now {
            instant: self.instant(),
            wall: self.wall().0,
        }
    }

    /// The time of day, and how long until its next millisecond.
    pub fn wall(&self) -> (Timestamp, Duration) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let wall = Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let begun = Duration::from_nanos(u64::from(since.subsec_nanos() % 1_000_000));
        (wall, Duration::from_millis(1) - begun)
    }

    /// For whoever measures, which happens several times per request.
    pub fn instant(&self) -> Instant {
        let since_origin = self.origin.elapsed().as_nanos();
        Instant(u64::try_from(since_origin).unwrap_or(u64::MAX))
    }
}
