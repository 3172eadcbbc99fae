//! The list of differences that are meant, `differences.txt`: one line each, six columns between bars.
//!
//!     API | versions | story: question | field | Kafka's -> ours | reason
//!
//! `*` stands for anything within a column. A line that nothing matched is stale, unless its reason begins with
//! `sometimes:`.

use std::cell::Cell;

use ottla::wire::ApiKey;

use crate::compare::Difference;

pub(crate) struct Listed {
    lines: Vec<Line>,
}

struct Line {
    text: String,
    api: String,
    versions: Option<(i16, i16)>,
    place: String,
    path: String,
    kafka: String,
    ottla: String,
    reason: String,
    matched: Cell<u64>,
}

impl Listed {
    pub(crate) fn read(text: &str) -> Listed {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Listed {
            lines: lines.map(Line::read).collect(),
        }
    }

    pub(crate) fn covers(
        &self,
        api: ApiKey,
        version: i16,
        place: &str,
        difference: &Difference,
    ) -> bool {
        let line = self
            .lines
            .iter()
            .find(|line| line.matches(api, version, place, difference));
        if let Some(line) = line {
            line.matched.set(line.matched.get() + 1);
        }
        line.is_some()
    }

    pub(crate) fn stale(&self) -> impl Iterator<Item = &str> {
        let unused = self.lines.iter().filter(|line| line.matched.get() == 0);
        unused
            .filter(|line| !line.reason.starts_with("sometimes:"))
            .map(|line| line.text.as_str())
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }
}

impl Line {
    fn read(text: &str) -> Line {
        let columns: Vec<&str> = text.split(" | ").map(str::trim).collect();
        let [api, versions, place, path, values, reason] = columns[..] else {
            panic!("six columns between bars: {text}");
        };
        let (kafka, ottla) = values
            .split_once(" -> ")
            .expect("two values with an arrow between");
        assert!(!reason.is_empty(), "a reason: {text}");
        Line {
            text: text.to_owned(),
            api: api.to_owned(),
            versions: range(versions),
            place: place.to_owned(),
            path: path.to_owned(),
            kafka: kafka.to_owned(),
            ottla: ottla.to_owned(),
            reason: reason.to_owned(),
            matched: Cell::new(0),
        }
    }

    fn matches(&self, api: ApiKey, version: i16, place: &str, difference: &Difference) -> bool {
        glob(&self.api, api.api().name)
            && self
                .versions
                .is_none_or(|(first, last)| (first..=last).contains(&version))
            && glob(&self.place, place)
            && glob(&self.path, &difference.path)
            && glob(&self.kafka, &difference.kafka)
            && glob(&self.ottla, &difference.ottla)
    }
}

/// `*`, `3` or `3-7`.
fn range(text: &str) -> Option<(i16, i16)> {
    if text == "*" {
        return None;
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse().expect("a version");
    Some((number(first), number(last)))
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.into_iter().any(|at| glob(tail, &rest[at..]))
}
