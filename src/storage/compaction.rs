//! Compaction: what later records of their keys have made void goes from the closed segments of compacted topics.
//!
//! One partition of a shard at a time, in the background. Its dirty part is read once for the last offset of every key,
//! then segment after segment is written anew, without what is void. A new segment takes the place of the old ones with
//! an entry of the journal; readers of the old files finish, then these go. Whatever interrupts it, the log is read from
//! the old files or from the new.

mod job;
mod source;

use super::disk::{Disk, DiskError};
use super::runtime::{Runtime, TaskClass};
use super::segment_file::WriteError;
use super::shared::{Removal, Shared};
use super::tasks::in_class;
use crate::base::ids::PartitionId;
use crate::base::time::Timestamp;
use crate::log::compaction::{Due, due, waits_for_lap};
use crate::log::retention::ClockGuard;
use job::Job;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

const CHECK_MS_MIN: u64 = 10;

/// Why a compaction did not come to its end. The log is as it was, or compacted in part.
enum Stop {
    /// The store is closing, or the log is no longer what it was.
    Overtaken,
    /// No room for a new segment.
    Full,
    /// Bytes of the log cannot be read.
    Damaged,
    Failed(DiskError),
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Stop {
        match error {
            WriteError::NoSpace => Stop::Full,
            WriteError::Failed(error) => Stop::Failed(error),
        }
    }
}

/// Looks for logs to compact, now and then.
pub(super) async fn run<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>, mut guard: ClockGuard) {
    // Logs that cannot be read are not tried again in this life.
    let mut damaged = BTreeSet::new();
    loop {
        // Never without a pause: a look at every partition costs something.
        let interval = shared.compaction.get().check_ms.max(CHECK_MS_MIN);
        shared.runtime.sleep(Duration::from_millis(interval)).await;
        let now = shared.runtime.now();
        let wall = guard.check(now.wall, now.instant);
        for id in wanted(&shared, wall).await {
            if shared.state.borrow().closed.is_some() {
                return;
            }
            if !damaged.contains(&id) && compact(&shared, id, wall).await.is_err() {
                damaged.insert(id);
            }
        }
        if shared.state.borrow().closed.is_some() {
            return;
        }
    }
}

/// The partitions to be compacted, the most urgent first.
async fn wanted<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    wall: Option<Timestamp>,
) -> Vec<PartitionId> {
    let ids: Vec<PartitionId> = {
        let state = shared.state.borrow();
        let partitions = state.partitions.iter();
        let compacted = partitions.filter(|(_, p)| p.log.config().compaction.is_some());
        compacted.map(|(id, _)| *id).collect()
    };
    let mut wanted = Vec::new();
    for id in ids {
        match look(shared, id, wall) {
            Some(due) => wanted.push((Reverse((due.is_late, due.dirty_millionths)), id)),
            None => ask_for_lap(shared, id, wall),
        }
        shared.runtime.yield_now().await;
    }
    wanted.sort_unstable();
    wanted.into_iter().map(|(_, id)| id).collect()
}

fn look<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    wall: Option<Timestamp>,
) -> Option<Due> {
    let state = shared.state.borrow();
    let partition = state.partitions.get(&id)?;
    // What a full disk has left is not for this.
    let can = partition.log.can_append() && !state.disk_full && state.closed.is_none();
    can.then(|| due(partition.log.section(), partition.log.config(), wall))
        .flatten()
}

/// Without it a log that gets little would wait until others have filled the journal.
fn ask_for_lap<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    wall: Option<Timestamp>,
) {
    let waits = {
        let state = shared.state.borrow();
        let partition = state.partitions.get(&id);
        partition.is_some_and(|partition| {
            let log = &partition.log;
            log.can_append() && waits_for_lap(log.section(), log.config(), wall)
        })
    };
    if waits {
        shared.state.borrow_mut().lap_asked = true;
        shared.lap_wanted.notify();
    }
}

/// Compacts one partition, if that is still wanted. A stop of the store waits for it. `Err`: its log cannot be read.
async fn compact<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    id: PartitionId,
    wall: Option<Timestamp>,
) -> Result<(), ()> {
    let Some(due) = look(shared, id, wall) else {
        return Ok(());
    };
    let (task, running) = (shared.clone(), shared.running.enter());
    let ended = in_class(&shared.runtime, TaskClass::Housekeeping, async move {
        let ended = match Job::new(&task, id, due, wall) {
            Some(job) => job.run().await,
            None => Ok(()),
        };
        drop(running);
        ended
    });
    match ended.await {
        Ok(()) => shared.cells.compactions.increment(),
        Err(Stop::Overtaken) => {}
        Err(Stop::Full) => {
            tracing::warn!(partition = %id, "no room on the disk to compact this partition");
        }
        Err(Stop::Damaged) => {
            tracing::error!(partition = %id, "not compacted any more: its log cannot be read");
            return Err(());
        }
        Err(Stop::Failed(error)) => shared.fail(error),
    }
    Ok(())
}
