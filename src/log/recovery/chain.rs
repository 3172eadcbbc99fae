//! The records of a shard's journal, in order, and what to make of a record that is not there.

use crate::base::align::BLOCK;
use crate::base::ids::Life;
use crate::log::entry::{FoundBody, FoundEntry, SnapshotEntry, UnknownEntry, decode_entries};
use crate::log::journal_format::{JournalOwner, RecordHeader, StoredRecord};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// A sound record: header and body agree with their checksums.
#[derive(Clone, PartialEq, Eq, Debug)]
struct FoundRecord {
    header: RecordHeader,
    crc: u32,
    body: Bytes,
}

/// The sound records of one shard and life, as far as they matter.
#[derive(Debug)]
pub struct FoundJournal {
    owner: JournalOwner,
    records: BTreeMap<u64, FoundRecord>,
    /// The last snapshot entry found so far in a record that is a cycle of its own.
    snapshot: Option<(u64, SnapshotEntry)>,
    later_life: Option<Life>,
    has_loss: bool,
}

/// A cycle that is wholly there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundCycle {
    /// Sequence of its last record.
    pub sequence: u64,
    pub entries: Vec<FoundEntry>,
}

/// Cycles that follow one another without a break.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Run {
    /// Records that are not there, or not sound, before this run; none before the first, unless damage begins there.
    pub missing: Option<MissingRecords>,
    pub cycles: Vec<FoundCycle>,
}

/// Records between two sequences that are damaged: a later one is sound, so they were written. Or, up to `u64::MAX`,
/// records that may have been in a file that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingRecords {
    pub first: u64,
    pub last: u64,
}

/// The verdict on a journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// The snapshot entry that is in force; `None` for the start generation.
    pub snapshot: Option<SnapshotEntry>,
    pub runs: Vec<Run>,
}

impl Verdict {
    pub fn is_damaged(&self) -> bool {
        self.runs.iter().any(|run| run.missing.is_some())
    }
}

impl FoundJournal {
    pub fn new(owner: JournalOwner) -> FoundJournal {
        FoundJournal {
            owner,
            records: BTreeMap::new(),
            snapshot: None,
            later_life: None,
            has_loss: false,
        }
    }

    /// Looks through the bytes of one ring file.
    ///
    /// Goes on from block to block where no sound record begins: behind a bad one a later one may be sound.
    pub fn add_file(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at + BLOCK <= bytes.len() {
            at += self.add_record(&bytes[at..]).unwrap_or(BLOCK);
        }
        self.forget_covered();
    }

    fn add_record(&mut self, bytes: &[u8]) -> Option<usize> {
        let StoredRecord { header, crc, body } = StoredRecord::read(bytes)?;
        let is_ours = (header.owner.incarnation, header.owner.shard)
            == (self.owner.incarnation, self.owner.shard);
        if !is_ours || header.owner.life < self.owner.life {
            return None;
        }
        let body = body?;
        if header.owner.life > self.owner.life {
            self.later_life = self.later_life.max(Some(header.owner.life));
            return None;
        }
        let record = FoundRecord {
            header,
            crc,
            body: Bytes::copy_from_slice(body),
        };
        self.note_snapshot(&record);
        let len = header.record_bytes() as usize;
        self.records.insert(header.sequence, record);
        Some(len)
    }

    fn note_snapshot(&mut self, record: &FoundRecord) {
        let header = &record.header;
        if header.continues || header.continued {
            return;
        }
        let Ok(entries) = decode_entries(&record.body) else {
            return;
        };
        if let Some(snapshot) = snapshot_of(&entries)
            && self
                .snapshot
                .is_none_or(|(sequence, _)| sequence < header.sequence)
        {
            self.snapshot = Some((header.sequence, snapshot));
        }
    }

    /// Lets go of records that a snapshot covers: only what is dirty is held in memory.
    fn forget_covered(&mut self) {
        if let Some((_, snapshot)) = self.snapshot {
            self.records = self.records.split_off(&(snapshot.covered + 1));
        }
    }

