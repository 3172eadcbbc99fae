//! What DescribeConfigs shows of a topic or a broker, row by row.

use super::broker_keys::{self, BROKER_KEYS, BrokerKey, Change};
use super::group_keys::{GROUP_KEYS, GroupKey};
use super::layers::{BrokerLayers, Overrides, Source};
use super::topic::{is_own, scaled};
use super::topic_keys::{TOPIC_KEYS, TopicKey};
use super::value::{Kind, canonical};
use std::borrow::Cow;

/// One config of a resource. Numbers of `source` and `kind` are those of the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    pub name: &'static str,
    /// None: not set, and without a default.
    pub value: Option<String>,
    pub source: Source,
    /// Where the value comes from and what it hides, the winner first.
    pub synonyms: Vec<SynonymValue>,
    pub kind: Kind,
    pub read_only: bool,
    /// No key of this release holds a secret.
    pub sensitive: bool,
    pub documentation: &'static str,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SynonymValue {
    pub name: &'static str,
    pub value: String,
    pub source: Source,
}

/// The configs of a topic, by name. `wanted`: only these; None or empty: all. Keys of ottla's own are shown when
/// they are set or asked for.
pub fn topic(
    overrides: &Overrides,
    layers: &BrokerLayers,
    wanted: Option<&[String]>,
) -> Vec<Description> {
    let rows = TOPIC_KEYS.iter().filter(|key| is_wanted(key.name, wanted));
    let rows = rows.map(|key| describe_topic_key(key, overrides, layers));
    rows.filter(|row| is_shown(row, wanted)).collect()
}

/// The configs of a group, by name.
pub fn group(
    overrides: &Overrides,
    layers: &BrokerLayers,
    wanted: Option<&[String]>,
) -> Vec<Description> {
    let rows = GROUP_KEYS.iter().filter(|key| is_wanted(key.name, wanted));
    let rows = rows.map(|key| describe_group_key(key, overrides, layers));
    rows.collect()
}

/// The configs in force on this broker, by name.
pub fn broker(layers: &BrokerLayers, wanted: Option<&[String]>) -> Vec<Description> {
    let rows = BROKER_KEYS.iter().filter(|key| is_wanted(key.name, wanted));
    let rows = rows.map(|key| describe_broker_key(key, layers));
    rows.filter(|row| is_shown(row, wanted)).collect()
}

/// The defaults set for all brokers, and nothing else: the broker resource with an empty name.
pub fn cluster(layers: &BrokerLayers, wanted: Option<&[String]>) -> Vec<Description> {
    let rows = BROKER_KEYS.iter().filter(|key| is_wanted(key.name, wanted));
    let rows = rows.filter_map(|key| {
        let value = layers.cluster.get(key.name)?.clone();
        let synonym = SynonymValue {
            name: key.name,
            value: value.clone(),
            source: Source::DynamicCluster,
        };
        Some(broker_row(
            key,
            Some(value),
            Source::DynamicCluster,
            vec![synonym],
        ))
    });
    rows.collect()
}

fn is_wanted(name: &str, wanted: Option<&[String]>) -> bool {
    wanted.is_none_or(|names| names.is_empty() || names.iter().any(|wanted| wanted == name))
}

fn is_shown(row: &Description, wanted: Option<&[String]>) -> bool {
    let is_asked_for = wanted.is_some_and(|names| names.iter().any(|name| name == row.name));
    !is_own(row.name) || is_asked_for || row.source != Source::Default
}

