//! One replica's brain: what a partition appends, shows to readers, answers and remembers.
//!
//! **Owns** offset assignment, watermarks, producer state, parked requests and the condition that releases each.
//! **Never** performs I/O, reads a clock, waits, or knows of a socket or a file.
//! **Invariants**: `log_start <= last_stable <= high_watermark <= log_end` and `durable <= log_end`, checked at every
//! move; an error of a command means that nothing was appended; what was appended ends as success or as "unknown".
//! **Enter at** [`Partition`], then `append`.

mod action;
mod append;
mod log_start;
#[expect(clippy::module_inception, reason = "the folder is named for its type")]
mod partition;
mod producer_state;
mod read;
mod stats;
mod waiters;
mod watermarks;

pub use crate::config::topic::Durability;
pub use crate::log::producer_table::SequenceError;
pub use action::{Action, Appended, Caller, Outcome, Unavailable, UnknownCause};
pub use append::{AppendError, Dispatched};
pub use log_start::DeleteRecordsError;
pub use partition::{Partition, PartitionSettings, PartitionState};
pub use producer_state::ActiveProducer;
pub use read::{
    EpochEnd, FoundOffset, Isolation, OffsetAnswer, OffsetQuery, ReadError, ReadRequest, ReadView,
};
pub use stats::PartitionStats;
pub use watermarks::Watermarks;

#[cfg(test)]
mod tests;
