//! The cluster metadata log: every record durable when `append` returns, snapshots so that a start reads little.
//!
//! Two generations are kept, so that a snapshot that cannot be read costs a longer replay and nothing else.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, READ};
use super::errors::OpenError;
use super::failure::DirectoryFailure;
use super::locking::open_locked;
use super::runtime::Runtime;
use crate::base::align::{BLOCK, block_ceil};
use crate::base::ids::{Incarnation, Life};
use crate::base::limits::Limits;
use crate::log::meta_format::{
    ChainPoint, FileHeader, LogContents, MetaFormatError, decode_log, decode_snapshot,
    encode_log_header, encode_record, encode_snapshot, record_bytes,
};
use crate::log::paths::{MetaFileKind, meta_folder, meta_path, parse_meta_name};
use bytes::{Bytes, BytesMut};
use std::path::{Path, PathBuf};

/// A file under construction; without its final name it means nothing.
const UNFINISHED_SUFFIX: &str = ".new";
const READ_BYTES: usize = 256 * 1024;

/// What the log held: a state, and the records after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetaRecovered {
    pub snapshot: Option<Bytes>,
    pub records: Vec<Bytes>,
}

/// The open metadata log. A node view; owned by the core that runs shard 0, one call at a time.
pub struct MetaLog<D: Disk, R: Runtime> {
    disk: D,
    runtime: R,
    folder: PathBuf,
    incarnation: Incarnation,
    log_bytes: u64,
    file: D::File,
    generation: u64,
    /// The sound generation before this one: what a start falls back to. Nothing older is kept.
    fallback: u64,
    /// This generation's own snapshot could not be read.
    snapshot_unreadable: bool,
    next: ChainPoint,
    /// Where the next record goes.
    end: u64,
    /// Length of the file: what is allocated ahead.
    len: u64,
    failure: DirectoryFailure,
}

impl<D: Disk, R: Runtime> MetaLog<D, R> {
    /// Reads the log, makes what it read durable, and continues behind it.
    ///
    /// `life` 0 means that the directory was never served, so an unfinished log may be started afresh.
    pub async fn open(
        disk: &D,
        runtime: &R,
        root: &Path,
        incarnation: Incarnation,
        life: Life,
        limits: &Limits,
        failure: &DirectoryFailure,
    ) -> Result<(MetaLog<D, R>, MetaRecovered), OpenError> {
        let folder = meta_folder(root);
        disk.create_directory(&folder).await?;
        disk.sync_directory(root).await?;
        // A name that a killed process left visible must not vanish after records were appended under it.
        disk.sync_directory(&folder).await?;
        let opening = Opening {
            disk,
            runtime,
            folder: &folder,
            incarnation,
            log_bytes: limits.meta_log_bytes as u64,
            failure,
        };
        let names = opening.names().await?;
        opening.remove_leftovers(&names).await?;
        let newest_snapshot = names.snapshots.iter().max().copied();
        if let Some(generation) = newest_snapshot.filter(|newest| !names.logs.contains(newest)) {
            let path = opening.path(MetaFileKind::Log, generation);
            return Err(OpenError::MetadataMissing { path });
        }
        match names.logs.last() {
            Some(&generation) => opening.replay(&names, generation).await,
            None if life == Life(0) => opening.begin().await,
            None => Err(OpenError::MetadataMissing { path: folder }),
        }
    }

    /// Appends the entries as one record: after a crash all of them are there, or none.
    ///
    /// `NoSpace` means that nothing was appended; after any other error it is unknown, and the directory is failed.
    pub async fn append(&mut self, entries: &[Bytes]) -> Result<(), OpenError> {
        self.failure.check()?;
        let seal = record_bytes(&[]);
        self.make_room((record_bytes(entries) + seal) as u64)
            .await?;
        self.write_record(entries).await?;
        // An empty successor, so that later damage of this record cannot be taken for a write that was torn.
        self.write_record(&[]).await
    }

    /// The log is long enough that a snapshot pays, or its own snapshot could not be read.
    pub fn wants_snapshot(&self) -> bool {
        self.end > self.log_bytes / 2 || self.snapshot_unreadable
    }

    /// Keeps the state after all records appended so far, and starts the log of the next generation.
    ///
    /// `NoSpace` leaves everything as it was.
    pub async fn write_snapshot(&mut self, state: &[u8]) -> Result<(), OpenError> {
        self.failure.check()?;
        match self.switch_generation(state).await {
            Ok(()) => Ok(()),
            Err(OpenError::Disk(error)) => {
                self.fail(&error);
                Err(error.into())
            }
            failed => failed,
        }
    }

