//! A partition made anew from its segment files alone: what an operator gets who accepts a loss.
//!
//! Nothing is believed but the bytes: batches that are sound, dense and never fall in epoch. The first that is not ends
//! the log, as does a file that does not begin where the one before it ends. What compaction has left is not dense: there
//! offsets rise, and the next file begins behind the last of them.

use crate::base::epoch::LeaderEpoch;
use crate::base::offset::Offset;
use crate::log::entry::{Change, DataChange};
use crate::log::section::Section;
use crate::log::segment::SegmentName;
use crate::record::BatchHeader;
use std::cmp::Reverse;

/// The log found so far.
#[derive(Debug)]
pub struct Salvage {
    section: Section,
    /// Lies outside of a batch's checksum: no more than this is believed.
    epoch_max: LeaderEpoch,
    log_start: Offset,
    /// The segments that the damaged state speaks of.
    known: Vec<SegmentName>,
    has_begun: bool,
}

impl Salvage {
    /// Of the damaged state, only what no file tells is taken over.
    pub fn new(damaged: &Section, epoch_max: LeaderEpoch) -> Salvage {
        let section = Section {
            promise: damaged.promise,
            replica: damaged.replica,
            ..Section::new(damaged.id, damaged.log_start)
        };
        Salvage {
            section,
            epoch_max,
            log_start: damaged.log_start,
            known: damaged
                .segments
                .iter()
                .map(|segment| segment.name())
                .collect(),
            has_begun: false,
        }
    }

    /// The files in the order in which they are to be looked at, one for each base: the one that is known, else the one
    /// that was written last. They begin with that of the log start, or the lowest there is.
    pub fn order(&self, found: &[SegmentName]) -> Vec<SegmentName> {
        let mut names = found.to_vec();
        names.retain(|name| !self.is_covered(*name, found));
        names.sort_by_key(|name| (name.base, !self.known.contains(name), Reverse(name.rewrite)));
        names.dedup_by_key(|name| name.base);
        let of_start = names.iter().rposition(|name| name.base <= self.log_start);
        names.split_off(of_start.unwrap_or(0))
    }

    /// A closed segment that is known, and there, has what lies in this file.
    fn is_covered(&self, name: SegmentName, found: &[SegmentName]) -> bool {
        let after = self.known.partition_point(|known| known.base <= name.base);
        let is_closed = (1..self.known.len()).contains(&after);
        is_closed && !self.known.contains(&name) && found.contains(&self.known[after - 1])
    }

    /// The log has what lies in this file from another one: compaction made one segment of several.
    pub fn is_stale(&self, name: SegmentName) -> bool {
        self.has_begun && self.is_sparse() && name.base < self.section.next_offset
    }

    /// Goes on with this file; false when it does not continue the log.
    pub fn begin_segment(&mut self, name: SegmentName) -> bool {
        if !self.has_begun {
            self.has_begun = true;
            self.section = Section {
                promise: self.section.promise,
                replica: self.section.replica,
                ..Section::new(self.section.id, name.base)
            };
        } else {
            if self.is_sparse() {
                self.section.next_offset = self.section.next_offset.max(name.base);
            }
            let closed = self.section.end();
            let rolled = self.apply(&Change::Roll {
                closed: closed.segment,
                bytes: closed.byte,
                base: name.base,
            });
            if !rolled {
                return false;
            }
        }
        let segment = self.section.segments.last_mut();
        segment.expect("there is always a segment").rewrite = name.rewrite;
        true
    }

    fn is_sparse(&self) -> bool {
        self.section.active().name().is_rewritten()
    }

    /// Takes the next batch, whose checksum is right; false when it ends the log.
    pub fn add(&mut self, header: &BatchHeader) -> bool {
        if self.is_sparse() {
            self.section.next_offset = self.section.next_offset.max(header.base_offset);
        }
        let offset = self.section.next_offset;
        let latest = self.section.epochs.last().map(|entry| entry.epoch);
        if header.base_offset != offset || header.leader_epoch > self.epoch_max {
            return false;
        }
        if latest.is_none_or(|latest| header.leader_epoch > latest)
            && !self.apply(&Change::EpochStart {
                epoch: header.leader_epoch,
                offset,
            })
        {
            return false;
        }
        self.apply(&Change::Data(DataChange {
            at: self.section.end(),
            bytes: header.total_bytes() as u64,
            batches: vec![*header],
        }))
    }

    fn apply(&mut self, change: &Change) -> bool {
        let number = self.section.entry_number.wrapping_add(1);
        self.section.apply(number, change).is_ok()
    }

    /// The log as found, without what was deleted before the damage.
    pub fn finish(mut self) -> Section {
        if self.log_start > self.section.next_offset {
            return Section {
                promise: self.section.promise,
                replica: self.section.replica,
                ..Section::new(self.section.id, self.log_start)
            };
        }
        let raised = self.apply(&Change::LogStart(self.log_start));
        assert!(raised, "a log start within the log can be set");
        self.section
    }
}

#[cfg(test)]
mod tests;
