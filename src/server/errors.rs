//! The only place where an error of a layer becomes a Kafka error code.
//!
//! A definite code promises "nothing was written", and clients act on it. Where a batch may have been written, the only
//! honest answers are REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND. UNKNOWN_SERVER_ERROR means a bug.

use super::fetch_sessions::SessionError;
use crate::control::ControlError;
use crate::metrics::ErrorClass;
use crate::record::BatchRejection;
use crate::shard::request::group::GroupError;
use crate::shard::request::{
    DeleteRecordsError, ProduceError, ProducersError, ProposeError, ReadError, Response,
};
use crate::wire::ErrorCode;

/// A code, and what a person should know about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    /// Of a batch, the numbers of the records that are to blame.
    pub(super) records: Vec<usize>,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            message: message.into(),
            records: Vec::new(),
        }
    }
}

/// Why a shard answered with something else than an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unanswered {
    /// Nothing was done: too many requests are on their way to that shard.
    Busy,
    /// The shard stops; what became of the request is not known.
    Stopping,
    /// The answer belongs to another question: a bug.
    Mismatch,
}

impl From<Response> for Unanswered {
    fn from(response: Response) -> Unanswered {
        match response {
            Response::Busy => Unanswered::Busy,
            Response::Stopping => Unanswered::Stopping,
            other => {
                tracing::error!(?other, "a shard answered another question");
                Unanswered::Mismatch
            }
        }
    }
}

/// An answer that does not fit its question: a bug.
pub(super) fn mismatch() -> Refusal {
    Refusal::new(
        ErrorCode::UnknownServerError,
        "A bug in the broker; see its log.",
    )
}

/// For requests that change something.
pub(super) fn unanswered_write(unanswered: Unanswered) -> ErrorCode {
    match unanswered {
        Unanswered::Busy => ErrorCode::KafkaStorageError,
        Unanswered::Stopping => ErrorCode::RequestTimedOut,
        Unanswered::Mismatch => ErrorCode::UnknownServerError,
    }
}

/// For requests that only look.
pub(super) fn unanswered_read(unanswered: Unanswered) -> ErrorCode {
    match unanswered {
        Unanswered::Busy => ErrorCode::KafkaStorageError,
        Unanswered::Stopping => ErrorCode::NotLeaderOrFollower,
        Unanswered::Mismatch => ErrorCode::UnknownServerError,
    }
}

pub(super) fn produce(error: ProduceError) -> Refusal {
    use ErrorCode as Code;
    let (code, message) = match error {
        ProduceError::UnknownPartition => (
            Code::UnknownTopicOrPartition,
            "This broker has no such partition.",
        ),
        ProduceError::NoRoom => (
            Code::KafkaStorageError,
            "No room for the batch within the bounded wait; nothing was written.",
        ),
        ProduceError::Offline => (
            Code::KafkaStorageError,
            "The data directory or this partition has failed; nothing was written.",
        ),
        ProduceError::OutOfOrderSequence => (
            Code::OutOfOrderSequenceNumber,
            "The batch does not follow the producer's last one.",
        ),
        ProduceError::InvalidProducerEpoch => (
            Code::InvalidProducerEpoch,
            "A newer session of this producer exists.",
        ),
        ProduceError::Stopping => (
            Code::NotLeaderOrFollower,
            "The broker is stopping; nothing was written.",
        ),
        ProduceError::FateUnknown => (
            Code::RequestTimedOut,
            "Not known to be durable in time; it may be written.",
        ),
    };
    Refusal::new(code, message)
}

