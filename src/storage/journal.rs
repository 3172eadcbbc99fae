//! The journal's ring files: pre-written with zeros once, then used for ever, one write in flight.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::locking::open_locked;
use super::ring_ledger_file::RingLedgerFiles;
use super::runtime::Runtime;
use crate::base::align::{BLOCK, block_floor};
use crate::base::checksum::Crc32c;
use crate::log::entry::{PlannedEntry, SnapshotEntry};
use crate::log::journal_format::{JournalOwner, RECORD_HEADER_BYTES, RecordHeader, record_bytes};
use crate::log::journal_ring::Slot;
use crate::log::paths::{journal_folder, journal_path, unfinished_journal_path};
use crate::log::ring_ledger::RingLedger;
use std::path::{Path, PathBuf};

const FILL_BYTES: usize = 1024 * 1024;

/// One record of a cycle: where it goes, and how much of the cycle's body is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RecordPlan {
    pub(super) slot: Slot,
    pub(super) sequence: u64,
    pub(super) body_bytes: usize,
}

/// A commit cycle, ready to be written. It owns all it needs.
#[derive(Debug, Default)]
pub(super) struct Cycle {
    pub(super) entries: Vec<PlannedEntry>,
    pub(super) snapshot: Option<SnapshotEntry>,
    pub(super) records: Vec<RecordPlan>,
}

impl Cycle {
    pub(super) fn body_bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(PlannedEntry::encoded_bytes).sum();
        entries + self.snapshot.map_or(0, |_| SnapshotEntry::ENCODED_BYTES)
    }

    fn entry_count(&self) -> u32 {
        let count = self.entries.len() + usize::from(self.snapshot.is_some());
        u32::try_from(count).expect("a cycle is bounded")
    }

    /// The sequence of the cycle's last record: when it is durable, the cycle is.
    pub(super) fn last_sequence(&self) -> u64 {
        self.records.last().expect("a cycle has a record").sequence
    }
}

/// The open ring of one shard. Owned by the commit loop.
pub(super) struct Journal<D: Disk> {
    disk: D,
    owner: JournalOwner,
    files: Vec<Option<D::File>>,
    previous_crc: u32,
}

impl<D: Disk> Journal<D> {
    pub(super) fn new(disk: &D, owner: JournalOwner, files: usize) -> Journal<D> {
        Journal {
            disk: disk.clone(),
            owner,
            files: vec![None; files],
            previous_crc: 0,
        }
    }

    pub(super) fn add_file(&mut self, index: usize, file: D::File) {
        self.files[index] = Some(file);
    }

    /// Writes the records of a cycle, one after another. Answers the bytes written when all are durable.
    pub(super) async fn write(&mut self, cycle: &Cycle) -> Result<u64, DiskError> {
        let buffers = self.fill(cycle);
        let mut written = 0;
        for (record, buffer) in cycle.records.iter().zip(buffers) {
            written += buffer.as_bytes().len() as u64;
            let file = self.files[record.slot.file].as_ref();
            let file = file.expect("the ring hands out only files that were added");
            file.write_at(buffer, record.slot.position).await?;
        }
        Ok(written)
    }

    fn fill(&mut self, cycle: &Cycle) -> Vec<D::Buffer> {
        let mut body = Body::<D::Buffer>::new(&self.disk, &cycle.records);
        for entry in &cycle.entries {
            entry.encode(&mut |bytes, crc| body.put(bytes, crc));
        }
        if let Some(snapshot) = &cycle.snapshot {
            snapshot.encode(&mut |bytes| body.put(bytes, None));
        }
        let mut buffers = Vec::with_capacity(cycle.records.len());
        let last = cycle.records.len() - 1;
        for (index, (part, record)) in body.parts.into_iter().zip(&cycle.records).enumerate() {
            let (mut buffer, body_crc) = part.finish();
            let header = RecordHeader {
                owner: self.owner,
                continues: index < last,
                continued: index > 0,
                entry_count: cycle.entry_count(),
                sequence: record.sequence,
                previous_crc: self.previous_crc,
                body_crc,
                body_bytes: u32::try_from(record.body_bytes).expect("a record fits in a file"),
            };
            buffer.as_bytes_mut()[..RECORD_HEADER_BYTES].copy_from_slice(&header.encode());
            self.previous_crc = header.crc();
            buffers.push(buffer);
        }
        buffers
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        for file in self.files.into_iter().flatten() {
            file.close().await?;
        }
        Ok(())
    }
}

/// The bodies of a cycle's records, filled as if they were one.
struct Body<B> {
    parts: Vec<Part<B>>,
    current: usize,
}

/// The body of one record.
struct Part<B> {
    buffer: B,
    /// Where the body ends in the buffer, how far it is filled, and how far `crc` reaches.
    end: usize,
    filled: usize,
    summed: usize,
    crc: Crc32c,
}

