//! One setting as somebody wrote it, and where.

use super::{broker_keys, own_keys};
use std::fmt;

/// Prefix of Kafka-named broker configs among the settings.
pub const KAFKA_SECTION: &str = "kafka.";

/// A setting before it is understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// `section.key`, or `kafka.` and Kafka's name.
    pub key: String,
    pub value: String,
    pub origin: Origin,
}

/// Where a setting was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    Default,
    File {
        name: String,
        line: usize,
    },
    Environment {
        variable: String,
    },
    /// The argument as typed.
    Argument {
        text: String,
    },
}

impl Entry {
    /// A flag of the command line that stands for a setting.
    pub fn flag(flag: &str, key: &str, value: &str) -> Entry {
        Entry {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: Origin::Argument {
                text: format!("{flag} {value}"),
            },
        }
    }

    /// `key=value` of `--set`. Kafka's names may do without their section.
    pub fn set(text: &str) -> Result<Entry, super::error::SettingsError> {
        let origin = Origin::Argument {
            text: format!("--set {text}"),
        };
        let Some((key, value)) = text.split_once('=') else {
            let problem = super::error::SettingsProblem::NotAnAssignment;
            return Err(super::error::SettingsError { origin, problem });
        };
        let key = key.trim();
        let is_kafka = own_keys::find(key).is_none() && broker_keys::find(key).is_some();
        Ok(Entry {
            key: if is_kafka {
                format!("{KAFKA_SECTION}{key}")
            } else {
                key.to_owned()
            },
            value: value.trim().to_owned(),
            origin,
        })
    }

    /// The settings among a process's environment: `OTTLA_SECTION__KEY`, and `OTTLA_KAFKA__NUM_PARTITIONS` for
    /// Kafka's names. A variable without the double underscore is somebody else's.
    pub fn environment(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> impl Iterator<Item = Entry> {
        variables.into_iter().filter_map(|(variable, value)| {
            let (section, key) = variable.strip_prefix("OTTLA_")?.split_once("__")?;
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            let key = match section.as_str() {
                "kafka" => key.replace('_', "."),
                _ => key,
            };
            let key = format!("{section}.{key}");
            let origin = Origin::Environment { variable };
            Some(Entry { key, value, origin })
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("built-in default"),
            Origin::File { name, line } => write!(f, "{name}, line {line}"),
            Origin::Environment { variable } => write!(f, "environment variable {variable}"),
            Origin::Argument { text } => write!(f, "argument {text}"),
        }
    }
}
