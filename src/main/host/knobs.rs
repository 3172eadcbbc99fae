//! The table of knobs, `tuning/knobs.toml`, as it is built in.

use super::probe::Probe;
use serde::Deserialize;

/// One thing of the host that matters to a broker. Texts may hold `{queue}`, `{locked}` and `{other_cpus}`.
#[derive(Debug)]
pub(crate) struct Knob {
    pub(crate) name: String,
    pub(crate) source: Source,
    /// Else it warns.
    pub(crate) wanted: String,
    /// Else it is bad.
    pub(crate) needed: Option<String>,
    /// Drives that the row is about begin like this.
    pub(crate) only: Option<String>,
    /// What `tune` does about it.
    pub(crate) remedy: Option<Remedy>,
    /// What a missing file means.
    pub(crate) absent: Option<String>,
    pub(crate) why: String,
    pub(crate) how: String,
    pub(crate) undo: String,
    pub(crate) effect: String,
    pub(crate) measure: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// A path, perhaps with a `*`.
    File(String),
    Probe(Probe),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Remedy {
    /// This text, wherever another one stands.
    Set(String),
    /// `tuning/limits.conf` at this place.
    Install(String),
}

/// What `Remedy::Install` writes.
pub(crate) const LIMITS: &str = include_str!("../../../tuning/limits.conf");

const TABLE: &str = include_str!("../../../tuning/knobs.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    knob: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    file: Option<String>,
    probe: Option<Probe>,
    wanted: String,
    needed: Option<String>,
    only: Option<String>,
    set: Option<String>,
    install: Option<String>,
    absent: Option<String>,
    why: String,
    how: String,
    undo: String,
    effect: String,
    measure: Option<String>,
}

/// In the order they are shown.
pub(crate) fn all() -> Vec<Knob> {
    let file: File = toml::from_str(TABLE).expect("a test reads the table");
    file.knob.into_iter().map(Row::knob).collect()
}

impl Row {
    fn knob(self) -> Knob {
        let source = match (self.file, self.probe) {
            (Some(file), None) => Source::File(file),
            (None, Some(probe)) => Source::Probe(probe),
            _ => panic!("{}: either a file or a probe", self.name),
        };
        let remedy = match (self.set, self.install) {
            (None, None) => None,
            (Some(text), None) => Some(Remedy::Set(text)),
            (None, Some(place)) => Some(Remedy::Install(place)),
            _ => panic!("{}: it is set or installed", self.name),
        };
        Knob {
            name: self.name,
            source,
            wanted: self.wanted,
            needed: self.needed,
            only: self.only,
            remedy,
            absent: self.absent,
            why: self.why,
            how: self.how,
            undo: self.undo,
            effect: self.effect,
            measure: self.measure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::wanted::Wanted;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_makes_sense() {
        let knobs = all();
        let names: BTreeSet<&str> = knobs.iter().map(|knob| knob.name.as_str()).collect();
        assert_eq!(names.len(), knobs.len(), "each name once");
        for knob in &knobs {
            let fill = |text: &str| {
                let text = text
                    .replace("{locked}", "97MiB")
                    .replace("{other_cpus}", "2-3");
                text.replace("{queue}", "/sys/block/nvme0n1/queue")
            };
            let wanted = Wanted::parse(&fill(&knob.wanted)).unwrap_or_else(|| panic!("{knob:?}"));
            let needed = knob.needed.as_deref().map(fill);
            assert!(
                needed.is_none_or(|needed| Wanted::parse(&needed).is_some()),
                "{knob:?}"
            );
            if let Some(Remedy::Set(text)) = &knob.remedy {
                assert!(
                    wanted.fits(&fill(text)),
                    "what is set is not what is wanted: {knob:?}"
                );
            }
            let texts = [&knob.wanted, &knob.why, &knob.how, &knob.undo, &knob.effect];
            for text in texts {
                assert!(
                    !text.is_empty() && !fill(text).contains(['{', '\n']),
                    "{knob:?}"
                );
            }
        }
    }
}