    pub async fn close(self) -> Result<(), OpenError> {
        self.file.close().await?;
        Ok(())
    }

    /// Without room everything is as it was; after anything else nobody knows what is on the medium.
    fn fail(&self, error: &DiskError) {
        if !matches!(error, DiskError::NoSpace { .. }) {
            self.failure.set(error);
        }
    }

    async fn write_record(&mut self, entries: &[Bytes]) -> Result<(), OpenError> {
        let len = record_bytes(entries);
        let mut buffer = self.disk.allocate(len);
        let next = encode_record(buffer.as_bytes_mut(), self.incarnation, self.next, entries);
        if let Err(error) = self.file.write_at(buffer, self.end).await {
            // The space was allocated before.
            let error = error.lasting("write");
            self.fail(&error);
            return Err(error.into());
        }
        self.next = next;
        self.end += len as u64;
        Ok(())
    }

    /// Records beyond what was allocated ahead grow the file first, so that a full disk is found before the write.
    async fn make_room(&mut self, bytes: u64) -> Result<(), OpenError> {
        let end = self.end + bytes;
        if end <= self.len {
            return Ok(());
        }
        let grown = self.file.allocate(self.len, end).await;
        grown.inspect_err(|error| self.fail(error))?;
        self.len = end;
        Ok(())
    }

    async fn switch_generation(&mut self, state: &[u8]) -> Result<(), OpenError> {
        let header = FileHeader {
            incarnation: self.incarnation,
            generation: self.generation + 1,
            next: self.next,
        };
        let opening = Opening {
            disk: &self.disk,
            runtime: &self.runtime,
            folder: &self.folder,
            incarnation: self.incarnation,
            log_bytes: self.log_bytes,
            failure: &self.failure,
        };
        let file = opening.create_generation(&header, state).await?;
        // What the snapshot's sync said is void after a failed one: the generation before stays.
        self.failure.check()?;
        let previous = std::mem::replace(&mut self.file, file);
        previous.close().await?;
        if !std::mem::take(&mut self.snapshot_unreadable) {
            self.fallback = self.generation;
        }
        self.generation = header.generation;
        self.end = BLOCK as u64;
        self.len = self.log_bytes;
        self.remove_before(self.fallback).await
    }

    async fn remove_before(&self, keep_from: u64) -> Result<(), OpenError> {
        for entry in self.disk.list(&self.folder).await? {
            let named = parse_meta_name(&entry.name);
            if named.is_some_and(|(_, generation)| generation < keep_from) {
                self.disk
                    .remove_file(&self.folder.join(&entry.name))
                    .await?;
            }
        }
        self.disk.sync_directory(&self.folder).await?;
        Ok(())
    }
}

/// The steps of a start, and of a new generation.
struct Opening<'a, D: Disk, R: Runtime> {
    disk: &'a D,
    runtime: &'a R,
    folder: &'a Path,
    incarnation: Incarnation,
    log_bytes: u64,
    failure: &'a DirectoryFailure,
}

/// The files of the folder, by what they are; generations ascend.
struct Names {
    logs: Vec<u64>,
    snapshots: Vec<u64>,
    unfinished: Vec<String>,
}

impl<'a, D: Disk, R: Runtime> Opening<'a, D, R> {
    async fn names(&self) -> Result<Names, OpenError> {
        let mut names = Names {
            logs: Vec::new(),
            snapshots: Vec::new(),
            unfinished: Vec::new(),
        };
        for entry in self.disk.list(self.folder).await? {
            match parse_meta_name(&entry.name) {
                Some((MetaFileKind::Log, generation)) => names.logs.push(generation),
                Some((MetaFileKind::Snapshot, generation)) => names.snapshots.push(generation),
                None => {}
            }
            if entry.name.ends_with(UNFINISHED_SUFFIX) {
                names.unfinished.push(entry.name);
            }
        }
        Ok(names)
    }

    /// Removes what an interrupted change of generation left: no acknowledged record is in any of it.
    async fn remove_leftovers(&self, names: &Names) -> Result<(), OpenError> {
        for name in &names.unfinished {
            self.disk.remove_file(&self.folder.join(name)).await?;
        }
        Ok(())
    }