pub(super) fn batch(rejection: &BatchRejection) -> Refusal {
    use BatchRejection as Rejection;
    let code = match rejection {
        Rejection::Crc | Rejection::Length { .. } => ErrorCode::CorruptMessage,
        // Formats 0 and 1 are records of old; what was never a format is damage.
        Rejection::Magic { magic } if !(0..=1).contains(magic) => ErrorCode::CorruptMessage,
        Rejection::TooLarge { .. } => ErrorCode::MessageTooLarge,
        Rejection::UnknownCodec { .. } | Rejection::ZstdTooEarly => {
            ErrorCode::UnsupportedCompressionType
        }
        Rejection::TimestampType | Rejection::TimestampOutOfBounds { .. } => {
            ErrorCode::InvalidTimestamp
        }
        Rejection::Transactional => ErrorCode::TransactionalIdAuthorizationFailed,
        Rejection::TooShort { .. }
        | Rejection::Magic { .. }
        | Rejection::BeyondSlice { .. }
        | Rejection::TrailingBytes { .. }
        | Rejection::BaseOffset { .. }
        | Rejection::RecordCount { .. }
        | Rejection::LastOffsetDelta { .. }
        | Rejection::CountMismatch { .. }
        | Rejection::CountBeyondBytes { .. }
        | Rejection::DeleteHorizon
        | Rejection::Control
        | Rejection::ProducerId { .. }
        | Rejection::ProducerEpoch { .. }
        | Rejection::NoSequence { .. }
        | Rejection::NoKey { .. }
        | Rejection::Unreadable(_) => ErrorCode::InvalidRecord,
    };
    let records = match rejection {
        Rejection::NoKey { records } => records.clone(),
        _ => Vec::new(),
    };
    Refusal {
        records,
        ..Refusal::new(code, batch_message(rejection))
    }
}

fn batch_message(rejection: &BatchRejection) -> String {
    use BatchRejection as Rejection;
    match rejection {
        Rejection::TooShort { bytes } => {
            format!("A request carries one record batch per partition; {bytes} bytes are none.")
        }
        Rejection::Magic { magic } => format!("Record format {magic} is not served, only 2."),
        Rejection::BeyondSlice { .. } | Rejection::TrailingBytes { .. } => {
            "A request carries exactly one whole record batch per partition.".to_owned()
        }
        Rejection::TooLarge {
            batch_bytes,
            batch_bytes_max,
        } => format!("The batch has {batch_bytes} bytes, max.message.bytes is {batch_bytes_max}."),
        Rejection::Crc => "The checksum of the batch does not match.".to_owned(),
        Rejection::ZstdTooEarly => "Produce versions below 7 cannot carry zstd.".to_owned(),
        Rejection::NoKey { .. } => "Compacted topic cannot accept message without key.".to_owned(),
        Rejection::Transactional => TRANSACTIONS_MISSING.to_owned(),
        Rejection::TimestampOutOfBounds { timestamp, now } => format!(
            "Timestamp {} is too far from the broker's clock, {}.",
            timestamp.0, now.0
        ),
        other => format!("The batch is refused: {other:?}."),
    }
}

/// What whoever wants a transaction is told.
pub(super) const TRANSACTIONS_MISSING: &str =
    "This release has no transactions; leave transactional.id unset (idempotence works).";

pub(super) fn read(error: ReadError) -> ErrorCode {
    match error {
        ReadError::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
        ReadError::UnknownLeaderEpoch => ErrorCode::UnknownLeaderEpoch,
        ReadError::Offline => ErrorCode::KafkaStorageError,
        ReadError::Stopping => ErrorCode::NotLeaderOrFollower,
    }
}

pub(super) fn producers(error: ProducersError) -> Refusal {
    match error {
        ProducersError::Unread(error) => Refusal::new(read(error), "The partition is not served."),
        ProducersError::TooMany => Refusal::new(
            ErrorCode::PolicyViolation,
            "Too many producers for one answer; ask for fewer partitions at once.",
        ),
    }
}

pub(super) fn fetch_session(error: SessionError) -> ErrorCode {
    match error {
        SessionError::NotFound => ErrorCode::FetchSessionIdNotFound,
        SessionError::Epoch => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicIds => ErrorCode::FetchSessionTopicIdError,
    }
}

/// What a shard found for one item of a request that only looks.
pub(super) fn found<T>(result: Result<Result<T, ReadError>, Unanswered>) -> Result<T, ErrorCode> {
    result.map_err(unanswered_read)?.map_err(read)
}

pub(super) fn delete_records(error: DeleteRecordsError) -> ErrorCode {
    match error {
        DeleteRecordsError::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
        DeleteRecordsError::OffsetOutOfRange => ErrorCode::OffsetOutOfRange,
        DeleteRecordsError::Offline => ErrorCode::KafkaStorageError,
        DeleteRecordsError::Stopping => ErrorCode::NotLeaderOrFollower,
        DeleteRecordsError::FateUnknown => ErrorCode::RequestTimedOut,
    }
}

