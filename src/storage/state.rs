//! What a shard's store knows: partitions, the ring's account, the pool's account, the lap in progress.
//!
//! Synchronous. The tasks of the store borrow it for one call and do their I/O between calls.

use super::disk::DiskError;
use super::errors::NoRoom;
use super::event::StoreEvent;
use super::journal::{Cycle, RecordPlan};
use super::rest::Rest;
use super::runtime::Notify;
use crate::base::align::BLOCK;
use crate::base::ids::PartitionId;
use crate::base::limits::Limits;
use crate::base::offset::{Offset, Position};
use crate::base::time::Instant;
use crate::log::entry::{Change, ReplaceChange, SnapshotEntry};
use crate::log::journal_format::{RECORD_HEADER_BYTES, record_bytes};
use crate::log::journal_ring::{JournalRing, promised_bytes};
use crate::log::log_config::LogConfig;
use crate::log::note::Note;
use crate::log::partition_log::{Committed, PartitionLog};
use crate::log::section::Section;
use crate::log::segment::Segment;
use crate::record::StampedBatch;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

mod capture;
mod pool;

pub(super) use capture::{CapturedLap, Lap, PartitionWrites};
pub(super) use pool::Pool;

/// Why the store takes nothing any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Closed {
    Stopping,
    Failed(DiskError),
}

/// Room in ring and pool for one batch. Used up by `append`; dropping it gives the room back.
#[derive(Debug)]
#[must_use = "room that is not used must be given back"]
pub struct Reservation {
    ring: u64,
    bytes: u64,
    returned: Rc<Returned>,
}

/// Room given back by reservations that were dropped.
#[derive(Default)]
struct Returned {
    ring: Cell<u64>,
    bytes: Cell<u64>,
    work: Notify,
}

impl std::fmt::Debug for Returned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of the ring, {} of the pool",
            self.ring.get(),
            self.bytes.get()
        )
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.returned.ring.set(self.returned.ring.get() + self.ring);
            self.returned
                .bytes
                .set(self.returned.bytes.get() + self.bytes);
            self.returned.work.notify();
        }
    }
}

pub(super) struct Partition {
    pub(super) log: PartitionLog,
    pub(super) topic_name: String,
    /// Stands in `ready`.
    queued: bool,
    /// A task brings its lead-in, or the place of its cut, from the segments.
    pub(super) fetching: bool,
    /// It is new, and no lap has made its first file.
    pub(super) lacks_file: bool,
    /// What the account says of it.
    dirty: u64,
}

impl Partition {
    pub(super) fn new(section: Section, topic_name: &str, config: LogConfig) -> Partition {
        Partition {
            log: PartitionLog::new(section, config),
            topic_name: topic_name.to_owned(),
            queued: false,
            fetching: false,
            lacks_file: false,
            dirty: 0,
        }
    }
}

/// What a partition needs from the segments before it can go into a cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Missing {
    LeadIn(PartitionId, Position, usize),
    CutPlace(PartitionId, Offset),
}

/// What a cycle that became durable means to the rest.
#[derive(Default)]
pub(super) struct Completed {
    pub(super) events: Vec<StoreEvent>,
    pub(super) dropped: Vec<PartitionId>,
    pub(super) log_starts: Vec<PartitionId>,
    pub(super) cut: Vec<(PartitionId, Offset)>,
    pub(super) replaced: Vec<PartitionId>,
    pub(super) partitions: u64,
}

