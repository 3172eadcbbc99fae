//! Why a coordinator refuses. Each is a Kafka code of the same name; `server` maps them.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    InvalidGroupId,
    InvalidSessionTimeout,
    InconsistentGroupProtocol,
    UnknownMemberId,
    IllegalGeneration,
    RebalanceInProgress,
    MemberIdRequired,
    FencedInstanceId,
    GroupMaxSizeReached,
    GroupIdNotFound,
    NonEmptyGroup,
    GroupSubscribedToTopic,
    OffsetMetadataTooLarge,
    InvalidCommitOffsetSize,
    /// The leader's assignment is larger than a record may be.
    AssignmentTooLarge,
    /// What was written is being read back; nothing was done.
    LoadInProgress,
    /// Nothing was done: no room, too much at once, or the log has failed.
    NotAvailable,
    /// The coordinator has ended here.
    NotCoordinator,
    /// Written, but nobody knows whether it lasts.
    FateUnknown,
}
