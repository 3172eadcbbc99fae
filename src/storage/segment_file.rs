//! Segment files being written: space ahead, blocks, index entries, the cut at the end.

use super::cut::cut;
use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::index_tail::IndexTail;
use super::journal_writes::JournalWrites;
use super::locking::open_locked;
use super::runtime::Runtime;
use super::write::{write_slices, write_slices_in_parts};
use crate::base::align::block_ceil;
use crate::base::ids::PartitionId;
use crate::base::limits::Limits;
use crate::base::offset::Offset;
use crate::log::partition_log::SegmentWrite;
use crate::log::paths::{
    partition_folder, segment_path, topic_folder, topic_name_file, topics_folder,
};
use crate::log::segment::{SegmentFileKind, SegmentName, SideFile, grow_target};
use futures_lite::future::zip;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Ends of indexes that are known, a few KiB each at most. One that is not is read again, and the log behind it.
const INDEX_TAILS_MAX: usize = 16_384;

/// Why a lap could not write: the disk is full, which passes, or it failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum WriteError {
    NoSpace,
    Failed(DiskError),
}

impl From<DiskError> for WriteError {
    fn from(error: DiskError) -> WriteError {
        match error {
            DiskError::NoSpace { .. } => WriteError::NoSpace,
            error => WriteError::Failed(error),
        }
    }
}

/// What several writes came to: all of it, or what went wrong. A failure outweighs a full disk: only the latter passes.
pub(super) fn all_written<T>(
    results: impl IntoIterator<Item = Result<T, WriteError>>,
) -> Result<Vec<T>, WriteError> {
    let (mut written, mut full) = (Vec::new(), false);
    for result in results {
        match result {
            Ok(done) => written.push(done),
            Err(WriteError::NoSpace) => full = true,
            Err(failed) => return Err(failed),
        }
    }
    match full {
        true => Err(WriteError::NoSpace),
        false => Ok(written),
    }
}

/// How the files of a lap become durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Syncing {
    Each,
    /// With one sync of the file system: for many files that is sooner done.
    Together,
}

/// A segment that a lap writes to. Its file is locked while it is open.
struct OpenSegment<D: Disk> {
    log: D::File,
    allocated: Cell<u64>,
    used: Cell<u64>,
}

/// Partition and base offset.
type SegmentKey = (PartitionId, Offset);
type OpenSegments<D> = BTreeMap<SegmentKey, Rc<OpenSegment<D>>>;

/// A closed segment whose file work is done, for its `Sealed` entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Finished {
    pub(super) base: Offset,
    pub(super) bytes: u64,
    pub(super) index: SideFile,
}

/// The files that this shard writes. Used by one lap at a time.
pub(super) struct SegmentFiles<D: Disk> {
    disk: D,
    root: PathBuf,
    limits: Limits,
    open: RefCell<OpenSegments<D>>,
    /// The keys of `open`, those used longest ago first.
    by_use: RefCell<BTreeMap<u64, SegmentKey>>,
    /// Also of segments that are not open; none of those that a lap has in its hands.
    indexes: RefCell<BTreeMap<SegmentKey, IndexTail<D>>>,
    /// Partitions whose folders exist.
    folders: RefCell<BTreeSet<PartitionId>>,
    /// Folders with names that may not be durable yet.
    new_names: RefCell<BTreeSet<PathBuf>>,
    clock: Cell<u64>,
    written: Cell<u64>,
    journal_writes: JournalWrites,
}

impl<D: Disk> SegmentFiles<D> {
    pub(super) fn new(
        disk: &D,
        root: PathBuf,
        limits: Limits,
        journal_writes: JournalWrites,
    ) -> SegmentFiles<D> {
        SegmentFiles {
            disk: disk.clone(),
            root,
            limits,
            open: RefCell::default(),
            by_use: RefCell::default(),
            indexes: RefCell::default(),
            folders: RefCell::default(),
            new_names: RefCell::default(),
            clock: Cell::new(0),
            written: Cell::new(0),
            journal_writes,
        }
    }

