//! What operators ask about partitions: who writes to them, how large they are, how much room is left.

use super::core::Core;
use super::request::{ActiveProducer, ProducersError, ReadError, Response};
use crate::base::few::Few;
use crate::base::ids::PartitionId;
use crate::base::limits::PRODUCERS_DESCRIBED_MAX;
use crate::partition;
use crate::storage::runtime::Runtime;
use std::rc::Rc;

pub(super) async fn producers(core: Rc<Core>, wanted: Few<PartitionId>) -> Response {
    let mut answers = Few::with_capacity(wanted.len());
    let mut room = PRODUCERS_DESCRIBED_MAX;
    for id in wanted {
        let found = producers_of(&core, id, room);
        room -= found.as_ref().map_or(0, Vec::len);
        answers.push(found);
        core.runtime.yield_now().await;
    }
    Response::Producers(answers)
}

fn producers_of(
    core: &Core,
    id: PartitionId,
    room: usize,
) -> Result<Vec<ActiveProducer>, ProducersError> {
    let now = core.runtime.now().wall;
    let found = core.look(id, |partition| match partition.unavailable() {
        Some(why) => Err(partition::ReadError::Unavailable(why)),
        // One more than there is room for tells that there are too many.
        None => Ok(partition.active_producers(now).take(room + 1).collect()),
    });
    let found: Vec<ActiveProducer> = found.map_err(ProducersError::Unread)?;
    match found.len() <= room {
        true => Ok(found),
        false => Err(ProducersError::TooMany),
    }
}

pub(super) async fn log_bytes(core: Rc<Core>, wanted: Few<PartitionId>) -> Response {
    let mut answers = Few::with_capacity(wanted.len());
    for id in wanted {
        answers.push(match core.failed.get() {
            true => Err(ReadError::Offline),
            false => core.store.log_bytes(id).ok_or(ReadError::UnknownPartition),
        });
        core.runtime.yield_now().await;
    }
    Response::LogBytes(answers)
}

pub(super) async fn space(core: Rc<Core>) -> Response {
    let space = core.store.space().await;
    if let Err(error) = &space {
        tracing::error!(?error, "the volume of the data directory cannot be asked");
    }
    Response::Space(space.ok())
}