    async fn begin(&self) -> Result<(MetaLog<D, R>, MetaRecovered), OpenError> {
        let header = FileHeader {
            incarnation: self.incarnation,
            generation: 0,
            next: ChainPoint::default(),
        };
        let file = self.make_log(&header).await?;
        let path = self.path(MetaFileKind::Log, header.generation);
        self.name_file(&path).await?;
        let contents = LogContents {
            header,
            entries: Vec::new(),
            next: header.next,
            end: BLOCK as u64,
        };
        let log = self.log_after(file, &contents, 0).await?;
        Ok((log, MetaRecovered::default()))
    }

    /// Starts from the newest generation that can be read, and replays every log from there.
    async fn replay(
        &self,
        names: &Names,
        newest: u64,
    ) -> Result<(MetaLog<D, R>, MetaRecovered), OpenError> {
        let base = self.newest_readable(names).await?;
        let mut recovered = MetaRecovered {
            snapshot: base.state,
            records: Vec::new(),
        };
        let mut expected = base.next;
        for generation in base.generation..newest {
            let (file, contents) = self.read_log(generation, expected).await?;
            expected = Some(contents.next);
            recovered.records.extend(contents.entries);
            file.close().await?;
        }
        let (file, contents) = self.read_log(newest, expected).await?;
        recovered.records.extend(contents.entries.iter().cloned());
        let log = self.log_after(file, &contents, base.generation).await?;
        Ok((log, recovered))
    }

    async fn newest_readable(&self, names: &Names) -> Result<Base, OpenError> {
        for &generation in names.logs.iter().rev() {
            if generation == 0 {
                return Ok(Base::default());
            }
            let path = self.path(MetaFileKind::Snapshot, generation);
            let (file, bytes) = match self.read_file(&path, OpenMode::Read).await {
                Ok(read) => read,
                Err(OpenError::Disk(DiskError::NotFound { .. })) => continue,
                Err(OpenError::Disk(DiskError::Failed {
                    operation: READ, ..
                })) => continue,
                Err(error) => return Err(error),
            };
            file.close().await?;
            match decode_snapshot(&bytes) {
                Ok((header, state)) if self.belongs(&header, generation) => {
                    return Ok(Base {
                        generation,
                        state: Some(state),
                        next: Some(header.next),
                    });
                }
                Err(MetaFormatError::UnknownVersion(version)) => {
                    return Err(unknown_format(version));
                }
                _ => {}
            }
        }
        Err(OpenError::MetadataSnapshots {
            path: self.folder.to_path_buf(),
        })
    }

    /// Reads a log that has to continue at `expected`.
    async fn read_log(
        &self,
        generation: u64,
        expected: Option<ChainPoint>,
    ) -> Result<(D::File, LogContents), OpenError> {
        let path = self.path(MetaFileKind::Log, generation);
        let (file, bytes) = match self.read_file(&path, OpenMode::WriteThrough).await {
            Ok(read) => read,
            Err(OpenError::Disk(DiskError::NotFound { .. })) => {
                return Err(OpenError::MetadataMissing { path });
            }
            Err(error) => return Err(error),
        };
        match decode_log(&bytes) {
            Ok(contents)
                if self.belongs(&contents.header, generation)
                    && expected.is_none_or(|expected| contents.header.next == expected) =>
            {
                Ok((file, contents))
            }
            Ok(_) | Err(MetaFormatError::Header | MetaFormatError::State) => {
                Err(OpenError::Metadata { path, position: 0 })
            }
            Err(MetaFormatError::Record { position }) => {
                Err(OpenError::Metadata { path, position })
            }
            Err(MetaFormatError::UnknownVersion(version)) => Err(unknown_format(version)),
        }
    }

    fn belongs(&self, header: &FileHeader, generation: u64) -> bool {
        header.incarnation == self.incarnation && header.generation == generation
    }

    async fn log_after(
        &self,
        file: D::File,
        contents: &LogContents,
        base: u64,
    ) -> Result<MetaLog<D, R>, OpenError> {
        let generation = contents.header.generation;
        Ok(MetaLog {
            disk: self.disk.clone(),
            runtime: self.runtime.clone(),
            folder: self.folder.to_path_buf(),
            incarnation: self.incarnation,
            log_bytes: self.log_bytes,
            len: file.len().await?,
            file,
            generation,
            fallback: base.min(generation.saturating_sub(1)),
            snapshot_unreadable: base < generation,
            next: contents.next,
            end: contents.end,
            failure: self.failure.clone(),
        })
    }

