//! What kind of file system a data directory would lie on. Blocking: boot asks before any executor runs.

use super::disk::DiskError;
use rustix::fs::{FsWord, statfs};
use std::path::{Path, PathBuf};

const TMPFS_MAGIC: FsWord = 0x0102_1994;
const RAMFS_MAGIC: FsWord = 0x8584_58f6;
const OVERLAY_MAGIC: FsWord = 0x794c_7630;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileSystemKind {
    /// Bytes written directly reach a device, as far as the kernel tells.
    Usable,
    /// A container's layered file system: direct I/O may be emulated, and what is written goes with the container.
    Overlay,
    /// tmpfs or ramfs: takes O_DIRECT and keeps nothing. Refused.
    Memory,
}

/// Looks at the directory, or at the nearest one above it that exists.
pub fn file_system_kind(directory: &Path) -> Result<FileSystemKind, DiskError> {
    let existing = nearest_existing(directory);
    match statfs(&existing) {
        Ok(found) => Ok(kind_of(found.f_type)),
        Err(error) => Err(DiskError::Failed {
            operation: "statfs",
            path: existing,
            errno: error.raw_os_error(),
        }),
    }
}

fn nearest_existing(directory: &Path) -> PathBuf {
    directory
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .filter(|ancestor| !ancestor.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

fn kind_of(magic: FsWord) -> FileSystemKind {
    match magic {
        TMPFS_MAGIC | RAMFS_MAGIC => FileSystemKind::Memory,
        OVERLAY_MAGIC => FileSystemKind::Overlay,
        _ => FileSystemKind::Usable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_file_systems_are_told_from_disks() {
        const EXT4_MAGIC: FsWord = 0xEF53;
        for (magic, kind) in [
            (TMPFS_MAGIC, FileSystemKind::Memory),
            (RAMFS_MAGIC, FileSystemKind::Memory),
            (OVERLAY_MAGIC, FileSystemKind::Overlay),
            (EXT4_MAGIC, FileSystemKind::Usable),
        ] {
            assert_eq!(kind_of(magic), kind, "{magic:x}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_judged_by_the_one_above() {
        let missing = Path::new("/proc/self/none/of/these");
        assert_eq!(nearest_existing(missing), Path::new("/proc/self"));
        assert_eq!(
            nearest_existing(Path::new("no-such-folder")),
            Path::new(".")
        );
        assert!(file_system_kind(missing).is_ok());
    }
}
