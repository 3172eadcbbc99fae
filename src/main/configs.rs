//! Configs of topics and brokers over the wire: reading them, changing some.

use crate::client::Client;
use crate::failure::{CONFIG_FIX, Failure};
use ottla::wire::ErrorCode;
use ottla::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use ottla::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest,
};
use std::convert::Infallible;
use std::str::FromStr;

pub(crate) const TOPIC: i8 = 2;
pub(crate) const BROKER: i8 = 4;
pub(crate) const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
/// The sources that mean: set on the topic itself, and set by nobody.
pub(crate) const TOPIC_SOURCE: i8 = 1;
pub(crate) const DEFAULT_SOURCE: i8 = 5;

/// `KEY=VALUE` of the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Assignment, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Assignment {
                key: key.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("write KEY=VALUE".into()),
        }
    }
}

/// What is to change of one resource, as the command line says it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Changes<'a> {
    pub(crate) set: &'a [Assignment],
    pub(crate) unset: &'a [String],
    pub(crate) append: &'a [Assignment],
    pub(crate) subtract: &'a [Assignment],
}

impl Changes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.operations().next().is_none()
    }

    fn operations(&self) -> impl Iterator<Item = AlterableConfig> {
        let lists = [
            (SET, self.set),
            (APPEND, self.append),
            (SUBTRACT, self.subtract),
        ];
        let assigned = lists.into_iter().flat_map(|(operation, list)| {
            list.iter()
                .map(move |change| (operation, &change.key, Some(change.value.clone())))
        });
        let unset = self.unset.iter().map(|key| (DELETE, key, None));
        assigned
            .chain(unset)
            .map(|(operation, key, value)| AlterableConfig {
                name: key.clone(),
                config_operation: operation,
                value,
                ..AlterableConfig::default()
            })
    }

    /// What to ask the broker to change.
    pub(crate) fn of(&self, resource_type: i8, name: &str) -> AlterConfigsResource {
        AlterConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configs: self.operations().collect(),
            ..AlterConfigsResource::default()
        }
    }
}

/// A resource's type, as the wire numbers it.
pub(crate) fn resource_name(resource_type: i8) -> &'static str {
    match resource_type {
        BROKER => "BROKER",
        GROUP => "GROUP",
        _ => "TOPIC",
    }
}

/// A config's source, as the wire numbers it.
pub(crate) fn source_name(source: i8) -> &'static str {
    match source {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "CLIENT_METRICS_CONFIG",
        8 => "GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

/// A config's type, as the wire numbers it.
pub(crate) fn type_name(kind: i8) -> &'static str {
    match kind {
        1 => "BOOLEAN",
        2 => "STRING",
        3 => "INT",
        4 => "SHORT",
        5 => "LONG",
        6 => "DOUBLE",
        7 => "LIST",
        8 => "CLASS",
        9 => "PASSWORD",
        _ => "UNKNOWN",
    }
}

/// Who answers for a resource: a broker for itself, anybody for the rest.
fn node_of(resource_type: i8, name: &str) -> Option<i32> {
    name.parse().ok().filter(|_| resource_type == BROKER)
}

/// Configs of one resource, sorted by name; all without `keys`.
pub(crate) fn describe(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    keys: &[String],
) -> Result<Vec<DescribeConfigsResourceResult>, Failure> {
    let question = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configuration_keys: Some(keys.to_vec()).filter(|keys| !keys.is_empty()),
            ..DescribeConfigsResource::default()
        }],
        include_synonyms: true,
        include_documentation: true,
        ..DescribeConfigsRequest::default()
    };
    let answer = match node_of(resource_type, name) {
        Some(node) => client.ask(node, &question)?,
        None => client.ask_any(&question)?,
    };
    let result: DescribeConfigsResult = answer.results.into_iter().next().unwrap_or_default();
    let message = result.error_message.as_deref();
    Failure::check(&subject(resource_type, name), result.error_code, message)?;
    let mut configs = result.configs;
    configs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(configs)
}

/// Changes resources that the same broker answers for; one result for each, in their order.
pub(crate) fn alter(
    client: &mut Client,
    resources: Vec<AlterConfigsResource>,
    validate_only: bool,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let node = resources
        .first()
        .and_then(|resource| node_of(resource.resource_type, &resource.resource_name));
    let asked: Vec<(i8, String)> = resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()))
        .collect();
    let question = IncrementalAlterConfigsRequest {
        resources,
        validate_only,
        ..IncrementalAlterConfigsRequest::default()
    };
    let answer = match node {
        Some(node) => client.ask(node, &question)?,
        None => client.ask_any(&question)?,
    };
    let results = asked.iter().map(|(kind, name)| {
        let mut rows = answer.responses.iter();
        let row = rows.find(|row| row.resource_type == *kind && row.resource_name == *name);
        judge(row, *kind, name)
    });
    Ok(results.collect())
}

fn judge(row: Option<&AlterConfigsResourceResponse>, kind: i8, name: &str) -> Result<(), Failure> {
    let subject = subject(kind, name);
    let row =
        row.ok_or_else(|| Failure::new(format!("{subject}: the broker said nothing of it")))?;
    let result = Failure::check(&subject, row.error_code, row.error_message.as_deref());
    // A broker calls a value of its own that it cannot take an invalid request.
    result.map_err(|failure| match failure.code() {
        Some(ErrorCode::InvalidRequest) if kind == BROKER => failure.fix(CONFIG_FIX),
        _ => failure,
    })
}

pub(crate) fn subject(resource_type: i8, name: &str) -> String {
    match (resource_type, name) {
        (BROKER, "") => "all brokers".into(),
        (BROKER, name) => format!("broker {name}"),
        (GROUP, name) => format!("group {name}"),
        (_, name) => format!("topic {name}"),
    }
}

/// Whose configs a command is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BrokerName(pub(crate) String);

impl FromStr for BrokerName {
    type Err = Infallible;

    /// `all` is the wire's empty name: what brokers have that do not say otherwise.
    fn from_str(text: &str) -> Result<BrokerName, Infallible> {
        Ok(BrokerName(if text == "all" {
            String::new()
        } else {
            text.to_owned()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_anything_a_key_must_be_there() {
        for (text, parts) in [
            ("a=b", Some(("a", "b"))),
            (" a = b", Some(("a", " b"))),
            ("a=", Some(("a", ""))),
            ("a=b=c", Some(("a", "b=c"))),
            ("a", None),
            ("=b", None),
        ] {
            let parsed = text.parse::<Assignment>().ok();
            let parsed = parsed
                .as_ref()
                .map(|found| (found.key.as_str(), found.value.as_str()));
            assert_eq!(parsed, parts, "{text}");
        }
    }

    #[test]
    fn changes_become_the_wires_operations() {
        let set = [Assignment {
            key: "retention.ms".into(),
            value: "1".into(),
        }];
        let unset = ["segment.ms".to_owned()];
        let append = [Assignment {
            key: "cleanup.policy".into(),
            value: "compact".into(),
        }];
        let changes = Changes {
            set: &set,
            unset: &unset,
            append: &append,
            subtract: &[],
        };
        let resource = changes.of(TOPIC, "t");
        let told: Vec<_> = resource
            .configs
            .iter()
            .map(|config| {
                (
                    config.name.as_str(),
                    config.config_operation,
                    config.value.as_deref(),
                )
            })
            .collect();
        let expected = [
            ("retention.ms", 0, Some("1")),
            ("cleanup.policy", 2, Some("compact")),
            ("segment.ms", 1, None),
        ];
        assert_eq!(told, expected);
        assert!(Changes::default().is_empty());
    }
}
