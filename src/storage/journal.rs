//! The journal's ring files: pre-written with zeros once, then used for ever, one write in flight.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::locking::open_locked;
use super::paths::{journal_folder, journal_path};
use super::runtime::Runtime;
use crate::base::align::{BLOCK, block_floor};
use crate::base::checksum::crc32c;
use crate::base::ids::ShardId;
use crate::log::entry::{PlannedEntry, SnapshotEntry};
use crate::log::journal_format::{JournalOwner, RECORD_HEADER_BYTES, RecordHeader, record_bytes};
use crate::log::journal_ring::Slot;
use std::path::Path;

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
            entry.encode(&mut |bytes| body.put(bytes));
        }
        if let Some(snapshot) = &cycle.snapshot {
            snapshot.encode(&mut |bytes| body.put(bytes));
        }
        let mut buffers = body.buffers;
        let last = buffers.len() - 1;
        for (index, (buffer, record)) in buffers.iter_mut().zip(&cycle.records).enumerate() {
            let bytes = buffer.as_bytes_mut();
            let end = RECORD_HEADER_BYTES + record.body_bytes;
            bytes[end..].fill(0);
            let header = RecordHeader {
                owner: self.owner,
                continues: index < last,
                continued: index > 0,
                entry_count: cycle.entry_count(),
                sequence: record.sequence,
                previous_crc: self.previous_crc,
                body_crc: crc32c(&bytes[RECORD_HEADER_BYTES..end]),
                body_bytes: u32::try_from(record.body_bytes).expect("a record fits in a file"),
            };
            bytes[..RECORD_HEADER_BYTES].copy_from_slice(&header.encode());
            self.previous_crc = header.crc();
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

/// Buffers of a cycle's records, filled as if they were one.
struct Body<B> {
    buffers: Vec<B>,
    /// Body bytes of each record.
    limits: Vec<usize>,
    current: usize,
    filled: usize,
}

impl<B: Buffer> Body<B> {
    fn new<D: Disk<Buffer = B>>(disk: &D, records: &[RecordPlan]) -> Body<B> {
        let len = |record: &RecordPlan| record_bytes(record.body_bytes as u64) as usize;
        Body {
            buffers: records
                .iter()
                .map(|record| disk.allocate(len(record)))
                .collect(),
            limits: records.iter().map(|record| record.body_bytes).collect(),
            current: 0,
            filled: 0,
        }
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.limits[self.current] - self.filled;
            if room == 0 {
                self.current += 1;
                self.filled = 0;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let at = RECORD_HEADER_BYTES + self.filled;
            self.buffers[self.current].as_bytes_mut()[at..at + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
    }
}

/// Opens a ring file, and writes zeros to what was never written. Afterwards a write to it changes no file system
/// metadata, which is what makes it cheap.
pub(super) async fn prepare_file<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    root: &Path,
    shard: ShardId,
    index: usize,
    file_bytes: usize,
) -> Result<D::File, OpenError> {
    let path = journal_path(root, shard, index);
    let file = open_locked(disk, runtime, &path, OpenMode::WriteThrough).await?;
    let len = file.len().await?;
    if len >= file_bytes as u64 {
        return Ok(file);
    }
    file.close().await?;
    fill(disk, runtime, &path, block_floor(len), file_bytes as u64).await?;
    if len == 0 {
        disk.sync_directory(&journal_folder(root)).await?;
    }
    open_locked(disk, runtime, &path, OpenMode::WriteThrough).await
}

/// Writes zeros and syncs once: what a crash leaves of it is no record, and the length tells how far it came.
async fn fill<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    path: &Path,
    mut at: u64,
    end: u64,
) -> Result<(), OpenError> {
    let file = open_locked(disk, runtime, path, OpenMode::Write).await?;
    while at < end {
        let len = FILL_BYTES.min((end - at) as usize);
        let mut zeros = disk.allocate(len);
        zeros.as_bytes_mut().fill(0);
        file.write_at(zeros, at).await?;
        at += len as u64;
        runtime.yield_now().await;
    }
    file.sync().await?;
    file.close().await?;
    Ok(())
}

const _: () = assert!(FILL_BYTES.is_multiple_of(BLOCK));
