//! The account of a shard's journal: where the next record goes, which files are free, how much may be promised.
//!
//! ```text
//! room = what is left of the current file + free files − promised − reserve
//! ```
//! Files are used in turn, those that are not free (or not there yet) passed over: recovery goes by sequences, not by
//! the numbers of files. A file is free when every record in it is covered by a durable snapshot. Space is promised
//! before offsets are assigned, so a batch that has an offset never waits for a file.

use crate::base::align::BLOCK;
use crate::base::limits::Limits;

use super::entry::DATA_OVERHEAD_BYTES;
use super::journal_format::record_bytes;

/// At the end of each file so much may stay unused: a record that does not fit is split, and its parts are padded.
const FILE_SLACK_BYTES: u64 = 3 * BLOCK as u64;
/// No record is begun in less than this.
const RECORD_BYTES_MIN: u64 = 2 * BLOCK as u64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FileState {
    /// Not yet zero-filled.
    Absent,
    Free,
    /// Holds records up to this sequence.
    Used(u64),
}

/// Where a record goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    pub file: usize,
    pub position: u64,
    /// Bytes from there to the end of the file.
    pub len: u64,
}

/// A shard view; owned by its core.
#[derive(Clone, Debug)]
pub struct JournalRing {
    file_bytes: u64,
    reserve_bytes: u64,
    snapshot_reserve_bytes: u64,
    cycle_bytes_max: u64,
    files: Vec<FileState>,
    current: usize,
    position: u64,
    promised: u64,
}

impl JournalRing {
    /// A ring whose first file is ready, and nothing in it.
    pub fn new(limits: &Limits) -> JournalRing {
        let mut files = vec![FileState::Absent; limits.journal_files];
        files[0] = FileState::Free;
        JournalRing {
            file_bytes: limits.journal_file_bytes as u64,
            reserve_bytes: limits.journal_reserve_bytes as u64,
            snapshot_reserve_bytes: limits.journal_snapshot_reserve_bytes() as u64,
            cycle_bytes_max: limits.cycle_bytes_max as u64,
            files,
            current: 0,
            position: 0,
            promised: 0,
        }
    }

    /// This file has been written with zeros once.
    pub fn add_file(&mut self, index: usize) {
        assert_eq!(self.files[index], FileState::Absent, "a file is added once");
        self.files[index] = FileState::Free;
    }

    /// Promises this much, if it is there.
    pub fn promise(&mut self, bytes: u64) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.promised += bytes;
        }
        fits
    }

    /// A promise was kept by a record, or given back.
    pub fn settle(&mut self, bytes: u64) {
        assert!(bytes <= self.promised, "only what was promised is settled");
        self.promised -= bytes;
    }

    /// What may be promised now.
    pub fn room(&self) -> u64 {
        // While the ring is still being filled with zeros, the reserve is what half of it can be.
        let reserve = self.reserve_bytes.min(self.file_bytes * self.ready() / 2);
        self.left().saturating_sub(self.promised + reserve)
    }

    /// What can still be written before a file must become free.
    pub fn left(&self) -> u64 {
        let usable = self.file_bytes - FILE_SLACK_BYTES;
        let free = self.files.iter().enumerate();
        let free = free.filter(|&(index, file)| index != self.current && *file == FileState::Free);
        let current = (self.file_bytes - self.position).saturating_sub(FILE_SLACK_BYTES);
        usable * free.count() as u64 + current
    }

    /// The largest that may ever be promised.
    pub fn capacity(&self) -> u64 {
        let usable = (self.file_bytes - FILE_SLACK_BYTES) * self.files.len() as u64;
        usable.saturating_sub(self.reserve_bytes)
    }

    /// Whether a cycle with this much body can be written now. The last part of the ring is kept for the entry that
    /// names a snapshot.
    pub fn admits(&self, body_bytes: u64, names_snapshot: bool) -> bool {
        let kept = if names_snapshot {
            0
        } else {
            self.snapshot_reserve_bytes
        };
        // Where a cycle is split, by the bound or by the end of a file, there is another header and padding.
        let splits = 1 + body_bytes / self.cycle_bytes_max;
        let needed = record_bytes(body_bytes) + 2 * BLOCK as u64 * splits;
        needed + kept <= self.left_to_the_byte()
    }

    fn left_to_the_byte(&self) -> u64 {
        let free = self.files.iter().enumerate();
        let free = free.filter(|&(index, file)| index != self.current && *file == FileState::Free);
        self.file_bytes * free.count() as u64 + self.file_bytes - self.position
    }

    /// Where the next record begins. Moves on to the next free file when too little is left of this one.
    ///
    /// Panics when no file is free: `admits` was asked before.
    pub fn next_slot(&mut self) -> Slot {
        if self.file_bytes - self.position < RECORD_BYTES_MIN {
            let count = self.files.len();
            let mut others = (1..count).map(|step| (self.current + step) % count);
            let next = others.find(|&file| self.files[file] == FileState::Free);
            self.current = next.expect("a file is reused only when it is covered");
            self.position = 0;
        }
        Slot {
            file: self.current,
            position: self.position,
            len: self.file_bytes - self.position,
        }
    }

    /// A record of this size goes to where `next_slot` pointed.
    pub fn advance(&mut self, sequence: u64, bytes: u64) {
        assert!(
            bytes <= self.file_bytes - self.position,
            "a record ends in its file"
        );
        self.position += bytes;
        self.files[self.current] = FileState::Used(sequence);
    }

    /// Records up to `covered` are no longer needed.
    pub fn cover(&mut self, covered: u64) {
        let current = self.current;
        for (index, file) in self.files.iter_mut().enumerate() {
            if index != current && matches!(file, FileState::Used(last) if *last <= covered) {
                *file = FileState::Free;
            }
        }
    }

    /// Bytes of the ring that hold records, about.
    pub fn used(&self) -> u64 {
        self.file_bytes * self.ready() - self.left_to_the_byte()
    }

    fn ready(&self) -> u64 {
        let ready = self.files.iter().filter(|file| **file != FileState::Absent);
        ready.count() as u64
    }
}

