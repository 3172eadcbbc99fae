//! One shard of the last life: its journal, its snapshot, and the partitions that a start would find in them.

use super::directory::DataDirectory;
use super::journal::Journal;
use super::snapshot::{Copy, CopyState, read_copies};
use crate::failure::Failure;
use ottla::base::ids::PartitionId;
use ottla::base::offset::Offset;
use ottla::log::entry::{FoundBody, SnapshotEntry};
use ottla::log::recovery::chain::{Run, Verdict};
use ottla::log::recovery::replay::{Replayed, replay};
use ottla::log::section::Section;
use std::collections::BTreeMap;

pub(super) struct OldShard {
    pub(super) index: u16,
    /// `None` after a clean stop: a start does not read it either.
    pub(super) journal: Option<Journal>,
    /// The generation that counts.
    pub(super) generation: u64,
    /// The journal entry that names it; `None` for that of the life's start.
    pub(super) named_by: Option<SnapshotEntry>,
    pub(super) copies: Vec<Copy>,
    /// Nothing when no copy is sound.
    pub(super) partitions: BTreeMap<PartitionId, Replayed>,
    /// Which journal record brought the bytes that segments lack.
    data: Vec<DataPlace>,
    pub(super) replayed: ReplayCount,
}

/// What replay takes from the journal.
#[derive(Clone, Copy, Default)]
pub(super) struct ReplayCount {
    pub(super) entries: u64,
    pub(super) partitions: u64,
    pub(super) bytes: u64,
}

struct DataPlace {
    id: PartitionId,
    segment: Offset,
    start: u64,
    end: u64,
    sequence: u64,
}

impl OldShard {
    pub(super) fn read_all(directory: &DataDirectory) -> Result<Vec<OldShard>, Failure> {
        let Some(chosen) = directory.chosen() else {
            return Ok(Vec::new());
        };
        let superblock = &chosen.superblock;
        let needs_journal = superblock.needs_journals(chosen.other_unreadable);
        let shards = (0..).zip(&superblock.starts);
        let shards =
            shards.map(|(index, start)| OldShard::read(directory, index, *start, needs_journal));
        shards.collect()
    }

    fn read(
        directory: &DataDirectory,
        index: u16,
        start_generation: u64,
        needs_journal: bool,
    ) -> Result<OldShard, Failure> {
        let owner = directory.owner(index);
        let journal = match needs_journal {
            true => Some(Journal::read(directory, owner)?),
            false => None,
        };
        let verdict = journal
            .as_ref()
            .and_then(|journal| journal.verdict.clone().ok());
        let Verdict { snapshot, runs } = verdict.unwrap_or_default();
        let generation = snapshot.map_or(start_generation, |entry| entry.generation);
        let crc = snapshot.map(|entry| entry.crc);
        let copies = read_copies(directory, owner, generation, crc)?;
        let sections = copies.iter().find_map(|copy| match &copy.state {
            CopyState::Counts(sections) => Some(sections.clone()),
            _ => None,
        });
        let mut shard = OldShard {
            index,
            journal,
            generation,
            named_by: snapshot,
            copies,
            partitions: BTreeMap::new(),
            data: Vec::new(),
            replayed: ReplayCount::default(),
        };
        if let Some(sections) = sections {
            shard.note_data(&sections, &runs);
            shard.partitions = replay(sections, runs);
        }
        Ok(shard)
    }

    /// The sequence of the journal record whose bytes stand at this place of the log when replay has ended.
    pub(super) fn record_at(&self, id: PartitionId, segment: Offset, byte: u64) -> Option<u64> {
        let is_there =
            |place: &&DataPlace| place.id == id && place.segment == segment && byte >= place.start;
        let found = self.data.iter().rev().find(is_there);
        found
            .filter(|place| byte < place.end)
            .map(|place| place.sequence)
    }

    fn note_data(&mut self, sections: &[Section], runs: &[Run]) {
        let stands: BTreeMap<PartitionId, u64> = sections
            .iter()
            .map(|section| (section.id, section.sequence))
            .collect();
        let mut touched = std::collections::BTreeSet::new();
        for cycle in runs.iter().flat_map(|run| &run.cycles) {
            for entry in &cycle.entries {
                let stand = stands.get(&entry.partition).copied().unwrap_or(0);
                let is_snapshot = matches!(entry.body, FoundBody::Snapshot(_));
                if is_snapshot || cycle.sequence <= stand {
                    continue;
                }
                touched.insert(entry.partition);
                self.replayed.entries += 1;
                if let FoundBody::Data {
                    start,
                    lead_in,
                    bytes,
                    ..
                } = &entry.body
                {
                    self.replayed.bytes += bytes.len() as u64 - u64::from(*lead_in);
                    self.data.push(DataPlace {
                        id: entry.partition,
                        segment: start.segment,
                        start: start.byte,
                        end: start.byte + bytes.len() as u64,
                        sequence: cycle.sequence,
                    });
                }
            }
        }
        self.replayed.partitions = touched.len() as u64;
    }
}