pub(super) fn propose(error: ProposeError) -> Refusal {
    match error {
        ProposeError::Busy => Refusal::new(
            ErrorCode::NotController,
            "Too many changes of the metadata wait; nothing was changed. Try again.",
        ),
        ProposeError::Unavailable => Refusal::new(
            ErrorCode::KafkaStorageError,
            "The metadata log has failed or the broker stops; nothing was changed.",
        ),
        ProposeError::NoRoom => Refusal::new(
            ErrorCode::KafkaStorageError,
            "The disk is full; nothing was changed. Try again when there is room.",
        ),
        ProposeError::FateUnknown => Refusal::new(
            ErrorCode::RequestTimedOut,
            "Not known to be durable; it may have been changed.",
        ),
    }
}

/// Refusals of a coordinator.
pub(super) fn group(error: GroupError) -> ErrorCode {
    match error {
        GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
        GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        GroupError::InconsistentGroupProtocol => ErrorCode::InconsistentGroupProtocol,
        GroupError::UnknownMemberId => ErrorCode::UnknownMemberId,
        GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
        GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
        GroupError::FencedInstanceId => ErrorCode::FencedInstanceId,
        GroupError::GroupMaxSizeReached => ErrorCode::GroupMaxSizeReached,
        GroupError::GroupIdNotFound => ErrorCode::GroupIdNotFound,
        GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        GroupError::GroupSubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
        GroupError::InvalidCommitOffsetSize => ErrorCode::InvalidCommitOffsetSize,
        GroupError::AssignmentTooLarge => ErrorCode::InvalidRequest,
        GroupError::LoadInProgress => ErrorCode::CoordinatorLoadInProgress,
        GroupError::NotAvailable => ErrorCode::CoordinatorNotAvailable,
        GroupError::NotCoordinator => ErrorCode::NotCoordinator,
        GroupError::FateUnknown => ErrorCode::RequestTimedOut,
    }
}

/// No answer from the coordinator's shard. Clients look for the coordinator again, except where they are owed to hear
/// that something may have been written.
pub(super) fn unanswered_group(unanswered: Unanswered, may_write: bool) -> ErrorCode {
    match unanswered {
        Unanswered::Busy => ErrorCode::CoordinatorNotAvailable,
        Unanswered::Stopping if may_write => ErrorCode::RequestTimedOut,
        Unanswered::Stopping => ErrorCode::NotCoordinator,
        Unanswered::Mismatch => ErrorCode::UnknownServerError,
    }
}

/// Kafka's coordinator says "loading" and "not available" here: clients try again, and an id is no loss.
pub(super) fn producer_id(error: ProposeError) -> ErrorCode {
    match error {
        ProposeError::Busy | ProposeError::FateUnknown => ErrorCode::CoordinatorLoadInProgress,
        ProposeError::Unavailable | ProposeError::NoRoom => ErrorCode::CoordinatorNotAvailable,
    }
}

pub(super) fn control(error: &ControlError) -> Refusal {
    let code = match error {
        ControlError::TopicExists { .. } => ErrorCode::TopicAlreadyExists,
        ControlError::InvalidName(_) => ErrorCode::InvalidTopicException,
        ControlError::UnknownTopic { .. } => ErrorCode::UnknownTopicOrPartition,
        ControlError::UnknownTopicId { .. } => ErrorCode::UnknownTopicId,
        ControlError::InvalidRequest(_) => ErrorCode::InvalidRequest,
        ControlError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
        ControlError::TooManyPartitions { .. } => ErrorCode::PolicyViolation,
        ControlError::InvalidReplicationFactor { .. } => ErrorCode::InvalidReplicationFactor,
        ControlError::InvalidAssignment(_) => ErrorCode::InvalidReplicaAssignment,
        ControlError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        ControlError::InvalidBrokerConfig(_) => ErrorCode::InvalidRequest,
        ControlError::TooManyGroups { .. } => ErrorCode::PolicyViolation,
        ControlError::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
        ControlError::ProducerIdsExhausted => ErrorCode::UnknownServerError,
    };
    Refusal::new(code, error.to_string())
}