pub(super) struct State {
    limits: Limits,
    pub(super) partitions: BTreeMap<PartitionId, Partition>,
    /// Partitions with something for the next cycle, in turn.
    ready: VecDeque<PartitionId>,
    pub(super) ring: JournalRing,
    pub(super) pool: Pool,
    returned: Rc<Returned>,
    /// Last planned and last durable record.
    planned: u64,
    pub(super) sequence: u64,
    pub(super) in_flight: bool,
    pub(super) idle_due: bool,
    pub(super) rest: Rest,
    pub(super) lap: Lap,
    pub(super) snapshot_entry: Option<SnapshotEntry>,
    /// Generation of the last snapshot whose entry is durable.
    pub(super) snapshot_durable: u64,
    /// Records since the last lap began, other than those a lap makes itself.
    unlapped: u64,
    /// Somebody was refused for want of this many bytes.
    refused: Option<usize>,
    /// Partitions that lack a file.
    lacking: usize,
    /// Compaction waits for a lap.
    pub(super) lap_asked: bool,
    pub(super) closed: Option<Closed>,
    /// Everything is in the last snapshot: the commit loop may end.
    pub(super) drained: bool,
    pub(super) disk_full: bool,
    /// Bytes the ballast holds, and the partitions that it shall be enough for; somebody waits for it to grow.
    pub(super) ballast_bytes: u64,
    pub(super) partitions_expected: usize,
    pub(super) ballast_short: bool,
    /// A stop found no room for its last lap: the next start replays.
    pub(super) left_to_replay: bool,
    /// Files are being removed: no lap begins meanwhile.
    removing: bool,
    /// A lap waits for the end of that, and goes before the next removal: producers wait for it.
    lap_waits: bool,
    /// Size of the last snapshot, of which the ballast keeps one more.
    pub(super) snapshot_bytes: u64,
    /// Generation of the snapshot that a stop left.
    pub(super) stopped_generation: u64,
}

impl State {
    /// `work` wakes the commit loop.
    pub(super) fn new(limits: Limits, work: Notify) -> State {
        State {
            partitions: BTreeMap::new(),
            ready: VecDeque::new(),
            ring: JournalRing::new(&limits),
            pool: Pool::new(&limits),
            returned: Rc::new(Returned {
                work,
                ..Returned::default()
            }),
            planned: 0,
            sequence: 0,
            in_flight: false,
            idle_due: false,
            rest: Rest::default(),
            lap: Lap::Idle,
            snapshot_entry: None,
            snapshot_durable: 0,
            unlapped: 0,
            refused: None,
            lacking: 0,
            lap_asked: false,
            closed: None,
            drained: false,
            disk_full: false,
            ballast_bytes: 0,
            partitions_expected: 0,
            ballast_short: false,
            left_to_replay: false,
            removing: false,
            lap_waits: false,
            snapshot_bytes: 0,
            stopped_generation: 0,
            limits,
        }
    }

    /// A partition that has nothing yet.
    pub(super) fn create(&mut self, id: PartitionId, topic_name: &str, config: LogConfig) {
        self.partitions.entry(id).or_insert_with(|| {
            self.lacking += 1;
            let section = Section::new(id, Offset::ZERO);
            Partition {
                lacks_file: true,
                ..Partition::new(section, topic_name, config)
            }
        });
    }

    /// Takes room for a batch before it gets its offset.
    pub(super) fn reserve(&mut self, id: PartitionId, bytes: usize) -> Result<Reservation, NoRoom> {
        if self.closed.is_some() {
            return Err(NoRoom::Closed);
        }
        let partition = self.partitions.get(&id).ok_or(NoRoom::Unavailable)?;
        if partition.log.is_dropping() || partition.log.section().offline.is_some() {
            return Err(NoRoom::Unavailable);
        }
        if bytes > self.limits.batch_bytes_max() {
            return Err(NoRoom::TooLarge);
        }
        let can_append = partition.log.can_append();
        self.take_returned();
        let taken = match can_append {
            true if self.disk_full => Err(NoRoom::DiskFull),
            true => self.take_room(bytes),
            false => Err(NoRoom::Busy),
        };
        if taken.is_err() {
            self.refused = Some(self.refused.map_or(bytes, |least| least.min(bytes)));
        }
        taken
    }

    fn take_room(&mut self, bytes: usize) -> Result<Reservation, NoRoom> {
        if !self.pool.has_room(bytes) && !self.evict(bytes) {
            return Err(NoRoom::Busy);
        }
        let ring = promised_bytes(bytes, &self.limits);
        if !self.ring.promise(ring) {
            return Err(NoRoom::Busy);
        }
        self.pool.promise(bytes as u64);
        Ok(Reservation {
            ring,
            bytes: bytes as u64,
            returned: self.returned.clone(),
        })
    }

