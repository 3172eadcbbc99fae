//! A partition that recovery or a read refused to trust.

use crate::base::offset::Offset;
use std::fmt;

/// What was found. Kept in the section, so that it survives every restart until an operator accepts the loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfflineReason {
    /// A journal record was damaged and entries of this partition may have been in it.
    JournalDamaged,
    /// Journal data that leaves a gap, falls in epoch, or contradicts what it repeats.
    EntryContradicts,
    /// A segment file is missing or shorter than the log.
    SegmentShort,
    /// Both copies of the shard's snapshot are damaged.
    SnapshotDamaged,
    /// Bytes on disk that no snapshot and no journal entry speaks of.
    Unaccounted,
}

impl OfflineReason {
    pub const ALL: [OfflineReason; 5] = [
        OfflineReason::JournalDamaged,
        OfflineReason::EntryContradicts,
        OfflineReason::SegmentShort,
        OfflineReason::SnapshotDamaged,
        OfflineReason::Unaccounted,
    ];

    /// The number of this reason on disk.
    pub fn code(self) -> u8 {
        match self {
            OfflineReason::JournalDamaged => 1,
            OfflineReason::EntryContradicts => 2,
            OfflineReason::SegmentShort => 3,
            OfflineReason::SnapshotDamaged => 4,
            OfflineReason::Unaccounted => 5,
        }
    }

    pub fn from_code(code: u8) -> Option<OfflineReason> {
        OfflineReason::ALL
            .into_iter()
            .find(|reason| reason.code() == code)
    }
}

/// The verdict on a partition: why it serves nothing, and the offset up to which its log is known to be whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offline {
    pub reason: OfflineReason,
    pub position: Offset,
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OfflineReason::JournalDamaged => "a damaged journal record may have held some of it",
            OfflineReason::EntryContradicts => "its journal contradicts what is known of it",
            OfflineReason::SegmentShort => "a segment file is missing or short",
            OfflineReason::SnapshotDamaged => "both copies of its shard's snapshot are damaged",
            OfflineReason::Unaccounted => "its files are there, and nothing speaks of them",
        })
    }
}
