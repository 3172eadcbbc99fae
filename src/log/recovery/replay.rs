//! Applying the journal to the sections of a shard's partitions.

use super::chain::{MissingRecords, Run};
use crate::base::align::{BLOCK, block_floor};
use crate::base::ids::PartitionId;
use crate::base::offset::{Offset, Position};
use crate::log::entry::{Change, DataChange, FoundBody, FoundEntry};
use crate::log::offline::{Offline, OfflineReason};
use crate::log::section::{Contradiction, Section};
use crate::record::Batches;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Bytes of a segment that the live journal vouches for, from a block boundary on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    pub start: u64,
    pub bytes: Vec<u8>,
}

impl Image {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// One partition, as replay leaves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    pub section: Section,
    /// By segment. Segment bytes from an image's start on are never read: the journal counts.
    pub images: BTreeMap<Offset, Image>,
    /// The live journal names it.
    pub is_named: bool,
    /// Entries of it may have been in records that are missing.
    is_suspect: bool,
    was_offline: bool,
}

impl Replayed {
    fn new(section: Section) -> Replayed {
        Replayed {
            was_offline: section.offline.is_some(),
            section,
            images: BTreeMap::new(),
            is_named: false,
            is_suspect: false,
        }
    }

    fn refuse(&mut self, reason: OfflineReason) {
        let position = self.section.next_offset;
        self.section
            .offline
            .get_or_insert(Offline { reason, position });
    }

    fn apply(&mut self, sequence: u64, entry: &FoundEntry) {
        self.is_named = true;
        if sequence <= self.section.sequence || self.section.offline.is_some() {
            return;
        }
        let expected = self.section.entry_number.wrapping_add(1);
        if entry.number != expected {
            return self.refuse(OfflineReason::JournalDamaged);
        }
        self.is_suspect = false;
        let applied = match &entry.body {
            FoundBody::Data {
                start,
                lead_in,
                bytes,
                ..
            } => self.apply_data(entry.number, *start, *lead_in as usize, bytes),
            FoundBody::Change(change) => self.apply_change(entry.number, change),
            FoundBody::Snapshot(_) => Ok(()),
            FoundBody::Skipped => {
                self.section.entry_number = entry.number;
                Ok(())
            }
        };
        if applied.is_err() {
            self.refuse(OfflineReason::EntryContradicts);
        }
    }

