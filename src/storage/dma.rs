//! The disk on io_uring: direct I/O through glommio, on the executor that opened the file.
//!
//! A future returned from here that owns a buffer must run to its end: dropped after submission, nobody learns
//! whether its bytes reached the disk (the runtime keeps the memory until the kernel is done). Name operations block,
//! so they run on the executor's helper thread.

use super::disk::{Buffer, DirectoryEntry, Disk, DiskError, DiskFile, DiskSpace, OpenMode, READ};
use crate::base::align::{BLOCK, block_floor};
use glommio::io::{DmaBuffer, DmaFile, OpenOptions, ReadResult};
use rustix::fs::{FlockOperation, OFlags, flock, statvfs, syncfs};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The machine's file systems, seen from one executor.
#[derive(Clone, Default)]
pub struct DmaDisk(());

/// An open file of one executor. Clones share the descriptor.
#[derive(Clone)]
pub struct DmaDiskFile(Rc<OpenFile>);

struct OpenFile {
    file: DmaFile,
    path: PathBuf,
}

/// Memory of the runtime: our own to fill, or the kernel's answer to a read.
pub enum DmaMemory {
    Owned(DmaBuffer),
    Answer(ReadResult),
}

impl DmaDisk {
    pub fn new() -> DmaDisk {
        DmaDisk::default()
    }
}

impl Buffer for DmaMemory {
    fn as_bytes(&self) -> &[u8] {
        match self {
            DmaMemory::Owned(buffer) => buffer.as_bytes(),
            DmaMemory::Answer(answer) => answer,
        }
    }

    fn as_bytes_mut(&mut self) -> &mut [u8] {
        if let DmaMemory::Answer(answer) = self {
            *self = DmaMemory::Owned(copy_of(answer));
        }
        match self {
            DmaMemory::Owned(buffer) => buffer.as_bytes_mut(),
            DmaMemory::Answer(_) => unreachable!("an answer was replaced by its copy above"),
        }
    }
}

impl Disk for DmaDisk {
    type Buffer = DmaMemory;
    type File = DmaDiskFile;

    fn allocate(&self, len: usize) -> DmaMemory {
        assert!(
            len.is_multiple_of(BLOCK),
            "direct I/O moves whole blocks, not {len} bytes"
        );
        DmaMemory::Owned(glommio::allocate_dma_buffer(len))
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<DmaDiskFile, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true);
        if mode != OpenMode::Read {
            options.write(true).create(true);
        }
        if mode == OpenMode::WriteThrough {
            let flag = i32::try_from(OFlags::DSYNC.bits()).expect("a flag of open(2) is an int");
            options.custom_flags(flag);
        }
        match options.dma_open(path).await {
            Ok(file) => Ok(DmaDiskFile(Rc::new(OpenFile {
                file,
                path: path.to_path_buf(),
            }))),
            Err(error) => Err(failure("open", path, error.raw_os_error())),
        }
    }

    async fn create_directory(&self, path: &Path) -> Result<(), DiskError> {
        blocking("mkdir", path, |path| std::fs::create_dir_all(path)).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        blocking("list", path, |path| {
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                entries.push(DirectoryEntry {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    is_directory: entry.file_type()?.is_dir(),
                });
            }
            entries.sort();
            Ok(entries)
        })
        .await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let to = to.to_path_buf();
        blocking("rename", from, move |from| std::fs::rename(from, to)).await
    }

    async fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        blocking("unlink", path, |path| std::fs::remove_file(path)).await
    }

    async fn remove_directory(&self, path: &Path) -> Result<(), DiskError> {
        blocking("rmdir", path, |path| std::fs::remove_dir(path)).await
    }

    /// A full fsync: whether fdatasync makes names durable is left to the file system.
    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError> {
        blocking("sync directory", path, |path| {
            std::fs::File::open(path)?.sync_all()
        })
        .await
        .map_err(|error| error.lasting("sync directory"))
    }

    async fn sync_file_system(&self, path: &Path) -> Result<(), DiskError> {
        blocking("sync file system", path, |path| {
            syncfs(std::fs::File::open(path)?).map_err(io::Error::from)
        })
        .await
        .map_err(|error| error.lasting("sync file system"))
    }

    async fn space(&self, path: &Path) -> Result<DiskSpace, DiskError> {
        blocking("statvfs", path, |path| {
            let found = statvfs(path)?;
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            Ok(DiskSpace {
                total_bytes: bytes(found.f_blocks),
                free_bytes: bytes(found.f_bavail),
            })
        })
        .await
    }
}

