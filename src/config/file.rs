//! The configuration file: TOML text into entries that know their line.

use super::entry::{Entry, Origin};
use super::error::{SettingsError, SettingsProblem};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads the text of a configuration file; `name` is for messages.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<Entry>, SettingsError> {
    let file = File { name, text };
    let table = DeTable::parse(text).map_err(|error| SettingsError {
        origin: file.origin(error.span().map_or(0, |span| span.start)),
        problem: SettingsProblem::Syntax {
            message: one_line(error.message()),
        },
    })?;
    let mut entries = Vec::new();
    file.flatten("", table.get_ref(), &mut entries)?;
    Ok(entries)
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, position: usize) -> Origin {
        let before = &self.text.as_bytes()[..position.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        let name = self.name.to_owned();
        Origin::File { name, line }
    }

    /// Dots in a key and tables inside tables mean the same, so Kafka's names need no quotes.
    fn flatten(
        &self,
        path: &str,
        table: &DeTable<'_>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), SettingsError> {
        for (name, value) in table {
            let name_text = name.get_ref();
            let key = match path {
                "" => name_text.to_string(),
                _ => format!("{path}.{name_text}"),
            };
            let origin = self.origin(name.span().start);
            if let DeValue::Table(inner) = value.get_ref() {
                self.flatten(&key, inner, entries)?;
                continue;
            }
            let value = scalar(value).map_err(|found| SettingsError {
                origin: origin.clone(),
                problem: SettingsProblem::Shape {
                    key: key.clone(),
                    found,
                },
            })?;
            entries.push(Entry { key, value, origin });
        }
        Ok(())
    }
}

fn scalar(value: &Spanned<DeValue<'_>>) -> Result<String, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Integer(_) => Err("a number that is not decimal"),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Array(list) => {
            let elements: Result<Vec<String>, _> = list.iter().map(scalar).collect();
            Ok(elements?.join(","))
        }
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Table(_) => Err("a table"),
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
