//! What was found of a knob: a text for each place that has one, or why nothing was.

use std::path::PathBuf;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// Nothing to find fault with when it is empty.
    Values(Vec<Value>),
    Unknown(String),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Value {
    pub(crate) text: String,
    /// Which of several.
    pub(crate) label: Option<String>,
    /// Where another text would be written, as the host names it.
    pub(crate) place: Option<PathBuf>,
}

/// Labels shown beside a text that several places share.
const LABELS_SHOWN: usize = 4;

impl Reading {
    pub(crate) fn one(text: impl Into<String>) -> Reading {
        Reading::Values(vec![Value {
            text: text.into(),
            ..Value::default()
        }])
    }

    pub(crate) fn of(result: Result<String, String>) -> Reading {
        match result {
            Ok(text) => Reading::one(text),
            Err(reason) => Reading::Unknown(reason),
        }
    }

    pub(crate) fn values(&self) -> &[Value] {
        match self {
            Reading::Values(values) => values,
            Reading::Unknown(_) => &[],
        }
    }

    /// Each text once, with what says it unless many say the same.
    pub(crate) fn show(&self) -> String {
        let values = match self {
            Reading::Unknown(reason) => return reason.clone(),
            Reading::Values(values) => values,
        };
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for value in values {
            let label = value.label.as_deref();
            match groups.iter_mut().find(|(text, _)| *text == value.text) {
                Some((_, labels)) => labels.extend(label),
                None => groups.push((&value.text, label.into_iter().collect())),
            }
        }
        let named = groups.len() > 1 || values.len() <= LABELS_SHOWN;
        let shown = groups.iter().map(|(text, labels)| {
            let text = if text.is_empty() { "none" } else { text };
            match named && !labels.is_empty() {
                true => format!("{text} ({})", shortened(labels)),
                false => text.to_owned(),
            }
        });
        match groups.is_empty() {
            true => "none".to_owned(),
            false => shown.collect::<Vec<_>>().join(", "),
        }
    }
}

fn shortened(labels: &[&str]) -> String {
    let shown = labels[..labels.len().min(LABELS_SHOWN)].join(" ");
    match labels.len().saturating_sub(LABELS_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `none [mq-deadline] kyber` has chosen `mq-deadline`; any other text is what it is.
pub(crate) fn chosen(text: &str) -> &str {
    let word = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    word.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, label: &str) -> Value {
        Value {
            text: text.into(),
            label: Some(label.into()),
            place: None,
        }
    }

    #[test]
    fn what_many_places_say_is_shown_once() {
        let many = |odd: usize| (0..9).map(move |cpu| (if cpu == odd { "b" } else { "a" }, cpu));
        let many = |odd| {
            many(odd)
                .map(|(text, cpu)| value(text, &format!("c{cpu}")))
                .collect()
        };
        for (values, shown) in [
            (vec![], "none"),
            (vec![value("", "a")], "none (a)"),
            (
                vec![value("on", "cpu0"), value("on", "cpu1")],
                "on (cpu0 cpu1)",
            ),
            (
                vec![value("on", "cpu0"), value("off", "cpu1")],
                "on (cpu0), off (cpu1)",
            ),
            (many(9), "a"),
            (many(8), "a (c0 c1 c2 c3 and 4 more), b (c8)"),
        ] {
            assert_eq!(Reading::Values(values).show(), shown);
        }
        assert_eq!(
            Reading::Unknown("/proc/x is missing".into()).show(),
            "/proc/x is missing"
        );
    }

    #[test]
    fn brackets_mark_what_is_chosen() {
        for (text, is) in [
            ("none [mq-deadline] kyber bfq", "mq-deadline"),
            ("[none] mq-deadline", "none"),
            ("always [madvise] never", "madvise"),
            ("write back", "write back"),
            ("", ""),
        ] {
            assert_eq!(chosen(text), is);
        }
    }
}
