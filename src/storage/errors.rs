//! Everything that can go wrong in storage, as values.

use super::disk::DiskError;
use crate::base::ids::{Life, NodeId, Uuid};
use crate::base::offset::Offset;
use std::path::PathBuf;

/// A data directory that cannot be served, with what an operator must know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// Another process holds the directory.
    InUse {
        path: PathBuf,
    },
    WrongCluster {
        expected: Uuid,
        found: Uuid,
    },
    WrongNode {
        expected: NodeId,
        found: NodeId,
    },
    /// Both slots of the superblock are damaged, or there is none beside other files.
    Superblock {
        path: PathBuf,
    },
    /// A journal of a later life than the superblock's: the newer superblock slot is damaged.
    LaterLife {
        superblock: Life,
        journal: Life,
    },
    /// A feature or format of a newer release.
    Unsupported {
        what: &'static str,
        found: u64,
    },
    /// A bad record or header of the metadata log, with valid records behind it.
    Metadata {
        path: PathBuf,
        position: u64,
    },
    /// The directory was served before, and its cluster metadata is not there.
    MetadataMissing {
        path: PathBuf,
    },
    /// No generation of the metadata can be read as a whole.
    MetadataSnapshots {
        path: PathBuf,
    },
    /// A write to superblock or metadata failed before; only a restart, which verifies everything, leads on.
    Failed,
    /// Not enough space to recover.
    NoSpace {
        path: PathBuf,
        needed: u64,
    },
    Disk(DiskError),
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> OpenError {
        OpenError::Disk(error)
    }
}

/// Why nothing can be appended now. Definite: nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRoom {
    /// Ring or pool is full; `StoreEvent::RoomAvailable` follows.
    Busy,
    /// The disk is full; `StoreEvent::RoomAvailable` follows when it no longer is.
    DiskFull,
    /// Larger than the store can ever take.
    TooLarge,
    /// The directory has failed, or the store is stopping.
    Closed,
    /// The partition is unknown, dropped or offline.
    Unavailable,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The partition is not of this shard, or was dropped.
    Unknown,
    /// The range lies below the log start or above the end.
    OutOfRange {
        log_start: Offset,
        next_offset: Offset,
    },
    /// Compaction has put other files in the place of what was read. Does not leave storage: the read begins anew.
    Replaced,
    /// Bytes that contradict their checksum or their place: what stands where the batch of this offset has to be. They
    /// claim to be so many, if that can be.
    Damaged {
        offset: Offset,
        position: u64,
        bytes: usize,
    },
    Disk(DiskError),
}

impl From<DiskError> for ReadError {
    fn from(error: DiskError) -> ReadError {
        ReadError::Disk(error)
    }
}
