//! DeleteTopics: by name or by id. A deleted topic stays as a tombstone until its files are gone.

use super::duplicates;
use crate::control::command::TopicRef;
use crate::control::controller::Draft;
use crate::control::error::{ControlError, NameProblem, RequestProblem};
use crate::control::image::{Image, Topic};
use crate::control::record::Record;
use std::sync::Arc;

pub(super) fn delete_topics(
    draft: &mut Draft,
    topics: &[TopicRef],
) -> Vec<Result<Arc<Topic>, ControlError>> {
    if !draft.image.config.delete_topics {
        return topics
            .iter()
            .map(|_| Err(ControlError::DeletionDisabled))
            .collect();
    }
    let known = |wanted: &TopicRef| match find(&draft.image, wanted) {
        Ok(topic) => (Some(topic.id), None),
        Err(_) => (None, Some(wanted.clone())),
    };
    let twice = duplicates(topics.iter().map(known));
    let mut results = Vec::with_capacity(topics.len());
    for (wanted, twice) in topics.iter().zip(twice) {
        results.push(match twice {
            true => Err(duplicate(wanted)),
            false => delete_topic(draft, wanted),
        });
    }
    results
}

fn duplicate(wanted: &TopicRef) -> ControlError {
    match wanted {
        TopicRef::Name(_) => RequestProblem::DuplicateTopic.into(),
        TopicRef::Id(_) => RequestProblem::DuplicateTopicId.into(),
    }
}

fn delete_topic(draft: &mut Draft, wanted: &TopicRef) -> Result<Arc<Topic>, ControlError> {
    let topic = find(&draft.image, wanted)?;
    if topic.internal {
        let name = topic.name.to_string();
        return Err(NameProblem::Internal { name }.into());
    }
    draft.push(Record::TopicDeleted { id: topic.id });
    Ok(topic)
}

fn find(image: &Image, wanted: &TopicRef) -> Result<Arc<Topic>, ControlError> {
    match wanted {
        TopicRef::Name(name) => {
            let unknown = || ControlError::UnknownTopic { name: name.clone() };
            image.topic(name).cloned().ok_or_else(unknown)
        }
        TopicRef::Id(id) if id.is_zero() => Err(RequestProblem::NullTopicId.into()),
        TopicRef::Id(id) => {
            let unknown = ControlError::UnknownTopicId { id: *id };
            image.topic_by_id(*id).cloned().ok_or(unknown)
        }
    }
}

#[cfg(test)]
mod tests;
