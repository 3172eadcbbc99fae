//! Laps: what is durable in the journal goes to segments, a snapshot says so, the journal is free again.

use super::ballast::Ballast;
use super::disk::Disk;
use super::runtime::{Runtime, TaskClass};
use super::segment_file::{Finished, Syncing, WriteError, all_written};
use super::shared::Shared;
use super::state::{CapturedLap, Closed, Lap, PartitionWrites, State};
use super::state_file::StateFiles;
use super::tasks::for_each;
use crate::base::ids::PartitionId;
use crate::base::limits::WRITE_BYTES_MAX;
use std::rc::Rc;
use std::time::Duration;

/// Partitions written and synced at the same time, where each has little.
const FLUSHES_IN_FLIGHT_MAX: usize = 8;
/// How soon a lap that found the disk full is tried again.
const FULL_RETRY: Duration = Duration::from_millis(500);

/// The lap's own part of the store: where snapshots go.
pub(super) struct Flusher<D: Disk> {
    pub(super) state_files: StateFiles<D>,
    /// The slot that holds the authoritative snapshot, and its generation.
    pub(super) slot: usize,
    pub(super) generation: u64,
    pub(super) ballast: Ballast<D>,
}

/// Runs laps until the store has stopped and nothing is left to flush, or the directory failed.
pub(super) async fn run<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>, mut flusher: Flusher<D>) {
    flusher.ballast.restore(&shared).await;
    loop {
        let wanted = shared.lap_wanted.notified();
        let (due, stopping, full, short) = {
            let mut state = shared.state.borrow_mut();
            let short = std::mem::take(&mut state.ballast_short);
            match state.closed {
                Some(Closed::Failed(_)) => return,
                Some(Closed::Stopping) => {
                    let due = state.has_unlapped() || state.is_pending();
                    (due && !state.left_to_replay, true, false, false)
                }
                None => (state.wants_lap(), false, state.disk_full, short),
            }
        };
        if short {
            flusher.ballast.restore(&shared).await;
        }
        if due {
            if stopping && !drained(&shared).await {
                return;
            }
            lap_or_wait(&shared, &mut flusher).await;
        } else if stopping {
            break;
        } else if full {
            shared.runtime.sleep(FULL_RETRY).await;
            flusher.ballast.restore(&shared).await;
        } else {
            wanted.await;
        }
    }
    end(shared, flusher).await;
}

/// Everything is in the last snapshot: the commit loop may end, and the files close.
async fn end<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>, flusher: Flusher<D>) {
    {
        let mut state = shared.state.borrow_mut();
        state.drained = true;
        state.stopped_generation = flusher.generation;
    }
    shared.wake_all();
    let closed = async {
        shared.segments.close_all().await?;
        flusher.ballast.close().await?;
        flusher.state_files.close().await
    };
    if let Err(error) = closed.await {
        shared.fail(error);
    }
}

/// Waits until what was appended before the stop is durable.
async fn drained<D: Disk, R: Runtime>(shared: &Rc<Shared<D, R>>) -> bool {
    wait_for(shared, |state| !state.is_pending()).await
}

async fn lap_or_wait<D: Disk, R: Runtime>(shared: &Rc<Shared<D, R>>, flusher: &mut Flusher<D>) {
    let begun = shared.runtime.now().instant;
    match lap(shared, flusher).await {
        Ok(()) => {
            shared.cells.laps.increment();
            shared
                .cells
                .lap_seconds
                .record(shared.runtime.now().instant.since(begun));
            flusher.ballast.restore(shared).await;
        }
        Err(WriteError::NoSpace) => {
            let was_full = std::mem::replace(&mut shared.state.borrow_mut().disk_full, true);
            if !was_full {
                tracing::warn!(shard = %shared.shard(), "the disk is full: nothing is appended until it no longer is");
            }
            if !flusher.ballast.give(shared).await {
                if shared.state.borrow().closed == Some(Closed::Stopping) {
                    // A stop waits for no room: the journal has everything.
                    shared.state.borrow_mut().left_to_replay = true;
                } else {
                    shared.runtime.sleep(FULL_RETRY).await;
                }
            }
        }
        Err(WriteError::Failed(error)) => shared.fail(error),
    }
    shared.chores.notify();
}

/// One lap, from the capture to the durable snapshot entry.
async fn lap<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    flusher: &mut Flusher<D>,
) -> Result<(), WriteError> {
    if !wait_for(shared, State::begin_lap).await {
        return Ok(());
    }
    shared.work.notify();
    if !wait_for(shared, |state| matches!(state.lap, Lap::Captured(_))).await {
        return Ok(());
    }
    let captured = take_captured(&mut shared.state.borrow_mut());
    let result = flush_and_name(shared, flusher, captured).await;
    shared.state.borrow_mut().lap = Lap::Idle;
    result
}

