//! What the operating system allows this process, asked for and raised before anything starts.

use super::failure::StartError;
use crate::storage::file_system::{FileSystemKind, file_system_kind};
use glommio::GlommioError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Below this the runtime refuses to start.
pub(super) const MEMLOCK_BYTES_MIN: u64 = 512 << 10;

/// Of each shard.
const OPEN_FOR_WRITING_LEAST: u64 = 64;
const OPEN_FOR_WRITING_MOST: u64 = 16_384;

const IO_URING_SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Raises the soft limit of open files to the hard one: a connection, a segment and an index are a file each.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// The soft limit of locked memory; `None`: unlimited.
pub(super) fn memlock() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// The hard limit of open files; `None`: unlimited.
pub(super) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Segments that each of so many shards may keep open for writing: a quarter of all files, since an index may be open
/// beside each, and connections have the rest.
pub(super) fn open_for_writing_max(shards: usize) -> usize {
    let files = open_files().unwrap_or(u64::MAX) / 4 / shards as u64;
    files.clamp(OPEN_FOR_WRITING_LEAST, OPEN_FOR_WRITING_MOST) as usize
}

/// Creates the data directory if need be and refuses what cannot keep data. Returns its full path.
pub(super) fn prepare_directory(path: &Path) -> Result<PathBuf, StartError> {
    let unusable = |error: std::io::Error| match error.kind() {
        ErrorKind::StorageFull => StartError::DiskFull {
            path: path.to_owned(),
            needed: 0,
        },
        _ => StartError::DirectoryUnusable {
            path: path.to_owned(),
            reason: error.to_string(),
        },
    };
    // Looked at before it is made: what is refused leaves nothing behind.
    let kind = file_system_kind(path).map_err(StartError::Disk)?;
    if kind == FileSystemKind::Memory {
        return Err(StartError::DirectoryInMemory {
            path: path.to_owned(),
        });
    }
    std::fs::create_dir_all(path).map_err(unusable)?;
    let path = path.canonicalize().map_err(unusable)?;
    if kind == FileSystemKind::Overlay {
        tracing::warn!(
            path = %path.display(),
            "the data directory is on an overlay file system: slower, and gone with the container; mount a volume"
        );
    }
    Ok(path)
}

/// Why the executor could not be made, in words that name the fix.
pub(super) fn explain(error: &GlommioError<()>, shards: usize) -> StartError {
    let limit = memlock();
    if let Some(bytes) = limit.filter(|bytes| *bytes < MEMLOCK_BYTES_MIN) {
        return StartError::MemlockTooSmall { bytes, shards };
    }
    let text = error.to_string();
    let switch = std::fs::read_to_string(IO_URING_SWITCH).unwrap_or_default();
    let switch = switch.trim();
    if text.contains("io_uring") && text.contains("not permitted") {
        return match switch {
            "1" | "2" => StartError::IoUringDisabled {
                switch: switch.to_owned(),
            },
            _ => StartError::IoUringBlocked,
        };
    }
    StartError::Runtime { reason: text }
}
