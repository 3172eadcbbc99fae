//! The only clock of the broker. Everything below is handed what it says.

use crate::base::time::{Instant, Now, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

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
            wall: self.wall(),
        }
    }

    pub fn wall(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.map_or(0, |since| since.as_millis());
        Timestamp(i64::try_from(wall).unwrap_or(i64::MAX))
    }

    /// For whoever measures, which happens several times per request.
    pub fn instant(&self) -> Instant {
        let since_origin = self.origin.elapsed().as_nanos();
        Instant(u64::try_from(since_origin).unwrap_or(u64::MAX))
    }
}