fn take_captured(state: &mut State) -> CapturedLap {
    match std::mem::replace(&mut state.lap, Lap::Flushing) {
        Lap::Captured(captured) => captured,
        _ => unreachable!("only the lap takes what was captured for it"),
    }
}

async fn flush_and_name<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    flusher: &mut Flusher<D>,
    captured: CapturedLap,
) -> Result<(), WriteError> {
    let written = shared.segments.written();
    let flushed = flush(shared, captured.writes).await;
    shared
        .cells
        .segment_bytes
        .add(shared.segments.written() - written);
    let finished = match flushed {
        Ok(finished) => finished,
        Err(error) => {
            shared.state.borrow_mut().lap_failed(&captured.partitions);
            return Err(error);
        }
    };
    shared.state.borrow_mut().lap_synced(&captured.partitions);
    shared.tell_room();
    let (slot, generation) = (1 - flusher.slot, flusher.generation + 1);
    let written = flusher.state_files.write(
        slot,
        shared.owner,
        generation,
        captured.covered,
        &captured.body,
    );
    let entry = written
        .await
        .inspect_err(|_| shared.state.borrow_mut().lap_failed(&[]))?;
    shared.state.borrow_mut().snapshot_bytes = captured.body.bytes().len() as u64;
    shared.state.borrow_mut().snapshot_entry = Some(entry);
    shared.work.notify();
    if wait_for(shared, |state| state.snapshot_durable == generation).await {
        flusher.slot = slot;
        flusher.generation = generation;
        seal(shared, finished);
    }
    Ok(())
}

/// Writes every partition's part, some at a time, and makes all of it durable.
async fn flush<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    writes: Vec<PartitionWrites>,
) -> Result<Vec<(PartitionId, Vec<Finished>)>, WriteError> {
    let syncing = shared.segments.syncing(writes.len());
    let flusher = shared.clone();
    let flush = move |part: PartitionWrites| {
        let shared = flusher.clone();
        async move {
            if shared.has_failed() {
                return Ok((part.id, Vec::new()));
            }
            if syncing == Syncing::Together {
                // The kernel flushes the journal in the same queue of this core in which it ends writes to new space:
                // as long as the next of those is there, a flush has to wait for the last of them.
                shared.reader.journal_writes().let_pass().await;
            }
            let segments = &shared.segments;
            let name = &part.topic_name;
            let flushed = segments.flush(&shared.runtime, part.id, name, part.writes, syncing);
            flushed.await.map(|finished| (part.id, finished))
        }
    };
    let limit = flushes_in_flight(writes.iter().map(PartitionWrites::bytes));
    let results = for_each(&shared.runtime, TaskClass::Flush, limit, writes, flush).await;
    let finished = all_written(results)?;
    shared.segments.sync(syncing).await?;
    Ok(finished)
}

/// Of parts so large: as many as have about one write of the largest size under way together, because commit cycles wait
/// behind what the drive has to do.
fn flushes_in_flight(parts: impl ExactSizeIterator<Item = usize>) -> usize {
    let count = parts.len();
    let bytes: usize = parts.map(|bytes| bytes.min(WRITE_BYTES_MAX)).sum();
    (WRITE_BYTES_MAX * count / bytes.max(1)).clamp(1, FLUSHES_IN_FLIGHT_MAX)
}

/// The closed segments are whole and known to be: their side files may be relied on.
fn seal<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    finished: Vec<(PartitionId, Vec<Finished>)>,
) {
    for (id, segments) in finished {
        for segment in &segments {
            if let Some(partition) = shared.state.borrow_mut().partitions.get_mut(&id) {
                partition
                    .log
                    .seal(segment.base, segment.bytes, segment.index);
            }
        }
        if !segments.is_empty() {
            shared.enqueue(id);
        }
    }
}

/// Waits for a state; false when the directory failed first.
async fn wait_for<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    reached: impl Fn(&mut State) -> bool,
) -> bool {
    loop {
        let progress = shared.progress.notified();
        if shared.has_failed() {
            return false;
        }
        if reached(&mut shared.state.borrow_mut()) {
            return true;
        }
        progress.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_parts_are_written_one_after_another_and_small_ones_together() {
        for (parts, together) in [
            (vec![], 1),
            (vec![10], 8),
            (vec![4 * WRITE_BYTES_MAX; 4], 1),
            (vec![WRITE_BYTES_MAX / 3; 4], 3),
            (vec![4_096; 1_000], 8),
        ] {
            let found = flushes_in_flight(parts.iter().copied());
            assert_eq!(found, together, "{} parts", parts.len());
        }
    }
}
