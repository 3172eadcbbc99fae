//! Why a broker did not start. Each is one line that says what, and how to fix it.

use crate::base::ids::NodeId;
use crate::control::replay_error::ReplayError;
use crate::storage::disk::DiskError;
use crate::storage::errors::OpenError;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub enum StartError {
    IoUringDisabled {
        switch: String,
    },
    IoUringBlocked,
    MemlockTooSmall {
        bytes: u64,
        shards: usize,
    },
    Runtime {
        reason: String,
    },
    UnknownHost {
        host: String,
    },
    PortTaken {
        address: SocketAddr,
    },
    PortNotPermitted {
        address: SocketAddr,
    },
    AddressUnusable {
        address: SocketAddr,
        reason: String,
    },
    DirectoryUnusable {
        path: PathBuf,
        reason: String,
    },
    DirectoryInMemory {
        path: PathBuf,
    },
    DirectoryInUse {
        path: PathBuf,
    },
    DirectoryOfOtherNode {
        path: PathBuf,
        expected: NodeId,
        found: NodeId,
    },
    DirectoryDamaged {
        path: PathBuf,
        reason: String,
    },
    /// A write or sync failed before.
    DirectoryFailed {
        path: PathBuf,
    },
    DiskFull {
        path: PathBuf,
        needed: u64,
    },
    /// `--accept-loss` of a partition that does not exist.
    UnknownPartition {
        name: String,
    },
    Disk(DiskError),
    /// A thread of the broker ended before it served.
    Shard {
        reason: String,
    },
}

impl std::error::Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::IoUringDisabled { switch } => write!(
                f,
                "io_uring is not permitted (kernel.io_uring_disabled = {switch}). \
                 Fix: sysctl -w kernel.io_uring_disabled=0"
            ),
            StartError::IoUringBlocked => write!(
                f,
                "io_uring is blocked by a seccomp filter, as container runtimes do by default. \
                 Fix: a profile that allows io_uring_setup, io_uring_enter and io_uring_register"
            ),
            StartError::MemlockTooSmall { bytes, shards } => write!(
                f,
                "locked memory is limited to {} KiB, a shard needs at least 512 KiB ({shards} shards). \
                 Fix: LimitMEMLOCK=infinity (systemd), --ulimit memlock=-1 (containers), or ulimit -l unlimited",
                bytes / 1024
            ),
            StartError::Runtime { reason } => write!(
                f,
                "the io_uring runtime cannot start: {reason}. Fix: Linux 5.15 or later with io_uring"
            ),
            StartError::UnknownHost { host } => write!(
                f,
                "the host {host} has no address. Fix: --listen with a name or address of this machine"
            ),
            StartError::PortTaken { address } => write!(
                f,
                "{address} is taken by another process, perhaps another ottla. \
                 Fix: stop it, or choose another port (0 takes a free one)"
            ),
            StartError::PortNotPermitted { address } => write!(
                f,
                "{address} is not permitted to this user. \
                 Fix: a port above 1023, or the capability CAP_NET_BIND_SERVICE"
            ),
            StartError::AddressUnusable { address, reason } => write!(
                f,
                "{address} cannot be listened on: {reason}. Fix: an address of this machine"
            ),
            _ => self.describe_directory(f),
        }
    }
}

