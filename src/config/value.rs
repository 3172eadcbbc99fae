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
    /// 1 to 9, or -1 for the codec's own default.
    GzipLevel,
    /// A double from 0 to 1.
    Ratio,
    /// The value, or each element of a list, is one of these.
    OneOf(&'static [&'static str]),
    /// `*` or a list of `partition:broker`.
    Replicas,
}

/// What is wrong, and the value as it was understood.
struct Refused {
    value: String,
    reason: Reason,
}

/// Checks `text` and returns its canonical form, which is what is stored and shown.
pub fn canonical(
    name: &str,
    text: &str,
    kind: Kind,
    check: Check,
) -> Result<String, ConfigProblem> {
    let trimmed = text.trim();
    let as_written = |reason| Refused {
        value: text.to_owned(),
        reason,
    };
    let checked = match kind {
        Kind::Boolean => boolean(trimmed).map(|b| b.to_string()).map_err(as_written),
        Kind::Short => integer(text, kind, i16::MIN.into(), i16::MAX.into(), check),
        Kind::Int => integer(text, kind, i32::MIN.into(), i32::MAX.into(), check),
        Kind::Long => integer(text, kind, i64::MIN, i64::MAX, check),
        Kind::Double => double(text, check),
        Kind::String => word(trimmed, check).map(|()| trimmed.to_owned()),
        Kind::List => list(trimmed, check),
    };
    checked.map_err(|Refused { value, reason }| ConfigProblem::Invalid {
        name: name.to_owned(),
        value,
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

fn integer(text: &str, kind: Kind, min: i64, max: i64, check: Check) -> Result<String, Refused> {
    let parsed = text.trim().parse::<i64>().ok();
    let number = parsed.filter(|number| (min..=max).contains(number));
    let number = number.ok_or_else(|| Refused {
        value: text.to_owned(),
        reason: Reason::NotANumber(kind),
    })?;
    let reason = match check {
        Check::AtLeast(least) | Check::Between(least, _) if number < least => Reason::Below(least),
        Check::Between(_, most) if number > most => Reason::Above(most),
        Check::GzipLevel if number != -1 && !(1..=9).contains(&number) => Reason::NotAGzipLevel,
        _ => return Ok(number.to_string()),
    };
    Err(Refused {
        value: number.to_string(),
        reason,
    })
}

fn double(text: &str, check: Check) -> Result<String, Refused> {
    let parsed = text.trim().parse::<f64>().ok();
    let number = parsed.filter(|number| number.is_finite());
    let number = number.ok_or_else(|| Refused {
        value: text.to_owned(),
        reason: Reason::NotADouble,
    })?;
    let value = format!("{number:?}");
    match check {
        Check::Ratio if number < 0.0 => Err((value, Reason::Below(0))),
        Check::Ratio if number > 1.0 => Err((value, Reason::Above(1))),
        _ => Ok(value),
    }
    .map_err(|(value, reason)| Refused { value, reason })
}

fn word(text: &str, check: Check) -> Result<(), Refused> {
    match check {
        Check::OneOf(allowed) if !allowed.contains(&text) => Err(Refused {
            value: text.to_owned(),
            reason: Reason::NotOneOf(allowed),
        }),
        _ => Ok(()),
    }
}

/// The elements in their order, each once.
fn list(text: &str, check: Check) -> Result<String, Refused> {
    let mut found: Vec<&str> = Vec::new();
    let elements = text.split(',').map(str::trim);
    for element in elements.filter(|_| !text.is_empty()) {
        match check {
            Check::Replicas if !is_replica(text, element) => {
                let all: Vec<&str> = text.split(',').map(str::trim).collect();
                return Err(Refused {
                    value: format!("[{}]", all.join(", ")),
                    reason: Reason::NotAReplicaList,
                });
            }
            Check::OneOf(_) if element.is_empty() => {
                return Err(Refused {
                    value: text.to_owned(),
                    reason: Reason::EmptyElement,
                });
            }
            Check::OneOf(_) => word(element, check)?,
            _ => {}
        }
        if !element.is_empty() && !found.contains(&element) {
            found.push(element);
        }
    }
    Ok(found.join(","))
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
            ("delete,delete", Kind::List, policy, "delete"),
            ("-1", Kind::Int, Check::GzipLevel, "-1"),
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
                "x",
                Kind::List,
                policy,
                "String must be one of: compact, delete",
            ),
            (
                "0",
                Kind::Int,
                Check::GzipLevel,
                "Value must be between 1 and 9 or equal to -1",
            ),
            (
                "1.5",
                Kind::Double,
                Check::Ratio,
                "Value must be no more than 1",
            ),
        ] {
            let problem = canonical("key", text, kind, check).unwrap_err();
            let expected = format!("Invalid value {text} for configuration key: {message}");
            assert_eq!(problem.to_string(), expected);
        }
    }

    #[test]
    fn a_range_is_broken_by_the_value_as_understood_and_a_list_by_its_elements() {
        let policy = Check::OneOf(&["compact", "delete"]);
        for (text, kind, check, message) in [
            (
                " +0 ",
                Kind::Int,
                Check::AtLeast(1),
                "Invalid value 0 for configuration key: Value must be at least 1",
            ),
            (
                "2",
                Kind::Double,
                Check::Ratio,
                "Invalid value 2.0 for configuration key: Value must be no more than 1",
            ),
            (
                "delete, x",
                Kind::List,
                policy,
                "Invalid value x for configuration key: String must be one of: compact, delete",
            ),
            (
                "delete,",
                Kind::List,
                policy,
                "Configuration 'key' values must not be empty.",
            ),
            (
                "0:1, x",
                Kind::List,
                Check::Replicas,
                "Invalid value [0:1, x] for configuration key: key must be the literal '*' or a list of replicas in \
                 the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
        ] {
            let problem = canonical("key", text, kind, check).unwrap_err();
            assert_eq!(problem.to_string(), message);
        }
        for text in ["0", "a:b", "0:1,x", "*,0:1"] {
            assert!(
                canonical("key", text, Kind::List, Check::Replicas).is_err(),
                "{text}"
            );
        }
    }
}
