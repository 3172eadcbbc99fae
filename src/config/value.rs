//! Types and ranges of Kafka-named values: text in, canonical text out.

use super::problem::{ConfigProblem, Reason};

/// Type of a configuration value, with the numbers DescribeConfigs uses for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
        }
    }
}

/// Which values of the type are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A double from 0 to 1.
    Ratio,
    /// The value, or each element of a list, is one of these.
    OneOf(&'static [&'static str]),
    /// `*` or a list of `partition:broker`.
    Replicas,
}

/// Checks `text` and returns its canonical form, which is what is stored and shown.
pub fn canonical(
    name: &str,
    text: &str,
    kind: Kind,
    check: Check,
) -> Result<String, ConfigProblem> {
    let trimmed = text.trim();
    let checked = match kind {
        Kind::Boolean => boolean(trimmed).map(|b| b.to_string()),
        Kind::Short => integer(
            trimmed,
            kind,
            i64::from(i16::MIN),
            i64::from(i16::MAX),
            check,
        ),
        Kind::Int => integer(
            trimmed,
            kind,
            i64::from(i32::MIN),
            i64::from(i32::MAX),
            check,
        ),
        Kind::Long => integer(trimmed, kind, i64::MIN, i64::MAX, check),
        Kind::Double => double(trimmed, check),
        Kind::String => word(trimmed, check).map(|()| trimmed.to_owned()),
        Kind::List => list(trimmed, check),
    };
    checked.map_err(|reason| ConfigProblem::Invalid {
        name: name.to_owned(),
        value: text.to_owned(),
        reason,
    })
}

/// The elements of a list value; an empty text has none.
pub fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

fn boolean(text: &str) -> Result<bool, Reason> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Reason::NotABoolean)
    }
}

fn integer(text: &str, kind: Kind, min: i64, max: i64, check: Check) -> Result<String, Reason> {
    let number: i64 = text.parse().map_err(|_| Reason::NotANumber(kind))?;
    if number < min || number > max {
        return Err(Reason::NotANumber(kind));
    }
    match check {
        Check::AtLeast(least) | Check::Between(least, _) if number < least => {
            Err(Reason::Below(least))
        }
        Check::Between(_, most) if number > most => Err(Reason::Above(most)),
        _ => Ok(number.to_string()),
    }
}

fn double(text: &str, check: Check) -> Result<String, Reason> {
    let number: f64 = text.parse().map_err(|_| Reason::NotADouble)?;
    match check {
        _ if !number.is_finite() => Err(Reason::NotADouble),
        Check::Ratio if number < 0.0 => Err(Reason::Below(0)),
        Check::Ratio if number > 1.0 => Err(Reason::Above(1)),
        _ => Ok(format!("{number:?}")),
    }
}

fn word(text: &str, check: Check) -> Result<(), Reason> {
    match check {
        Check::OneOf(allowed) if !allowed.contains(&text) => Err(Reason::NotOneOf(allowed)),
        _ => Ok(()),
    }
}

fn list(text: &str, check: Check) -> Result<String, Reason> {
    for element in elements(text) {
        match check {
            Check::Replicas if !is_replica(text, element) => return Err(Reason::NotAReplicaList),
            Check::Replicas => {}
            _ => word(element, check)?,
        }
    }
    Ok(elements(text).collect::<Vec<_>>().join(","))
}

fn is_replica(whole: &str, element: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    whole == "*"
        || element
            .split_once(':')
            .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_stored_in_its_canonical_form() {
        let policy = Check::OneOf(&["compact", "delete"]);
        for (text, kind, check, stored) in [
            (" TRUE ", Kind::Boolean, Check::Any, "true"),
            ("+7", Kind::Int, Check::Any, "7"),
            (" 604800000", Kind::Long, Check::AtLeast(-1), "604800000"),
            ("1", Kind::Double, Check::Ratio, "1.0"),
            ("0.5", Kind::Double, Check::Ratio, "0.5"),
            ("compact, delete", Kind::List, policy, "compact,delete"),
            ("", Kind::List, policy, ""),
            ("*", Kind::List, Check::Replicas, "*"),
            ("0:1,1:2", Kind::List, Check::Replicas, "0:1,1:2"),
        ] {
            assert_eq!(
                canonical("key", text, kind, check).as_deref(),
                Ok(stored),
                "{text}"
            );
        }
    }

    #[test]
    fn a_refusal_has_the_words_of_kafka() {
        let policy = Check::OneOf(&["compact", "delete"]);
        for (text, kind, check, message) in [
            (
                "yes",
                Kind::Boolean,
                Check::Any,
                "Expected value to be either true or false",
            ),
            ("ten", Kind::Long, Check::Any, "Not a number of type LONG"),
            (
                "2147483648",
                Kind::Int,
                Check::Any,
                "Not a number of type INT",
            ),
            (
                "40000",
                Kind::Short,
                Check::Any,
                "Not a number of type SHORT",
            ),
            (
                "0",
                Kind::Int,
                Check::AtLeast(1),
                "Value must be at least 1",
            ),
            (
                "18",
                Kind::Int,
                Check::Between(1, 17),
                "Value must be no more than 17",
            ),
            (
                "NaN",
                Kind::Double,
                Check::Ratio,
                "Not a number of type DOUBLE",
            ),
            (
                "1.1",
                Kind::Double,
                Check::Ratio,
                "Value must be no more than 1",
            ),
            (
                "delete,x",
                Kind::List,
                policy,
                "String must be one of: compact, delete",
            ),
        ] {
            let problem = canonical("key", text, kind, check).unwrap_err();
            let expected = format!("Invalid value {text} for configuration key: {message}");
            assert_eq!(problem.to_string(), expected);
        }
        for text in ["0", "a:b", "0:1,x", "*,0:1"] {
            assert!(
                canonical("key", text, Kind::List, Check::Replicas).is_err(),
                "{text}"
            );
        }
    }
}
