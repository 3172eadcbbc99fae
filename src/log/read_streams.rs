//! Readers of segments that go on where they stopped. Nobody says that it does: a read that begins where one ended is
//! taken for the same reader's, and what was kept for it is its own.

use crate::base::limits::{
    COLD_KEPT_BYTES_MAX, COLD_KEPT_MS, COLD_READ_BYTES, COLD_READS_AHEAD, COLD_STREAMS_MAX,
};
use crate::base::offset::Offset;
use crate::base::time::Instant;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A reader that stopped.
struct Stream<K> {
    path: PathBuf,
    next: Offset,
    /// It has gone on before.
    is_sequential: bool,
    stopped: Instant,
    kept: K,
}

/// Where readers of one shard stopped, a bounded number of them for a bounded time, the latest last. `K` is what is kept
/// for each.
pub struct ReadStreams<K>(Vec<Stream<K>>);

impl<K> Default for ReadStreams<K> {
    fn default() -> ReadStreams<K> {
        ReadStreams(Vec::new())
    }
}

impl<K> ReadStreams<K> {
    /// What was kept for a reader that stopped at this offset of this segment.
    pub fn go_on(&mut self, path: &Path, from: Offset) -> Option<K> {
        let is_it = |stream: &Stream<K>| stream.next == from && stream.path == path;
        let at = self.0.iter().rposition(is_it)?;
        Some(self.0.remove(at).kept)
    }

    /// A reader stopped. Who stopped longest ago may be forgotten for it.
    pub fn stop(&mut self, path: &Path, next: Offset, is_sequential: bool, kept: K, now: Instant) {
        if self.0.len() == COLD_STREAMS_MAX {
            self.0.remove(0);
        }
        self.0.push(Stream {
            path: path.to_path_buf(),
            next,
            is_sequential,
            stopped: now,
            kept,
        });
    }

    /// Forgets whoever has not gone on for long. True when nobody is left.
    pub fn expire(&mut self, now: Instant) -> bool {
        let kept = Duration::from_millis(COLD_KEPT_MS);
        self.0.retain(|stream| now.since(stream.stopped) < kept);
        self.0.is_empty()
    }

    /// The bytes of a segment are no longer what they were.
    pub fn forget(&mut self, path: &Path) {
        self.0.retain(|stream| stream.path != path);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Readers that went on before, and stopped.
    pub fn sequential(&self) -> usize {
        self.0.iter().filter(|stream| stream.is_sequential).count()
    }
}

/// How many reads may be begun for the next time a reader goes on, when there are so many of its kind: an equal part of
/// the memory for all of them, less what it has at hand of the read in which it stopped.
pub fn reads_kept(readers: usize) -> usize {
    let part = COLD_KEPT_BYTES_MAX / COLD_READ_BYTES / readers.max(1);
    part.saturating_sub(1).min(COLD_READS_AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(1_000_000_000);

    fn after(milliseconds: u64) -> Instant {
        START.plus(Duration::from_millis(milliseconds))
    }

    fn streams(stopped: &[(&str, i64)]) -> ReadStreams<usize> {
        let mut streams = ReadStreams::default();
        for (number, &(path, next)) in stopped.iter().enumerate() {
            let now = after(number as u64);
            streams.stop(Path::new(path), Offset(next), number > 0, number, now);
        }
        streams
    }

    #[test]
    fn a_reader_goes_on_where_one_stopped_and_takes_what_was_kept() {
        let stopped = [("a", 10), ("b", 10), ("a", 20), ("a", 10)];
        for (path, from, kept) in [
            ("a", 10, [Some(3), Some(0), None]),
            ("b", 10, [Some(1), None, None]),
            ("a", 20, [Some(2), None, None]),
            ("a", 11, [None; 3]),
            ("c", 10, [None; 3]),
        ] {
            let mut streams = streams(&stopped);
            let taken = kept.map(|_| streams.go_on(Path::new(path), Offset(from)));
            assert_eq!(taken, kept, "{path} {from}");
        }
    }

    #[test]
    fn who_stopped_longest_ago_makes_room() {
        let mut streams = ReadStreams::default();
        for next in 0..=COLD_STREAMS_MAX as i64 {
            streams.stop(Path::new("a"), Offset(next), false, next, START);
        }
        assert_eq!(streams.go_on(Path::new("a"), Offset(0)), None);
        assert_eq!(streams.go_on(Path::new("a"), Offset(1)), Some(1));
        assert_eq!(streams.sequential(), 0);
    }

    #[test]
    fn nothing_is_kept_for_long_or_of_a_segment_that_changed() {
        let stopped = [("a", 1), ("b", 2), ("a", 3)];
        let mut streams = streams(&stopped);
        assert_eq!(streams.sequential(), 2);
        assert!(!streams.expire(after(COLD_KEPT_MS)));
        assert_eq!(streams.go_on(Path::new("a"), Offset(1)), None);
        streams.forget(Path::new("b"));
        assert_eq!(streams.go_on(Path::new("b"), Offset(2)), None);
        assert_eq!(streams.sequential(), 1);
        assert!(!streams.expire(after(COLD_KEPT_MS + 1)));
        assert!(streams.expire(after(COLD_KEPT_MS + 2)));
    }

    #[test]
    fn the_memory_for_what_is_kept_is_shared() {
        for (readers, reads) in [
            (0, 4),
            (1, 4),
            (3, 4),
            (4, 3),
            (5, 2),
            (8, 1),
            (9, 0),
            (100, 0),
        ] {
            assert_eq!(reads_kept(readers), reads, "{readers}");
            let bytes = readers * (reads + 1) * COLD_READ_BYTES;
            assert!(reads == 0 || bytes <= COLD_KEPT_BYTES_MAX, "{readers}");
        }
    }
}