    /// A file that this life may have written to is not there, or not all of it.
    pub fn note_loss(&mut self) {
        self.has_loss = true;
    }

    /// A sound record of a later life than the superblock's.
    pub fn later_life(&self) -> Option<Life> {
        self.later_life
    }

    /// Puts the records in order and judges what is missing.
    pub fn judge(mut self) -> Result<Verdict, UnknownEntry> {
        let snapshot = self.last_snapshot()?;
        let covered = snapshot.map_or(0, |snapshot| snapshot.covered);
        let records = self.records.split_off(&(covered + 1));
        let mut runs = vec![Run::default()];
        let mut builder = CycleBuilder::default();
        let mut expected = covered + 1;
        let mut previous: Option<u32> = None;
        for (sequence, record) in records {
            let is_chained = previous.is_none_or(|crc| crc == record.header.previous_crc);
            if sequence != expected || !is_chained {
                // Something later is sound, so what is missing was once written whole.
                let begun = builder.abandon();
                runs.push(Run {
                    missing: Some(MissingRecords {
                        first: begun.unwrap_or(expected).min(sequence - 1),
                        last: sequence - 1,
                    }),
                    cycles: Vec::new(),
                });
            }
            let run = runs.last_mut().expect("there is one");
            run.cycles.extend(builder.add(sequence, &record)?);
            previous = Some(record.crc);
            expected = sequence + 1;
        }
        if self.has_loss {
            // Any number of records may have followed, and been answered.
            let begun = builder.abandon();
            runs.push(Run {
                missing: Some(MissingRecords {
                    first: begun.unwrap_or(expected),
                    last: u64::MAX,
                }),
                cycles: Vec::new(),
            });
        }
        // A cycle without its last record was never answered.
        Ok(Verdict { snapshot, runs })
    }

    /// The last snapshot entry of the life, also of a cycle that goes over several records.
    fn last_snapshot(&self) -> Result<Option<SnapshotEntry>, UnknownEntry> {
        let mut found = self.snapshot;
        let mut builder = CycleBuilder::default();
        let mut expected = 0;
        for (&sequence, record) in &self.records {
            if sequence != expected {
                builder.abandon();
            }
            expected = sequence + 1;
            if let Some(cycle) = builder.add(sequence, record)?
                && let Some(snapshot) = snapshot_of(&cycle.entries)
                && found.is_none_or(|(last, _)| last < sequence)
            {
                found = Some((sequence, snapshot));
            }
        }
        Ok(found.map(|(_, snapshot)| snapshot))
    }
}

fn snapshot_of(entries: &[FoundEntry]) -> Option<SnapshotEntry> {
    entries.iter().rev().find_map(|entry| match entry.body {
        FoundBody::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    })
}

/// Joins the bodies of a cycle's records.
#[derive(Default)]
struct CycleBuilder {
    body: BytesMut,
    begun: Option<u64>,
    /// The rest of a cycle whose beginning is missing.
    skipping: bool,
}

impl CycleBuilder {
    fn add(
        &mut self,
        sequence: u64,
        record: &FoundRecord,
    ) -> Result<Option<FoundCycle>, UnknownEntry> {
        if !record.header.continued {
            self.abandon();
            self.skipping = false;
        } else if self.begun.is_none() {
            self.skipping = true;
        }
        if self.skipping {
            return Ok(None);
        }
        self.begun.get_or_insert(sequence);
        self.body.extend_from_slice(&record.body);
        if record.header.continues {
            return Ok(None);
        }
        self.begun = None;
        let body = std::mem::take(&mut self.body).freeze();
        let entries = decode_entries(&body)?;
        Ok(Some(FoundCycle { sequence, entries }))
    }

    /// Gives a cycle up that was begun. Answers its first sequence.
    fn abandon(&mut self) -> Option<u64> {
        self.body.clear();
        self.begun.take()
    }
}

#[cfg(test)]
mod tests;
