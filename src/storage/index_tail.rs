//! The end of a segment's index while the segment is written to.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::runtime::Runtime;
use super::scan::scan_batches;
use super::segment_file::{Syncing, WriteError, open_for_writing};
use super::write::write_slices;
use crate::base::align::{BLOCK, block_ceil, block_floor};
use crate::base::checksum::Crc32c;
use crate::base::limits::Limits;
use crate::base::offset::Offset;
use crate::log::index::{
    INDEX_ENTRY_BYTES, IndexBuilder, IndexEntry, decode_index, encode_index_header,
};
use crate::log::partition_log::SegmentWrite;
use crate::log::segment::SideFile;
use crate::record::{BatchHeader, Batches};
use bytes::Bytes;
use std::path::PathBuf;

const READ_BYTES: usize = 256 * 1024;

/// Appends entries to the index as a lap writes the log. It may be dropped and resumed at any position.
pub(super) struct IndexTail<D: Disk> {
    path: PathBuf,
    base: Offset,
    limits: Limits,
    builder: IndexBuilder,
    /// Open once entries are written, until it is let go.
    file: Option<D::File>,
    /// Bytes of the file that are written and stay.
    len: u64,
    /// The written bytes of the last block.
    last_block: Vec<u8>,
    new: Vec<IndexEntry>,
    /// No entry follows, or the file has some that are not ours: the new ones do not wait for others.
    is_due: bool,
}

impl<D: Disk> IndexTail<D> {
    /// Goes on at `position` of the log: takes the entries on disk that end there or before, reads the rest of the log
    /// up to there. Entries beyond are of an attempt that did not count.
    pub(super) async fn resume(
        disk: &D,
        path: PathBuf,
        base: Offset,
        limits: &Limits,
        log: &D::File,
        position: u64,
    ) -> Result<IndexTail<D>, DiskError> {
        let chunk_bytes = limits.index_chunk_bytes;
        let bytes = read_index(disk, &path).await?;
        let entries = decode_index(&bytes, base, chunk_bytes, position);
        let len = match entries.len() {
            0 => 0,
            count => {
                (encode_index_header(base, chunk_bytes).len() + count * INDEX_ENTRY_BYTES) as u64
            }
        };
        let (ours, others) = bytes.split_at(len as usize);
        let mut tail = IndexTail {
            path,
            base,
            limits: *limits,
            builder: IndexBuilder::after(&entries, chunk_bytes),
            file: None,
            len,
            last_block: ours[block_floor(len) as usize..].to_vec(),
            new: Vec::new(),
            is_due: others.iter().any(|byte| *byte != 0),
        };
        let from = tail.builder.position();
        let (builder, new) = (&mut tail.builder, &mut tail.new);
        scan_batches(log, from, position, |_, header, batch| {
            new.extend(builder.add(header, batch));
            true
        })
        .await?;
        Ok(tail)
    }

    /// Takes the batches that the lap writes.
    pub(super) fn add(&mut self, write: &SegmentWrite) {
        let mut skip = (write.synced - write.start) as usize;
        for slice in &write.slices {
            let skipped = skip.min(slice.len());
            skip -= skipped;
            for batch in Batches::new(&slice[skipped..]) {
                let (_, header, batch) = batch.expect("the tail holds whole batches");
                self.add_batch(&header, batch);
            }
        }
        if write.finish {
            self.end();
        }
    }

    /// Takes the next batch, whole.
    pub(super) fn add_batch(&mut self, header: &BatchHeader, batch: &[u8]) {
        self.new.extend(self.builder.add(header, batch));
    }

    /// No batch follows.
    pub(super) fn end(&mut self) {
        self.new.extend(self.builder.finish());
        self.is_due = true;
    }

    /// Where the log goes on.
    pub(super) fn position(&self) -> u64 {
        self.builder.position()
    }

    /// Writes the new entries if they are enough, and syncs them. Answers whether the file is new.
    pub(super) async fn flush<R: Runtime>(
        &mut self,
        disk: &D,
        runtime: &R,
        syncing: Syncing,
    ) -> Result<bool, WriteError> {
        let enough = match self.is_due {
            true => 1,
            false => self.limits.index_entries_together,
        };
        if self.new.len() < enough {
            return Ok(false);
        }
        let is_new = self.len == 0;
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = open_for_writing(disk, runtime, &self.path).await?;
                // Entries of an attempt that did not count must not follow ours.
                file.set_len(self.len).await?;
                file
            }
        };
        let mut bytes = std::mem::take(&mut self.last_block);
        let start = self.len - bytes.len() as u64;
        if is_new {
            let header = encode_index_header(self.base, self.limits.index_chunk_bytes);
            bytes.extend_from_slice(&header);
        }
        for entry in self.new.drain(..) {
            bytes.extend_from_slice(&entry.encode(self.base));
        }
        self.len = start + bytes.len() as u64;
        self.last_block = bytes[block_floor(bytes.len() as u64) as usize..].to_vec();
        file.allocate(start, block_ceil(self.len)).await?;
        write_slices(disk, &file, start, &[Bytes::from(bytes)]).await?;
        if syncing == Syncing::Each {
            file.sync().await?;
        }
        self.file = Some(file);
        self.is_due = false;
        Ok(is_new)
    }

    /// The segment is closed: cuts the file to its length and says what is in it.
    pub(super) async fn finish<R: Runtime>(
        mut self,
        disk: &D,
        runtime: &R,
    ) -> Result<SideFile, WriteError> {
        if self.len == 0 {
            return Ok(SideFile::default());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => open_for_writing(disk, runtime, &self.path).await?,
        };
        file.set_len(self.len).await?;
        file.sync().await?;
        let crc = crc_of_file(&file, self.len).await?;
        file.close().await?;
        Ok(SideFile {
            bytes: self.len,
            crc,
        })
    }

    /// The open file, to be closed. It is opened again when there is something to write.
    pub(super) fn let_go(&mut self) -> Option<D::File> {
        self.file.take()
    }
}

async fn crc_of_file<F: DiskFile>(file: &F, len: u64) -> Result<u32, DiskError> {
    let mut crc = Crc32c::new();
    let mut at = 0;
    while at < len {
        let buffer = file.read_at(at, READ_BYTES).await?;
        let end = buffer.as_bytes().len().min((len - at) as usize);
        if end == 0 {
            break;
        }
        crc.update(&buffer.as_bytes()[..end]);
        at += end as u64;
    }
    Ok(crc.finish())
}

/// The whole index file; nothing when there is none.
pub(super) async fn read_index<D: Disk>(
    disk: &D,
    path: &std::path::Path,
) -> Result<Vec<u8>, DiskError> {
    let file = match disk.open(path, OpenMode::Read).await {
        Ok(file) => file,
        Err(DiskError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    loop {
        let Some(buffer) = if_readable(file.read_at(bytes.len() as u64, READ_BYTES).await)? else {
            // As good as none: it is made anew from the log.
            bytes.clear();
            break;
        };
        bytes.extend_from_slice(buffer.as_bytes());
        if buffer.as_bytes().len() < READ_BYTES {
            break;
        }
    }
    file.close().await?;
    Ok(bytes)
}

const _: () = assert!(READ_BYTES.is_multiple_of(BLOCK));
