//! The file of a segment as compaction leaves it, while it is written: under a name that nobody reads, until it is whole.

use super::cut::cut;
use super::disk::{Disk, DiskError, DiskFile};
use super::index_tail::IndexTail;
use super::journal_writes::JournalWrites;
use super::runtime::Runtime;
use super::segment_file::{Syncing, WriteError, open_for_writing};
use super::shared::Shared;
use super::write::write_slices;
use crate::base::align::{BLOCK, block_ceil, block_floor};
use crate::base::ids::PartitionId;
use crate::base::limits::{COMPACTION_WRITE_BYTES, Limits};
use crate::log::paths::{partition_folder, segment_path, unfinished_segment_path};
use crate::log::segment::{Segment, SegmentFileKind, SegmentName, grow_target};
use crate::record::BatchHeader;
use bytes::Bytes;
use std::path::{Path, PathBuf};

const _: () = assert!(COMPACTION_WRITE_BYTES.is_multiple_of(BLOCK));

/// Where a rewritten segment lies.
pub(super) struct RewritePaths {
    folder: PathBuf,
    unfinished: PathBuf,
    log: PathBuf,
    index: PathBuf,
}

impl RewritePaths {
    pub(super) fn new(root: &Path, id: PartitionId, name: SegmentName) -> RewritePaths {
        RewritePaths {
            folder: partition_folder(root, id),
            unfinished: unfinished_segment_path(root, id, name),
            log: segment_path(root, id, name, SegmentFileKind::Log),
            index: segment_path(root, id, name, SegmentFileKind::Index),
        }
    }

    /// Removes what was written, when it is not wanted after all.
    pub(super) async fn remove<D: Disk>(&self, disk: &D) -> Result<(), DiskError> {
        for path in [&self.unfinished, &self.log, &self.index] {
            match disk.remove_file(path).await {
                Ok(()) | Err(DiskError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// One per compaction of a shard.
pub(super) struct SegmentRewriter<D: Disk> {
    disk: D,
    limits: Limits,
    journal_writes: JournalWrites,
    log: D::File,
    allocated: u64,
    index: IndexTail<D>,
    /// What follows the bytes written.
    held: Vec<u8>,
    written: u64,
    segment: Segment,
}

impl<D: Disk> SegmentRewriter<D> {
    /// `name` has never been used.
    pub(super) async fn begin<R: Runtime>(
        shared: &Shared<D, R>,
        paths: &RewritePaths,
        name: SegmentName,
    ) -> Result<SegmentRewriter<D>, WriteError> {
        let (disk, runtime, limits) = (&shared.disk, &shared.runtime, shared.settings.limits);
        let log = open_for_writing(disk, runtime, &paths.unfinished).await?;
        let path = paths.index.clone();
        let index = IndexTail::resume(disk, path, name.base, &limits, &log, 0).await?;
        Ok(SegmentRewriter {
            disk: disk.clone(),
            limits,
            journal_writes: shared.reader.journal_writes().clone(),
            log,
            allocated: 0,
            index,
            held: Vec::new(),
            written: 0,
            segment: Segment {
                rewrite: name.rewrite,
                ..Segment::new(name.base)
            },
        })
    }

    /// Takes the next batch, whole.
    pub(super) async fn add(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<(), WriteError> {
        self.segment.include(header);
        self.index.add_batch(header, batch);
        self.held.extend_from_slice(batch);
        if self.held.len() >= COMPACTION_WRITE_BYTES {
            let whole = block_floor(self.held.len() as u64) as usize;
            let rest = self.held.split_off(whole);
            let blocks = std::mem::replace(&mut self.held, rest);
            self.write(blocks).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), WriteError> {
        let end = self.written + block_ceil(bytes.len() as u64);
        if end > self.allocated {
            let target = grow_target(end, &self.limits);
            self.log.allocate(self.allocated, target).await?;
            self.allocated = target;
        }
        self.journal_writes.let_pass().await;
        let written = &mut self.written;
        *written += write_slices(&self.disk, &self.log, *written, &[Bytes::from(bytes)]).await?;
        Ok(())
    }

    /// Makes it whole and durable, then gives it its name. Answers what it is.
    pub(super) async fn finish<R: Runtime>(
        mut self,
        runtime: &R,
        paths: &RewritePaths,
    ) -> Result<Segment, WriteError> {
        let rest = std::mem::take(&mut self.held);
        if !rest.is_empty() {
            self.write(rest).await?;
        }
        let rest = async |begun| {
            self.journal_writes.rest(runtime, begun).await;
            true
        };
        cut(runtime, &self.limits, &self.log, self.segment.bytes, rest).await?;
        self.log.sync().await?;
        self.log.close().await?;
        self.index.end();
        self.index.flush(&self.disk, runtime, Syncing::Each).await?;
        let index = self.index.finish(&self.disk, runtime).await?;
        self.disk.rename(&paths.unfinished, &paths.log).await?;
        self.disk.sync_directory(&paths.folder).await?;
        Ok(Segment {
            finished: true,
            index: Some(index),
            ..self.segment
        })
    }
}
