//! Why the controller refused one item of a command. The words are Apache Kafka's where it has some.

use crate::base::ids::{NodeId, TopicId};
use crate::config::ConfigProblem;
use std::fmt;

/// A refusal: nothing of its item was changed. The Kafka code each maps to is `server`'s business; the text is for
/// people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlError {
    /// TOPIC_ALREADY_EXISTS.
    TopicExists { name: String },
    /// INVALID_TOPIC_EXCEPTION.
    InvalidName(NameProblem),
    /// UNKNOWN_TOPIC_OR_PARTITION.
    UnknownTopic { name: String },
    /// UNKNOWN_TOPIC_ID.
    UnknownTopicId { id: TopicId },
    /// INVALID_REQUEST.
    InvalidRequest(RequestProblem),
    /// INVALID_PARTITIONS.
    InvalidPartitions(PartitionProblem),
    /// POLICY_VIOLATION.
    TooManyPartitions { wanted: i64, most: i64 },
    /// INVALID_REPLICATION_FACTOR.
    InvalidReplicationFactor { wanted: i16 },
    /// INVALID_REPLICA_ASSIGNMENT.
    InvalidAssignment(AssignmentProblem),
    /// INVALID_CONFIG.
    InvalidConfig(ConfigProblem),
    /// INVALID_REQUEST, as Kafka says of a broker's configs.
    InvalidBrokerConfig(ConfigProblem),
    /// POLICY_VIOLATION.
    TooManyGroups { most: usize },
    /// TOPIC_DELETION_DISABLED.
    DeletionDisabled,
    /// Every producer id has been given away; UNKNOWN_SERVER_ERROR, out of reach in practice.
    ProducerIdsExhausted,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NameProblem {
    Empty,
    Dots {
        name: String,
    },
    TooLong {
        name: String,
    },
    IllegalCharacter {
        name: String,
    },
    Collision {
        name: String,
        existing: String,
    },
    /// Begins with `__ottla.`.
    Reserved {
        name: String,
    },
    /// The broker creates and deletes it, clients do not.
    Internal {
        name: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestProblem {
    DuplicateTopic,
    DuplicateTopicId,
    NullTopicId,
    ClusterMetadataTopic,
    AssignmentAndFactor,
    AssignmentAndPartitions,
    DuplicateResource,
    DuplicateConfig,
    NullConfig { names: Vec<String> },
    EmptyTopicResource,
    EmptyGroupResource,
    UnexpectedBroker { expected: NodeId, given: NodeId },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PartitionProblem {
    NotPositive,
    TooMany {
        wanted: i64,
        most: i64,
    },
    ClusterFull {
        wanted: usize,
        most: usize,
    },
    Same {
        count: u32,
    },
    Fewer {
        name: String,
        count: u32,
        wanted: i32,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AssignmentProblem {
    DuplicatePartition { partition: i32 },
    NotConsecutive,
    NoReplicas,
    UnknownBroker { broker: i32 },
    DuplicateBroker { broker: i32 },
    UnequalFactors { given: usize, before: usize },
    WrongCount { additional: usize, given: usize },
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::TopicExists { name } => write!(f, "Topic '{name}' already exists."),
            ControlError::InvalidName(problem) => problem.fmt(f),
            ControlError::UnknownTopic { name } => write!(f, "The topic '{name}' does not exist."),
            ControlError::UnknownTopicId { id } => write!(f, "No topic has the id {id}."),
            ControlError::InvalidRequest(problem) => problem.fmt(f),
            ControlError::InvalidPartitions(problem) => problem.fmt(f),
            ControlError::TooManyPartitions { wanted, most } => {
                write!(
                    f,
                    "A request creates at most {most} partitions, not {wanted}."
                )
            }
            ControlError::InvalidReplicationFactor { wanted } if *wanted < 1 => f.write_str(
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ),
            ControlError::InvalidReplicationFactor { wanted } => write!(
                f,
                "Unable to replicate the partition {wanted} time(s): The target replication \
                 factor of {wanted} cannot be reached because only 1 broker(s) are registered."
            ),
            ControlError::InvalidAssignment(problem) => problem.fmt(f),
            ControlError::InvalidConfig(problem) | ControlError::InvalidBrokerConfig(problem) => {
                problem.fmt(f)
            }
            ControlError::TooManyGroups { most } => {
                write!(f, "At most {most} groups may have configs of their own.")
            }
            ControlError::DeletionDisabled => f.write_str("Topic deletion is disabled."),
            ControlError::ProducerIdsExhausted => f.write_str("No producer id is left."),
        }
    }
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const INVALID: &str = "Topic name is invalid:";
        match self {
            NameProblem::Empty => write!(f, "{INVALID} the empty string is not allowed"),
            NameProblem::Dots { name } => write!(f, "{INVALID} '{name}' is not allowed"),
            NameProblem::TooLong { name } => write!(
                f,
                "{INVALID} the length of '{name}' is longer than the max allowed length 249"
            ),
            NameProblem::IllegalCharacter { name } => write!(
                f,
                "{INVALID} '{name}' contains one or more characters other than ASCII \
                 alphanumerics, '.', '_' and '-'"
            ),
            NameProblem::Collision { name, existing } => {
                write!(f, "Topic '{name}' collides with existing topic: {existing}")
            }
            NameProblem::Reserved { name } => {
                write!(
                    f,
                    "{INVALID} '{name}' begins with __ottla., which this broker keeps"
                )
            }
            NameProblem::Internal { name } => write!(
                f,
                "Topic '{name}' is internal: the broker itself creates it and keeps it"
            ),
        }
    }
}

impl fmt::Display for RequestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestProblem::DuplicateTopic => f.write_str("Duplicate topic name."),
            RequestProblem::DuplicateTopicId => f.write_str("Duplicate topic id."),
            RequestProblem::NullTopicId => f.write_str("Neither topic name nor id were specified."),
            RequestProblem::ClusterMetadataTopic => {
                f.write_str("Creation of internal topic __cluster_metadata is prohibited.")
            }
            RequestProblem::AssignmentAndFactor => f.write_str(
                "A manual partition assignment was specified, but replication factor was not set \
                 to -1.",
            ),
            RequestProblem::AssignmentAndPartitions => f.write_str(
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            ),
            RequestProblem::DuplicateResource => {
                f.write_str("Each resource must appear at most once.")
            }
            RequestProblem::DuplicateConfig => f.write_str("Error due to duplicate config keys"),
            RequestProblem::NullConfig { names } => {
                write!(f, "Null value not supported for : {}", names.join(", "))
            }
            RequestProblem::EmptyTopicResource => {
                f.write_str("Default topic resources are not allowed.")
            }
            RequestProblem::EmptyGroupResource => {
                f.write_str("Default group resources are not allowed.")
            }
            RequestProblem::UnexpectedBroker { expected, given } => write!(
                f,
                "Unexpected broker id, expected {expected}, but received {given}"
            ),
        }
    }
}

