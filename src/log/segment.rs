//! Segments: the files a partition's log is cut into. A segment holds record batches back to back and nothing else.

use crate::base::align::block_ceil;
use crate::base::limits::Limits;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::BatchHeader;

use super::log_config::LogConfig;

/// Digits of the base offset in a file name: every i64 fits, and names sort as offsets do.
const NAME_DIGITS: usize = 20;
/// Index entries hold offsets relative to the segment's base in 32 bits.
const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SegmentFileKind {
    Log,
    Index,
}

impl SegmentFileKind {
    fn suffix(self) -> &'static str {
        match self {
            SegmentFileKind::Log => ".log",
            SegmentFileKind::Index => ".idx",
        }
    }
}

/// The name of a segment's file in its partition's folder.
pub fn segment_file_name(base: Offset, kind: SegmentFileKind) -> String {
    format!("{:0width$}{}", base.0, kind.suffix(), width = NAME_DIGITS)
}

/// What a file name says; `None` for a file that is not ours.
pub fn parse_segment_file_name(name: &str) -> Option<(Offset, SegmentFileKind)> {
    let kind = [SegmentFileKind::Log, SegmentFileKind::Index]
        .into_iter()
        .find(|kind| name.ends_with(kind.suffix()))?;
    let digits = name.strip_suffix(kind.suffix())?;
    if digits.len() != NAME_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|base| (Offset(base), kind))
}

/// A file beside a closed segment, as the lap that finished it left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SideFile {
    pub bytes: u64,
    pub crc: u32,
}

/// A timestamp and the base offset of the first batch that has it as its largest. After a cut the offset may be
/// unknown, and the timestamp is then an upper bound only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LargestTimestamp {
    pub timestamp: Timestamp,
    pub batch: Option<Offset>,
}

impl LargestTimestamp {
    pub const NONE: LargestTimestamp = LargestTimestamp {
        timestamp: Timestamp::NONE,
        batch: None,
    };

    pub fn include(&mut self, header: &BatchHeader) {
        if header.max_timestamp > self.timestamp {
            *self = LargestTimestamp {
                timestamp: header.max_timestamp,
                batch: Some(header.base_offset),
            };
        }
    }

    /// Forgets where it was when a cut took that batch away.
    pub fn truncate(&mut self, end: Offset) {
        if self.batch.is_some_and(|batch| batch >= end) {
            self.batch = None;
        }
    }
}

/// One segment: what is known of it without opening its files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub base: Offset,
    /// Bytes of batches; the file of the last segment may be longer.
    pub bytes: u64,
    /// Largest timestamp of the first batch, from which its age is counted; `NONE` while empty.
    pub first_timestamp: Timestamp,
    pub largest: LargestTimestamp,
    /// Padded, cut to length and synced by a lap. The last segment never is.
    pub finished: bool,
    pub index: Option<SideFile>,
}

impl Segment {
    pub fn new(base: Offset) -> Segment {
        Segment {
            base,
            bytes: 0,
            first_timestamp: Timestamp::NONE,
            largest: LargestTimestamp::NONE,
            finished: false,
            index: None,
        }
    }

    pub fn include(&mut self, header: &BatchHeader) {
        if self.bytes == 0 {
            self.first_timestamp = header.max_timestamp;
        }
        self.bytes += header.total_bytes() as u64;
        self.largest.include(header);
    }

    /// Whether this batch begins a new segment instead of going into this one.
    pub fn rolls_before(&self, header: &BatchHeader, config: &LogConfig) -> bool {
        if self.bytes == 0 {
            // A Roll names a new base; an empty segment has it already.
            return false;
        }
        let too_large = self.bytes + header.total_bytes() as u64 > config.segment_bytes;
        let age = header.max_timestamp.millis_since(self.first_timestamp);
        let too_old = self.first_timestamp != Timestamp::NONE
            && u64::try_from(age).is_ok_and(|age| age > config.segment_ms);
        let too_far = header.last_offset().since(self.base) > RELATIVE_OFFSET_MAX;
        too_large || too_old || too_far
    }
}

/// How far a file is allocated when it must hold `end` bytes: ahead of the writer in steps by what it holds, and not at
/// all ahead while it is small, so that an idle partition costs what it holds.
pub fn grow_target(end: u64, limits: &Limits) -> u64 {
    let least = limits.segment_grow_bytes_min as u64;
    let most = limits.segment_grow_bytes_max as u64;
    if end < least {
        return block_ceil(end);
    }
    let mut step = least;
    while step * STEP_GROWTH <= end.min(most) {
        step *= STEP_GROWTH;
    }
    end.next_multiple_of(step) + step
}

/// Ratio of one growth step to the next.
const STEP_GROWTH: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_says_its_base_and_kind() {
        let name = segment_file_name(Offset(42), SegmentFileKind::Log);
        assert_eq!(name, "00000000000000000042.log");
        let cases = [
            (name.as_str(), Some((Offset(42), SegmentFileKind::Log))),
            (
                "09223372036854775807.idx",
                Some((Offset::MAX, SegmentFileKind::Index)),
            ),
            ("99999999999999999999.log", None),
            ("42.log", None),
            ("+0000000000000000042.log", None),
            ("00000000000000000042.log.new", None),
            ("name", None),
        ];
        for (name, expected) in cases {
            assert_eq!(parse_segment_file_name(name), expected, "{name}");
        }
    }
}
