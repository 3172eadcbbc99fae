//! A partition made anew from its segment files alone: what an operator gets who accepts a loss.
//!
//! Nothing is believed but the bytes: batches that are sound, dense and never fall in epoch. The first that is not ends
//! the log, as does a file that does not begin where the one before it ends.

use crate::base::epoch::LeaderEpoch;
use crate::base::offset::Offset;
use crate::log::entry::{Change, DataChange};
use crate::log::section::Section;
use crate::record::BatchHeader;

/// The log found so far.
#[derive(Debug)]
pub struct Salvage {
    section: Section,
    /// Lies outside of a batch's checksum: no more than this is believed.
    epoch_max: LeaderEpoch,
    log_start: Offset,
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
            has_begun: false,
        }
    }

    /// The file with which the log begins: that of the log start, else the lowest there is.
    pub fn first_of(&self, bases: &[Offset]) -> Option<Offset> {
        let of_start = bases.iter().rev().find(|base| **base <= self.log_start);
        of_start.or(bases.first()).copied()
    }

    /// Goes on with the file of this base; false when it does not continue the log.
    pub fn begin_segment(&mut self, base: Offset) -> bool {
        if !self.has_begun {
            self.has_begun = true;
            self.section = Section {
                promise: self.section.promise,
                replica: self.section.replica,
                ..Section::new(self.section.id, base)
            };
            return true;
        }
        let closed = self.section.end();
        self.apply(&Change::Roll {
            closed: closed.segment,
            bytes: closed.byte,
            base,
        })
    }

    /// Takes the next batch, whose checksum is right; false when it ends the log.
    pub fn add(&mut self, header: &BatchHeader) -> bool {
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
