//! Which segments may go.

use super::log_config::LogConfig;
use super::section::Section;
use super::segment::Segment;
use crate::base::offset::Offset;
use crate::base::time::{Instant, Timestamp};
use std::time::Duration;

/// A jump of the wall clock beyond this pauses deletion by time, and for as long.
pub const WALL_JUMP_MAX: Duration = Duration::from_secs(24 * 3600);

/// What retention asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Everything below this offset may go.
    LogStart(Offset),
    /// All of the last segment is too old: close it first, then it may go.
    Roll,
}

/// Looks at one partition. `now` is `None` while deletion by time pauses.
pub fn due(section: &Section, config: &LogConfig, now: Option<Timestamp>) -> Option<Due> {
    let last = section.segments.len() - 1;
    let mut gone = by_size(section, config);
    if let (Some(now), Some(keep)) = (now, config.retention_ms) {
        while gone < last && is_old(&section.segments[gone], now, keep) {
            gone += 1;
        }
        let active = section.active();
        if gone == last && active.bytes > 0 && is_expired(active.largest.timestamp, now, keep) {
            return Some(Due::Roll);
        }
    }
    let start = section.segments[gone].base;
    (start > section.log_start).then_some(Due::LogStart(start))
}

/// How many of the oldest segments may go while the rest still holds enough.
fn by_size(section: &Section, config: &LogConfig) -> usize {
    let Some(keep) = config.retention_bytes else {
        return 0;
    };
    let mut left = section.bytes();
    let last = section.segments.len() - 1;
    let mut gone = 0;
    while gone < last && left - section.segments[gone].bytes >= keep {
        left -= section.segments[gone].bytes;
        gone += 1;
    }
    gone
}

/// Of what compaction has emptied nothing can be too young.
fn is_old(segment: &Segment, now: Timestamp, keep_ms: u64) -> bool {
    segment.bytes == 0 || is_expired(segment.largest.timestamp, now, keep_ms)
}

fn is_expired(largest: Timestamp, now: Timestamp, keep_ms: u64) -> bool {
    let age = now.millis_since(largest);
    // A segment without a timestamp has no age.
    largest != Timestamp::NONE && u64::try_from(age).is_ok_and(|age| age > keep_ms)
}

/// Watches the wall clock against the monotonic one. A clock that is suddenly far ahead would make everything look old.
#[derive(Clone, Copy, Debug)]
pub struct ClockGuard {
    wall: Timestamp,
    instant: Instant,
    paused_since: Option<Instant>,
}

impl ClockGuard {
    /// `last_wall` is what the directory remembers of its last run; `NONE` when it is new.
    pub fn new(last_wall: Timestamp, wall: Timestamp, instant: Instant) -> ClockGuard {
        let jumped = last_wall != Timestamp::NONE && has_jumped(last_wall, wall);
        ClockGuard {
            wall,
            instant,
            paused_since: jumped.then_some(instant),
        }
    }

    /// The wall time if it may be used for deletion now.
    pub fn check(&mut self, wall: Timestamp, instant: Instant) -> Option<Timestamp> {
        let passed = i64::try_from(instant.since(self.instant).as_millis()).unwrap_or(i64::MAX);
        let expected = Timestamp(self.wall.0.saturating_add(passed));
        if has_jumped(expected, wall) {
            self.paused_since = Some(instant);
        }
        self.wall = wall;
        self.instant = instant;
        if self
            .paused_since
            .is_some_and(|since| instant.since(since) >= WALL_JUMP_MAX)
        {
            self.paused_since = None;
        }
        self.paused_since.is_none().then_some(wall)
    }

    pub fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }
}

fn has_jumped(expected: Timestamp, found: Timestamp) -> bool {
    let ahead = found.millis_since(expected);
    u128::try_from(ahead).is_ok_and(|ahead| ahead > WALL_JUMP_MAX.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{PartitionId, Uuid};
    use crate::log::segment::LargestTimestamp;

    fn section(segments: &[(i64, u64, i64)]) -> Section {
        let id = PartitionId {
            topic: Uuid::ZERO,
            index: 0,
        };
        let mut section = Section::new(id, Offset(0));
        section.segments = segments
            .iter()
            .map(|&(base, bytes, largest)| Segment {
                bytes,
                largest: LargestTimestamp {
                    timestamp: Timestamp(largest),
                    batch: None,
                },
                ..Segment::new(Offset(base))
            })
            .collect();
        section.next_offset = Offset(1000);
        section
    }

    #[test]
    fn the_oldest_segments_go_by_size_and_by_time() {
        let log = section(&[(0, 100, 10), (10, 100, 50), (20, 100, 30), (30, 100, 90)]);
        let config = |retention_ms, retention_bytes| LogConfig {
            retention_ms,
            retention_bytes,
            ..LogConfig::DEFAULT
        };
        let start = |offset| Some(Due::LogStart(Offset(offset)));
        let cases = [
            (config(None, None), 1_000_000, None),
            (config(None, Some(250)), 0, start(10)),
            (config(None, Some(300)), 0, start(10)),
            (config(None, Some(301)), 0, None),
            (config(None, Some(0)), 0, start(30)),
            (config(Some(20), None), 30, None),
            (config(Some(20), None), 31, start(10)),
            (config(Some(20), None), 60, start(10)),
            (config(Some(20), None), 71, start(30)),
            (config(Some(20), None), 111, Some(Due::Roll)),
            (config(Some(20), Some(300)), 0, start(10)),
        ];
        for (config, now, expected) in cases {
            let found = due(&log, &config, Some(Timestamp(now)));
            assert_eq!(found, expected, "{config:?} at {now}");
        }
    }

    #[test]
    fn a_clock_far_ahead_pauses_deletion_by_time_for_a_day() {
        let day = 24 * 3_600_000;
        let second = |n: u64| Instant(n * 1_000_000_000);
        let mut guard = ClockGuard::new(Timestamp(0), Timestamp(1000), second(0));
        assert_eq!(
            guard.check(Timestamp(2000), second(1)),
            Some(Timestamp(2000))
        );
        let ahead = Timestamp(3000 + day + 1);
        assert_eq!(guard.check(ahead, second(2)), None);
        assert_eq!(guard.check(Timestamp(ahead.0 + 1000), second(3)), None);
        let later = Timestamp(ahead.0 + day);
        assert_eq!(guard.check(later, second(2 + 86_400)), Some(later));
    }

    #[test]
    fn a_long_time_between_two_runs_counts_as_a_jump() {
        let day = 24 * 3_600_000;
        let guard = ClockGuard::new(Timestamp(5), Timestamp(6 + day), Instant(0));
        assert!(guard.is_paused());
        assert!(!ClockGuard::new(Timestamp::NONE, Timestamp(6 + day), Instant(0)).is_paused());
    }
}
