//! Two answers, field by field. What two brokers cannot have alike is masked: ids must map one to one, times must both
//! be of now, texts must both be there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::debug_text::Value;
use crate::records::batches;
use crate::session::{Broker, Exchange, Outcome};

/// Fields that name something a broker made up.
const IDS: &[&str] = &[
    "topic_id",
    "cluster_id",
    "member_id",
    "leader",
    "producer_id",
    "session_id",
];
/// Texts for people.
const TEXTS: &[&str] = &[
    "error_message",
    "documentation",
    "batch_index_error_message",
];
const LEFT_OUT: &[&str] = &["throttle_time_ms", "unknown_tagged_fields", "usable_bytes"];
/// What tells the elements of an array apart.
const KEYS: &[&str] = &[
    "api_key",
    "key",
    "group_id",
    "resource_type",
    "resource_name",
    "topic",
    "name",
    "topic_id",
    "partition_index",
    "partition",
    "index",
    "node_id",
    "broker_id",
    "config_name",
    "config_source",
    "group_instance_id",
    "member_id",
    "producer_id",
];
const CODE: &str = "error_code";
const NOW_MS_MAX: i64 = 24 * 3_600_000;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) kafka: String,
    pub(crate) ottla: String,
}

/// The two sides of one story.
pub(crate) struct Comparison<'a> {
    brokers: [&'a Broker; 2],
    suffix: &'a str,
    /// Kafka's id to ours and back, by the kind of id.
    to_ottla: BTreeMap<(String, String), String>,
    to_kafka: BTreeMap<(String, String), String>,
    now_ms: i64,
    found: Vec<Difference>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(kafka: &'a Broker, ottla: &'a Broker, suffix: &'a str) -> Comparison<'a> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        Comparison {
            brokers: [kafka, ottla],
            suffix,
            to_ottla: BTreeMap::new(),
            to_kafka: BTreeMap::new(),
            now_ms: now.as_millis() as i64,
            found: Vec::new(),
        }
    }

    pub(crate) fn exchange(&mut self, kafka: &Exchange, ottla: &Exchange) -> Vec<Difference> {
        match (&kafka.outcome, &ottla.outcome) {
            (Outcome::Answer(kafka), Outcome::Answer(ottla)) => {
                let kafka = self.prepared(kafka, 0);
                let ottla = self.prepared(ottla, 1);
                self.value("", "", &kafka, &ottla);
            }
            (kafka, ottla) if kafka == ottla => {}
            (kafka, ottla) => self.differ("outcome", brief(kafka), brief(ottla)),
        }
        std::mem::take(&mut self.found)
    }

    /// Without what belongs to this broker alone.
    fn prepared(&self, value: &Value, side: usize) -> Value {
        match value {
            Value::Scalar(text) => Value::Scalar(self.plain(text, side)),
            Value::Some(inner) => Value::Some(Box::new(self.prepared(inner, side))),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.prepared(item, side)).collect())
            }
            Value::Struct(name, fields) => {
                let kept = fields
                    .iter()
                    .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
                let prepared =
                    kept.map(|(name, value)| (name.clone(), self.field(name, value, side)));
                Value::Struct(name.clone(), prepared.collect())
            }
        }
    }

    fn field(&self, name: &str, value: &Value, side: usize) -> Value {
        match (name, value) {
            ("records", Value::Some(inner)) => match &**inner {
                Value::Scalar(printed) => {
                    Value::Some(Box::new(self.prepared(&batches(printed), side)))
                }
                other => self.prepared(other, side),
            },
            ("port", Value::Scalar(port))
                if self.brokers[side].address.ends_with(&format!(":{port}")) =>
            {
                Value::Scalar("<port>".to_owned())
            }
            _ if TEXTS.contains(&name) => Value::Scalar(presence(value).to_owned()),
            _ => self.prepared(value, side),
        }
    }

    fn plain(&self, text: &str, side: usize) -> String {
        match text.parse::<i64>() {
            Ok(number) if (number - self.now_ms).abs() < NOW_MS_MAX => return "<now>".to_owned(),
            Ok(_) => return text.to_owned(),
            Err(_) => {}
        }
        let broker = self.brokers[side];
        let text = text.replace(self.suffix, "");
        let text = text.replace(&broker.address, "<address>");
        text.replace(&broker.folder, "<folder>")
    }

    fn value(&mut self, path: &str, name: &str, kafka: &Value, ottla: &Value) {
        match (kafka, ottla) {
            _ if IDS.contains(&name) => self.id(path, name, kafka, ottla),
            (Value::Some(kafka), Value::Some(ottla)) => self.value(path, name, kafka, ottla),
            (Value::List(kafka), Value::List(ottla)) => self.list(path, name, kafka, ottla),
            (Value::Struct(_, kafka), Value::Struct(_, ottla)) => {
                // Where the codes differ, the rest follows from them.
                let (kafka, ottla) = match kafka.get(CODE) == ottla.get(CODE) {
                    true => (kafka, ottla),
                    false => (&only(CODE, kafka), &only(CODE, ottla)),
                };
                let names: BTreeSet<&String> = kafka.keys().chain(ottla.keys()).collect();
                for name in names {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    match (kafka.get(name), ottla.get(name)) {
                        (Some(kafka), Some(ottla)) => self.value(&path, name, kafka, ottla),
                        (kafka, ottla) => self.differ(&path, shown(kafka), shown(ottla)),
                    }
                }
            }
            (kafka, ottla) if kafka == ottla => {}
            (kafka, ottla) => self.differ(path, shown(Some(kafka)), shown(Some(ottla))),
        }
    }

    /// Made-up ids are alike when each always stands for the same other, and is made in the same way.
    fn id(&mut self, path: &str, name: &str, kafka: &Value, ottla: &Value) {
        let kind = if name == "leader" { "member_id" } else { name };
        let (theirs, ours) = (bare(kafka), bare(ottla));
        let (their_form, our_form) = (form(kind, &theirs), form(kind, &ours));
        if their_form != our_form {
            return self.differ(path, their_form, our_form);
        }
        if their_form == theirs {
            return;
        }
        let forth = self
            .to_ottla
            .entry((kind.to_owned(), theirs.clone()))
            .or_insert_with(|| ours.clone());
        let back = self
            .to_kafka
            .entry((kind.to_owned(), ours.clone()))
            .or_insert_with(|| theirs.clone());
        if *forth != ours || *back != theirs {
            self.differ(path, "one id".to_owned(), "another id".to_owned());
        }
    }

    fn list(&mut self, path: &str, name: &str, kafka: &[Value], ottla: &[Value]) {
        let their_keys: Vec<String> = kafka.iter().map(|item| self.key(item, 0)).collect();
        let our_keys: Vec<String> = ottla.iter().map(|item| self.key(item, 1)).collect();
        let is_keyed = |keys: &[String]| {
            let unique: BTreeSet<&String> = keys.iter().collect();
            unique.len() == keys.len() && !unique.contains(&String::new())
        };
        if !is_keyed(&their_keys) || !is_keyed(&our_keys) {
            return self.positions(path, name, kafka, ottla);
        }
        for (key, item) in their_keys.iter().zip(kafka) {
            let path = format!("{path}[{key}]");
            match our_keys.iter().position(|other| other == key) {
                Some(at) => self.value(&path, name, item, &ottla[at]),
                None => self.differ(&path, "present".to_owned(), "absent".to_owned()),
            }
        }
        for key in our_keys.iter().filter(|key| !their_keys.contains(key)) {
            self.differ(
                &format!("{path}[{key}]"),
                "absent".to_owned(),
                "present".to_owned(),
            );
        }
        let theirs: Vec<&String> = their_keys
            .iter()
            .filter(|key| our_keys.contains(key))
            .collect();
        let ours: Vec<&String> = our_keys
            .iter()
            .filter(|key| their_keys.contains(key))
            .collect();
        if theirs != ours {
            self.differ(
                &format!("{path}[order]"),
                "one".to_owned(),
                "another".to_owned(),
            );
        }
    }

    fn positions(&mut self, path: &str, name: &str, kafka: &[Value], ottla: &[Value]) {
        if kafka.len() != ottla.len() {
            let count = |items: &[Value]| format!("{} elements", items.len());
            return self.differ(&format!("{path}[count]"), count(kafka), count(ottla));
        }
        for (index, (kafka, ottla)) in kafka.iter().zip(ottla).enumerate() {
            self.value(&format!("{path}[{index}]"), name, kafka, ottla);
        }
    }

    /// What an element is recognised by. Ids known from before are told as the other broker's.
    fn key(&self, item: &Value, side: usize) -> String {
        let (kind, fields) = match item {
            Value::Struct(kind, fields) => (kind, fields),
            Value::Scalar(text) => return text.clone(),
            _ => return String::new(),
        };
        // A batch is known by its offset; in a produce's answer the offset is what is compared.
        let keys = if kind == "Batch" {
            &["base_offset"][..]
        } else {
            KEYS
        };
        let parts = keys.iter().filter_map(|&name| {
            let text = bare(fields.get(name)?);
            if !IDS.contains(&name) {
                return Some(text);
            }
            let known = match side {
                0 => self
                    .to_kafka
                    .values()
                    .any(|theirs| *theirs == text)
                    .then(|| text.clone()),
                _ => self.to_kafka.get(&(name.to_owned(), text)).cloned(),
            };
            known.map(|id| id[id.len().saturating_sub(6)..].to_owned())
        });
        let parts: Vec<String> = parts.collect();
        let named = parts
            .iter()
            .filter(|part| !part.is_empty() && *part != "None");
        let key = named.cloned().collect::<Vec<_>>().join("/");
        // What is named by nothing is an element of its own all the same.
        if key.is_empty() && !parts.is_empty() {
            "<nameless>".to_owned()
        } else {
            key
        }
    }

    fn differ(&mut self, path: &str, kafka: String, ottla: String) {
        let path = path.to_owned();
        self.found.push(Difference { path, kafka, ottla });
    }
}

