//! CreatePartitions 0-3: more partitions for a topic; never fewer.

use super::topics::once;
use crate::control::command::NewPartitions;
use crate::control::{Command, Outcome};
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};

pub(in crate::server) fn handle(call: Call, request: CreatePartitionsRequest) -> Dispatched {
    let names: Vec<String> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    let outcome = call.propose(Command::CreatePartitions {
        topics: request.topics.into_iter().map(wanted).collect(),
        validate_only: request.validate_only,
    });
    let answering = call.clone();
    call.later(async move {
        let outcome = outcome.await;
        let names = once(names.into_iter().enumerate(), |(_, name)| name.clone());
        let results = names.map(|(index, name)| {
            let refusal = match &outcome {
                Err(refusal) => Some(refusal.clone()),
                Ok(Outcome::PartitionsCreated(results)) => match results.get(index) {
                    Some(Ok(_)) => None,
                    Some(Err(error)) => Some(errors::control(error)),
                    None => Some(errors::mismatch()),
                },
                Ok(_) => Some(errors::mismatch()),
            };
            let mut result = CreatePartitionsTopicResult {
                name,
                ..CreatePartitionsTopicResult::default()
            };
            if let Some(refusal) = refusal {
                result.error_code = answering.code(refusal.code);
                result.error_message = Some(refusal.message);
            }
            result
        });
        CreatePartitionsResponse {
            results: results.collect(),
            ..CreatePartitionsResponse::default()
        }
    })
}

fn wanted(topic: CreatePartitionsTopic) -> NewPartitions {
    let assignments = topic.assignments.map(|assignments| {
        let brokers = assignments
            .into_iter()
            .map(|partition| partition.broker_ids);
        brokers.collect()
    });
    NewPartitions {
        name: topic.name,
        count: topic.count,
        assignments,
    }
}