impl fmt::Display for PartitionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartitionProblem::NotPositive => {
                f.write_str("Number of partitions was set to an invalid non-positive value.")
            }
            PartitionProblem::TooMany { wanted, most } => {
                write!(
                    f,
                    "A topic may have at most {most} partitions, not {wanted}."
                )
            }
            PartitionProblem::ClusterFull { wanted, most } => write!(
                f,
                "The cluster may have at most {most} partitions; this would make {wanted}."
            ),
            PartitionProblem::Same { count } => {
                write!(f, "Topic already has {count} partition(s).")
            }
            PartitionProblem::Fewer {
                name,
                count,
                wanted,
            } => write!(
                f,
                "The topic {name} currently has {count} partition(s); {wanted} would not be an \
                 increase."
            ),
        }
    }
}

impl fmt::Display for AssignmentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssignmentProblem::DuplicatePartition { partition } => write!(
                f,
                "Found multiple manual partition assignments for partition {partition}"
            ),
            AssignmentProblem::NotConsecutive => {
                f.write_str("partitions should be a consecutive 0-based integer sequence")
            }
            AssignmentProblem::NoReplicas => {
                f.write_str("The manual partition assignment includes an empty replica list.")
            }
            AssignmentProblem::UnknownBroker { broker } => write!(
                f,
                "The manual partition assignment includes broker {broker}, but no such broker is \
                 registered."
            ),
            AssignmentProblem::DuplicateBroker { broker } => write!(
                f,
                "The manual partition assignment includes the broker {broker} more than once."
            ),
            AssignmentProblem::UnequalFactors { given, before } => write!(
                f,
                "The manual partition assignment includes a partition with {given} replica(s), \
                 but this is not consistent with previous partitions, which have {before} \
                 replica(s)."
            ),
            AssignmentProblem::WrongCount { additional, given } => write!(
                f,
                "Attempted to add {additional} additional partition(s), but only {given} \
                 assignment(s) were specified."
            ),
        }
    }
}

impl From<NameProblem> for ControlError {
    fn from(problem: NameProblem) -> ControlError {
        ControlError::InvalidName(problem)
    }
}

impl From<RequestProblem> for ControlError {
    fn from(problem: RequestProblem) -> ControlError {
        ControlError::InvalidRequest(problem)
    }
}

impl From<PartitionProblem> for ControlError {
    fn from(problem: PartitionProblem) -> ControlError {
        ControlError::InvalidPartitions(problem)
    }
}

impl From<AssignmentProblem> for ControlError {
    fn from(problem: AssignmentProblem) -> ControlError {
        ControlError::InvalidAssignment(problem)
    }
}

impl From<ConfigProblem> for ControlError {
    fn from(problem: ConfigProblem) -> ControlError {
        ControlError::InvalidConfig(problem)
    }
}
