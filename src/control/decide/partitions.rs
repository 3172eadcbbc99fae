//! CreatePartitions: a topic only grows.

use super::create::check_partitions;
use super::{check_assignment, duplicates};
use crate::control::command::NewPartitions;
use crate::control::controller::Draft;
use crate::control::error::{
    AssignmentProblem, ControlError, NameProblem, PartitionProblem, RequestProblem,
};
use crate::control::image::{Image, Topic};
use crate::control::record::Record;

pub(super) fn create_partitions(
    draft: &mut Draft,
    topics: &[NewPartitions],
) -> Vec<Result<u32, ControlError>> {
    let twice = duplicates(topics.iter().map(|topic| topic.name.as_str()));
    let mut results = Vec::with_capacity(topics.len());
    for (wanted, twice) in topics.iter().zip(twice) {
        results.push(match twice {
            true => Err(RequestProblem::DuplicateTopic.into()),
            false => grow(draft, wanted),
        });
    }
    results
}

fn grow(draft: &mut Draft, wanted: &NewPartitions) -> Result<u32, ControlError> {
    let image = &draft.image;
    let topic = image
        .topic(&wanted.name)
        .ok_or_else(|| ControlError::UnknownTopic {
            name: wanted.name.clone(),
        })?;
    if topic.internal {
        // Where a group's state is follows from the number of partitions.
        let name = wanted.name.clone();
        return Err(NameProblem::Internal { name }.into());
    }
    check_count(topic, wanted.count)?;
    let partitions = check_partitions(wanted.count, topic.partitions, image)?;
    if let Some(assignments) = &wanted.assignments {
        check_assignments(assignments, partitions, topic, image)?;
    }
    let id = topic.id;
    draft.push(Record::PartitionsGrown { id, partitions });
    Ok(partitions)
}

fn check_count(topic: &Topic, wanted: i32) -> Result<(), PartitionProblem> {
    let count = topic.partitions;
    if i64::from(wanted) == i64::from(count) {
        return Err(PartitionProblem::Same { count });
    }
    if i64::from(wanted) < i64::from(count) {
        let name = topic.name.to_string();
        return Err(PartitionProblem::Fewer {
            name,
            count,
            wanted,
        });
    }
    Ok(())
}

fn check_assignments(
    assignments: &[Vec<i32>],
    partitions: u32,
    topic: &Topic,
    image: &Image,
) -> Result<(), AssignmentProblem> {
    let additional = (partitions - topic.partitions) as usize;
    if assignments.len() != additional {
        let given = assignments.len();
        return Err(AssignmentProblem::WrongCount { additional, given });
    }
    let factor = usize::try_from(topic.replication_factor).expect("a factor is positive");
    let mut brokers = assignments.iter();
    brokers.try_for_each(|brokers| check_assignment(brokers, Some(factor), image))
}

#[cfg(test)]
mod tests;
