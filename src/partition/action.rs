//! What a partition wants done, and how a parked request ends.

use crate::base::ids::Ticket;
use crate::base::offset::Offset;
use crate::base::time::{Instant, Timestamp};
use crate::log::Note;
use crate::log::offline::Offline;
use crate::record::StampedBatch;

/// Performed in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Into the tail; durable with a commit cycle, the next one if somebody waits for that.
    Append { batch: StampedBatch, awaited: bool },
    /// Durable in the same cycle as the batches around it, in this order.
    Note(Note),
    /// The request of this ticket has its answer.
    Complete { ticket: Ticket, outcome: Outcome },
}

/// Who waits for an answer, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    pub ticket: Ticket,
    pub deadline: Instant,
}

/// How a parked request ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Committed as the topic's durability asks.
    Appended(Appended),
    /// Durable: no reader sees a record below this again.
    RecordsDeleted { log_start: Offset },
    /// A reader that waited reads once more. It may find nothing new, or an error.
    DataReady,
    /// What was asked for has been done, but may not last. Never "it did not happen".
    Unknown(UnknownCause),
}

/// The answer to a produce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub base_offset: Offset,
    /// `NONE` unless the topic stamps at append.
    pub log_append_time: Timestamp,
    pub log_start: Offset,
    /// When it was in the log, and when that became as durable as its topic asks.
    pub appended_at: Instant,
    pub committed_at: Instant,
}

/// Why nobody knows whether an append or a deletion lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownCause {
    /// Not durable when the caller's deadline passed.
    Deadline,
    /// The write that carried it failed.
    Failed,
    /// The topic was deleted meanwhile.
    Closed,
}

/// Why a partition serves nothing. Refuses a command before anything was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// Its log is not trusted until an operator says so.
    Offline(Offline),
    /// The data directory failed; only a restart verifies what is there.
    Failed,
    /// Its topic was deleted.
    Closed,
}
