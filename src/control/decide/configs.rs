//! IncrementalAlterConfigs (KIP-339): SET, DELETE, APPEND and SUBTRACT on topics and brokers; AlterConfigs, which
//! replaces all. The operations on one resource hold together or not at all.

use super::create::check_length;
use super::duplicates;
use crate::base::ids::NodeId;
use crate::base::limits::GROUPS_CONFIGURED_MAX;
use crate::config::broker::Setter;
use crate::config::value::{Kind, elements};
use crate::config::{
    BrokerConfig, ConfigProblem, Overrides, broker, broker_keys, group_keys, topic, topic_keys,
};
use crate::control::command::{AlterResource, ConfigOperation, OperationKind, Resource};
use crate::control::controller::Draft;
use crate::control::error::{ControlError, RequestProblem};
use crate::control::image::Image;
use crate::control::names;
use crate::control::record::{ConfigChanges, Record};
use std::sync::Arc;

pub(super) fn alter_configs(
    draft: &mut Draft,
    resources: &[AlterResource],
) -> Vec<Result<(), ControlError>> {
    let twice = duplicates(resources.iter().map(|resource| &resource.resource));
    let mut results = Vec::with_capacity(resources.len());
    for (resource, twice) in resources.iter().zip(twice) {
        results.push(match twice {
            true => Err(RequestProblem::DuplicateResource.into()),
            false => alter(draft, resource),
        });
    }
    results
}

fn alter(draft: &mut Draft, resource: &AlterResource) -> Result<(), ControlError> {
    check_operations(&resource.operations)?;
    match &resource.resource {
        Resource::Topic(name) => alter_topic(draft, name, resource),
        Resource::Broker(node) => alter_broker(draft, *node, resource),
        Resource::Group(group) => alter_group(draft, group, resource),
    }
}

/// What is wrong with the operations on one resource, whatever they mean there.
pub fn check_operations(operations: &[ConfigOperation]) -> Result<(), RequestProblem> {
    if duplicates(operations.iter().map(|o| o.name.as_str())).contains(&true) {
        return Err(RequestProblem::DuplicateConfig);
    }
    let lacks_value = |o: &&ConfigOperation| o.kind != OperationKind::Delete && o.value.is_none();
    let without_value = operations.iter().filter(lacks_value);
    let names: Vec<String> = without_value.map(|o| o.name.clone()).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(RequestProblem::NullConfig { names }),
    }
}

fn alter_topic(draft: &mut Draft, name: &str, wanted: &AlterResource) -> Result<(), ControlError> {
    if name.is_empty() {
        return Err(RequestProblem::EmptyTopicResource.into());
    }
    names::check_form(name)?;
    let image = &draft.image;
    let topic = image.topic(name);
    let none = Overrides::new();
    let before = topic.map_or(&none, |topic| &topic.overrides);
    let after = operate(&TopicSchema(image), before, wanted)?;
    let config = image.config.topic.with(&after, &image.rules)?;
    let topic = topic.ok_or_else(|| ControlError::UnknownTopic {
        name: name.to_owned(),
    })?;
    config.check_whole()?;
    let (id, changes) = (topic.id, difference(before, &after));
    if changes != ConfigChanges::default() {
        draft.push(Record::TopicConfigured { id, changes });
    }
    Ok(())
}

fn alter_broker(
    draft: &mut Draft,
    node: Option<NodeId>,
    wanted: &AlterResource,
) -> Result<(), ControlError> {
    let image = &draft.image;
    let expected = image.node_id;
    if let Some(given) = node.filter(|given| *given != expected) {
        return Err(RequestProblem::UnexpectedBroker { expected, given }.into());
    }
    let none = Arc::default();
    let before = image.broker_overrides(node).unwrap_or(&none);
    let setter = match node {
        Some(_) => Setter::Client,
        None => Setter::ClientForAll,
    };
    let after = operate(&BrokerSchema { image, setter }, before, wanted).map_err(of_broker)?;
    check_broker(image, node, &after).map_err(of_broker)?;
    let changes = difference(before, &after);
    if changes != ConfigChanges::default() {
        draft.push(Record::BrokerConfigured { node, changes });
    }
    Ok(())
}

/// Kafka calls a value that its broker cannot take an invalid request.
fn of_broker(problem: ConfigProblem) -> ControlError {
    match problem {
        ConfigProblem::UnknownBrokerConfig { .. } => ControlError::InvalidConfig(problem),
        _ => ControlError::InvalidBrokerConfig(problem),
    }
}