    /// Writes what a lap captured of one partition, and syncs its files unless that happens together. What it finished
    /// and wrote is only to be relied on after `sync`.
    pub(super) async fn flush<R: Runtime>(
        &self,
        runtime: &R,
        id: PartitionId,
        topic_name: &str,
        writes: Vec<SegmentWrite>,
        syncing: Syncing,
    ) -> Result<Vec<Finished>, WriteError> {
        let mut finished = Vec::new();
        self.create_folder(id, topic_name).await?;
        for write in writes {
            let segment = self.open_segment(runtime, id, write.segment.name()).await?;
            let entries = self.write_index(runtime, id, &segment, &write, syncing);
            let (written, indexed) = zip(self.write(&segment, &write), entries).await;
            all_written([written, indexed])?;
            if write.finish {
                cut(
                    runtime,
                    &self.limits,
                    &segment.log,
                    write.segment.bytes,
                    async |_| true,
                )
                .await?;
            }
            if syncing == Syncing::Each {
                segment.log.sync().await?;
            }
            if write.finish {
                finished.push(self.finish(runtime, id, segment, &write).await?);
            }
        }
        Ok(finished)
    }

    /// For a lap of so many partitions.
    pub(super) fn syncing(&self, partitions: usize) -> Syncing {
        match partitions > self.limits.syncs_of_lap_max {
            true => Syncing::Together,
            false => Syncing::Each,
        }
    }

    /// Makes durable what was written since the last time: new names, and with `Together` the files too.
    pub(super) async fn sync(&self, syncing: Syncing) -> Result<(), DiskError> {
        match syncing {
            Syncing::Each => {
                let folders = self.new_names.borrow().clone();
                for folder in &folders {
                    match self.disk.sync_directory(folder).await {
                        // Removed since a lap that did not end: its names are nobody's any more.
                        Err(DiskError::NotFound { .. }) => {}
                        synced => synced?,
                    }
                }
            }
            Syncing::Together => {
                self.disk.sync_file_system(&self.root).await?;
                // With nothing in its own log, XFS leaves the drive's cache alone; after a file's sync it does not.
                let segment = self.open.borrow().values().next().cloned();
                if let Some(segment) = segment {
                    segment.log.sync().await?;
                }
            }
        }
        self.new_names.borrow_mut().clear();
        Ok(())
    }

    fn note_new_name(&self, folder: PathBuf) {
        self.new_names.borrow_mut().insert(folder);
    }

    /// Bytes written to segments and indexes so far.
    pub(super) fn written(&self) -> u64 {
        self.written.get()
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.borrow().len()
    }

    async fn write(
        &self,
        segment: &OpenSegment<D>,
        write: &SegmentWrite,
    ) -> Result<(), WriteError> {
        if write.slices.is_empty() {
            return Ok(());
        }
        let end = block_ceil(write.segment.bytes);
        self.grow(segment, end).await?;
        let (log, slices) = (&segment.log, &write.slices);
        let part_bytes = || self.journal_writes.lap_write_bytes();
        let written = write_slices_in_parts(&self.disk, log, write.start, slices, part_bytes);
        let written = written.await?;
        self.written.set(self.written.get() + written);
        Ok(())
    }

    /// Makes room up to `end`, and ahead of it by what the file holds, so that a write never asks for space.
    async fn grow(&self, segment: &OpenSegment<D>, end: u64) -> Result<(), WriteError> {
        let allocated = segment.allocated.get();
        if end <= allocated {
            return Ok(());
        }
        let target = grow_target(end, &self.limits);
        let grown = match segment.log.allocate(allocated, target).await {
            Err(DiskError::NoSpace { .. }) if target > end => {
                segment.log.allocate(allocated, end).await?;
                end
            }
            result => result.map(|()| target)?,
        };
        segment.allocated.set(grown);
        Ok(())
    }

