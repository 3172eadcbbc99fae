//! Why a configuration was refused. The words are Apache Kafka's where it has some: clients show them to people.

use super::value::Kind;
use crate::base::limits::CONFIG_VALUE_BYTES_MAX;
use std::fmt;

/// One refused configuration. Clients see it as INVALID_CONFIG with this text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigProblem {
    UnknownTopicConfig {
        name: String,
    },
    UnknownBrokerConfig {
        name: String,
    },
    UnknownGroupConfig {
        name: String,
    },
    /// A group's value beyond what a broker config allows.
    OutOfBounds {
        name: &'static str,
        bound: &'static str,
        is_below: bool,
    },
    Invalid {
        name: String,
        value: String,
        reason: Reason,
    },
    /// A null value where a value is needed.
    Null {
        names: Vec<String>,
    },
    /// APPEND or SUBTRACT on a key that is not a list.
    NotAList {
        name: String,
        operation: &'static str,
    },
    /// The key exists, but changes only with a restart.
    NotDynamic {
        name: String,
    },
    /// The key is set for one broker, not for all.
    NotClusterWide {
        name: String,
    },
    /// `ottla.durability=replicated` on a cluster that does not replicate.
    ReplicationMissing {
        name: String,
    },
    /// `remote.storage.enable=true`.
    TieringMissing,
    /// A key of ottla's own that has no effect yet.
    Reserved {
        name: String,
    },
    LagConflict {
        min: i64,
        max: i64,
    },
}

/// What is wrong with one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    NotANumber(Kind),
    NotABoolean,
    NotADouble,
    Below(i64),
    Above(i64),
    NotOneOf(&'static [&'static str]),
    NotAReplicaList,
    NotAGzipLevel,
    /// Of a list.
    EmptyElement,
    TooLong,
    /// Above what this node's memory allows.
    AboveNodeLimit {
        limit: i64,
        setting: &'static str,
    },
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigProblem::UnknownTopicConfig { name } => {
                write!(f, "Unknown topic config name: {name}")
            }
            ConfigProblem::UnknownBrokerConfig { name } => {
                write!(f, "Unknown broker config name: {name}")
            }
            ConfigProblem::UnknownGroupConfig { name } => {
                write!(f, "Unknown group config name: {name}")
            }
            ConfigProblem::OutOfBounds {
                name,
                bound,
                is_below,
            } => {
                let than = if *is_below { "greater" } else { "less" };
                write!(f, "{name} must be {than} than or equal to {bound}")
            }
            ConfigProblem::Invalid {
                name,
                value,
                reason,
            } => invalid(f, name, value, reason),
            ConfigProblem::Null { names } => {
                write!(
                    f,
                    "Null value not supported for topic configs: {}",
                    names.join(",")
                )
            }
            ConfigProblem::NotAList { name, operation } => {
                write!(
                    f,
                    "Can't {operation} to key {name} because its type is not LIST."
                )
            }
            ConfigProblem::NotDynamic { name } => {
                write!(f, "Cannot update these configs dynamically: [{name}]")
            }
            ConfigProblem::NotClusterWide { name } => write!(
                f,
                "Cannot update these configs at default cluster level, broker id must be \
                 specified: [{name}]"
            ),
            ConfigProblem::ReplicationMissing { .. }
            | ConfigProblem::TieringMissing
            | ConfigProblem::Reserved { .. } => f.write_str(&self.missing()),
            ConfigProblem::LagConflict { min, max } => write!(
                f,
                "conflict topic config setting min.compaction.lag.ms ({min}) > \
                 max.compaction.lag.ms ({max})"
            ),
        }
    }
}

impl ConfigProblem {
    /// What this release cannot do yet.
    fn missing(&self) -> String {
        match self {
            ConfigProblem::ReplicationMissing { name } => format!(
                "Invalid value replicated for configuration {name}: this cluster does not \
                 replicate; use flushed or memory"
            ),
            ConfigProblem::Reserved { name } => {
                format!("Config {name} is reserved for a later release and has no effect yet")
            }
            _ => "Tiered Storage functionality is disabled in the broker. Topic cannot be \
                  configured with remote log storage."
                .to_owned(),
        }
    }
}

fn invalid(f: &mut fmt::Formatter<'_>, name: &str, value: &str, reason: &Reason) -> fmt::Result {
    match reason {
        Reason::EmptyElement => write!(f, "Configuration '{name}' {reason}"),
        Reason::NotAReplicaList => write!(
            f,
            "Invalid value {value} for configuration {name}: {name} {reason}"
        ),
        _ => write!(
            f,
            "Invalid value {value} for configuration {name}: {reason}"
        ),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotANumber(kind) => write!(f, "Not a number of type {}", kind.name()),
            Reason::NotABoolean => f.write_str("Expected value to be either true or false"),
            Reason::NotADouble => f.write_str("Not a number of type DOUBLE"),
            Reason::Below(least) => write!(f, "Value must be at least {least}"),
            Reason::Above(most) => write!(f, "Value must be no more than {most}"),
            Reason::NotOneOf(allowed) => {
                write!(f, "String must be one of: {}", allowed.join(", "))
            }
            Reason::NotAReplicaList => f.write_str(
                "must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
            Reason::NotAGzipLevel => f.write_str("Value must be between 1 and 9 or equal to -1"),
            Reason::EmptyElement => f.write_str("values must not be empty."),
            Reason::TooLong => {
                write!(
                    f,
                    "Value must be no longer than {CONFIG_VALUE_BYTES_MAX} bytes"
                )
            }
            Reason::AboveNodeLimit { limit, setting } => write!(
                f,
                "Value must be no more than {limit} on this node; raise the setting {setting}"
            ),
        }
    }
}
