//! Why a node's settings were refused: one line that names the place, the setting, what is allowed and the fix.

use super::entry::Origin;
use super::own_keys::Form;
use super::problem::ConfigProblem;
use super::quantity::render_size;
use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsError {
    pub origin: Origin,
    pub problem: SettingsProblem,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsProblem {
    /// The file is not TOML.
    Syntax {
        message: String,
    },
    /// A value of a kind no setting has.
    Shape {
        key: String,
        found: &'static str,
    },
    /// `--set` without `=`.
    NotAnAssignment,
    UnknownKey {
        key: String,
        nearest: String,
    },
    /// The same key twice in one place.
    Twice {
        key: String,
        other: Origin,
    },
    /// A value that its key does not take.
    Form {
        key: &'static str,
        value: String,
        form: Form,
    },
    Kafka {
        problem: ConfigProblem,
    },
    /// A broker config that follows from another setting.
    Derived {
        key: String,
        setting: &'static str,
    },
    WildcardAdvertised {
        value: String,
    },
    AdminNotLoopback {
        value: String,
    },
    SameEndpoint {
        value: String,
    },
    DurabilityTwice {
        kafka: String,
        storage: String,
    },
    RingTooSmall {
        ring: u64,
        pool: u64,
        files_min: u64,
    },
}

impl fmt::Display for SettingsError {
    /// One line, whatever the value holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}", self.origin, self.problem);
        f.write_str(&text.replace(char::is_control, " "))
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsProblem::Syntax { message } => write!(f, "not valid TOML: {message}"),
            SettingsProblem::Shape { key, found } => {
                write!(
                    f,
                    "{key} is {found}; write a string, a number, true or false"
                )
            }
            SettingsProblem::NotAnAssignment => {
                f.write_str("write --set key=value, for example --set num.partitions=4")
            }
            SettingsProblem::UnknownKey { key, nearest } => {
                write!(f, "unknown setting {key}; did you mean {nearest}?")
            }
            SettingsProblem::Twice { key, other } => {
                write!(f, "{key} is set here and in {other}; remove one of them")
            }
            SettingsProblem::Form { key, value, form } => {
                write!(f, "{key} is {value:?}, but must be {form}")
            }
            SettingsProblem::Kafka { problem } => problem.fmt(f),
            SettingsProblem::Derived { key, setting } => {
                write!(f, "{key} follows from {setting}; set that instead")
            }
            SettingsProblem::WildcardAdvertised { value } => write!(
                f,
                "clients cannot dial {value}; set listeners.advertised to a name or address that \
                 they reach, for example --set listeners.advertised=broker.example.com:9092"
            ),
            SettingsProblem::AdminNotLoopback { value } => write!(
                f,
                "admin.listen is {value}, but answers anybody who reaches it; use a loopback \
                 address such as 127.0.0.1:9644, or off"
            ),
            SettingsProblem::SameEndpoint { value } => write!(
                f,
                "listeners.kafka and admin.listen are both {value}; give one of them another port"
            ),
            SettingsProblem::DurabilityTwice { kafka, storage } => write!(
                f,
                "ottla.durability is {kafka}, but storage.durability is {storage}; set \
                 storage.durability alone"
            ),
            SettingsProblem::RingTooSmall {
                ring,
                pool,
                files_min,
            } => write!(
                f,
                "a journal ring of {} is too small for shards.pool {}; set storage.journal_files \
                 to at least {files_min}, or shards.pool lower",
                render_size(*ring),
                render_size(*pool)
            ),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Text | Form::OptionalText => f.write_str("a line of text"),
            Form::Path => f.write_str("a path"),
            Form::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Form::WordOrNumber(word, least, most) => {
                write!(f, "{word}, or a number from {least} to {most}")
            }
            Form::Size(least, most) => write!(
                f,
                "a size with a unit (B, KiB, MiB, GiB) from {} to {}, a multiple of 4KiB",
                render_size(*least),
                render_size(*most)
            ),
            Form::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Form::Endpoint | Form::OptionalEndpoint => {
                f.write_str("HOST:PORT, an IPv6 address in brackets")
            }
            Form::EndpointOrOff => f.write_str("HOST:PORT, an IPv6 address in brackets, or off"),
        }
    }
}