impl<B: Buffer> Body<B> {
    fn new<D: Disk<Buffer = B>>(disk: &D, records: &[RecordPlan]) -> Body<B> {
        let part = |record: &RecordPlan| Part {
            buffer: disk.allocate(record_bytes(record.body_bytes as u64) as usize),
            end: RECORD_HEADER_BYTES + record.body_bytes,
            filled: RECORD_HEADER_BYTES,
            summed: RECORD_HEADER_BYTES,
            crc: Crc32c::new(),
        };
        Body {
            parts: records.iter().map(part).collect(),
            current: 0,
        }
    }

    fn put(&mut self, mut bytes: &[u8], mut crc: Option<u32>) {
        while !bytes.is_empty() {
            let part = &mut self.parts[self.current];
            let room = part.end - part.filled;
            if room == 0 {
                self.current += 1;
                continue;
            }
            if room < bytes.len() {
                // What is parted is summed anew.
                crc = None;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            part.put(now, crc);
            bytes = later;
        }
    }
}

impl<B: Buffer> Part<B> {
    fn put(&mut self, bytes: &[u8], crc: Option<u32>) {
        let end = self.filled + bytes.len();
        self.buffer.as_bytes_mut()[self.filled..end].copy_from_slice(bytes);
        if let Some(crc) = crc {
            self.sum_filled();
            self.crc.append(crc, bytes.len() as u64);
            self.summed = end;
        }
        self.filled = end;
    }

    fn sum_filled(&mut self) {
        let bytes = &self.buffer.as_bytes()[self.summed..self.filled];
        self.crc.update(bytes);
        self.summed = self.filled;
    }

    /// Zeros follow the body; the header is missing.
    fn finish(mut self) -> (B, u32) {
        self.sum_filled();
        self.buffer.as_bytes_mut()[self.end..].fill(0);
        (self.buffer, self.crc.finish())
    }
}

/// Length of a file that is there.
pub(super) async fn file_len<D: Disk>(disk: &D, path: &Path) -> Result<u64, DiskError> {
    let file = disk.open(path, OpenMode::Read).await?;
    let len = file.len().await?;
    file.close().await?;
    Ok(len)
}

/// The ring of one shard and life, whose files are made one after the other and counted in its ledger.
pub(super) struct RingMaker<D: Disk, R: Runtime> {
    disk: D,
    runtime: R,
    root: PathBuf,
    files: RingLedgerFiles<D>,
    ledger: RingLedger,
}

impl<D: Disk, R: Runtime> RingMaker<D, R> {
    pub(super) async fn new(
        disk: &D,
        runtime: &R,
        root: &Path,
        owner: JournalOwner,
        file_bytes: usize,
    ) -> Result<RingMaker<D, R>, OpenError> {
        Ok(RingMaker {
            disk: disk.clone(),
            runtime: runtime.clone(),
            root: root.to_path_buf(),
            files: RingLedgerFiles::open(disk, runtime, root, owner.shard).await?,
            ledger: RingLedger {
                owner,
                files: 0,
                file_bytes: file_bytes as u64,
            },
        })
    }

    /// How many files were made; the number of the next one.
    pub(super) fn made(&self) -> usize {
        self.ledger.files as usize
    }

    /// Opens the next file, made of zeros if it never was. Afterwards a write to it changes no file system metadata,
    /// which is what makes it cheap. From here on recovery misses the file if it is gone.
    pub(super) async fn next(&mut self) -> Result<(usize, D::File), OpenError> {
        let index = self.made();
        let path = journal_path(&self.root, self.ledger.owner.shard, index);
        let len = match file_len(&self.disk, &path).await {
            Err(DiskError::NotFound { .. }) => 0,
            len => len?,
        };
        if len < self.ledger.file_bytes {
            self.make(index, &path).await?;
        }
        let mode = OpenMode::WriteThrough;
        let file = open_locked(&self.disk, &self.runtime, &path, mode).await?;
        let counted = RingLedger {
            files: self.ledger.files + 1,
            ..self.ledger
        };
        self.files.write(&counted).await?;
        self.ledger = counted;
        Ok((index, file))
    }

    /// Writes zeros under another name, and syncs: what has the file's name is whole.
    async fn make(&self, index: usize, path: &Path) -> Result<(), OpenError> {
        let unfinished = unfinished_journal_path(&self.root, self.ledger.owner.shard, index);
        let (disk, runtime) = (&self.disk, &self.runtime);
        let file = open_locked(disk, runtime, &unfinished, OpenMode::Write).await?;
        // What is there was written by an earlier attempt of this life.
        let mut at = block_floor(file.len().await?);
        while at < self.ledger.file_bytes {
            let len = FILL_BYTES.min((self.ledger.file_bytes - at) as usize);
            let mut zeros = disk.allocate(len);
            zeros.as_bytes_mut().fill(0);
            file.write_at(zeros, at).await?;
            at += len as u64;
            runtime.yield_now().await;
        }
        file.sync().await?;
        file.close().await?;
        disk.rename(&unfinished, path).await?;
        disk.sync_directory(&journal_folder(&self.root)).await?;
        Ok(())
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        self.files.close().await
    }
}

const _: () = assert!(FILL_BYTES.is_multiple_of(BLOCK));
