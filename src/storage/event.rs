//! What a store tells the shard that owns it.

use super::disk::DiskError;
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::log::offline::Offline;

/// Something happened. Delivered on the core that owns the store, outside of any borrow of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreEvent {
    /// Every batch below `up_to` survives a power cut.
    Durable {
        partition: PartitionId,
        up_to: Offset,
    },
    LogStartDurable {
        partition: PartitionId,
        offset: Offset,
    },
    /// Segments below `log_start` may go by the topic's retention; the partition answers with `Note::LogStart`.
    RetentionDue {
        partition: PartitionId,
        log_start: Offset,
    },
    /// A `reserve` that was refused may succeed now.
    RoomAvailable,
    /// Nothing is left of a dropped partition.
    Removed { partition: PartitionId },
    /// A partition turned out damaged and serves nothing any more.
    Damaged {
        partition: PartitionId,
        offline: Offline,
    },
    /// The directory failed: what was appended and is not yet durable is unknown, nothing is written any more.
    Failed { error: DiskError },
}

pub trait Observer {
    fn on_event(&self, event: StoreEvent);
}
