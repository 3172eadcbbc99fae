//! The commit loop: take all that is pending, write it as one record, say what became durable. No timer and no linger on
//! the way of what somebody waits for.

use super::disk::{Disk, DiskError};
use super::journal::{Cycle, Journal};
use super::lead_in::{find_place, read_block};
use super::runtime::{Runtime, TaskClass};
use super::shared::{Removal, Shared};
use super::state::{Lap, Missing};
use crate::base::ids::PartitionId;
use crate::base::limits::IDLE_RECORD_AFTER_MS;
use crate::base::offset::{Offset, Position};
use crate::base::time::Instant;
use futures_lite::future;
use std::rc::Rc;
use std::time::Duration;

enum Step {
    Write(Cycle),
    /// A slice of a lap was captured; there may be more.
    Captured,
    /// Nobody waits for what is pending.
    Rest(Instant),
    Wait,
    End,
}

/// Runs until the directory fails, or the store has stopped and drained.
pub(super) async fn run<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>, mut journal: Journal<D>) {
    loop {
        let work = shared.work.notified();
        match next_step(&shared, &mut journal) {
            Step::Write(cycle) => {
                if !write(&shared, &mut journal, cycle).await {
                    return;
                }
            }
            Step::Captured => shared.runtime.yield_now().await,
            Step::Rest(until) => {
                let now = shared.runtime.now().instant;
                future::or(work, shared.runtime.sleep(until.since(now))).await;
            }
            Step::Wait => work.await,
            Step::End => break,
        }
    }
    if let Err(error) = journal.close().await {
        shared.fail(error);
    }
}

/// Between two cycles: a slice of the lap's capture, then the next cycle.
fn next_step<D: Disk, R: Runtime>(shared: &Rc<Shared<D, R>>, journal: &mut Journal<D>) -> Step {
    // Asked before every record: none may name what a failed sync of another shard has made doubtful.
    let has_failed = shared.has_failed();
    let (step, captured) = {
        let mut state = shared.state.borrow_mut();
        for (index, file) in shared.new_journal_files.borrow_mut().drain(..) {
            journal.add_file(index, file);
            state.ring.add_file(index);
        }
        if has_failed || state.drained {
            return Step::End;
        }
        let moved = state.capture_slice();
        let captured = moved && matches!(state.lap, Lap::Captured(_));
        let rest = state.rests_until(shared.runtime.now().instant);
        let step = match rest.filter(|_| !moved) {
            Some(until) => Step::Rest(until),
            None => match state.plan_cycle() {
                Some(cycle) => Step::Write(cycle),
                None if moved => Step::Captured,
                None => Step::Wait,
            },
        };
        (step, captured)
    };
    if captured {
        shared.progress.notify();
    }
    if matches!(step, Step::Wait) {
        // Room may have been given back without a cycle.
        shared.tell_room();
        if shared.state.borrow().wants_lap() {
            shared.lap_wanted.notify();
        }
    }
    step
}

/// Writes a cycle and reports it. False when the directory failed.
async fn write<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    journal: &mut Journal<D>,
    cycle: Cycle,
) -> bool {
    let begun = shared.runtime.now().instant;
    // One without entries is for nobody who waits.
    let has_entries = !cycle.entries.is_empty();
    if has_entries {
        shared.reader.journal_writes().begin(begun);
    }
    let written = journal.write(&cycle).await;
    if has_entries {
        shared.reader.journal_writes().end();
    }
    match written {
        Ok(bytes) => {
            shared.cells.commit_bytes.add(bytes);
            if has_entries {
                shared.reader.journal_writes().wrote(bytes);
            }
        }
        Err(error) => {
            shared.fail(error);
            return false;
        }
    }
    if shared.has_failed() {
        // Another write of this directory failed meanwhile; no answer may claim anything now.
        return false;
    }
    let took = shared.runtime.now().instant.since(begun);
    shared.cells.journal_write_seconds.record(took);
    complete(shared, &cycle);
    shared
        .cells
        .commit_cycle_seconds
        .record(shared.runtime.now().instant.since(begun));
    true
}