impl DiskFile for DmaDiskFile {
    type Buffer = DmaMemory;

    async fn read_at(&self, position: u64, len: usize) -> Result<DmaMemory, DiskError> {
        assert_aligned(position, len);
        let read = self.0.file.read_at_aligned(position, len).await;
        read.map(DmaMemory::Answer)
            .map_err(|error| self.failure(READ, error.raw_os_error()))
    }

    async fn write_at(&self, buffer: DmaMemory, position: u64) -> Result<(), DiskError> {
        let mut buffer = match buffer {
            DmaMemory::Owned(buffer) => Rc::new(buffer),
            DmaMemory::Answer(answer) => Rc::new(copy_of(&answer)),
        };
        let mut position = position;
        assert_aligned(position, buffer.len());
        while !buffer.is_empty() {
            let written = self.0.file.write_rc_at(buffer.clone(), position).await;
            let written = match written {
                Ok(written) => written,
                Err(error) => return Err(self.write_failure(position, error.raw_os_error()).await),
            };
            if written == buffer.len() {
                return Ok(());
            }
            // A short write is legal; the rest is tried again from the last whole block. No progress is an error.
            let whole = block_floor(written as u64) as usize;
            if whole == 0 {
                return Err(self.failure("short write", None));
            }
            buffer = Rc::new(copy_of(&buffer.as_bytes()[whole..]));
            position += whole as u64;
        }
        Ok(())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let done = self.0.file.fdatasync().await;
        done.map_err(|error| self.failure("sync", error.raw_os_error()).lasting("sync"))
    }

    async fn len(&self) -> Result<u64, DiskError> {
        let len = self.0.file.file_size().await;
        len.map_err(|error| self.failure("stat", error.raw_os_error()))
    }

    async fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let done = self.0.file.truncate(len).await;
        done.map_err(|error| self.failure("truncate", error.raw_os_error()))
    }

    /// Allocates from the beginning: what is allocated already costs nothing, and a hole before `start` is filled.
    async fn allocate(&self, start: u64, end: u64) -> Result<(), DiskError> {
        debug_assert!(start <= end);
        let done = self.0.file.pre_allocate(end, false).await;
        done.map_err(|error| self.failure("allocate", error.raw_os_error()))
    }

    async fn try_lock(&self) -> Result<bool, DiskError> {
        match flock(&self.0.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(self.failure("lock", Some(error.raw_os_error()))),
        }
    }

    async fn close(self) -> Result<(), DiskError> {
        match Rc::try_unwrap(self.0) {
            Ok(OpenFile { file, path }) => match file.close().await {
                Ok(()) => Ok(()),
                Err(error) => Err(failure("close", &path, error.raw_os_error())),
            },
            Err(_) => Ok(()),
        }
    }
}

impl DmaDiskFile {
    fn failure(&self, operation: &'static str, errno: Option<i32>) -> DiskError {
        failure(operation, &self.0.path, errno)
    }

    /// No room is a reason to wait only where the file was to grow. Into what is allocated it is a failure of what lies
    /// below, and of what was written nothing is known.
    async fn write_failure(&self, position: u64, errno: Option<i32>) -> DiskError {
        match self.len().await {
            Ok(len) if position >= len => self.failure("write", errno),
            _ => self.failure("write", errno).lasting("write"),
        }
    }
}

/// Runs a blocking call on the executor's helper thread.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    path: &Path,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, DiskError> {
    let owned = path.to_path_buf();
    glommio::executor()
        .spawn_blocking(move || call(&owned))
        .await
        .map_err(|error| failure(operation, path, error.raw_os_error()))
}

fn failure(operation: &'static str, path: &Path, errno: Option<i32>) -> DiskError {
    let path = path.to_path_buf();
    match errno.map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => DiskError::NotFound { path },
        Some(Errno::NOSPC | Errno::DQUOT) => DiskError::NoSpace { path },
        // An error without a number comes from the runtime, not from the system; it is no less a failure.
        errno => DiskError::Failed {
            operation,
            path,
            errno: errno.unwrap_or(Errno::IO).raw_os_error(),
        },
    }
}

fn copy_of(bytes: &[u8]) -> DmaBuffer {
    let mut buffer = glommio::allocate_dma_buffer(bytes.len());
    buffer.as_bytes_mut().copy_from_slice(bytes);
    buffer
}

fn assert_aligned(position: u64, len: usize) {
    assert!(
        position.is_multiple_of(BLOCK as u64) && len.is_multiple_of(BLOCK),
        "direct I/O at {position} for {len} bytes is not aligned"
    );
}

#[cfg(test)]
mod tests;