    fn apply_data(
        &mut self,
        number: u32,
        start: Position,
        lead_in: usize,
        bytes: &Bytes,
    ) -> Result<(), Contradiction> {
        let at = Position {
            byte: start.byte + lead_in as u64,
            ..start
        };
        let mut batches = Batches::new(&bytes[lead_in..]);
        let mut headers = Vec::new();
        for batch in batches.by_ref() {
            let (_, header, _) = batch.map_err(|_| Contradiction::Place)?;
            headers.push(header);
        }
        if headers.is_empty() {
            return Err(Contradiction::Length {
                expected: bytes.len() as u64,
                found: 0,
            });
        }
        self.check_start(start, &bytes[..lead_in])?;
        let change = Change::Data(DataChange {
            at,
            bytes: (bytes.len() - lead_in) as u64,
            batches: headers,
        });
        self.section.apply(number, &change)?;
        let image = self.images.entry(start.segment).or_insert_with(|| Image {
            start: start.byte,
            bytes: Vec::new(),
        });
        if start.byte < image.start {
            *image = Image {
                start: start.byte,
                bytes: Vec::new(),
            };
        }
        image.bytes.truncate((start.byte - image.start) as usize);
        image.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Data begins at a block boundary, or continues Data of the live journal; what it repeats of that is equal.
    fn check_start(&self, start: Position, lead_in: &[u8]) -> Result<(), Contradiction> {
        let image = self.images.get(&start.segment);
        match image.filter(|image| start.byte >= image.start && start.byte <= image.end()) {
            Some(image) => {
                let from = (start.byte - image.start) as usize;
                let known = &image.bytes[from..];
                let len = known.len().min(lead_in.len());
                if known[..len] != lead_in[..len] {
                    return Err(Contradiction::Place);
                }
                Ok(())
            }
            None if start.byte == block_floor(start.byte) && lead_in.len() < BLOCK => Ok(()),
            None => Err(Contradiction::Gap {
                end: self.section.end(),
                at: start,
            }),
        }
    }

    fn apply_change(&mut self, number: u32, change: &Change) -> Result<(), Contradiction> {
        self.section.apply(number, change)?;
        match change {
            Change::Truncate { at, .. } => {
                self.images.retain(|&base, image| {
                    base < at.segment || (base == at.segment && image.start < at.byte)
                });
                if let Some(image) = self.images.get_mut(&at.segment) {
                    image.bytes.truncate((at.byte - image.start) as usize);
                }
            }
            Change::Reset { .. } => self.images.clear(),
            Change::Replace(replace) => {
                // What was in those segments is in another file, which was synced before.
                let gone = replace.name.base..replace.until;
                self.images.retain(|base, _| !gone.contains(base));
            }
            _ => {}
        }
        Ok(())
    }

    /// Only segments that the section still has need their bytes.
    fn finish(&mut self) {
        if self.is_suspect {
            self.refuse(OfflineReason::JournalDamaged);
        }
        let kept = &self.section.segments;
        self.images
            .retain(|base, _| kept.iter().any(|segment| segment.base == *base));
    }
}

/// Replays the journal of a shard over the sections of its snapshot.
pub fn replay(sections: Vec<Section>, runs: Vec<Run>) -> BTreeMap<PartitionId, Replayed> {
    let mut partitions: BTreeMap<PartitionId, Replayed> = sections
        .into_iter()
        .map(|section| (section.id, Replayed::new(section)))
        .collect();
    for run in runs {
        if let Some(missing) = run.missing {
            suspect(&mut partitions, missing);
        }
        for cycle in run.cycles {
            for entry in &cycle.entries {
                if matches!(entry.body, FoundBody::Snapshot(_)) {
                    continue;
                }
                let id = entry.partition;
                let new = || Replayed::new(Section::new(id, Offset::ZERO));
                let partition = partitions.entry(id).or_insert_with(new);
                partition.apply(cycle.sequence, entry);
            }
        }
    }
    partitions.values_mut().for_each(Replayed::finish);
    partitions
}

/// Whoever is not known to have had no entry in the missing records is suspect, until its next entry shows it.
fn suspect(partitions: &mut BTreeMap<PartitionId, Replayed>, missing: MissingRecords) {
    for partition in partitions.values_mut() {
        partition.is_suspect |= partition.section.sequence < missing.last;
    }
}

impl Replayed {
    /// A partition that the directory should have, and nothing speaks of.
    pub fn unheard(section: Section, damaged: Option<OfflineReason>) -> Replayed {
        let mut replayed = Replayed::new(section);
        if let Some(reason) = damaged {
            replayed.refuse(reason);
        }
        replayed
    }

    /// Keeps the verdict that storage came to when it looked at the files.
    pub fn refuse_at(&mut self, reason: OfflineReason, position: Offset) {
        self.section
            .offline
            .get_or_insert(Offline { reason, position });
    }

    /// The verdict is of this start, not of an earlier one.
    pub fn is_newly_offline(&self) -> bool {
        self.section.offline.is_some() && !self.was_offline
    }

    /// The state with which the new life begins: all of it is in synced segments.
    pub fn into_start(self) -> Section {
        let mut section = self.section;
        section.sequence = 0;
        section.synced = section.end();
        let last = section.segments.len() - 1;
        section.segments[..last]
            .iter_mut()
            .for_each(|segment| segment.finished = true);
        section
    }
}

#[cfg(test)]
mod tests;