    fn take_returned(&mut self) {
        self.ring.settle(self.returned.ring.take());
        self.pool.settle(self.returned.bytes.take());
    }

    /// Appends a batch for which room was reserved. Nothing happens to a partition that is going.
    pub(super) fn append(
        &mut self,
        id: PartitionId,
        mut room: Reservation,
        batch: &StampedBatch,
        awaited: bool,
    ) {
        assert_eq!(
            room.bytes,
            batch.len() as u64,
            "room was reserved for this batch"
        );
        let chunk_share = self.pool.chunk_share(self.partitions.len());
        let Some(partition) = self.partitions.get_mut(&id) else {
            return;
        };
        if !partition.log.can_append() {
            return;
        }
        // The ring's part stays promised until the batch is planned.
        self.pool.settle(std::mem::take(&mut room.bytes));
        let held = partition.log.tail().charge();
        partition.log.tail_mut().limit_chunks(chunk_share);
        partition.log.tail_mut().pass_time(self.pool.taken());
        partition.log.append(batch);
        partition.dirty += batch.len() as u64;
        self.pool.add_dirty(batch.len() as u64);
        self.rest.add(batch.len() as u64, awaited);
        self.pool.recharge(held, partition.log.tail().charge());
    }

    pub(super) fn note(&mut self, id: PartitionId, note: Note) {
        if let Some(partition) = self.partitions.get_mut(&id)
            && !partition.log.is_dropping()
        {
            let held = partition.log.tail().charge();
            let voided = partition.log.note(note);
            self.pool.recharge(held, partition.log.tail().charge());
            self.settle_voided(id, &voided);
        }
    }

