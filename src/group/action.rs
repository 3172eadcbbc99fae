//! What may be asked of a coordinator, what it answers, and what it wants done.

use super::error::GroupError;
use super::offsets::Committed;
use crate::base::ids::{Ticket, Uuid};
use crate::base::offset::Offset;
use bytes::Bytes;
use std::sync::Arc;

pub type GroupId = Arc<str>;

/// One request about one group. What it carries is owned: it may wait longer than the frame it came in should live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    Join(JoinRequest),
    Sync(SyncRequest),
    Heartbeat(MemberRef),
    Leave(LeaveRequest),
    Commit(CommitRequest),
    FetchOffsets(FetchOffsets),
    DeleteOffsets(DeleteOffsets),
    Describe(GroupId),
    Delete(GroupId),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinRequest {
    pub group: GroupId,
    /// Empty: a new member.
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// The member's first choice first.
    pub protocols: Vec<Protocol>,
    /// Random, for the id of a new member: the coordinator has no randomness.
    pub fresh: Uuid,
    /// JoinGroup 4 and up: a new member is first told its id (KIP-394).
    pub needs_known_id: bool,
    /// JoinGroup 9 and up: a returning static leader may be told to keep the assignment (KIP-814).
    pub knows_skip: bool,
}

/// A way to assign, and what the member has to say for it. Opaque here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    pub name: String,
    pub metadata: Bytes,
}

/// A member as it names itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberRef {
    pub group: GroupId,
    pub generation: i32,
    pub member: String,
    pub instance: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRequest {
    pub who: MemberRef,
    /// SyncGroup 5 and up.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// Of the leader: who gets what.
    pub assignments: Vec<Assignment>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    pub member: String,
    pub assignment: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaveRequest {
    pub group: GroupId,
    pub leavers: Vec<Leaver>,
}

/// With an instance and no member id: an administrator removes a static member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaver {
    pub member: String,
    pub instance: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitRequest {
    pub who: MemberRef,
    /// OffsetCommit 9 and up tells a missing group from a stale generation.
    pub knows_missing_groups: bool,
    /// OffsetCommit 2 to 4 may bring its own; else the broker's holds.
    pub retention_ms: Option<i64>,
    pub items: Vec<CommitItem>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitItem {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchOffsets {
    pub group: GroupId,
    /// None: all.
    pub wanted: Option<Vec<(Arc<str>, i32)>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteOffsets {
    pub group: GroupId,
    pub items: Vec<(Arc<str>, i32)>,
}

/// Lists stand in the order of the request's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Join(Joined),
    Sync(Result<Synced, GroupError>),
    Heartbeat(Result<(), GroupError>),
    Leave(Result<Vec<Result<(), GroupError>>, GroupError>),
    Commit(Result<Vec<Result<(), GroupError>>, GroupError>),
    FetchOffsets(Result<Vec<FoundCommit>, GroupError>),
    DeleteOffsets(Result<Vec<Result<(), GroupError>>, GroupError>),
    /// `GroupIdNotFound`: Kafka's `Dead`.
    Describe(Result<DescribedGroup, GroupError>),
    Delete(Result<(), GroupError>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The id to go on with; given even when the join was refused.
    pub member: String,
    pub result: Result<Generation, GroupError>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generation {
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    /// For the leader alone.
    pub members: Vec<GroupMember>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupMember {
    pub member: String,
    pub instance: Option<String>,
    pub metadata: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundCommit {
    pub topic: Arc<str>,
    pub partition: i32,
    pub committed: Option<Committed>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedGroup {
    pub state: super::GroupState,
    pub protocol_type: String,
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedMember {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    pub group: GroupId,
    pub protocol_type: String,
    pub state: super::GroupState,
}

/// Performed in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Append this batch to the coordinator's partition, then tell `on_written`. One at a time.
    Append {
        batch: Bytes,
    },
    /// Everything below is said again above: the log may begin here.
    Trim {
        before: Offset,
    },
    Answer {
        ticket: Ticket,
        answer: Answer,
    },
}

/// How a write failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// Nothing was written.
    Refused,
    /// It may be written; the log takes no more.
    Unknown,
}

impl Command {
    pub fn group(&self) -> &GroupId {
        match self {
            Command::Join(join) => &join.group,
            Command::Sync(sync) => &sync.who.group,
            Command::Heartbeat(who) => &who.group,
            Command::Leave(leave) => &leave.group,
            Command::Commit(commit) => &commit.who.group,
            Command::FetchOffsets(fetch) => &fetch.group,
            Command::DeleteOffsets(delete) => &delete.group,
            Command::Describe(group) | Command::Delete(group) => group,
        }
    }

    /// Whether its answer may wait for other members.
    pub fn may_wait(&self) -> bool {
        matches!(self, Command::Join(_) | Command::Sync(_))
    }

    /// The answer to this command when nothing was done.
    pub fn refusal(&self, error: GroupError) -> Answer {
        match self {
            Command::Join(join) => Answer::Join(Joined {
                member: join.member.clone(),
                result: Err(error),
            }),
            Command::Sync(_) => Answer::Sync(Err(error)),
            Command::Heartbeat(_) => Answer::Heartbeat(Err(error)),
            Command::Leave(_) => Answer::Leave(Err(error)),
            Command::Commit(_) => Answer::Commit(Err(error)),
            Command::FetchOffsets(_) => Answer::FetchOffsets(Err(error)),
            Command::DeleteOffsets(_) => Answer::DeleteOffsets(Err(error)),
            Command::Describe(_) => Answer::Describe(Err(error)),
            Command::Delete(_) => Answer::Delete(Err(error)),
        }
    }
}