    /// Makes both files, then names them. The log first: a snapshot without its log then says that the log, and what
    /// was written to it, is gone, where a log without its snapshot is an empty one that follows the generation before.
    async fn create_generation(
        &self,
        header: &FileHeader,
        state: &[u8],
    ) -> Result<D::File, OpenError> {
        let snapshot = self.path(MetaFileKind::Snapshot, header.generation);
        let bytes = encode_snapshot(header, state);
        let made = self.make_file(&snapshot, OpenMode::Write, &bytes).await?;
        made.close().await?;
        let file = match self.make_log(header).await {
            Ok(file) => file,
            Err(error) => {
                self.disk.remove_file(&unfinished(&snapshot)).await?;
                return Err(error);
            }
        };
        for path in [self.path(MetaFileKind::Log, header.generation), snapshot] {
            let named = self.name_file(&path).await;
            named.map_err(|error| error.lasting("rename"))?;
        }
        Ok(file)
    }

    /// A log is zeros to its full length before it is used: no append has to wait for the file system's own journal.
    async fn make_log(&self, header: &FileHeader) -> Result<D::File, OpenError> {
        let path = self.path(MetaFileKind::Log, header.generation);
        let mut bytes = encode_log_header(header, self.log_bytes);
        bytes.resize(self.log_bytes as usize, 0);
        let file = self.make_file(&path, OpenMode::WriteThrough, &bytes);
        file.await
    }

    /// Writes a file that will have this name, durably.
    async fn make_file(
        &self,
        path: &Path,
        mode: OpenMode,
        bytes: &[u8],
    ) -> Result<D::File, OpenError> {
        let unfinished = unfinished(path);
        let file = open_locked(self.disk, self.runtime, &unfinished, mode).await?;
        let filled = self.fill(&file, bytes).await;
        if let Err(error) = filled {
            // Without its name the file means nothing; a full disk has more use for the space.
            file.close().await?;
            self.disk.remove_file(&unfinished).await?;
            return Err(error.into());
        }
        Ok(file)
    }

    /// Gives a file its name, durably.
    async fn name_file(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.rename(&unfinished(path), path).await?;
        self.disk.sync_directory(self.folder).await
    }

    async fn fill(&self, file: &D::File, bytes: &[u8]) -> Result<(), DiskError> {
        let len = block_ceil(bytes.len() as u64);
        file.allocate(0, len).await?;
        let mut buffer = self.disk.allocate(len as usize);
        buffer.as_bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        buffer.as_bytes_mut()[bytes.len()..].fill(0);
        file.write_at(buffer, 0).await?;
        file.sync().await
    }

    /// Opens, locks unless only for reading, makes durable what is readable, and reads all of it.
    async fn read_file(&self, path: &Path, mode: OpenMode) -> Result<(D::File, Bytes), OpenError> {
        let file = match mode {
            OpenMode::Read => self.disk.open(path, mode).await?,
            _ => {
                // Opening for writing creates; a log that is missing has to be noticed.
                self.disk.open(path, OpenMode::Read).await?.close().await?;
                open_locked(self.disk, self.runtime, path, mode).await?
            }
        };
        file.sync().await?;
        let len = file.len().await?;
        let mut bytes = BytesMut::with_capacity(len as usize);
        while (bytes.len() as u64) < len {
            let position = bytes.len() as u64;
            let piece = file.read_at(position, READ_BYTES).await?;
            let piece = piece.as_bytes();
            bytes.extend_from_slice(piece);
            if !piece.len().is_multiple_of(BLOCK) || piece.is_empty() {
                break;
            }
        }
        Ok((file, bytes.freeze()))
    }

    fn path(&self, kind: MetaFileKind, generation: u64) -> PathBuf {
        meta_path(self.folder, kind, generation)
    }
}

/// Where a replay starts: the empty state of generation 0, or a snapshot.
#[derive(Default)]
struct Base {
    generation: u64,
    state: Option<Bytes>,
    next: Option<ChainPoint>,
}

/// Where a file is made before it has its name.
fn unfinished(path: &Path) -> PathBuf {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED_SUFFIX);
    PathBuf::from(unfinished)
}

fn unknown_format(version: u32) -> OpenError {
    OpenError::Unsupported {
        what: "metadata format",
        found: u64::from(version),
    }
}