    async fn write_index<R: Runtime>(
        &self,
        runtime: &R,
        id: PartitionId,
        segment: &OpenSegment<D>,
        write: &SegmentWrite,
        syncing: Syncing,
    ) -> Result<(), WriteError> {
        let name = write.segment.name();
        let path = segment_path(&self.root, id, name, SegmentFileKind::Index);
        let key = (id, name.base);
        let known = self.indexes.borrow_mut().remove(&key);
        let mut index = match known {
            Some(index) if index.position() == write.synced => index,
            astray => {
                // It would keep the lock that the other one needs.
                close(astray.and_then(|mut index| index.let_go())).await?;
                let (log, limits) = (&segment.log, &self.limits);
                IndexTail::resume(&self.disk, path, name.base, limits, log, write.synced).await?
            }
        };
        index.add(write);
        if index.flush(&self.disk, runtime, syncing).await? {
            self.note_new_name(partition_folder(&self.root, id));
        }
        if self.indexes.borrow().len() >= INDEX_TAILS_MAX && !write.finish {
            return Ok(close(index.let_go()).await?);
        }
        self.indexes.borrow_mut().insert(key, index);
        Ok(())
    }

    async fn finish<R: Runtime>(
        &self,
        runtime: &R,
        id: PartitionId,
        segment: Rc<OpenSegment<D>>,
        write: &SegmentWrite,
    ) -> Result<Finished, WriteError> {
        let base = write.segment.base;
        self.take_open(&(id, base));
        let index = self.indexes.borrow_mut().remove(&(id, base));
        let index = match index {
            Some(index) => index.finish(&self.disk, runtime).await?,
            None => SideFile::default(),
        };
        close(log_of(segment)).await?;
        Ok(Finished {
            base,
            bytes: write.segment.bytes,
            index,
        })
    }

    async fn open_segment<R: Runtime>(
        &self,
        runtime: &R,
        id: PartitionId,
        name: SegmentName,
    ) -> Result<Rc<OpenSegment<D>>, WriteError> {
        let key = (id, name.base);
        if let Some(segment) = self.open.borrow().get(&key) {
            self.use_now(key, segment);
            return Ok(segment.clone());
        }
        self.close_oldest().await?;
        let path = segment_path(&self.root, id, name, SegmentFileKind::Log);
        let log = open_for_writing(&self.disk, runtime, &path).await?;
        let allocated = log.len().await?;
        if allocated == 0 {
            self.note_new_name(partition_folder(&self.root, id));
        }
        let segment = Rc::new(OpenSegment {
            log,
            allocated: Cell::new(allocated),
            used: Cell::new(0),
        });
        self.use_now(key, &segment);
        self.open.borrow_mut().insert(key, segment.clone());
        Ok(segment)
    }

    async fn close_oldest(&self) -> Result<(), DiskError> {
        if self.open.borrow().len() < self.limits.open_for_writing_max {
            return Ok(());
        }
        let oldest = {
            let (open, by_use) = (self.open.borrow(), self.by_use.borrow());
            let is_idle = |key: &&SegmentKey| Rc::strong_count(&open[*key]) == 1;
            by_use.values().find(is_idle).copied()
        };
        match oldest {
            Some(key) => self.close_files(key).await,
            None => Ok(()),
        }
    }

    /// It is the one used last from now on.
    fn use_now(&self, key: SegmentKey, segment: &OpenSegment<D>) {
        let now = self.clock.get() + 1;
        self.clock.set(now);
        let mut by_use = self.by_use.borrow_mut();
        by_use.remove(&segment.used.replace(now));
        by_use.insert(now, key);
    }

    fn take_open(&self, key: &SegmentKey) -> Option<Rc<OpenSegment<D>>> {
        let segment = self.open.borrow_mut().remove(key)?;
        self.by_use.borrow_mut().remove(&segment.used.get());
        Some(segment)
    }

    async fn close_files(&self, key: SegmentKey) -> Result<(), DiskError> {
        let index = self
            .indexes
            .borrow_mut()
            .get_mut(&key)
            .and_then(IndexTail::let_go);
        let segment = self.take_open(&key);
        close(index).await?;
        close(segment.and_then(log_of::<D>)).await
    }

    /// Makes the folder of a partition that never had a file.
    async fn create_folder(&self, id: PartitionId, topic_name: &str) -> Result<(), WriteError> {
        if self.folders.borrow().contains(&id) {
            return Ok(());
        }
        for folder in create_partition_folder(&self.disk, &self.root, id, topic_name).await? {
            self.note_new_name(folder);
        }
        self.folders.borrow_mut().insert(id);
        Ok(())
    }