fn only(wanted: &str, fields: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let kept = fields.iter().filter(|(name, _)| *name == wanted);
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn presence(value: &Value) -> &'static str {
    match value {
        Value::Scalar(text) if text == "None" || text.is_empty() => "absent",
        Value::Some(inner) => presence(inner),
        _ => "present",
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::Some(inner) => bare(inner),
        Value::Scalar(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// An id without what is random in it; what is not random stays as it is.
fn form(kind: &str, id: &str) -> String {
    match kind {
        "topic_id" | "cluster_id" => {
            let is_none = id
                .chars()
                .all(|letter| letter == '0' || letter == 'A' || letter == '-');
            if is_none || id == "None" {
                id.to_owned()
            } else {
                format!("<{} letters>", id.len())
            }
        }
        "member_id" => match uuid_at(id) {
            Some(at) => format!("{}<uuid>{}", &id[..at], &id[at + 36..]),
            None => id.to_owned(),
        },
        _ => match id.parse::<i64>() {
            Ok(number) if number > 0 || (number == 0 && kind == "producer_id") => {
                "<number>".to_owned()
            }
            _ => id.to_owned(),
        },
    }
}

fn uuid_at(text: &str) -> Option<usize> {
    let letters = text.as_bytes();
    (0..letters.len().saturating_sub(35)).find(|&at| {
        letters[at..at + 36]
            .iter()
            .enumerate()
            .all(|(index, &letter)| match index {
                8 | 13 | 18 | 23 => letter == b'-',
                _ => letter.is_ascii_hexdigit(),
            })
    })
}

/// Short enough for a line.
fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => "no such field".to_owned(),
        Some(Value::List(items)) => format!("{} elements", items.len()),
        Some(Value::Struct(name, _)) => name.clone(),
        Some(Value::Some(inner)) => return shown(Some(inner)),
        Some(Value::Scalar(text)) => text.clone(),
    };
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answer(_) => "answered".to_owned(),
        Outcome::Unreadable(error) => format!("unreadable: {error}"),
        Outcome::Closed => "closed".to_owned(),
        Outcome::Silence => "silence".to_owned(),
        Outcome::Sent => "served on".to_owned(),
    }
}
