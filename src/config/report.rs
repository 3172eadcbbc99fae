//! What a node's sources come to, for people: every setting in force and where it is from, or everything that is wrong.

use super::entry::{Entry, KAFKA_SECTION, Origin};
use super::error::{SettingsError, SettingsProblem};
use super::own_keys::OWN_KEYS;
use super::problem::ConfigProblem;
use super::settings::{Settings, Sources};
use super::{file, merge};

impl Sources<'_> {
    /// The node's own settings, then the broker configs that are set, each as the node would take it.
    pub fn in_force(self) -> Result<Vec<Entry>, SettingsError> {
        let settings = Settings::load(self.clone())?;
        let written = merge::written(self.entries()?)?;
        let own = OWN_KEYS.iter().map(|row| {
            let entry = written.get(row.name).cloned();
            entry.unwrap_or_else(|| Entry {
                key: row.name.to_owned(),
                value: row.default.to_owned(),
                origin: Origin::Default,
            })
        });
        let kafka = settings.kafka.into_iter().filter_map(|(name, value)| {
            let key = format!("{KAFKA_SECTION}{name}");
            // What another setting put there has its line already.
            let origin = written.get(&key)?.origin.clone();
            Some(Entry { key, value, origin })
        });
        Ok(own.chain(kafka).collect())
    }

    /// Each setting is judged alone, then all together.
    pub fn problems(self) -> Vec<SettingsError> {
        let entries = match self.clone().entries() {
            Ok(entries) => entries,
            Err(error) => return vec![error],
        };
        let alone = entries.into_iter().flatten().filter_map(|entry| {
            let result = merge::resolve(vec![entry], Vec::new(), Vec::new());
            result
                .err()
                .filter(|error| error.problem.is_of_one_setting())
        });
        let mut problems: Vec<SettingsError> = alone.collect();
        match Settings::load(self) {
            Err(error) if !problems.contains(&error) => problems.push(error),
            _ => {}
        }
        problems.sort_by_key(|error| match error.origin {
            Origin::File { line, .. } => line,
            _ => usize::MAX,
        });
        problems
    }

    /// File, environment, command line.
    fn entries(self) -> Result<[Vec<Entry>; 3], SettingsError> {
        let file = match self.file {
            Some((name, text)) => file::read(name, text)?,
            None => Vec::new(),
        };
        let environment = Entry::environment(self.environment).collect();
        Ok([file, environment, self.arguments])
    }
}

impl SettingsProblem {
    /// Whatever the other settings are.
    fn is_of_one_setting(&self) -> bool {
        match self {
            SettingsProblem::Syntax { .. }
            | SettingsProblem::Shape { .. }
            | SettingsProblem::NotAnAssignment
            | SettingsProblem::UnknownKey { .. }
            | SettingsProblem::Form { .. }
            | SettingsProblem::Derived { .. }
            | SettingsProblem::AdminNotLoopback { .. } => true,
            SettingsProblem::Kafka { problem } => {
                !matches!(problem, ConfigProblem::LagConflict { .. })
            }
            SettingsProblem::Twice { .. }
            | SettingsProblem::WildcardAdvertised { .. }
            | SettingsProblem::SameEndpoint { .. }
            | SettingsProblem::DurabilityTwice { .. }
            | SettingsProblem::RingTooSmall { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Sources<'_> {
        Sources {
            file: Some(("ottla.toml", text)),
            ..Sources::default()
        }
    }

    #[test]
    fn settings_in_force_say_where_they_are_from() {
        let text = "[node]\nid = 3\n[kafka]\n\"num.partitions\" = 4\n";
        let sources = Sources {
            environment: vec![("OTTLA_LOG__LEVEL".into(), "warn".into())],
            arguments: vec![Entry::flag("--listen", "listeners.kafka", "localhost:9")],
            ..file(text)
        };
        let entries = sources.in_force().expect("sound settings");
        let find = |key: &str| {
            let entry = entries.iter().find(|entry| entry.key == key);
            let entry = entry.expect("the key is there");
            format!("{} ({})", entry.value, entry.origin)
        };
        assert_eq!(find("node.id"), "3 (ottla.toml, line 2)");
        assert_eq!(find("kafka.num.partitions"), "4 (ottla.toml, line 4)");
        assert_eq!(
            find("log.level"),
            "warn (environment variable OTTLA_LOG__LEVEL)"
        );
        assert_eq!(
            find("listeners.kafka"),
            "localhost:9 (argument --listen localhost:9)"
        );
        assert_eq!(find("shards.count"), "auto (built-in default)");
        assert_eq!(entries.len(), OWN_KEYS.len() + 1);
    }

    #[test]
    fn all_problems_are_found_at_once_and_each_is_told_once() {
        for (text, expected) in [
            ("", &[][..]),
            // Together they fit, alone the first would not.
            (
                "[storage]\njournal_file = \"64KiB\"\njournal_files = 1024\n",
                &[],
            ),
            (
                "[node]\nid = -1\nnane = 1\n[kafka]\n\"num.partitions\" = 0\n",
                &[
                    "line 2: node.id",
                    "line 3: unknown setting node.nane",
                    "line 5: Invalid value 0",
                ],
            ),
            ("[node\n", &["line 1: not valid TOML"]),
            (
                "listeners.kafka = \"0.0.0.0:9092\"\n",
                &["line 1: clients cannot dial"],
            ),
        ] {
            let found: Vec<String> = file(text)
                .problems()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found}");
            }
        }
    }
}
