//! CreateTopics 2-7. Answered when every shard serves the topic. From version 5 on the answer shows the topic as it is (or
//! with `validate_only` would be), configs included; those of the first thousand topics, whoever wants more describes them.

use super::topics::once;
use crate::base::limits::TOPICS_DETAILED_MAX;
use crate::config::describe;
use crate::control::command::NewTopic;
use crate::control::{Command, Image, Outcome, Topic};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};

const DETAILS_FROM: i16 = 5;

pub(in crate::server) fn handle(call: Call, request: CreateTopicsRequest) -> Dispatched {
    let names: Vec<String> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    let topics = request.topics.into_iter().map(|topic| wanted(&call, topic));
    let outcome = call.propose(Command::CreateTopics {
        topics: topics.collect(),
        validate_only: request.validate_only,
    });
    let answering = call.clone();
    call.later(async move {
        let outcome = outcome.await;
        let image = answering.image();
        let names = once(names.into_iter().enumerate(), |(_, name)| name.clone());
        let topics = names.map(|(index, name)| {
            let refusal = match &outcome {
                Err(refusal) => refusal.clone(),
                Ok(Outcome::TopicsCreated(topics)) => match topics.get(index) {
                    Some(Ok(topic)) => {
                        let shown = (index < TOPICS_DETAILED_MAX).then_some(&*image);
                        return created(&answering, shown, topic);
                    }
                    Some(Err(error)) => errors::control(error),
                    None => errors::mismatch(),
                },
                Ok(_) => errors::mismatch(),
            };
            refused(&answering, name, refusal)
        });
        CreateTopicsResponse {
            topics: topics.collect(),
            ..CreateTopicsResponse::default()
        }
    })
}

fn wanted(call: &Call, topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter();
    let assignments: Vec<(i32, Vec<i32>)> = assignments
        .map(|partition| (partition.partition_index, partition.broker_ids))
        .collect();
    let configs = topic.configs.into_iter();
    NewTopic {
        name: topic.name,
        id: call.server.handle.random_uuid(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: (!assignments.is_empty()).then_some(assignments),
        configs: configs.map(|config| (config.name, config.value)).collect(),
    }
}

/// `shown`: what configs are shown by.
fn created(call: &Call, shown: Option<&Image>, topic: &Topic) -> CreatableTopicResult {
    let mut result = CreatableTopicResult {
        name: topic.name.to_string(),
        topic_id: topic.id,
        ..CreatableTopicResult::default()
    };
    if call.version >= DETAILS_FROM {
        result.num_partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        result.replication_factor = topic.replication_factor;
        result.configs = shown.map(|image| configs(image, topic));
        if shown.is_none() {
            result.topic_config_error_code = ErrorCode::PolicyViolation.code();
        }
    }
    result
}

fn configs(image: &Image, topic: &Topic) -> Vec<CreatableTopicConfigs> {
    let rows = describe::topic(&topic.overrides, &image.layers, None).into_iter();
    let rows = rows.map(|row| CreatableTopicConfigs {
        name: row.name.to_owned(),
        value: row.value,
        read_only: row.read_only,
        config_source: row.source as i8,
        is_sensitive: row.sensitive,
        ..CreatableTopicConfigs::default()
    });
    rows.collect()
}

fn refused(call: &Call, name: String, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: call.code(refusal.code),
        error_message: Some(refusal.message),
        ..CreatableTopicResult::default()
    }
}
