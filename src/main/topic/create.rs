//! `ottla topic create`.

use super::{Create, conclude};
use crate::client::{Client, pause};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use ottla::wire::ErrorCode;
use ottla::wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use std::time::Instant;

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Create) -> Outcome {
    let question = request(wanted, client.timeout_ms());
    let answer = client.patiently(|client| client.ask_controller(&question))?;
    let mut results = Vec::new();
    for topic in &answer.topics {
        let exists = topic.error_code == ErrorCode::TopicAlreadyExists.code();
        let result = match wanted.if_not_exists && exists {
            true => Ok(()),
            false => {
                let subject = format!("topic {}", topic.name);
                Failure::check(&subject, topic.error_code, topic.error_message.as_deref())
            }
        };
        if result.is_ok() && !wanted.dry_run {
            await_partitions(client, &topic.name, 1)?;
        }
        results.push((topic.name.clone(), result));
    }
    conclude(output, "created", wanted.dry_run, results)
}

/// Brokers learn of a change from the controller a moment later. Whoever uses the topic next must find it.
pub(super) fn await_partitions(
    client: &mut Client,
    name: &str,
    count: usize,
) -> Result<(), Failure> {
    let deadline = Instant::now() + client.timeout;
    while Instant::now() < deadline {
        let topics = client.metadata(Some(&[name]))?.topics;
        let is_there = topics.iter().any(|topic| {
            let mut partitions = topic.partitions.iter();
            topic.error_code == 0
                && topic.partitions.len() >= count
                && partitions.all(|partition| partition.leader_id >= 0)
        });
        if is_there {
            return Ok(());
        }
        pause();
    }
    let failure = Failure::new(format!("topic {name}: made, but it has no leaders yet"));
    Err(failure.fix("ottla topic describe tells when it has; ottla cluster nodes who is there"))
}

fn request(wanted: &Create, timeout_ms: i32) -> CreateTopicsRequest {
    let configs = wanted.configs.iter().map(|config| CreatableTopicConfig {
        name: config.key.clone(),
        value: Some(config.value.clone()),
        ..CreatableTopicConfig::default()
    });
    let configs: Vec<_> = configs.collect();
    let topics = wanted.topics.iter().map(|name| CreatableTopic {
        name: name.clone(),
        num_partitions: wanted.partitions.unwrap_or(-1),
        replication_factor: wanted.replication_factor.unwrap_or(-1),
        configs: configs.clone(),
        ..CreatableTopic::default()
    });
    CreateTopicsRequest {
        topics: topics.collect(),
        timeout_ms,
        validate_only: wanted.dry_run,
        ..CreateTopicsRequest::default()
    }
}