/// Under which label a code is counted.
pub(super) fn class(code: ErrorCode) -> ErrorClass {
    use ErrorCode as Code;
    match code {
        Code::None => ErrorClass::None,
        Code::UnknownServerError => ErrorClass::Unknown,
        Code::UnsupportedVersion | Code::UnsupportedCompressionType => ErrorClass::Unsupported,
        Code::UnknownTopicOrPartition
        | Code::UnknownTopicId
        | Code::OffsetOutOfRange
        | Code::UnknownProducerId
        | Code::GroupIdNotFound
        | Code::UnknownMemberId
        | Code::FetchSessionIdNotFound => ErrorClass::NotFound,
        Code::TopicAlreadyExists
        | Code::OutOfOrderSequenceNumber
        | Code::DuplicateSequenceNumber
        | Code::InvalidProducerEpoch
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::IllegalGeneration
        | Code::RebalanceInProgress
        | Code::MemberIdRequired
        | Code::FencedInstanceId
        | Code::NonEmptyGroup
        | Code::GroupSubscribedToTopic
        | Code::InvalidTxnState => ErrorClass::Conflict,
        Code::MessageTooLarge
        | Code::OffsetMetadataTooLarge
        | Code::InvalidCommitOffsetSize
        | Code::GroupMaxSizeReached => ErrorClass::TooLarge,
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::TopicDeletionDisabled => ErrorClass::Unauthorized,
        Code::NotLeaderOrFollower
        | Code::NotController
        | Code::NotEnoughReplicas
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator => ErrorClass::Unavailable,
        Code::RequestTimedOut | Code::NotEnoughReplicasAfterAppend => ErrorClass::Timeout,
        Code::KafkaStorageError => ErrorClass::Storage,
        _ => ErrorClass::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes by which clients conclude that nothing was written, however often they retry.
    const MAY_BE_WRITTEN: [ErrorCode; 2] = [
        ErrorCode::RequestTimedOut,
        ErrorCode::NotEnoughReplicasAfterAppend,
    ];

    #[test]
    fn only_an_unknown_fate_is_answered_as_possibly_written() {
        for (error, may_be_written) in [
            (ProduceError::UnknownPartition, false),
            (ProduceError::NoRoom, false),
            (ProduceError::Offline, false),
            (ProduceError::OutOfOrderSequence, false),
            (ProduceError::InvalidProducerEpoch, false),
            (ProduceError::Stopping, false),
            (ProduceError::FateUnknown, true),
        ] {
            let code = produce(error).code;
            assert_eq!(MAY_BE_WRITTEN.contains(&code), may_be_written, "{error:?}");
            assert_ne!(code, ErrorCode::UnknownServerError, "{error:?}");
        }
        let lost = unanswered_write(Unanswered::Stopping);
        assert!(MAY_BE_WRITTEN.contains(&lost), "the answer was lost");
        let busy = unanswered_write(Unanswered::Busy);
        assert!(!MAY_BE_WRITTEN.contains(&busy), "nothing was sent");
    }

    #[test]
    fn lies_about_batches_have_the_codes_that_kafka_gives_them() {
        for (rejection, code) in [
            (BatchRejection::Crc, ErrorCode::CorruptMessage),
            (BatchRejection::Magic { magic: 1 }, ErrorCode::InvalidRecord),
            (
                BatchRejection::Magic { magic: 3 },
                ErrorCode::CorruptMessage,
            ),
            (
                BatchRejection::Magic { magic: -1 },
                ErrorCode::CorruptMessage,
            ),
            (
                BatchRejection::TooShort { bytes: 0 },
                ErrorCode::InvalidRecord,
            ),
            (BatchRejection::Control, ErrorCode::InvalidRecord),
            (BatchRejection::TimestampType, ErrorCode::InvalidTimestamp),
            (
                BatchRejection::ZstdTooEarly,
                ErrorCode::UnsupportedCompressionType,
            ),
            (
                BatchRejection::Transactional,
                ErrorCode::TransactionalIdAuthorizationFailed,
            ),
        ] {
            assert_eq!(batch(&rejection).code, code, "{rejection:?}");
        }
    }
}
