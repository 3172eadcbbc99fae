//! The seam to the disk. `dma` implements it on io_uring, the crash tests implement it on a disk that loses writes.

use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Memory a disk can transfer: block-aligned, its content undefined until written.
pub trait Buffer: 'static {
    fn as_bytes(&self) -> &[u8];
    fn as_bytes_mut(&mut self) -> &mut [u8];
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// For reading only.
    Read,
    /// For reading and writing; created empty when absent. Writes are durable after `sync`.
    Write,
    /// Like `Write`, and each write is durable when it completes (O_DSYNC).
    WriteThrough,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskError {
    NotFound {
        path: PathBuf,
    },
    /// No room to create or to grow a file.
    NoSpace {
        path: PathBuf,
    },
    /// Any other failure, with the name of the operation and the system's error number.
    Failed {
        operation: &'static str,
        path: PathBuf,
        errno: i32,
    },
}

impl DiskError {
    /// Where no file was to grow, want of room is a failure like any other: nothing is known of what was written.
    pub(super) fn lasting(self, operation: &'static str) -> DiskError {
        match self {
            DiskError::NoSpace { path } => DiskError::Failed {
                operation,
                path,
                errno: Errno::NOSPC.raw_os_error(),
            },
            error => error,
        }
    }
}

/// What was read, or nothing where the drive cannot read: for whoever has a copy, or can do without.
pub(super) fn if_readable<T>(read: Result<T, DiskError>) -> Result<Option<T>, DiskError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(DiskError::Failed {
            operation: READ,
            path,
            errno,
        }) => {
            tracing::error!(path = %path.display(), errno, "a file cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The operation of an error that says that bytes cannot be read.
pub const READ: &str = "read";

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DirectoryEntry {
    pub name: String,
    pub is_directory: bool,
}

/// How large a volume is and how full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSpace {
    pub total_bytes: u64,
    /// What an unprivileged writer may still allocate.
    pub free_bytes: u64,
}

/// One directory tree on one file system. Cheap to clone; all clones are the same disk.
pub trait Disk: Clone + 'static {
    type Buffer: Buffer;
    type File: DiskFile<Buffer = Self::Buffer>;

    /// `len` is a multiple of the block size.
    fn allocate(&self, len: usize) -> Self::Buffer;

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<Self::File, DiskError>;
    /// Creates the directory and what is missing above it.
    async fn create_directory(&self, path: &Path) -> Result<(), DiskError>;
    /// Sorted by name; an absent directory is `NotFound`.
    async fn list(&self, path: &Path) -> Result<Vec<DirectoryEntry>, DiskError>;
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    async fn remove_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes an empty directory.
    async fn remove_directory(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes names created, renamed or removed in this directory durable.
    async fn sync_directory(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes durable whatever was written to any file of the file system that holds `path`, and every name in it.
    async fn sync_file_system(&self, path: &Path) -> Result<(), DiskError>;
    /// The volume that holds `path`.
    async fn space(&self, path: &Path) -> Result<DiskSpace, DiskError>;
}

/// An open file. Clones share one descriptor and its lock.
#[expect(
    clippy::len_without_is_empty,
    reason = "a file's length is a question to the disk"
)]
pub trait DiskFile: Clone + 'static {
    type Buffer: Buffer;

    /// Reads `len` bytes; fewer at the end of the file. Position and `len` are block-aligned.
    async fn read_at(&self, position: u64, len: usize) -> Result<Self::Buffer, DiskError>;
    /// Writes the whole buffer or fails. Position and length are block-aligned. `NoSpace` only where the file would grow:
    /// an error within what it holds leaves nothing known.
    async fn write_at(&self, buffer: Self::Buffer, position: u64) -> Result<(), DiskError>;
    /// Makes completed writes and the length durable.
    async fn sync(&self) -> Result<(), DiskError>;
    async fn len(&self) -> Result<u64, DiskError>;
    /// Cuts or extends; an extension reads as zeros.
    async fn set_len(&self, len: u64) -> Result<(), DiskError>;
    /// Allocates `start..end` on the medium and extends the length to `end`; bytes that were there stay.
    async fn allocate(&self, start: u64, end: u64) -> Result<(), DiskError>;
    /// Takes the exclusive lock of the open file; false when another open file holds it.
    async fn try_lock(&self) -> Result<bool, DiskError>;
    /// Waits for what is in flight and gives the descriptor and its lock back, unless a clone is alive.
    async fn close(self) -> Result<(), DiskError>;
}
