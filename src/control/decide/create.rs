//! CreateTopics: name, configs, then partitions and replicas.

use super::{check_assignment, duplicates};
use crate::base::ids::TopicId;
use crate::base::limits::{
    CONFIG_VALUE_BYTES_MAX, PARTITIONS_CREATED_MAX, PARTITIONS_MAX, PARTITIONS_PER_TOPIC_MAX,
};
use crate::config::problem::Reason;
use crate::config::{ConfigProblem, Overrides, TopicRules, topic};
use crate::control::command::NewTopic;
use crate::control::controller::Draft;
use crate::control::error::{AssignmentProblem, ControlError, PartitionProblem, RequestProblem};
use crate::control::image::{Image, Topic};
use crate::control::names;
use crate::control::record::{NewTopicRecord, Record};
use std::sync::Arc;

type Assignments = [(i32, Vec<i32>)];

pub(super) fn create_topics(
    draft: &mut Draft,
    topics: Vec<NewTopic>,
) -> Vec<Result<Arc<Topic>, ControlError>> {
    if let Err(refusal) = check_request(&topics, &draft.image) {
        return vec![Err(refusal); topics.len()];
    }
    let twice = duplicates(topics.iter().map(|topic| topic.name.as_str()));
    let mut results = Vec::with_capacity(topics.len());
    for (topic, twice) in topics.into_iter().zip(twice) {
        results.push(match twice {
            true => Err(RequestProblem::DuplicateTopic.into()),
            false => create_topic(draft, topic),
        });
    }
    results
}

/// What is wrong with the topics together. One that is too large by itself is refused by itself.
fn check_request(topics: &[NewTopic], image: &Image) -> Result<(), ControlError> {
    let partitions = |topic: &NewTopic| match (&topic.assignments, topic.partitions) {
        (Some(assignments), _) => assignments.len() as i64,
        (None, -1) => i64::from(image.config.partitions_default),
        (None, partitions) => i64::from(partitions.max(0)),
    };
    let wanted = topics.iter().map(partitions).sum();
    let most = PARTITIONS_CREATED_MAX;
    match topics.len() > 1 && wanted > most {
        true => Err(ControlError::TooManyPartitions { wanted, most }),
        false => Ok(()),
    }
}

fn create_topic(draft: &mut Draft, new: NewTopic) -> Result<Arc<Topic>, ControlError> {
    let image = &draft.image;
    check_name(&new.name, image)?;
    let overrides = check_configs(&new.configs, &image.rules)?;
    let config = image.config.topic.with(&overrides, &image.rules)?;
    let assignments = new.assignments.as_deref().filter(|list| !list.is_empty());
    let (partitions, factor) = match assignments {
        Some(assignments) => assigned(&new, assignments, image)?,
        None => placed(&new, image)?,
    };
    config.check_whole()?;
    let partitions = check_partitions(partitions, 0, image)?;
    assert!(!new.id.is_zero(), "the caller gives a new topic its id");
    let name = new.name;
    draft.push(Record::TopicCreated(NewTopicRecord {
        id: new.id,
        internal: names::is_internal(&name),
        created_term: image.term,
        partitions,
        replication_factor: factor,
        overrides,
        name: name.clone(),
    }));
    Ok(draft.image.topic(&name).expect("just created").clone())
}

