//! Which topic names are allowed.

use super::error::NameProblem;
use super::image::Image;
use crate::base::limits::TOPIC_NAME_BYTES_MAX;

/// Holds the state of consumer groups.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// What Kafka calls the log of the cluster's metadata. It is no topic.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Topics the broker makes for its own state.
const INTERNAL_TOPICS: &[&str] = &[OFFSETS_TOPIC, "__transaction_state"];

/// Where Kafka keeps its own metadata; no topic here, and never one.
pub(super) const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Virtual topics of later releases begin with this.
const RESERVED_PREFIX: &str = "__ottla.";

pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// Checks the form of a name, whether or not such a topic exists.
pub fn check_form(name: &str) -> Result<(), NameProblem> {
    let given = || name.to_owned();
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() {
        Err(NameProblem::Empty)
    } else if name == "." || name == ".." {
        Err(NameProblem::Dots { name: given() })
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        Err(NameProblem::TooLong { name: given() })
    } else if !name.bytes().all(legal) {
        Err(NameProblem::IllegalCharacter { name: given() })
    } else {
        Ok(())
    }
}

/// Checks whether a client may give this name to a new topic.
pub(super) fn check_new(name: &str, image: &Image) -> Result<(), NameProblem> {
    check_form(name)?;
    if name.starts_with(RESERVED_PREFIX) {
        return Err(NameProblem::Reserved {
            name: name.to_owned(),
        });
    }
    if is_internal(name) {
        return Err(NameProblem::Internal {
            name: name.to_owned(),
        });
    }
    match image.folded_names.get(&folded(name)) {
        Some(existing) if **existing != *name => Err(NameProblem::Collision {
            name: name.to_owned(),
            existing: existing.to_string(),
        }),
        _ => Ok(()),
    }
}

/// What two names may not share: metrics of clients write `.` as `_`.
pub(super) fn folded(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_kafka_allows() {
        let longest = "x".repeat(249);
        for name in ["a", "A.b_c-9", "...", "-", "_", "__x", &longest] {
            assert_eq!(check_form(name), Ok(()), "{name}");
        }
        let too_long = "x".repeat(250);
        for (name, message) in [
            ("", "Topic name is invalid: the empty string is not allowed"),
            (".", "Topic name is invalid: '.' is not allowed"),
            ("..", "Topic name is invalid: '..' is not allowed"),
            (
                "a b",
                "Topic name is invalid: 'a b' contains one or more characters other than ASCII \
                 alphanumerics, '.', '_' and '-'",
            ),
        ] {
            assert_eq!(check_form(name).unwrap_err().to_string(), message);
        }
        assert!(matches!(
            check_form(&too_long),
            Err(NameProblem::TooLong { .. })
        ));
        for name in ["\u{e4}", "a/b", "a\0", "a,b"] {
            assert!(matches!(
                check_form(name),
                Err(NameProblem::IllegalCharacter { .. })
            ));
        }
    }
}
