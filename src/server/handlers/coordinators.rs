//! Where a group's coordinator is: the owner of the group's partition of `__consumer_offsets`.

use crate::base::ids::{PartitionId, ShardId};
use crate::control::{Command as Change, Image, Outcome, names};
use crate::server::call::Call;
use crate::server::errors::{self, Unanswered};
use crate::shard::request::group::{self, Answer, Command};
use crate::shard::request::{Request, Response};
use crate::wire::ErrorCode;
use std::future::Future;

/// Asks the coordinator of the command's group, now; the answer comes later.
pub(super) fn ask(
    call: &Call,
    command: Command,
) -> impl Future<Output = Result<Answer, ErrorCode>> + use<> {
    let may_write = matches!(
        command,
        Command::Commit(_) | Command::DeleteOffsets(_) | Command::Delete(_)
    );
    let sent = place(call, command.group()).map(|(shard, partition)| {
        let command = Box::new(command);
        let request = Request::Group { partition, command };
        call.server.handle.send(shard, request)
    });
    async move {
        match sent {
            // Whoever looks for the coordinator makes it.
            None => Err(ErrorCode::NotCoordinator),
            Some(answer) => match answer.await {
                Response::Group(answer) => Ok(*answer),
                other => Err(errors::unanswered_group(Unanswered::from(other), may_write)),
            },
        }
    }
}

fn place(call: &Call, group: &str) -> Option<(ShardId, PartitionId)> {
    let image = call.image();
    let topic = image.topic(names::OFFSETS_TOPIC)?;
    let partition = PartitionId {
        topic: topic.id,
        index: group::partition_of(group, topic.partitions),
    };
    Some((call.server.handle.owner(partition), partition))
}

/// Has the topic made, unless it is there.
pub(super) fn ensure(call: &Call) -> impl Future<Output = Result<(), ErrorCode>> + use<> {
    let made = (!exists(&call.image())).then(|| {
        let id = call.server.handle.random_uuid();
        call.propose(Change::CreateOffsetsTopic { id })
    });
    async move {
        let Some(made) = made else { return Ok(()) };
        match made.await {
            Ok(Outcome::TopicsCreated(topics)) if topics.iter().all(Result::is_ok) => Ok(()),
            Ok(outcome) => {
                tracing::warn!(?outcome, "the topic of consumer groups cannot be made");
                Err(ErrorCode::CoordinatorNotAvailable)
            }
            Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }
}

pub(super) fn exists(image: &Image) -> bool {
    image.topic(names::OFFSETS_TOPIC).is_some()
}

/// Takes what is wanted out of one variant of `Answer`; a refusal becomes its code.
macro_rules! answer_of {
    ($answer:expr, $variant:ident) => {
        match $answer {
            Ok(crate::shard::request::group::Answer::$variant(result)) => {
                result.map_err(crate::server::errors::group)
            }
            Ok(_) => Err(crate::wire::ErrorCode::UnknownServerError),
            Err(code) => Err(code),
        }
    };
}
pub(super) use answer_of;
