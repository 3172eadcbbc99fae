//! Commands, decided item by item: each fails or succeeds alone.

mod configs;
mod create;
mod delete;
mod partitions;

pub use configs::check_operations;

use super::command::{Command, Outcome, ProducerIdBlock};
use super::controller::Draft;
use super::error::{AssignmentProblem, ControlError};
use super::image::{Broker, Image};
use super::record::Record;
use crate::base::ids::ProducerId;

pub(super) fn decide(draft: &mut Draft, command: Command) -> Outcome {
    let withdraw = command.is_validation();
    let outcome = match command {
        Command::RegisterBroker { host, port, rack } => {
            let node_id = draft.image.node_id;
            let broker = Broker {
                node_id,
                host,
                port,
                rack,
            };
            let term = draft
                .image
                .term
                .checked_add(1)
                .expect("a node starts less than 2^32 times");
            draft.push(Record::BrokerRegistered { term, broker });
            Outcome::Registered { term }
        }
        Command::CreateTopics { topics, .. } => {
            Outcome::TopicsCreated(create::create_topics(draft, topics))
        }
        Command::CreateOffsetsTopic { id } => {
            Outcome::TopicsCreated(vec![create::create_offsets_topic(draft, id)])
        }
        Command::DeleteTopics { topics } => {
            Outcome::TopicsDeleted(delete::delete_topics(draft, &topics))
        }
        Command::CreatePartitions { topics, .. } => {
            Outcome::PartitionsCreated(partitions::create_partitions(draft, &topics))
        }
        Command::AlterConfigs { resources, .. } => {
            Outcome::ConfigsAltered(configs::alter_configs(draft, &resources))
        }
        Command::AllocateProducerIds { count } => {
            Outcome::ProducerIds(allocate_producer_ids(draft, count))
        }
        Command::RemoveTombstone { topic } => {
            if draft.image.tombstones.contains_key(&topic) {
                draft.push(Record::TombstoneRemoved { id: topic });
            }
            Outcome::TombstoneRemoved
        }
    };
    if withdraw {
        draft.withdraw();
    }
    outcome
}

impl Command {
    fn is_validation(&self) -> bool {
        match self {
            Command::CreateTopics { validate_only, .. }
            | Command::CreatePartitions { validate_only, .. }
            | Command::AlterConfigs { validate_only, .. } => *validate_only,
            _ => false,
        }
    }
}

fn allocate_producer_ids(draft: &mut Draft, count: u32) -> Result<ProducerIdBlock, ControlError> {
    assert!(count > 0, "a block of producer ids is not empty");
    let first = draft.image.next_producer_id;
    let next = first
        .checked_add(i64::from(count))
        .ok_or(ControlError::ProducerIdsExhausted)?;
    draft.push(Record::ProducerIdsAllocated { next });
    let first = ProducerId(first);
    Ok(ProducerIdBlock { first, count })
}

/// Checks the brokers a client chose for one partition. `factor`: of the partitions before it.
fn check_assignment(
    brokers: &[i32],
    factor: Option<usize>,
    image: &Image,
) -> Result<(), AssignmentProblem> {
    if brokers.is_empty() {
        return Err(AssignmentProblem::NoReplicas);
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    for (index, &broker) in sorted.iter().enumerate() {
        let is_registered = |known: &Broker| known.node_id.0 == broker;
        if !image.broker.as_deref().is_some_and(is_registered) {
            return Err(AssignmentProblem::UnknownBroker { broker });
        }
        if index > 0 && sorted[index - 1] == broker {
            return Err(AssignmentProblem::DuplicateBroker { broker });
        }
    }
    match factor {
        Some(before) if before != brokers.len() => {
            let given = brokers.len();
            Err(AssignmentProblem::UnequalFactors { given, before })
        }
        _ => Ok(()),
    }
}

/// For each item, whether its key occurs more than once.
fn duplicates<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<bool> {
    let keys: Vec<K> = keys.collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[a].cmp(&keys[b]));
    let mut twice = vec![false; keys.len()];
    for pair in order.windows(2) {
        if keys[pair[0]] == keys[pair[1]] {
            twice[pair[0]] = true;
            twice[pair[1]] = true;
        }
    }
    twice
}
