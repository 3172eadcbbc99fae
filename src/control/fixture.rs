//! A controller for tests: one registered node, and short ways to ask it.

use super::command::*;
use super::controller::{Controller, Proposal, Start};
use super::error::ControlError;
use super::image::Topic;
use crate::base::ids::{NodeId, TopicId, Uuid};
use crate::config::{Overrides, TopicRules};
use std::sync::Arc;

pub(super) const CLUSTER: Uuid = Uuid([7; 16]);

/// The n-th topic id.
pub(super) fn id(n: u8) -> TopicId {
    Uuid([n; 16])
}

pub(super) fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

pub(super) fn start(fixed: &[(&str, &str)]) -> Start {
    Start {
        cluster_id: CLUSTER,
        node_id: NodeId(0),
        fixed: Arc::new(overrides(fixed)),
        rules: TopicRules::default(),
    }
}

pub(super) fn register() -> Command {
    Command::RegisterBroker {
        host: "localhost".to_owned(),
        port: 9092,
        rack: None,
    }
}

/// A controller in its first term.
pub(super) fn controller(fixed: &[(&str, &str)]) -> Controller {
    let mut controller = Controller::recover(start(fixed), None, []).expect("nothing to replay");
    controller.propose(register());
    controller
}

/// One partition, one replica, no configs.
pub(super) fn topic(name: &str, n: u8) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        id: id(n),
        partitions: 1,
        replication_factor: 1,
        assignments: None,
        configs: Vec::new(),
    }
}

pub(super) fn create(topics: Vec<NewTopic>) -> Command {
    let validate_only = false;
    Command::CreateTopics {
        topics,
        validate_only,
    }
}

/// Creates topics of one partition that must not fail.
pub(super) fn with_topics(names: &[&str]) -> Controller {
    let mut controller = controller(&[]);
    for (index, name) in names.iter().enumerate() {
        let n = u8::try_from(index + 1).expect("few topics");
        let proposal = controller.propose(create(vec![topic(name, n)]));
        assert!(created(&proposal)[0].is_ok(), "{name}");
    }
    controller
}

pub(super) fn created(proposal: &Proposal) -> &[Result<Arc<Topic>, ControlError>] {
    match &proposal.outcome {
        Outcome::TopicsCreated(results) => results,
        other => panic!("not a creation: {other:?}"),
    }
}

/// Each result as text: "ok", or the refusal's.
pub(super) fn texts<T>(results: &[Result<T, ControlError>]) -> Vec<String> {
    let text = |result: &Result<T, ControlError>| match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    };
    results.iter().map(text).collect()
}

pub(super) fn set(name: &str, value: &str) -> ConfigOperation {
    operation(OperationKind::Set, name, Some(value))
}

pub(super) fn operation(kind: OperationKind, name: &str, value: Option<&str>) -> ConfigOperation {
    ConfigOperation {
        name: name.to_owned(),
        kind,
        value: value.map(str::to_owned),
    }
}

pub(super) fn alter(resource: Resource, operations: Vec<ConfigOperation>) -> Command {
    Command::AlterConfigs {
        resources: vec![AlterResource {
            resource,
            operations,
            replaces: false,
        }],
        validate_only: false,
    }
}

/// These configs, and no others.
pub(super) fn replace(resource: Resource, operations: Vec<ConfigOperation>) -> Command {
    Command::AlterConfigs {
        resources: vec![AlterResource {
            resource,
            operations,
            replaces: true,
        }],
        validate_only: false,
    }
}

pub(super) fn of_topic(name: &str) -> Resource {
    Resource::Topic(name.to_owned())
}

/// The result of altering one resource, as text.
pub(super) fn altered(proposal: &Proposal) -> String {
    match &proposal.outcome {
        Outcome::ConfigsAltered(results) => texts(results).join("; "),
        other => panic!("not an alteration: {other:?}"),
    }
}
