//! Segments: the files a partition's log is cut into. A segment holds record batches back to back and nothing else.

use crate::base::align::block_ceil;
use crate::base::limits::Limits;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::BatchHeader;

use super::log_config::LogConfig;
use super::paths::UNFINISHED;

/// Digits of the base offset in a file name: every i64 fits, and names sort as offsets do.
const NAME_DIGITS: usize = 20;
/// Index entries hold offsets relative to the segment's base in 32 bits.
pub(super) const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;

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

/// Which files a segment lies in: compaction writes new ones, under a name of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SegmentName {
    pub base: Offset,
    /// 0 as appended; else the number of the rewrite, which rises.
    pub rewrite: u32,
}

impl SegmentName {
    /// The segment as it is appended to.
    pub fn appended(base: Offset) -> SegmentName {
        SegmentName { base, rewrite: 0 }
    }

    /// Its batches need not be dense.
    pub fn is_rewritten(self) -> bool {
        self.rewrite > 0
    }
}

/// The name of a segment's file in its partition's folder: `<base>.log`, `<base>-<rewrite>.log`.
pub fn segment_file_name(name: SegmentName, kind: SegmentFileKind) -> String {
    let SegmentName { base, rewrite } = name;
    let rewrite = match rewrite {
        0 => String::new(),
        rewrite => format!("-{rewrite}"),
    };
    let suffix = kind.suffix();
    format!("{:0width$}{rewrite}{suffix}", base.0, width = NAME_DIGITS)
}

/// What a file name says; `None` for a file that is not ours.
pub fn parse_segment_file_name(name: &str) -> Option<(SegmentName, SegmentFileKind)> {
    let kind = [SegmentFileKind::Log, SegmentFileKind::Index]
        .into_iter()
        .find(|kind| name.ends_with(kind.suffix()))?;
    let stem = name.strip_suffix(kind.suffix())?;
    let (digits, rewrite) = match stem.split_once('-') {
        None => (stem, 0),
        Some((digits, rewrite)) => (digits, parse_rewrite(rewrite)?),
    };
    if digits.len() != NAME_DIGITS || !is_number(digits) {
        return None;
    }
    let base = digits.parse().ok().map(Offset)?;
    Some((SegmentName { base, rewrite }, kind))
}

/// Only as `segment_file_name` writes it.
fn parse_rewrite(digits: &str) -> Option<u32> {
    let is_plain = is_number(digits) && !digits.starts_with('0');
    is_plain.then(|| digits.parse().ok()).flatten()
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The segment whose rewrite is being written under this name, or was when a process ended: nobody relies on it.
pub fn parse_unfinished_name(name: &str) -> Option<SegmentName> {
    let (name, _) = parse_segment_file_name(name.strip_suffix(UNFINISHED)?)?;
    Some(name)
}

/// What the name of a file says that belongs to a segment, finished or not.
pub fn parse_any_name(name: &str) -> Option<(SegmentName, SegmentFileKind)> {
    let unfinished = || Some((parse_unfinished_name(name)?, SegmentFileKind::Log));
    parse_segment_file_name(name).or_else(unfinished)
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
    /// Of its name.
    pub rewrite: u32,
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
            rewrite: 0,
        }
    }

    pub fn name(&self) -> SegmentName {
        SegmentName {
            base: self.base,
            rewrite: self.rewrite,
        }
    }

    /// Nothing is in it, and it stays in its files.
    pub fn clear(&mut self) {
        *self = Segment {
            rewrite: self.rewrite,
            ..Segment::new(self.base)
        };
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
            && u64::try_from(age).is_ok_and(|age| age > config.roll_ms());
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
        let named = |base, rewrite| SegmentName {
            base: Offset(base),
            rewrite,
        };
        let name = segment_file_name(named(42, 0), SegmentFileKind::Log);
        assert_eq!(name, "00000000000000000042.log");
        let rewritten = segment_file_name(named(42, 10), SegmentFileKind::Index);
        assert_eq!(rewritten, "00000000000000000042-10.idx");
        let cases = [
            (name.as_str(), Some((named(42, 0), SegmentFileKind::Log))),
            (
                rewritten.as_str(),
                Some((named(42, 10), SegmentFileKind::Index)),
            ),
            (
                "09223372036854775807.idx",
                Some((named(i64::MAX, 0), SegmentFileKind::Index)),
            ),
            ("00000000000000000042-0.log", None),
            ("00000000000000000042-01.log", None),
            ("00000000000000000042-.log", None),
            ("00000000000000000042-1-1.log", None),
            ("00000000000000000042-4294967296.log", None),
            ("-1.log", None),
            ("99999999999999999999.log", None),
            ("42.log", None),
            ("+0000000000000000042.log", None),
            ("00000000000000000042.log.new", None),
            ("name", None),
        ];
        for (name, expected) in cases {
            assert_eq!(parse_segment_file_name(name), expected, "{name}");
        }
        let unfinished = "00000000000000000042-3.log.new";
        assert_eq!(parse_unfinished_name(unfinished), Some(named(42, 3)));
        assert_eq!(parse_unfinished_name("00000000000000000042-3.log"), None);
        let log = Some((named(42, 3), SegmentFileKind::Log));
        assert_eq!(parse_any_name(unfinished), log);
        assert_eq!(parse_any_name("00000000000000000042-3.log"), log);
        assert_eq!(parse_any_name("name"), None);
    }
}