/// As Kafka makes it. Compaction of this topic is its writer's own matter: it says its state again when the log has
/// become too long.
pub(super) fn create_offsets_topic(
    draft: &mut Draft,
    id: TopicId,
) -> Result<Arc<Topic>, ControlError> {
    let name = names::OFFSETS_TOPIC;
    let image = &draft.image;
    if let Some(topic) = image.topic(name) {
        return Ok(topic.clone());
    }
    let config = &image.config.groups;
    let partitions = check_partitions(config.topic_partitions, 0, image)?;
    let least = i64::try_from(image.rules.segment_bytes_min).unwrap_or(i64::MAX);
    let segment_bytes = config.topic_segment_bytes.max(least).to_string();
    let overrides = [
        ("cleanup.policy", "compact"),
        ("compression.type", "producer"),
        ("segment.bytes", &segment_bytes),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    assert!(!id.is_zero(), "the caller gives a new topic its id");
    draft.push(Record::TopicCreated(NewTopicRecord {
        id,
        internal: true,
        created_term: image.term,
        partitions,
        // As many as there are nodes.
        replication_factor: 1,
        overrides: overrides.into_iter().map(owned).collect(),
        name: name.to_owned(),
    }));
    Ok(draft.image.topic(name).expect("just created").clone())
}

fn check_name(name: &str, image: &Image) -> Result<(), ControlError> {
    if name == names::CLUSTER_METADATA_TOPIC {
        return Err(RequestProblem::ClusterMetadataTopic.into());
    }
    if image.topic(name).is_some() {
        let name = name.to_owned();
        return Err(ControlError::TopicExists { name });
    }
    Ok(names::check_new(name, image)?)
}

fn check_configs(
    configs: &[(String, Option<String>)],
    rules: &TopicRules,
) -> Result<Overrides, ConfigProblem> {
    let without_value = configs.iter().filter(|(_, value)| value.is_none());
    let names: Vec<String> = without_value.map(|(name, _)| name.clone()).collect();
    if !names.is_empty() {
        return Err(ConfigProblem::Null { names });
    }
    let mut overrides = Overrides::new();
    for (name, value) in configs {
        let value = value.as_deref().expect("checked above");
        check_length(name, value)?;
        overrides.insert(name.clone(), topic::check(name, value, rules)?);
    }
    Ok(overrides)
}

/// A value of any length would be kept in memory and in every snapshot.
pub(super) fn check_length(name: &str, value: &str) -> Result<(), ConfigProblem> {
    if value.len() <= CONFIG_VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(ConfigProblem::Invalid {
        name: name.to_owned(),
        value: "(too long to repeat)".to_owned(),
        reason: Reason::TooLong,
    })
}

/// Partitions and factor of a topic whose creator chose the brokers.
fn assigned(
    new: &NewTopic,
    assignments: &Assignments,
    image: &Image,
) -> Result<(i32, i16), ControlError> {
    if new.replication_factor != -1 {
        return Err(RequestProblem::AssignmentAndFactor.into());
    }
    if new.partitions != -1 {
        return Err(RequestProblem::AssignmentAndPartitions.into());
    }
    let twice = duplicates(assignments.iter().map(|(partition, _)| *partition));
    let mut factor = None;
    for ((partition, brokers), twice) in assignments.iter().zip(twice) {
        if twice {
            let partition = *partition;
            return Err(AssignmentProblem::DuplicatePartition { partition }.into());
        }
        check_assignment(brokers, factor, image)?;
        factor = Some(brokers.len());
    }
    let count = i32::try_from(assignments.len()).unwrap_or(i32::MAX);
    if assignments
        .iter()
        .any(|(partition, _)| !(0..count).contains(partition))
    {
        return Err(AssignmentProblem::NotConsecutive.into());
    }
    let factor = factor.expect("an assignment is not empty");
    Ok((
        count,
        i16::try_from(factor).expect("each broker is registered and occurs once"),
    ))
}

/// Partitions and factor of a topic whose brokers we choose: there is one.
fn placed(new: &NewTopic, image: &Image) -> Result<(i32, i16), ControlError> {
    let factor = match new.replication_factor {
        -1 => image.config.replication_factor_default,
        factor => factor,
    };
    if factor < 1 {
        return Err(ControlError::InvalidReplicationFactor { wanted: factor });
    }
    let partitions = match new.partitions {
        -1 => image.config.partitions_default,
        partitions => partitions,
    };
    if partitions < 1 {
        return Err(PartitionProblem::NotPositive.into());
    }
    if factor > 1 {
        return Err(ControlError::InvalidReplicationFactor { wanted: factor });
    }
    Ok((partitions, factor))
}

/// Checks the bounds of a topic that has `before` partitions and shall have `wanted`.
pub(super) fn check_partitions(
    wanted: i32,
    before: u32,
    image: &Image,
) -> Result<u32, PartitionProblem> {
    if wanted > PARTITIONS_PER_TOPIC_MAX {
        return Err(PartitionProblem::TooMany {
            wanted: i64::from(wanted),
            most: i64::from(PARTITIONS_PER_TOPIC_MAX),
        });
    }
    let partitions = u32::try_from(wanted).expect("checked: more than before");
    let total = image.partition_count() + (partitions - before) as usize;
    match total <= PARTITIONS_MAX {
        true => Ok(partitions),
        false => Err(PartitionProblem::ClusterFull {
            wanted: total,
            most: PARTITIONS_MAX,
        }),
    }
}

#[cfg(test)]
mod tests;
