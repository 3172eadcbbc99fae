//! The journal of a shard: where its records lie, and what recovery concludes from them.

use super::directory::{DataDirectory, read_at_most, unreadable};
use crate::failure::Failure;
use ottla::base::align::BLOCK;
use ottla::base::ids::Life;
use ottla::log::journal_format::{JournalOwner, StoredRecord};
use ottla::log::paths::{
    STATE_COPIES, journal_folder, journal_path, parse_journal_name, ring_ledger_path,
};
use ottla::log::recovery::chain::{FoundJournal, Verdict};
use ottla::log::ring_ledger::{RingLedger, RingLoss, find_loss};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

/// What was found of the life that counts.
pub(super) struct Journal {
    pub(super) owner: JournalOwner,
    /// Sound records, by sequence.
    pub(super) places: BTreeMap<u64, RecordPlace>,
    /// Ring files, by number, with their lengths.
    pub(super) files: BTreeMap<u32, u64>,
    pub(super) ledgers: [LedgerCopy; STATE_COPIES],
    pub(super) loss: Option<RingLoss>,
    pub(super) later_life: Option<Life>,
    /// A record of ours with a sound header and a body that is not: the last write, when nothing sound follows.
    pub(super) torn: Vec<(u64, RecordPlace)>,
    /// An error is the kind of an entry that a newer version wrote.
    pub(super) verdict: Result<Verdict, u8>,
}

/// Where a record lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RecordPlace {
    pub(super) file: u32,
    pub(super) position: u64,
    pub(super) bytes: u64,
}

pub(super) struct LedgerCopy {
    pub(super) path: PathBuf,
    /// What its block for this life says.
    pub(super) ledger: Option<RingLedger>,
}

impl Journal {
    pub(super) fn read(directory: &DataDirectory, owner: JournalOwner) -> Result<Journal, Failure> {
        let mut files = ring_files(directory, owner)?;
        files.sort_by_key(|file| file.first.unwrap_or(u64::MAX));
        let lens: BTreeMap<u32, u64> = files.iter().map(|file| (file.number, file.len)).collect();
        let ledgers = read_ledgers(directory, owner)?;
        let copies: Vec<Option<RingLedger>> = ledgers.iter().map(|copy| copy.ledger).collect();
        let loss = find_loss(owner, &copies, &lens);
        let mut found = FoundJournal::new(owner);
        if loss.is_some() {
            found.note_loss();
        }
        let (mut places, mut torn) = (BTreeMap::new(), Vec::new());
        for file in &files {
            let path = journal_path(directory.root(), owner.shard, file.number as usize);
            let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            found.add_file(&bytes);
            survey(&bytes, file.number, owner, &mut places, &mut torn);
        }
        Ok(Journal {
            owner,
            places,
            files: lens,
            ledgers,
            loss,
            later_life: found.later_life(),
            torn,
            verdict: found.judge().map_err(|unknown| unknown.kind),
        })
    }

    /// `journal/0-2 at byte 12288`
    pub(super) fn at(&self, place: RecordPlace) -> String {
        let shard = self.owner.shard;
        format!("journal/{shard}-{} at byte {}", place.file, place.position)
    }

    /// Where the record after this one was written, unless it began another file.
    pub(super) fn after(&self, sequence: u64) -> Option<RecordPlace> {
        let place = self.places.get(&sequence)?;
        let position = place.position + place.bytes;
        let len = self.files.get(&place.file).copied().unwrap_or(0);
        (position < len).then_some(RecordPlace {
            position,
            bytes: 0,
            ..*place
        })
    }

    /// The records as they lie, one after another.
    pub(super) fn read_record(
        &self,
        directory: &DataDirectory,
        place: RecordPlace,
    ) -> Result<Vec<u8>, Failure> {
        let path = journal_path(directory.root(), self.owner.shard, place.file as usize);
        let mut bytes = vec![0; usize::try_from(place.bytes).expect("a record fits in a file")];
        let read =
            File::open(&path).and_then(|file| read_at_most(&file, &mut bytes, place.position));
        let len = read.map_err(|error| unreadable(&path, &error))?;
        bytes.truncate(len);
        Ok(bytes)
    }
}

struct RingFile {
    number: u32,
    len: u64,
    /// Sequence of the record it begins with, if that is ours.
    first: Option<u64>,
}

fn ring_files(directory: &DataDirectory, owner: JournalOwner) -> Result<Vec<RingFile>, Failure> {
    let folder = journal_folder(directory.root());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&folder, &error))?;
        let Some((shard, number)) = entry.file_name().to_str().and_then(parse_journal_name) else {
            continue;
        };
        if shard != owner.shard {
            continue;
        }
        let path = entry.path();
        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let len = file.metadata().map_err(|error| unreadable(&path, &error))?;
        let mut block = vec![0; BLOCK];
        read_at_most(&file, &mut block, 0).map_err(|error| unreadable(&path, &error))?;
        let first = StoredRecord::read(&block).map(|record| record.header);
        files.push(RingFile {
            number,
            len: len.len(),
            first: first
                .filter(|header| header.owner == owner)
                .map(|header| header.sequence),
        });
    }
    Ok(files)
}

fn read_ledgers(
    directory: &DataDirectory,
    owner: JournalOwner,
) -> Result<[LedgerCopy; STATE_COPIES], Failure> {
    let read = |copy| {
        let path = ring_ledger_path(directory.root(), owner.shard, copy);
        let mut block = vec![0; BLOCK];
        let position = RingLedger::position(owner.life);
        let read = File::open(&path).and_then(|file| read_at_most(&file, &mut block, position));
        let ledger = match read {
            Ok(len) => RingLedger::decode(&block[..len]),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&path, &error)),
        };
        Ok(LedgerCopy { path, ledger })
    };
    Ok([read(0)?, read(1)?])
}

/// Notes where the records of this owner are, as `FoundJournal::add_file` walks over them.
fn survey(
    bytes: &[u8],
    file: u32,
    owner: JournalOwner,
    places: &mut BTreeMap<u64, RecordPlace>,
    torn: &mut Vec<(u64, RecordPlace)>,
) {
    let mut at = 0;
    while at + BLOCK <= bytes.len() {
        let record = StoredRecord::read(&bytes[at..]).filter(|record| record.header.owner == owner);
        let Some(record) = record else {
            at += BLOCK;
            continue;
        };
        let place = RecordPlace {
            file,
            position: at as u64,
            bytes: record.header.record_bytes(),
        };
        if record.body.is_some() {
            places.insert(record.header.sequence, place);
            at += place.bytes as usize;
        } else {
            torn.push((record.header.sequence, place));
            at += BLOCK;
        }
    }
}
