//! Small durable changes of one partition, which travel in the same commit cycle as its data.

use crate::base::epoch::LeaderEpoch;
use crate::base::offset::Offset;

/// What a partition wants to be durable besides batches. Takes effect in the order in which it is handed over, data
/// and notes alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A leader epoch begins here. Comes before the first batch of that epoch.
    EpochStart { epoch: LeaderEpoch, offset: Offset },
    /// Nothing below this offset is read again.
    LogStart(Offset),
    /// Everything from this offset on is void.
    Truncate { offset: Offset },
    /// No message of an older leader epoch is obeyed any more.
    Promise(LeaderEpoch),
}