/// What a batch may take of the journal: its entry, a lead-in, a header, padding; more when it is split.
pub fn promised_bytes(batch_bytes: usize, limits: &Limits) -> u64 {
    let entry = (batch_bytes + DATA_OVERHEAD_BYTES + BLOCK) as u64;
    let splits = batch_bytes / limits.cycle_bytes_max;
    record_bytes(entry) + (2 * BLOCK * splits) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> JournalRing {
        let mut ring = JournalRing::new(&Limits::TINY);
        (1..4).for_each(|file| ring.add_file(file));
        ring
    }

    #[test]
    fn a_file_is_used_again_only_when_all_its_records_are_covered() {
        let mut ring = ring();
        for sequence in 1..=8 {
            let slot = ring.next_slot();
            assert_eq!(slot.file, (sequence as usize - 1) / 2);
            ring.advance(sequence, 32 * 1024);
        }
        assert!(!ring.admits(100, true));
        ring.cover(1);
        assert!(!ring.admits(100, true));
        ring.cover(2);
        assert!(ring.admits(100, true));
        assert_eq!(ring.next_slot().file, 0);
    }

    /// On a full disk the ring goes round without the files that could not be made.
    #[test]
    fn a_file_that_comes_late_is_used_when_it_is_there() {
        let mut ring = JournalRing::new(&Limits::TINY);
        ring.add_file(1);
        let mut sequence = 0;
        let mut fill = |ring: &mut JournalRing| {
            let file = ring.next_slot().file;
            sequence += 1;
            ring.advance(sequence, 64 * 1024);
            (file, sequence)
        };
        assert_eq!(fill(&mut ring), (0, 1));
        assert_eq!(fill(&mut ring), (1, 2));
        assert!(!ring.admits(100, true));
        ring.cover(1);
        assert_eq!(fill(&mut ring), (0, 3));
        ring.add_file(2);
        assert!(ring.admits(100, true));
        assert_eq!(fill(&mut ring), (2, 4));
    }

    #[test]
    fn promises_stop_where_the_reserve_begins() {
        let mut ring = ring();
        let room = ring.room();
        assert_eq!(room, 4 * (65536 - 12288) - 65536);
        assert!(ring.promise(room));
        assert!(!ring.promise(1));
        ring.settle(room);
        assert!(ring.promise(1));
    }

    #[test]
    fn the_last_bytes_are_for_the_snapshot_entry() {
        let mut ring = ring();
        for sequence in 1..=7 {
            ring.next_slot();
            ring.advance(sequence, 32 * 1024);
        }
        ring.next_slot();
        ring.advance(8, 16 * 1024);
        assert!(!ring.admits(4000, false));
        assert!(ring.admits(100, true));
    }
}