fn complete<D: Disk, R: Runtime>(shared: &Rc<Shared<D, R>>, cycle: &Cycle) {
    let completed = shared.state.borrow_mut().complete(cycle);
    shared.cells.commit_cycles.increment();
    shared.cells.commit_partitions.add(completed.partitions);
    if !cycle.entries.is_empty() {
        shared.active.notify();
    }
    for id in completed.dropped {
        shared.add_removal(Removal::Partition(id));
    }
    for id in completed.log_starts {
        shared.add_removal(Removal::Stale(id));
    }
    for id in completed.replaced {
        shared.add_removal(Removal::Stale(id));
        // A cut may have waited for it.
        shared.enqueue(id);
    }
    for (id, segment) in completed.cut {
        forget_cut(shared, id, segment);
    }
    shared.progress.notify();
    let wants_lap = shared.state.borrow().wants_lap();
    if wants_lap {
        shared.lap_wanted.notify();
    }
    shared.tell(completed.events);
}

/// What readers know of a segment's index may lie above the cut.
fn forget_cut<D: Disk, R: Runtime>(shared: &Rc<Shared<D, R>>, id: PartitionId, segment: Offset) {
    let Some(path) = shared.path_of(id, segment) else {
        return;
    };
    let task = shared.clone();
    shared
        .running
        .spawn(&shared.runtime, TaskClass::Foreground, async move {
            if let Err(error) = task.reader.forget(&path).await {
                task.fail(error);
            }
        });
}

/// Writes one empty record when nothing has happened for a while: the last answered cycle then has a successor, and
/// later damage of it cannot be taken for a torn write.
pub(super) async fn watch_idleness<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>) {
    let wait = Duration::from_millis(IDLE_RECORD_AFTER_MS);
    let mut marked = 0;
    loop {
        let active = shared.active.notified();
        if shared.state.borrow().closed.is_some() {
            return;
        }
        if shared.state.borrow().sequence == marked {
            active.await;
            continue;
        }
        let seen = shared.state.borrow().sequence;
        shared.runtime.sleep(wait).await;
        let mut state = shared.state.borrow_mut();
        if state.sequence == seen && !state.in_flight && !state.has_work() {
            marked = seen + 1;
            state.idle_due = true;
            drop(state);
            shared.work.notify();
        }
    }
}

impl<D: Disk, R: Runtime> Shared<D, R> {
    /// Brings what a partition lacks for its next cycle from the segments; the shard's other partitions do not wait.
    pub(super) fn fetch_missing(self: &Rc<Self>, missing: Missing) {
        let shared = self.clone();
        self.running
            .spawn(&self.runtime, TaskClass::Foreground, async move {
                if let Err(error) = shared.fetch(missing).await {
                    shared.fail(error);
                }
            });
    }

    async fn fetch(self: &Rc<Self>, missing: Missing) -> Result<(), DiskError> {
        let id = match missing {
            Missing::LeadIn(id, position, len) => {
                let bytes = read_block(self, id, position, len).await?;
                let mut state = self.state.borrow_mut();
                let state = &mut *state;
                if let Some(partition) = state.partitions.get_mut(&id) {
                    let held = partition.log.tail().charge();
                    let start = Position {
                        byte: position.byte + len as u64,
                        ..position
                    };
                    partition.log.tail_mut().set_fill(start, bytes);
                    state.pool.recharge(held, partition.log.tail().charge());
                }
                id
            }
            Missing::CutPlace(id, offset) => {
                if let Some(at) = find_place(self, id, offset).await? {
                    self.state.borrow_mut().place_cut(id, at);
                }
                id
            }
        };
        if let Some(partition) = self.state.borrow_mut().partitions.get_mut(&id) {
            partition.fetching = false;
        }
        self.enqueue(id);
        Ok(())
    }
}
