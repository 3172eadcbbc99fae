//! Why the metadata cannot be read. The node does not start, and says this.

use crate::base::ids::{TopicId, Uuid};
use crate::config::ConfigProblem;
use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayError {
    pub place: Place,
    pub problem: ReplayProblem,
}

/// Where in the metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The n-th record of the snapshot, from 0.
    Snapshot(usize),
    /// The n-th record after the snapshot, from 0.
    Log(usize),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplayProblem {
    /// The snapshot does not begin as one.
    NoSnapshot,
    UnknownSnapshotFormat {
        format: u16,
    },
    /// Bytes after the end, or an end with another count.
    SnapshotLength,
    Record(RecordError),
    Apply(ApplyError),
}

/// The bytes of a record say nothing this release understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    Cut,
    TrailingBytes,
    UnknownKind { kind: u16 },
    UnknownField { kind: u16, tag: u8 },
    MissingField { kind: u16, tag: u8 },
    BadField { kind: u16, tag: u8 },
}

/// A record that does not fit the metadata before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApplyError {
    OtherCluster {
        found: Uuid,
        expected: Uuid,
    },
    TermNotRising {
        from: u32,
        to: u32,
    },
    TopicTwice {
        name: String,
    },
    UnknownTopic {
        id: TopicId,
    },
    PartitionsNotRising {
        id: TopicId,
        from: u32,
        to: u32,
    },
    TooManyPartitions {
        id: TopicId,
        partitions: u32,
    },
    ProducerIdsNotRising {
        from: i64,
        to: i64,
    },
    UnknownTombstone {
        id: TopicId,
    },
    /// In the middle of a log, or missing from a snapshot.
    OutOfPlace,
    Config(ConfigProblem),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, index) = match self.place {
            Place::Snapshot(index) => ("snapshot record", index),
            Place::Log(index) => ("record", index),
        };
        write!(f, "cluster metadata, {part} {index}: {}", self.problem)
    }
}

impl std::error::Error for ReplayError {}

impl fmt::Display for ReplayProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayProblem::NoSnapshot => f.write_str("this is no snapshot"),
            ReplayProblem::UnknownSnapshotFormat { format } => {
                write!(f, "unknown snapshot format {format}{NEWER}")
            }
            ReplayProblem::SnapshotLength => f.write_str("the snapshot is not complete"),
            ReplayProblem::Record(error) => error.fmt(f),
            ReplayProblem::Apply(error) => error.fmt(f),
        }
    }
}

const NEWER: &str = ", written by a newer release; start that release on this directory";

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Cut => f.write_str("a length goes beyond the end"),
            RecordError::TrailingBytes => f.write_str("bytes follow the record"),
            RecordError::UnknownKind { kind } => write!(f, "unknown kind {kind}{NEWER}"),
            RecordError::UnknownField { kind, tag } => {
                write!(f, "unknown field {tag} of kind {kind}{NEWER}")
            }
            RecordError::MissingField { kind, tag } => {
                write!(f, "kind {kind} lacks its field {tag}")
            }
            RecordError::BadField { kind, tag } => {
                write!(f, "field {tag} of kind {kind} is malformed")
            }
        }
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyError::OtherCluster { found, expected } => {
                write!(
                    f,
                    "it belongs to cluster {found}, this directory to {expected}"
                )
            }
            ApplyError::TermNotRising { from, to } => {
                write!(f, "term {to} follows term {from}")
            }
            ApplyError::TopicTwice { name } => write!(f, "topic {name} is created twice"),
            ApplyError::UnknownTopic { id } => write!(f, "it changes a topic {id} that is not"),
            ApplyError::PartitionsNotRising { id, from, to } => {
                write!(f, "topic {id} would go from {from} partitions to {to}")
            }
            ApplyError::TooManyPartitions { id, partitions } => {
                write!(f, "topic {id} would have {partitions} partitions")
            }
            ApplyError::ProducerIdsNotRising { from, to } => {
                write!(f, "the next producer id would go from {from} to {to}")
            }
            ApplyError::UnknownTombstone { id } => {
                write!(f, "it removes a tombstone {id} that is not")
            }
            ApplyError::OutOfPlace => f.write_str("a record that does not belong here"),
            ApplyError::Config(problem) => write!(f, "{problem}{NEWER}"),
        }
    }
}

impl From<RecordError> for ReplayProblem {
    fn from(error: RecordError) -> ReplayProblem {
        ReplayProblem::Record(error)
    }
}

impl From<ApplyError> for ReplayProblem {
    fn from(error: ApplyError) -> ReplayProblem {
        ReplayProblem::Apply(error)
    }
}

impl From<ConfigProblem> for ApplyError {
    fn from(problem: ConfigProblem) -> ApplyError {
        ApplyError::Config(problem)
    }
}
