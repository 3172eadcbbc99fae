//! How others go about the drive while the journal is written.

use crate::base::limits::{
    BACKGROUND_REST_MS_MAX, BACKGROUND_RESTS_BESIDE_WRITES, COLD_BESIDE_WRITES_MS, COLD_READ_BYTES,
    COLD_READ_BYTES_BESIDE_WRITES, COLD_READS_AHEAD, LAP_WRITE_BYTES_MIN,
    LAP_WRITE_OF_JOURNAL_WRITES, WRITE_BYTES_MAX,
};
use crate::base::time::Instant;
use std::time::Duration;

/// How a reader goes through a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Of one read, at most.
    pub read_bytes: usize,
    /// Reads begun beside the one that it waits for.
    pub reads_ahead: usize,
    /// A read does not begin while the journal is written.
    pub gives_way: bool,
}

/// The drive is the reader's own.
const ALONE: Pace = Pace {
    read_bytes: COLD_READ_BYTES,
    reads_ahead: COLD_READS_AHEAD,
    gives_way: false,
};

/// A write of the journal waits in the drive behind all reads that were begun before it.
const BESIDE_WRITES: Pace = Pace {
    read_bytes: COLD_READ_BYTES_BESIDE_WRITES,
    reads_ahead: 0,
    gives_way: true,
};

/// `written` is when the shard last began to write its journal.
pub fn pace(now: Instant, written: Option<Instant>) -> Pace {
    let recently = Duration::from_millis(COLD_BESIDE_WRITES_MS);
    match written.is_some_and(|written| now.since(written) < recently) {
        true => BESIDE_WRITES,
        false => ALONE,
    }
}

/// What a lap writes at once, beside a journal that writes so much at once (whole blocks). The journal's next write waits
/// in the drive behind it: where that is small, and answered soon, so is what it waits for.
pub fn lap_write_bytes(journal_write: u64) -> usize {
    let bytes = journal_write.saturating_mul(LAP_WRITE_OF_JOURNAL_WRITES);
    bytes.clamp(LAP_WRITE_BYTES_MIN as u64, WRITE_BYTES_MAX as u64) as usize
}

/// How long work that nobody waits for rests when it has gone on for `worked`.
pub fn rest(worked: Duration, is_beside_writes: bool) -> Duration {
    let longest = Duration::from_millis(BACKGROUND_REST_MS_MAX);
    match is_beside_writes {
        true => longest.min(worked * BACKGROUND_RESTS_BESIDE_WRITES),
        false => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_have_the_drive_almost_to_themselves() {
        for (written, expected) in [
            (None, ALONE),
            (Some(COLD_BESIDE_WRITES_MS), ALONE),
            (Some(COLD_BESIDE_WRITES_MS - 1), BESIDE_WRITES),
            (Some(0), BESIDE_WRITES),
        ] {
            let after = |ms| Instant(1_000_000_000).plus(Duration::from_millis(ms));
            let now = after(COLD_BESIDE_WRITES_MS);
            let at = written.map(|ago| after(COLD_BESIDE_WRITES_MS - ago));
            assert_eq!(pace(now, at), expected, "{written:?}");
        }
    }

    #[test]
    fn a_lap_writes_as_much_at_once_as_fits_what_the_journal_does() {
        for (journal_write, expected) in [
            (0, 128 * 1024),
            (4_096, 128 * 1024),
            (20_480, 160 * 1024),
            (131_072, 1024 * 1024),
            (u64::MAX, 1024 * 1024),
        ] {
            assert_eq!(lap_write_bytes(journal_write), expected, "{journal_write}");
        }
    }

    #[test]
    fn who_works_in_the_background_rests_longer_than_it_works_beside_writes_and_never_for_long() {
        let milliseconds = Duration::from_millis;
        for (worked, beside_writes, rested) in [(2, false, 0), (2, true, 6), (1_000, true, 50)] {
            let found = rest(milliseconds(worked), beside_writes);
            assert_eq!(found, milliseconds(rested), "{worked} ms, {beside_writes}");
        }
    }
}