fn describe_topic_key(key: &TopicKey, overrides: &Overrides, layers: &BrokerLayers) -> Description {
    let mut synonyms = Vec::new();
    let mut value = Cow::Borrowed(key.default);
    let mut source = Source::Default;
    // A coarse unit has its factor, so the value is that of the topic config, the synonym's that of the broker's.
    if let Some(first) = key.synonyms.first() {
        let names: Vec<_> = key.synonyms.iter().map(|synonym| synonym.name).collect();
        // Kafka hides every entry before the topic config's first synonym; the one in force is shown here.
        synonyms = after_hidden(chain(&names, layers), |s| {
            s.name == first.name || s.source != Source::Default
        });
        if let Some(set) = key.synonyms.iter().find(|s| layers.get(s.name).is_some()) {
            value = scaled(layers.get(set.name).expect("just found"), set.factor);
            source = layers.chain(set.name).next().expect("just found").0;
        }
    }
    if let Some(own) = overrides.get(key.name) {
        value = Cow::Borrowed(own);
        source = Source::Topic;
        let (name, value) = (key.name, own.clone());
        synonyms.insert(
            0,
            SynonymValue {
                name,
                value,
                source,
            },
        );
    }
    let value = canonical(key.name, &value, key.kind, key.check);
    Description {
        name: key.name,
        value: Some(value.unwrap_or_else(|_| key.default.to_owned())),
        source,
        synonyms,
        kind: key.kind,
        read_only: false,
        sensitive: false,
        documentation: key.documentation,
    }
}

fn describe_group_key(key: &GroupKey, overrides: &Overrides, layers: &BrokerLayers) -> Description {
    let mut synonyms = chain(&[key.synonym], layers);
    if let Some(own) = overrides.get(key.name) {
        let own = SynonymValue {
            name: key.name,
            value: own.clone(),
            source: Source::Group,
        };
        synonyms.insert(0, own);
    }
    let first = synonyms.first();
    Description {
        name: key.name,
        value: first.map(|synonym| synonym.value.clone()),
        source: first.map_or(Source::Default, |synonym| synonym.source),
        synonyms,
        kind: key.kind,
        read_only: false,
        sensitive: false,
        documentation: key.documentation,
    }
}

fn describe_broker_key(key: &'static BrokerKey, layers: &BrokerLayers) -> Description {
    let set = layers.chain(key.name).next();
    let source = set.map_or(Source::Default, |(source, _)| source);
    let value = set.map(|(_, value)| value).or(key.default);
    let group = broker_keys::group(key);
    let names = if group.is_empty() { &[key.name] } else { group };
    let synonyms = after_hidden(chain(names, layers), |s| s.name == key.name);
    broker_row(key, value.map(str::to_owned), source, synonyms)
}

fn broker_row(
    key: &'static BrokerKey,
    value: Option<String>,
    source: Source,
    synonyms: Vec<SynonymValue>,
) -> Description {
    Description {
        name: key.name,
        value,
        source,
        synonyms,
        kind: key.kind,
        read_only: !matches!(key.change, Change::Dynamic | Change::PerBroker),
        sensitive: false,
        documentation: key.documentation,
    }
}

/// Every value under these names, layer by layer, the defaults last.
fn chain(names: &[&'static str], layers: &BrokerLayers) -> Vec<SynonymValue> {
    let mut found = Vec::new();
    for layer in [
        Source::DynamicBroker,
        Source::DynamicCluster,
        Source::StaticBroker,
    ] {
        for &name in names {
            let mut values = layers.chain(name);
            if let Some((source, value)) = values.find(|(source, _)| *source == layer) {
                let value = value.to_owned();
                found.push(SynonymValue {
                    name,
                    value,
                    source,
                });
            }
        }
    }
    for &name in names {
        if let Some(value) = broker_keys::find(name).and_then(|key| key.default) {
            let (value, source) = (value.to_owned(), Source::Default);
            found.push(SynonymValue {
                name,
                value,
                source,
            });
        }
    }
    found
}

/// Without the entries before the first that is `kept`; Apache Kafka lists no more.
fn after_hidden(
    mut chain: Vec<SynonymValue>,
    kept: impl Fn(&SynonymValue) -> bool,
) -> Vec<SynonymValue> {
    let first = chain.iter().position(kept).unwrap_or(chain.len());
    chain.split_off(first)
}

#[cfg(test)]
mod tests;
