//! Which logs are compacted, how far, and which of their segments become one.
//!
//! By the rules of Kafka's cleaner. The *dirty* part of a log is what was not compacted yet; the keys in it make void
//! what lies before. Neither the segment that is written to is compacted nor what holds the last record of the log.
//!
//! ```text
//!  log start          compacted            until        active
//!  ├── clean ─────────┤├── dirty ──────────┤├── too young ──┤
//! ```

use super::log_config::{CompactionConfig, LogConfig};
use super::section::Section;
use super::segment::{RELATIVE_OFFSET_MAX, Segment};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

pub mod offset_map;

pub use offset_map::OffsetMap;

const MILLION: u128 = 1_000_000;

/// A log that wants to be compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// A record has waited for as long as it may: this log goes before others.
    pub is_late: bool,
    /// Share of dirty bytes, in millionths.
    pub dirty_millionths: u32,
    /// The dirty part.
    pub from: Offset,
    pub until: Offset,
}

/// Looks at one partition. `now` is `None` while the wall clock is not believed: where an age is asked for, nothing is
/// old enough then.
pub fn due(section: &Section, config: &LogConfig, now: Option<Timestamp>) -> Option<Due> {
    judge(section, finished(section), config, now)
}

/// A log that is not due, and would be if its closed segments were all in their files.
pub fn waits_for_lap(section: &Section, config: &LogConfig, now: Option<Timestamp>) -> bool {
    due(section, config, now).is_none() && judge(section, closed(section), config, now).is_some()
}

fn judge(
    section: &Section,
    closed: &[Segment],
    config: &LogConfig,
    now: Option<Timestamp>,
) -> Option<Due> {
    let rules = config.compaction?;
    let from = section.compacted.max(section.log_start);
    let behind = closed.last().map(|last| section.segment_end(last.base))?;
    let is_dirty = |segment: &&Segment| section.segment_end(segment.base) > from;
    let mut dirty = closed.iter().filter(is_dirty);
    let too_young = dirty.find(|segment| !is_old_enough(segment, &rules, now));
    let until = too_young.map_or(behind, |segment| segment.base);
    let dirty = || {
        let segments = closed.iter().filter(is_dirty);
        segments.take_while(move |segment| segment.base < until)
    };
    // A segment of which a part was compacted counts on both sides, as in Kafka.
    let clean = bytes(closed.iter().filter(|segment| segment.base < from));
    let waiting = bytes(dirty());
    if waiting == 0 {
        return None;
    }
    let dirty_millionths = waiting * MILLION / (clean + waiting);
    let due = Due {
        is_late: dirty().any(|segment| is_late(segment, &rules, now)),
        dirty_millionths: u32::try_from(dirty_millionths).expect("a share of a million"),
        from,
        until,
    };
    (due.is_late || due.dirty_millionths > rules.dirty_millionths_min).then_some(due)
}

fn bytes<'a>(segments: impl Iterator<Item = &'a Segment>) -> u128 {
    segments.map(|segment| u128::from(segment.bytes)).sum()
}

/// Segments that nobody writes to, of which one behind has a record.
fn closed(section: &Section) -> &[Segment] {
    let last = section
        .segments
        .iter()
        .rposition(|segment| segment.bytes > 0);
    &section.segments[..last.unwrap_or(0)]
}

/// Of those the first, as many as are whole in their files.
fn finished(section: &Section) -> &[Segment] {
    let closed = closed(section);
    let open = closed
        .iter()
        .position(|s| !s.finished || s.base >= section.synced.segment);
    &closed[..open.unwrap_or(closed.len())]
}

fn is_old_enough(segment: &Segment, rules: &CompactionConfig, now: Option<Timestamp>) -> bool {
    match now {
        _ if rules.lag_ms_min == 0 || segment.bytes == 0 => true,
        None => false,
        Some(now) => {
            let age = now.millis_since(segment.largest.timestamp);
            u64::try_from(age).is_ok_and(|age| age >= rules.lag_ms_min)
        }
    }
}

/// Whether its first batch is older than records may be.
fn is_late(segment: &Segment, rules: &CompactionConfig, now: Option<Timestamp>) -> bool {
    now.is_some_and(|now| {
        let age = now.millis_since(segment.first_timestamp);
        segment.first_timestamp > Timestamp::NONE
            && u64::try_from(age).is_ok_and(|age| age > rules.lag_ms_max)
    })
}

/// Segments that become one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// At least one.
    pub segments: Vec<Segment>,
    /// The first segment behind them.
    pub until: Offset,
}

/// All segments that begin below `below`, neighbours together that are no larger than one segment may be. The oldest come
/// first, so that a marker never goes before what it has made void.
pub fn groups(section: &Section, segment_bytes_max: u64, below: Offset) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut bytes = 0;
    for segment in section
        .segments
        .iter()
        .filter(|segment| segment.base < below)
    {
        let end = section.segment_end(segment.base);
        let joins = groups.last().is_some_and(|group| {
            bytes + segment.bytes <= segment_bytes_max
                && end.since(group.segments[0].base) <= RELATIVE_OFFSET_MAX
        });
        match groups.last_mut().filter(|_| joins) {
            Some(group) => {
                bytes += segment.bytes;
                group.segments.push(*segment);
                group.until = end;
            }
            None => {
                bytes = segment.bytes;
                groups.push(Group {
                    segments: vec![*segment],
                    until: end,
                });
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests;