    /// The place of a cut was found in the segments.
    pub(super) fn place_cut(&mut self, id: PartitionId, at: Position) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            let held = partition.log.tail().charge();
            let voided = partition.log.place_cut(at);
            self.pool.recharge(held, partition.log.tail().charge());
            self.settle_voided(id, &voided);
        }
    }

    /// Has closed segments be read from what compaction has made of them. False when that is no longer wanted.
    pub(super) fn replace(
        &mut self,
        id: PartitionId,
        replace: ReplaceChange,
        expected: &[Segment],
    ) -> bool {
        let partition = self.partitions.get_mut(&id);
        self.closed.is_none()
            && partition.is_some_and(|partition| partition.log.replace(replace, expected))
    }

    fn settle_voided(&mut self, id: PartitionId, voided: &[usize]) {
        for &bytes in voided {
            self.ring.settle(promised_bytes(bytes, &self.limits));
        }
        if !voided.is_empty() {
            self.recount(id);
        }
    }

    /// Puts a partition in line for the next cycle, or says what it still needs.
    pub(super) fn enqueue(&mut self, id: PartitionId) -> Option<Missing> {
        let partition = self.partitions.get_mut(&id)?;
        if partition.fetching || !partition.log.is_pending() {
            return None;
        }
        if partition.log.waits_for_replacement() {
            return None;
        }
        if partition.log.is_ready() {
            if !std::mem::replace(&mut partition.queued, true) {
                self.ready.push_back(id);
            }
            return None;
        }
        partition.fetching = true;
        if let Some(offset) = partition.log.unplaced_cut() {
            return Some(Missing::CutPlace(id, offset));
        }
        let (position, len) = partition
            .log
            .tail()
            .missing_fill()
            .expect("nothing else is missing");
        Some(Missing::LeadIn(id, position, len))
    }

    /// The next cycle waits until then, unless something comes that does not.
    pub(super) fn rests_until(&mut self, now: Instant) -> Option<Instant> {
        if self.closed.is_some() || self.snapshot_entry.is_some() || self.idle_due {
            return None;
        }
        self.rest.until(now)
    }

    /// Anything that a cycle could take.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty() || self.snapshot_entry.is_some() || self.idle_due
    }

    /// Anything appended or noted that is not durable.
    pub(super) fn is_pending(&self) -> bool {
        self.in_flight
            || self
                .partitions
                .values()
                .any(|partition| partition.log.is_pending())
    }

    /// Takes the next commit cycle, if there is one and the ring has room for it.
    pub(super) fn plan_cycle(&mut self) -> Option<Cycle> {
        if self.in_flight || !self.has_work() {
            return None;
        }
        let mut cycle = Cycle::default();
        self.plan_entries(&mut cycle);
        let body = cycle.body_bytes() + SnapshotEntry::ENCODED_BYTES;
        if self.snapshot_entry.is_some() && self.ring.admits(body as u64, true) {
            cycle.snapshot = self.snapshot_entry.take();
        }
        let is_idle_record = self.idle_due && self.ring.admits(0, false);
        if cycle.entries.is_empty() && cycle.snapshot.is_none() && !is_idle_record {
            return None;
        }
        self.idle_due = false;
        self.rest.taken(!self.ready.is_empty());
        self.place(&mut cycle);
        self.in_flight = true;
        Some(cycle)
    }

    fn plan_entries(&mut self, cycle: &mut Cycle) {
        let largest = promised_bytes(self.limits.batch_bytes_max(), &self.limits);
        let takes_any = self.ring.admits(largest, false);
        let mut budget = self.limits.cycle_bytes_max - RECORD_HEADER_BYTES;
        while !self.ring.admits(budget as u64, false) {
            budget /= 2;
            if budget < 2 * BLOCK {
                return;
            }
        }
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else {
                return;
            };
            let Some(partition) = self.partitions.get_mut(&id) else {
                continue;
            };
            if !partition.log.is_ready() {
                // A batch has come behind a note, and its lead-in is on the way.
                partition.queued = false;
                continue;
            }
            let first = cycle.entries.len();
            let held = partition.log.tail().charge();
            let at_least_one = takes_any && first == 0;
            let used = partition.log.plan(budget, at_least_one, &mut cycle.entries);
            self.pool.recharge(held, partition.log.tail().charge());
            budget = budget.saturating_sub(used);
            partition.queued = partition.log.is_ready();
            if partition.queued {
                self.ready.push_back(id);
            }
            for entry in &cycle.entries[first..] {
                self.ring.settle(promised_for(&entry.change, &self.limits));
            }
            if budget < BLOCK {
                return;
            }
        }
    }

    /// Gives the cycle its records: as many as the bound and the ends of files make of it.
    fn place(&mut self, cycle: &mut Cycle) {
        let mut left = cycle.body_bytes();
        loop {
            let slot = self.ring.next_slot();
            let room = (slot.len as usize).min(self.limits.cycle_bytes_max) - RECORD_HEADER_BYTES;
            let body_bytes = left.min(room);
            self.planned += 1;
            self.ring
                .advance(self.planned, record_bytes(body_bytes as u64));
            cycle.records.push(RecordPlan {
                slot,
                sequence: self.planned,
                body_bytes,
            });
            left -= body_bytes;
            if left == 0 {
                return;
            }
        }
    }

    /// The cycle is durable, whole.
    pub(super) fn complete(&mut self, cycle: &Cycle) -> Completed {
        let mut completed = Completed::default();
        let mut changed: BTreeMap<PartitionId, Committed> = BTreeMap::new();
        self.in_flight = false;
        self.sequence = cycle.last_sequence();
        for entry in &cycle.entries {
            let partition = self.partitions.get_mut(&entry.partition);
            let partition = partition.expect("a partition stays until its last entry is durable");
            let committed = changed.entry(entry.partition).or_default();
            partition.log.commit(entry.number, &entry.change, committed);
        }
        completed.partitions = changed.len() as u64;
        for (id, committed) in changed {
            self.report(id, committed, &mut completed);
        }
        if !cycle.entries.is_empty() || cycle.snapshot.is_none() {
            self.unlapped += 1;
        }
        if let Some(snapshot) = cycle.snapshot {
            self.ring.cover(snapshot.covered);
            self.snapshot_durable = snapshot.generation;
        }
        completed.events.extend(self.room_event());
        completed
    }

    fn report(&mut self, partition: PartitionId, committed: Committed, completed: &mut Completed) {
        if let Some(up_to) = committed.durable {
            completed
                .events
                .push(StoreEvent::Durable { partition, up_to });
        }
        if let Some(offset) = committed.log_start {
            completed
                .events
                .push(StoreEvent::LogStartDurable { partition, offset });
            completed.log_starts.push(partition);
        }
        if let Some(segment) = committed.truncated {
            self.recount(partition);
            completed.cut.push((partition, segment));
        }
        if let Some(until) = committed.replaced {
            self.forget_replaced(partition, until);
            completed.replaced.push(partition);
        }
        if committed.dropped {
            self.forget(partition);
            completed.dropped.push(partition);
        }
    }

    fn forget_replaced(&mut self, id: PartitionId, until: Offset) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            let held = partition.log.tail().charge();
            partition.log.forget_replaced(until);
            self.pool.recharge(held, partition.log.tail().charge());
        }
    }

    fn forget(&mut self, id: PartitionId) {
        if let Some(partition) = self.partitions.remove(&id) {
            self.lacking -= usize::from(partition.lacks_file);
            self.pool.remove_dirty(partition.dirty);
            self.pool.recharge(partition.log.tail().charge(), 0);
        }
    }

    /// Brings the account of a partition in line with its log.
    pub(super) fn recount(&mut self, id: PartitionId) {
        if let Some(partition) = self.partitions.get_mut(&id) {
            self.pool.remove_dirty(partition.dirty);
            partition.dirty = partition.log.dirty_bytes();
            self.pool.add_dirty(partition.dirty);
        }
    }

    /// Whoever was refused may try again.
    pub(super) fn room_event(&mut self) -> Option<StoreEvent> {
        let bytes = self.refused?;
        self.take_returned();
        if self.disk_full || self.closed.is_some() {
            return None;
        }
        let fits_ring = promised_bytes(bytes, &self.limits) <= self.ring.room();
        let fits = fits_ring && (self.pool.has_room(bytes) || self.evict(bytes));
        fits.then(|| {
            self.refused = None;
            StoreEvent::RoomAvailable
        })
    }

    /// Enough is dirty, somebody waits for room that only a lap can make, or many partitions are new.
    pub(super) fn wants_lap(&self) -> bool {
        let quarter = (self.limits.journal_files * self.limits.journal_file_bytes / 4) as u64;
        let used = self.ring.used() > quarter;
        let dirty = self.pool.dirty() > (self.limits.pool_bytes / 4) as u64;
        let asked = used || dirty || self.refused.is_some() || self.lap_asked;
        asked && self.has_unlapped() || self.lacking >= self.limits.files_ahead_min
    }

    /// A lap would free something of the journal or of the pool.
    pub(super) fn has_unlapped(&self) -> bool {
        self.unlapped > 0
    }
}

fn promised_for(change: &Change, limits: &Limits) -> u64 {
    match change {
        Change::Data(data) => {
            let sizes = data.batches.iter().map(|header| header.total_bytes());
            sizes.map(|bytes| promised_bytes(bytes, limits)).sum()
        }
        _ => 0,
    }
}

impl State {
    /// The lap that captured these partitions has synced what it captured.
    pub(super) fn lap_synced(&mut self, captured: &[PartitionId]) {
        for &id in captured {
            if let Some(partition) = self.partitions.get_mut(&id) {
                partition.log.lap_synced();
                self.recount(id);
            }
        }
    }

    /// It has not: what it captured is still dirty.
    pub(super) fn lap_failed(&mut self, captured: &[PartitionId]) {
        self.unlapped += 1;
        for id in captured {
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.log.lap_failed();
            }
        }
    }
}
