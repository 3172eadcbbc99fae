//! `ottla config reference`: the tables of settings, told to people and programs.

use crate::failure::Failure;
use crate::output::{Output, print};
use ottla::config::TopicRules;
use ottla::config::broker_keys::{BROKER_KEYS, BrokerKey, Change};
use ottla::config::group_keys::{GROUP_KEYS, GroupKey};
use ottla::config::own_keys::{Form, OWN_KEYS, OwnKey};
use ottla::config::topic::narrowed;
use ottla::config::topic_keys::{TOPIC_KEYS, TopicKey};
use ottla::config::value::{Check, Kind};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct Reference {
    /// Of this node: file, environment, command line.
    node: Vec<Row>,
    /// Of brokers, under Kafka's names: the file's `[kafka]`, or over the wire.
    broker: Vec<Row>,
    /// Of topics, over the wire.
    topic: Vec<Row>,
    /// Of consumer groups, over the wire.
    group: Vec<Row>,
}

impl Reference {
    fn new() -> Reference {
        Reference {
            node: OWN_KEYS.iter().map(own).collect(),
            broker: BROKER_KEYS.iter().map(broker).collect(),
            topic: TOPIC_KEYS.iter().map(topic).collect(),
            group: GROUP_KEYS.iter().map(group).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: &'static str,
    r#type: String,
    /// Null: not set.
    default: Option<&'static str>,
    /// Empty: any value of the type.
    range: String,
    update_mode: String,
    /// Broker configs that a topic or a group inherits from, the first that is set wins.
    synonyms: Vec<&'static str>,
    documentation: &'static str,
}

pub(super) fn show(output: &Output) -> Result<(), Failure> {
    let reference = Reference::new();
    match output.is_json() {
        true => output.show(&reference, Vec::new),
        false => print(&markdown(&reference)),
    }
}

fn own(key: &OwnKey) -> Row {
    let (r#type, range) = match key.form {
        Form::Text | Form::OptionalText => ("text", String::new()),
        Form::Path => ("path", String::new()),
        Form::Number(..) | Form::WordOrNumber(..) => ("number", key.form.to_string()),
        Form::Size(..) => ("size", key.form.to_string()),
        Form::OneOf(_) => ("text", key.form.to_string()),
        Form::Endpoint | Form::OptionalEndpoint | Form::EndpointOrOff => {
            ("endpoint", key.form.to_string())
        }
    };
    Row {
        name: key.name,
        r#type: r#type.to_owned(),
        default: Some(key.default),
        range,
        update_mode: "restart".into(),
        synonyms: Vec::new(),
        documentation: key.documentation,
    }
}

fn broker(key: &BrokerKey) -> Row {
    Row {
        name: key.name,
        r#type: type_name(key.kind),
        default: key.default,
        range: range(enforced(key.name, key.check)),
        update_mode: match key.change {
            Change::Dynamic => "dynamic".into(),
            Change::PerBroker => "dynamic, per broker".into(),
            Change::Restart => "restart".into(),
            Change::Derived(setting) => format!("follows {setting}"),
        },
        synonyms: Vec::new(),
        documentation: key.documentation,
    }
}

fn topic(key: &TopicKey) -> Row {
    Row {
        name: key.name,
        r#type: type_name(key.kind),
        default: Some(key.default),
        range: range(enforced(key.name, key.check)),
        update_mode: "dynamic".into(),
        synonyms: key.synonyms.iter().map(|synonym| synonym.name).collect(),
        documentation: key.documentation,
    }
}

fn group(key: &GroupKey) -> Row {
    let (least, most) = (key.least, key.most);
    Row {
        name: key.name,
        r#type: type_name(key.kind),
        default: Some(key.default),
        range: format!("{}, from {least} to {most}", range(key.check)),
        update_mode: "dynamic".into(),
        synonyms: vec![key.synonym],
        documentation: key.documentation,
    }
}

fn type_name(kind: Kind) -> String {
    kind.name().to_lowercase()
}

/// What a node of default size takes.
fn enforced(name: &str, check: Check) -> Check {
    narrowed(name, &TopicRules::default()).unwrap_or(check)
}

fn range(check: Check) -> String {
    match check {
        Check::Any => String::new(),
        Check::AtLeast(least) => format!("{least} or more"),
        Check::Between(least, most) => format!("{least} to {most}"),
        Check::GzipLevel => "-1, or 1 to 9".into(),
        Check::Ratio => "0 to 1".into(),
        Check::OneOf(words) => words.join(", "),
        Check::Replicas => "*, or partition:broker,...".into(),
    }
}

fn markdown(reference: &Reference) -> String {
    let mut text = String::from("# Settings and configs\n");
    for (title, words, rows) in [
        (
            "Settings of a node",
            "In the file as `section.key`, in the environment as `OTTLA_SECTION__KEY`, with `serve --set key=value`.",
            &reference.node,
        ),
        (
            "Broker configs",
            "In the file under `[kafka]`, in the environment as `OTTLA_KAFKA__NUM_PARTITIONS`, with `serve --set \
             key=value`; dynamic ones also with `ottla config set broker`.",
            &reference.broker,
        ),
        (
            "Topic configs",
            "With `ottla topic create --config` or `ottla config set topic`. What a topic does not set it inherits \
             from the broker config named under it.",
            &reference.topic,
        ),
        (
            "Group configs",
            "With `ottla config set group`.",
            &reference.group,
        ),
    ] {
        let _ = write!(text, "\n## {title}\n\n{words}\n\n");
        text.push_str(
            "| name | type | default | values | changes | meaning |\n|---|---|---|---|---|---|\n",
        );
        for row in rows {
            text.push_str(&line(row));
        }
    }
    text
}

fn line(row: &Row) -> String {
    let default = match row.default {
        None => "not set".to_owned(),
        Some("") => String::new(),
        Some(value) => format!("`{value}`"),
    };
    let inherits = match row.synonyms.as_slice() {
        [] => String::new(),
        names => format!(" Inherits `{}`.", names.join("`, `")),
    };
    let cells = [
        format!("`{}`", row.name),
        row.r#type.clone(),
        default,
        row.range.clone(),
        row.update_mode.clone(),
        format!("{}{inherits}", row.documentation),
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_is_one_line_of_six_cells() {
        let reference = Reference::new();
        let text = markdown(&reference);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(
            lines.len(),
            OWN_KEYS.len() + BROKER_KEYS.len() + TOPIC_KEYS.len() + GROUP_KEYS.len()
        );
        for line in &lines {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
        }
        for expected in [
            "| `shards.count` | number | `auto` | auto, or a number from 1 to 1024 | restart | ",
            "| `num.partitions` | int | `1` | 1 or more | restart | ",
            "| `listeners` | list | `PLAINTEXT://localhost:9092` |  | follows listeners.kafka | ",
            "| `log.retention.ms` | long | not set | -1 or more | dynamic | ",
            "| `log.segment.bytes` | int | `1073741824` | 1048576 or more | dynamic | ",
            "| `max.message.bytes` | int | `1048588` | 0 to 8388608 | dynamic | ",
            "| `min.cleanable.dirty.ratio` | double | `0.5` | 0 to 1 | dynamic | ",
        ] {
            assert!(text.contains(expected), "{expected}");
        }
        assert!(text.contains(
            "Inherits `log.retention.ms`, `log.retention.minutes`, `log.retention.hours`."
        ));
    }
}