fn alter_group(draft: &mut Draft, group: &str, wanted: &AlterResource) -> Result<(), ControlError> {
    if group.is_empty() {
        return Err(RequestProblem::EmptyGroupResource.into());
    }
    let image = &draft.image;
    let none = Arc::default();
    let known = image.group_overrides(group);
    let before = known.unwrap_or(&none);
    let after = operate(&GroupSchema, before, wanted)?;
    group_keys::check_whole(&after, &image.layers)?;
    let most = GROUPS_CONFIGURED_MAX;
    if known.is_none() && !after.is_empty() && image.configured_groups().len() >= most {
        return Err(ControlError::TooManyGroups { most });
    }
    let changes = difference(before, &after);
    if changes != ConfigChanges::default() {
        let group = group.to_owned();
        draft.push(Record::GroupConfigured { group, changes });
    }
    Ok(())
}

/// Checks the broker configs as a whole, as they would be.
fn check_broker(
    image: &Image,
    node: Option<NodeId>,
    after: &Overrides,
) -> Result<(), ConfigProblem> {
    let mut layers = image.layers.clone();
    let layer = match node {
        Some(_) => &mut layers.node,
        None => &mut layers.cluster,
    };
    *layer = Arc::new(after.clone());
    BrokerConfig::resolve(&layers, &image.rules)?.check_whole()
}

/// What the operations need to know about the keys of a resource.
trait Schema {
    /// Type and default of a key; None when there is no such key.
    fn key(&self, name: &str) -> Option<(Kind, &'static str)>;
    fn check(&self, name: &str, value: &str) -> Result<String, ConfigProblem>;
}

struct TopicSchema<'a>(&'a Image);

impl Schema for TopicSchema<'_> {
    fn key(&self, name: &str) -> Option<(Kind, &'static str)> {
        topic_keys::find(name).map(|key| (key.kind, key.default))
    }

    fn check(&self, name: &str, value: &str) -> Result<String, ConfigProblem> {
        topic::check(name, value, &self.0.rules)
    }
}

struct GroupSchema;

impl Schema for GroupSchema {
    fn key(&self, name: &str) -> Option<(Kind, &'static str)> {
        group_keys::find(name).map(|key| (key.kind, key.default))
    }

    fn check(&self, name: &str, value: &str) -> Result<String, ConfigProblem> {
        group_keys::check(name, value)
    }
}

struct BrokerSchema<'a> {
    image: &'a Image,
    setter: Setter,
}

impl Schema for BrokerSchema<'_> {
    fn key(&self, name: &str) -> Option<(Kind, &'static str)> {
        broker_keys::find(name).map(|key| (key.kind, key.default.unwrap_or_default()))
    }

    fn check(&self, name: &str, value: &str) -> Result<String, ConfigProblem> {
        broker::check(name, value, self.setter, &self.image.rules)
    }
}

fn operate(
    schema: &impl Schema,
    before: &Overrides,
    wanted: &AlterResource,
) -> Result<Overrides, ConfigProblem> {
    let mut after = match wanted.replaces {
        true => Overrides::new(),
        false => before.clone(),
    };
    for operation in &wanted.operations {
        let name = &operation.name;
        let given = operation.value.as_deref().unwrap_or_default();
        check_length(name, given)?;
        let value = match operation.kind {
            // What is not set may be deleted, also what no release knows.
            OperationKind::Delete => {
                after.remove(name);
                continue;
            }
            OperationKind::Set => given.to_owned(),
            OperationKind::Append | OperationKind::Subtract => {
                edit_list(schema, before.get(name), operation)?
            }
        };
        check_length(name, &value)?;
        after.insert(name.clone(), schema.check(name, &value)?);
    }
    Ok(after)
}

/// The list with elements added or taken away. A list that is not set begins as its default.
fn edit_list(
    schema: &impl Schema,
    current: Option<&String>,
    operation: &ConfigOperation,
) -> Result<String, ConfigProblem> {
    let name = &operation.name;
    let is_append = operation.kind == OperationKind::Append;
    let default = match schema.key(name) {
        Some((Kind::List, default)) => default,
        Some(_) => {
            return Err(ConfigProblem::NotAList {
                name: name.clone(),
                operation: if is_append { "APPEND" } else { "SUBTRACT" },
            });
        }
        // The check names what is unknown.
        None => return Ok(String::new()),
    };
    let given: Vec<&str> = elements(operation.value.as_deref().unwrap_or_default()).collect();
    let mut list: Vec<&str> = elements(current.map_or(default, String::as_str)).collect();
    if is_append {
        for element in given {
            if !list.contains(&element) {
                list.push(element);
            }
        }
    } else {
        list.retain(|element| !given.contains(element));
    }
    Ok(list.join(","))
}

fn difference(before: &Overrides, after: &Overrides) -> ConfigChanges {
    let is_new = |(name, value): &(&String, &String)| before.get(*name) != Some(value);
    let own = |(name, value): (&String, &String)| (name.clone(), value.clone());
    let is_gone = |name: &&String| !after.contains_key(*name);
    ConfigChanges {
        set: after.iter().filter(is_new).map(own).collect(),
        cleared: before.keys().filter(is_gone).cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
