//! DeleteTopics 1-6: by name, from version 6 also by id. Answered when no shard serves the topic any more; its files go
//! in the background.

use super::topics::once;
use crate::base::ids::Uuid;
use crate::control::command::TopicRef;
use crate::control::{Command, Outcome};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};

const TOPIC_STATES_FROM: i16 = 6;
/// Earlier clients do not know the code of a deletion that is switched off.
const DISABLED_FROM: i16 = 3;

pub(in crate::server) fn handle(call: Call, request: DeleteTopicsRequest) -> Dispatched {
    let wanted = wanted(request, call.version);
    let topics: Vec<TopicRef> = wanted
        .iter()
        .filter_map(|topic| topic.as_ref().ok().cloned())
        .collect();
    let outcome = call.propose(Command::DeleteTopics { topics });
    let answering = call.clone();
    call.later(async move {
        let outcome = outcome.await;
        let mut deleted = match &outcome {
            Ok(Outcome::TopicsDeleted(deleted)) => deleted.iter(),
            _ => [].iter(),
        };
        let responses = wanted.into_iter().map(|topic| {
            let topic = match topic {
                Ok(topic) => topic,
                Err(state) => return refused(&answering, state, both_named()),
            };
            match (&outcome, deleted.next()) {
                (Err(refusal), _) => refused(&answering, state(topic), refusal.clone()),
                (_, Some(Ok(topic))) => DeletableTopicResult {
                    name: Some(topic.name.to_string()),
                    topic_id: topic.id,
                    ..DeletableTopicResult::default()
                },
                (_, Some(Err(error))) => refused(&answering, state(topic), errors::control(error)),
                (_, None) => refused(&answering, state(topic), errors::mismatch()),
            }
        });
        let named = |answer: &DeletableTopicResult| (answer.name.clone(), answer.topic_id);
        DeleteTopicsResponse {
            responses: once(responses, named).collect(),
            ..DeleteTopicsResponse::default()
        }
    })
}

/// `Err`: named twice over.
fn wanted(request: DeleteTopicsRequest, version: i16) -> Vec<Result<TopicRef, DeleteTopicState>> {
    if version < TOPIC_STATES_FROM {
        let names = request.topic_names.into_iter();
        return names.map(|name| Ok(TopicRef::Name(name))).collect();
    }
    let topics = request.topics.into_iter().map(|mut topic| {
        let by_id = !topic.topic_id.is_zero();
        match topic.name.take() {
            Some(name) if by_id => Err(DeleteTopicState {
                name: Some(name),
                ..topic
            }),
            Some(name) => Ok(TopicRef::Name(name)),
            None => Ok(TopicRef::Id(topic.topic_id)),
        }
    });
    topics.collect()
}

fn both_named() -> Refusal {
    Refusal::new(
        ErrorCode::InvalidRequest,
        "A topic is named by its name or its id, not by both.",
    )
}

fn state(topic: TopicRef) -> DeleteTopicState {
    let (name, topic_id) = match topic {
        TopicRef::Name(name) => (Some(name), Uuid::ZERO),
        TopicRef::Id(id) => (None, id),
    };
    DeleteTopicState {
        name,
        topic_id,
        ..DeleteTopicState::default()
    }
}

fn refused(call: &Call, topic: DeleteTopicState, refusal: Refusal) -> DeletableTopicResult {
    let code = match refusal.code {
        ErrorCode::TopicDeletionDisabled if call.version < DISABLED_FROM => {
            ErrorCode::InvalidRequest
        }
        code => code,
    };
    DeletableTopicResult {
        name: topic.name,
        topic_id: topic.topic_id,
        error_code: call.code(code),
        error_message: Some(refusal.message),
        ..DeletableTopicResult::default()
    }
}
