//! A shard's snapshot files: two slots of two copies. One slot holds the truth while the other is written.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::errors::OpenError;
use super::locking::open_locked;
use super::runtime::Runtime;
use super::segment_file::WriteError;
use super::write::write_slices;
use crate::base::align::{BLOCK, block_ceil};
use crate::base::ids::ShardId;
use crate::log::entry::SnapshotEntry;
use crate::log::journal_format::JournalOwner;
use crate::log::paths::{STATE_COPIES, STATE_SLOTS, state_path};
use crate::log::section::Section;
use crate::log::snapshot_format::{SnapshotBody, SnapshotHeader, decode_sections};
use bytes::Bytes;
use std::path::Path;

/// The open state files of one shard.
pub(super) struct StateFiles<D: Disk> {
    disk: D,
    files: [[D::File; STATE_COPIES]; STATE_SLOTS],
}

/// A snapshot that was read: who wrote it, and in which slot.
pub(super) struct FoundSnapshot {
    pub(super) slot: usize,
    pub(super) sections: Vec<Section>,
}

impl<D: Disk> StateFiles<D> {
    /// Opens and locks all copies, creating what is missing.
    pub(super) async fn open<R: Runtime>(
        disk: &D,
        runtime: &R,
        root: &Path,
        shard: ShardId,
    ) -> Result<StateFiles<D>, OpenError> {
        let open = async |slot, copy| {
            let path = state_path(root, shard, slot, copy);
            open_locked(disk, runtime, &path, OpenMode::Write).await
        };
        let files = [
            [open(0, 0).await?, open(0, 1).await?],
            [open(1, 0).await?, open(1, 1).await?],
        ];
        Ok(StateFiles {
            disk: disk.clone(),
            files,
        })
    }

    /// Writes both copies of a slot and syncs them.
    pub(super) async fn write(
        &self,
        slot: usize,
        owner: JournalOwner,
        generation: u64,
        covered: u64,
        body: &SnapshotBody,
    ) -> Result<SnapshotEntry, WriteError> {
        let header = body.header(owner, generation, covered);
        let mut first = vec![0; BLOCK];
        first[..header.encode().len()].copy_from_slice(&header.encode());
        let slices = [Bytes::from(first), Bytes::copy_from_slice(body.bytes())];
        for file in &self.files[slot] {
            let len = file.len().await?;
            if len < header.file_bytes() {
                file.allocate(len, header.file_bytes()).await?;
            }
            write_slices(&self.disk, file, 0, &slices).await?;
            file.sync().await?;
        }
        Ok(SnapshotEntry {
            generation,
            covered,
            crc: header.body_crc,
        })
    }

    /// The highest generation in any copy whose header can be read; a new one must be above it.
    pub(super) async fn highest_generation(&self) -> Result<u64, DiskError> {
        let mut highest = 0;
        for file in self.files.iter().flatten() {
            if let Some(header) = read_header(file).await? {
                highest = highest.max(header.generation);
            }
        }
        Ok(highest)
    }

    /// Finds a snapshot by owner, generation and the CRC its journal entry gives, in whichever copy is sound. Synced first, so that what is read here
    /// cannot vanish later.
    pub(super) async fn find(
        &self,
        owner: JournalOwner,
        generation: u64,
        crc: Option<u32>,
    ) -> Result<Option<FoundSnapshot>, DiskError> {
        for (slot, copies) in self.files.iter().enumerate() {
            for file in copies {
                file.sync().await?;
                let Some(header) = read_header(file).await? else {
                    continue;
                };
                let is_named = header.owner == owner && header.generation == generation;
                if !is_named || crc.is_some_and(|crc| crc != header.body_crc) {
                    continue;
                }
                let body = read_body(file, &header).await?;
                if let Some(sections) = decode_sections(&header, &body) {
                    return Ok(Some(FoundSnapshot { slot, sections }));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        for file in self.files.into_iter().flatten() {
            file.close().await?;
        }
        Ok(())
    }
}

async fn read_header<F: DiskFile>(file: &F) -> Result<Option<SnapshotHeader>, DiskError> {
    let block = if_readable(file.read_at(0, BLOCK).await)?;
    Ok(block.and_then(|block| SnapshotHeader::decode(block.as_bytes())))
}

async fn read_body<F: DiskFile>(file: &F, header: &SnapshotHeader) -> Result<Vec<u8>, DiskError> {
    let len = header.body_bytes as usize;
    let mut body = Vec::new();
    // The file bounds what a header can make us allocate.
    if file.len().await? < header.file_bytes() {
        return Ok(body);
    }
    let padded = block_ceil(len as u64) as usize;
    const READ_BYTES: usize = 1024 * 1024;
    while body.len() < padded {
        let wanted = READ_BYTES.min(padded - body.len());
        let read = file.read_at((BLOCK + body.len()) as u64, wanted).await;
        let Some(buffer) = if_readable(read)? else {
            break;
        };
        if buffer.as_bytes().len() < wanted {
            break;
        }
        body.extend_from_slice(buffer.as_bytes());
    }
    body.truncate(len);
    Ok(body)
}