    /// Closes the files of a partition, or one of them, before they are removed.
    pub(super) async fn release(
        &self,
        id: PartitionId,
        base: Option<Offset>,
    ) -> Result<(), DiskError> {
        let (first, last) = match base {
            Some(base) => (base, base),
            None => (Offset(i64::MIN), Offset::MAX),
        };
        self.close_those((id, first)..=(id, last)).await?;
        if base.is_none() {
            self.folders.borrow_mut().remove(&id);
        }
        Ok(())
    }

    pub(super) async fn close_all(&self) -> Result<(), DiskError> {
        self.close_those(..).await
    }

    /// Closes files and forgets their indexes.
    async fn close_those(
        &self,
        range: impl RangeBounds<SegmentKey> + Clone,
    ) -> Result<(), DiskError> {
        let keys: BTreeSet<SegmentKey> = {
            let (open, indexes) = (self.open.borrow(), self.indexes.borrow());
            let open = open.range(range.clone()).map(|(key, _)| *key);
            let indexes = indexes.range(range).map(|(key, _)| *key);
            open.chain(indexes).collect()
        };
        for key in keys {
            self.close_files(key).await?;
            self.indexes.borrow_mut().remove(&key);
        }
        Ok(())
    }
}

/// Makes the folder of a partition. Its name is durable when the folders answered are synced.
pub(super) async fn create_partition_folder<D: Disk>(
    disk: &D,
    root: &Path,
    id: PartitionId,
    topic_name: &str,
) -> Result<[PathBuf; 2], WriteError> {
    disk.create_directory(&partition_folder(root, id)).await?;
    write_name(disk, &topic_name_file(root, id.topic), topic_name).await?;
    Ok([topic_folder(root, id.topic), topics_folder(root)])
}

/// None while somebody else uses it.
fn log_of<D: Disk>(segment: Rc<OpenSegment<D>>) -> Option<D::File> {
    Rc::try_unwrap(segment).ok().map(|segment| segment.log)
}

async fn close<F: DiskFile>(file: Option<F>) -> Result<(), DiskError> {
    match file {
        Some(file) => file.close().await,
        None => Ok(()),
    }
}

/// Opens a file with its lock. A lock held by somebody else for so long is a failure of the directory.
pub(super) async fn open_for_writing<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    path: &Path,
) -> Result<D::File, WriteError> {
    match open_locked(disk, runtime, path, OpenMode::Write).await {
        Ok(file) => Ok(file),
        Err(OpenError::Disk(error)) => Err(error.into()),
        Err(_) => Err(WriteError::Failed(DiskError::Failed {
            operation: "lock",
            path: path.to_path_buf(),
            errno: 0,
        })),
    }
}

/// The topic's name, for people who look at the directory. Nothing reads it, so nobody waits for whoever writes it now.
async fn write_name<D: Disk>(disk: &D, path: &Path, name: &str) -> Result<(), WriteError> {
    let file = disk.open(path, OpenMode::Write).await?;
    if file.try_lock().await? && file.len().await? == 0 {
        let text = bytes::Bytes::from(format!("{name}\n"));
        let len = text.len() as u64;
        file.allocate(0, block_ceil(len)).await?;
        write_slices(disk, &file, 0, &[text]).await?;
        file.set_len(len).await?;
    }
    file.close().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_a_full_disk_whichever_comes_first() {
        let failed = || {
            WriteError::Failed(DiskError::Failed {
                operation: "sync",
                path: PathBuf::from("/data/x"),
                errno: 5,
            })
        };
        let full = || WriteError::NoSpace;
        for (results, what) in [
            (vec![Ok(1), Ok(2)], Ok(vec![1, 2])),
            (vec![Ok(1), Err(full())], Err(full())),
            (vec![Err(failed()), Err(full())], Err(failed())),
            (vec![Err(full()), Ok(1), Err(failed())], Err(failed())),
        ] {
            assert_eq!(all_written(results), what);
        }
    }
}