impl StartError {
    /// What opening the directory at `path` came to, in words for an operator.
    pub(super) fn of_open(path: &Path, error: OpenError) -> StartError {
        let path = path.to_owned();
        let damaged = |reason: String| StartError::DirectoryDamaged {
            path: path.clone(),
            reason,
        };
        match error {
            OpenError::InUse { .. } => StartError::DirectoryInUse { path },
            OpenError::WrongNode { expected, found } => StartError::DirectoryOfOtherNode {
                path,
                expected,
                found,
            },
            OpenError::NoSpace { needed, .. } => StartError::DiskFull { path, needed },
            OpenError::Disk(DiskError::NoSpace { .. }) => StartError::DiskFull { path, needed: 0 },
            OpenError::Disk(error) => StartError::Disk(error),
            OpenError::WrongCluster { expected, found } => {
                damaged(format!("it belongs to cluster {found}, not {expected}"))
            }
            OpenError::Superblock { .. } => damaged("its superblock cannot be read".to_owned()),
            OpenError::LaterLife { .. } => {
                damaged("its superblock is older than its journals".to_owned())
            }
            OpenError::Unsupported { what, found } => {
                damaged(format!("{what} {found} was written by a newer ottla"))
            }
            OpenError::Metadata { path, position } => damaged(format!(
                "a bad record at byte {position} of {}",
                path.display()
            )),
            OpenError::MetadataMissing { .. } => damaged("its metadata is missing".to_owned()),
            OpenError::MetadataSnapshots { .. } => damaged("its metadata is unreadable".to_owned()),
            OpenError::Failed => StartError::DirectoryFailed { path },
        }
    }

    /// The records of the metadata do not make an image.
    pub(super) fn metadata(path: &Path, error: &ReplayError) -> StartError {
        StartError::DirectoryDamaged {
            path: path.to_owned(),
            reason: format!("its metadata cannot be applied ({error:?})"),
        }
    }

    fn describe_directory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::DirectoryUnusable { path, reason } => write!(
                f,
                "the data directory {} cannot be used: {reason}. \
                 Fix: --data with a directory this user may write",
                path.display()
            ),
            StartError::DirectoryInMemory { path } => write!(
                f,
                "the data directory {} is on tmpfs, which keeps nothing and has no direct I/O. \
                 Fix: --data on a disk (ext4 or xfs)",
                path.display()
            ),
            StartError::DirectoryInUse { path } => write!(
                f,
                "the data directory {} is in use by another process. \
                 Fix: stop it, or choose another directory with --data",
                path.display()
            ),
            StartError::DirectoryOfOtherNode {
                path,
                expected,
                found,
            } => write!(
                f,
                "the data directory {} belongs to node {found}, this is node {expected}. \
                 Fix: --set node.id={found}, or another directory with --data",
                path.display()
            ),
            StartError::DirectoryDamaged { path, reason } => write!(
                f,
                "the data directory {} is damaged: {reason}. Fix: restore it from a copy; nothing was changed",
                path.display()
            ),
            StartError::DirectoryFailed { path } => write!(
                f,
                "a write to the data directory {} failed; the log names the file. \
                 Fix: the disk, then start again, which verifies everything",
                path.display()
            ),
            StartError::DiskFull { path, needed } if *needed > 0 => write!(
                f,
                "the disk of {} is full, starting needs {} MiB more. Fix: free space or move the directory",
                path.display(),
                needed.div_ceil(1 << 20)
            ),
            StartError::DiskFull { path, .. } => write!(
                f,
                "the disk of {} is full. Fix: free space or move the directory",
                path.display()
            ),
            StartError::UnknownPartition { name } => write!(
                f,
                "--accept-loss {name} names a partition that does not exist; nothing was changed. \
                 Fix: the partition as the log names it"
            ),
            StartError::Disk(error) => describe_disk(f, error),
            StartError::Shard { reason } => write!(f, "a shard did not start: {reason}"),
            _ => unreachable!("described above"),
        }
    }
}

fn describe_disk(f: &mut fmt::Formatter<'_>, error: &DiskError) -> fmt::Result {
    match error {
        DiskError::NotFound { path } => write!(
            f,
            "{} has vanished. Fix: nobody but ottla may change its data directory",
            path.display()
        ),
        DiskError::NoSpace { path } => write!(
            f,
            "no space left to write {}. Fix: free space or move the directory",
            path.display()
        ),
        DiskError::Failed {
            operation,
            path,
            errno,
        } => write!(
            f,
            "{operation} of {} failed: {}. Fix: check permissions and the disk",
            path.display(),
            std::io::Error::from_raw_os_error(*errno)
        ),
    }
}
