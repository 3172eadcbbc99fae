//! Consumer groups of one partition of `__consumer_offsets`: who is a member, who leads, who consumes what from where.
//!
//! **Owns** the classic group protocol, sessions, committed offsets and their expiry, and the bytes of the records that
//! keep them (Kafka's own formats).
//! **Never** performs I/O, reads a clock, or knows which shard or socket a member is behind.
//! **Invariants**: one write under way per coordinator, so that the log's order is the order of decisions; an offset is
//! shown and a commit is answered only when its record is durable; every parked join and sync is answered once.
//! **Enter at** [`Coordinator`], then `classic`.

mod action;
mod error;
mod settings;

mod coordinator;
mod replay;
mod stats;
mod turn;

mod classic;
mod describe;
mod expire;
mod join;
mod leave;
mod member;
mod rebalance;
mod subscription;
mod sync;

mod commit;
mod offsets;
mod prune;

mod rewrite;
mod state_codec;
mod state_records;
mod writes;

mod partitioner;

pub use action::{
    Action, Answer, Assignment, Command, CommitItem, CommitRequest, DeleteOffsets, DescribedGroup,
    DescribedMember, FetchOffsets, FoundCommit, Generation, GroupMember, Joined, LeaveRequest,
    Leaver, ListedGroup, MemberRef, Protocol, SyncRequest, Synced, WriteError,
};
pub use action::{GroupId, JoinRequest};
pub use classic::GroupState;
pub use coordinator::Coordinator;
pub use error::GroupError;
pub use offsets::Committed;
pub use partitioner::partition_of;
pub use settings::GroupSettings;
pub use stats::{GroupStats, OffsetPlace};

#[cfg(test)]
mod tests;
