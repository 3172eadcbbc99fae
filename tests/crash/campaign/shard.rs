//! One shard of a process: production store and production partitions, and the thinnest driver between them.

use super::model::Model;
use crate::sim::{SimDisk, SimRuntime};
use bytes::Bytes;
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{PartitionId, Ticket};
use ottla::base::offset::Offset;
use ottla::base::time::{Instant, Timestamp};
use ottla::log::Note;
use ottla::log::log_config::LogConfig;
use ottla::partition::{
    Action, AppendError, Caller, Dispatched, Durability, Outcome, Partition, PartitionSettings,
    PartitionState,
};
use ottla::record::{BatchRules, TimestampKind, TimestampRules, ValidBatch, validate};
use ottla::storage::errors::NoRoom;
use ottla::storage::event::{Observer, StoreEvent};
use ottla::storage::runtime::{Notify, Runtime, TaskClass};
use ottla::storage::start::PartitionStart;
use ottla::storage::store::{Reservation, Store};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

pub type SimStore = Store<SimDisk, SimRuntime>;

const SETTINGS: PartitionSettings = PartitionSettings {
    durability: Durability::Flushed,
    timestamps: TimestampKind::CreateTime,
    producer_expiration_ms: i64::MAX,
};

/// What the store said and the shard has not heard yet.
#[derive(Default)]
pub struct Events {
    queue: RefCell<VecDeque<StoreEvent>>,
    arrived: Notify,
}

impl Observer for Events {
    fn on_event(&self, event: StoreEvent) {
        self.queue.borrow_mut().push_back(event);
        self.arrived.notify();
    }
}

/// Owned by one simulated core; all its methods run there.
pub struct Shard {
    pub store: Rc<SimStore>,
    runtime: SimRuntime,
    model: Rc<RefCell<Model>>,
    events: Rc<Events>,
    partitions: RefCell<BTreeMap<PartitionId, Partition>>,
    waiting: RefCell<BTreeMap<Ticket, Waiting>>,
    next_ticket: Cell<u64>,
    removed: RefCell<BTreeSet<PartitionId>>,
    damaged: RefCell<BTreeSet<PartitionId>>,
    /// The epoch a partition was led in last.
    epochs: RefCell<BTreeMap<PartitionId, LeaderEpoch>>,
    /// Cuts that are under way.
    cuts: RefCell<BTreeMap<PartitionId, Offset>>,
    /// Cuts begun and cuts done so far.
    cut_counts: RefCell<BTreeMap<PartitionId, u64>>,
    failed: Cell<bool>,
    /// Something was answered, removed, or there is room again.
    pub progress: Notify,
}

/// What an answer will promise.
#[derive(Clone, Copy)]
enum Waiting {
    Produce {
        id: PartitionId,
        base_offset: Offset,
    },
    Delete {
        id: PartitionId,
        before: Offset,
    },
}

/// A batch was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    NoRoom(NoRoom),
    Append(AppendError),
    /// The topic is gone.
    Unknown,
}

/// A batch as it comes from a client, checked.
pub fn checked(bytes: &Bytes, now: Timestamp) -> ValidBatch {
    let rules = BatchRules {
        batch_bytes_max: usize::MAX,
        zstd_allowed: true,
        timestamps: TimestampRules {
            kind: TimestampKind::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: i64::MAX,
        },
        keys_required: false,
        now,
    };
    validate(bytes.clone(), &rules).expect("our clients do not lie")
}

impl Shard {
    /// Starts to listen to the store. `events` is its observer.
    pub fn start(
        store: Rc<SimStore>,
        events: Rc<Events>,
        runtime: &SimRuntime,
        model: &Rc<RefCell<Model>>,
    ) -> Rc<Shard> {
        let shard = Rc::new(Shard {
            store,
            runtime: runtime.clone(),
            model: model.clone(),
            events,
            partitions: RefCell::default(),
            waiting: RefCell::default(),
            next_ticket: Cell::new(1),
            removed: RefCell::default(),
            damaged: RefCell::default(),
            epochs: RefCell::default(),
            cuts: RefCell::default(),
            cut_counts: RefCell::default(),
            failed: Cell::new(false),
            progress: Notify::default(),
        });
        let listener = shard.clone();
        runtime.spawn(TaskClass::Foreground, async move {
            loop {
                let arrived = listener.events.arrived.notified();
                listener.hear_all();
                arrived.await;
            }
        });
        shard
    }

    /// Leads a partition that recovery left, or a new one.
    pub fn lead(&self, found: Option<PartitionStart>, id: PartitionId, epoch: LeaderEpoch) {
        let state = found.map_or(PartitionState::default(), |found| PartitionState {
            log_start: found.log_start,
            next_offset: found.next_offset,
            epochs: found.epochs,
            producers: found.producers,
            offline: found.offline,
        });
        let partition = Partition::new(state, SETTINGS, epoch, self.runtime.now());
        self.epochs.borrow_mut().insert(id, epoch);
        self.partitions.borrow_mut().insert(id, partition);
    }

    pub fn create(&self, id: PartitionId, topic: &str, config: LogConfig) {
        self.store.create_partition(id, topic, config);
    }

    pub fn drop_partition(&self, id: PartitionId) {
        let closed = self.partitions.borrow_mut().remove(&id);
        if let Some(mut partition) = closed {
            partition.close();
            self.perform(id, drain(&mut partition), None);
        }
        self.store.drop_partition(id);
    }

    /// Takes a batch; its answer, if any, reaches the model by itself.
    pub fn produce(&self, id: PartitionId, batch: &ValidBatch) -> Result<Dispatched, Refused> {
        let room = self
            .store
            .reserve(id, batch.len())
            .map_err(Refused::NoRoom)?;
        let caller = self.caller();
        let now = self.runtime.now();
        let (dispatched, actions) = {
            let mut partitions = self.partitions.borrow_mut();
            let partition = partitions.get_mut(&id).ok_or(Refused::Unknown)?;
            let dispatched = partition
                .append(batch, caller, now)
                .map_err(Refused::Append)?;
            (dispatched, drain(partition))
        };
        let waiting = Waiting::Produce {
            id,
            base_offset: dispatched.base_offset,
        };
        self.waiting.borrow_mut().insert(caller.ticket, waiting);
        self.perform(id, actions, Some(room));
        Ok(dispatched)
    }

    /// Deletes records below the offset; false when that is not possible now.
    pub fn delete_records(&self, id: PartitionId, before: Offset) -> bool {
        let caller = self.caller();
        let actions = {
            let mut partitions = self.partitions.borrow_mut();
            let Some(partition) = partitions.get_mut(&id) else {
                return false;
            };
            if partition.delete_records(before, caller).is_err() {
                return false;
            }
            drain(partition)
        };
        let waiting = Waiting::Delete { id, before };
        self.waiting.borrow_mut().insert(caller.ticket, waiting);
        self.perform(id, actions, None);
        true
    }

    /// Voids everything from `offset` on, as a follower does whose leader's log went another way. Nobody is served until
    /// `lead_after_cut` answers true. False: there is no such partition, or it is being cut.
    pub fn cut(&self, id: PartitionId, offset: Offset) -> bool {
        let Some(mut partition) = self.partitions.borrow_mut().remove(&id) else {
            return false;
        };
        partition.close();
        self.perform(id, drain(&mut partition), None);
        self.cuts.borrow_mut().insert(id, offset);
        *self.cut_counts.borrow_mut().entry(id).or_default() += 1;
        self.note(id, Note::Truncate { offset });
        true
    }

    /// Leads the partition again, in a new epoch, if the store has made its cut durable.
    pub fn lead_after_cut(&self, id: PartitionId) -> bool {
        // What was said of the log as it was must not reach the one that is led now.
        self.hear_all();
        let offset = self.cuts.borrow()[&id];
        let known = self.store.partitions();
        let Some(found) = known.into_iter().find(|known| known.id == id) else {
            return false;
        };
        // Room is given only when no cut is under way.
        if found.next_offset != offset || self.store.reserve(id, 1).is_err() {
            return false;
        }
        self.cuts.borrow_mut().remove(&id);
        *self.cut_counts.borrow_mut().entry(id).or_default() += 1;
        self.model.borrow_mut().cut_done(id);
        let epoch = self.epochs.borrow()[&id];
        self.lead(Some(found), id, LeaderEpoch(epoch.0 + 1));
        true
    }

    /// Changes with each cut, when it begins and when it is done: whoever remembers another number knows a log that is no
    /// more.
    pub fn cut_count(&self, id: PartitionId) -> u64 {
        self.cut_counts.borrow().get(&id).copied().unwrap_or(0)
    }

    /// Promises to obey no epoch below the next one. False: there is no such partition now.
    pub fn promise(&self, id: PartitionId) -> bool {
        if !self.partitions.borrow().contains_key(&id) {
            return false;
        }
        let epoch = LeaderEpoch(self.epochs.borrow()[&id].0 + 1);
        self.note(id, Note::Promise(epoch));
        true
    }

    fn note(&self, id: PartitionId, note: Note) {
        self.model.borrow_mut().note(id, note);
        self.store.note(id, note);
    }

    /// What a reader may see: log start and end for readers.
    pub fn readable(&self, id: PartitionId) -> Option<(Offset, Offset)> {
        let partitions = self.partitions.borrow();
        let marks = partitions.get(&id)?.watermarks();
        Some((marks.log_start(), marks.high_watermark()))
    }

    pub fn is_unanswered(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    pub fn is_removed(&self, id: PartitionId) -> bool {
        self.removed.borrow().contains(&id)
    }

    /// Partitions that went offline while they were served.
    pub fn damaged(&self) -> BTreeSet<PartitionId> {
        self.damaged.borrow().clone()
    }

    /// The directory failed; only a new process goes on.
    pub fn is_failed(&self) -> bool {
        self.failed.get()
    }

    fn caller(&self) -> Caller {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        Caller {
            ticket: Ticket(ticket),
            deadline: Instant(u64::MAX),
        }
    }

    fn hear_all(&self) {
        loop {
            let event = self.events.queue.borrow_mut().pop_front();
            match event {
                Some(event) => self.hear(event),
                None => return,
            }
        }
    }

    fn hear(&self, event: StoreEvent) {
        match event {
            StoreEvent::Durable { partition, up_to } => {
                let now = self.runtime.now();
                self.tell(partition, |partition| partition.on_durable(up_to, now));
            }
            StoreEvent::LogStartDurable { partition, offset } => {
                self.model
                    .borrow_mut()
                    .log_start_answered(partition, offset);
                self.tell(partition, |partition| {
                    partition.on_log_start_durable(offset)
                });
            }
            StoreEvent::RetentionDue {
                partition,
                log_start,
            } => self.tell(partition, |partition| partition.on_retention_due(log_start)),
            StoreEvent::Removed { partition } => {
                self.removed.borrow_mut().insert(partition);
            }
            StoreEvent::Damaged { partition, offline } => {
                self.damaged.borrow_mut().insert(partition);
                self.tell(partition, |partition| partition.on_offline(offline));
            }
            StoreEvent::Failed { .. } => {
                self.failed.set(true);
                let all: Vec<PartitionId> = self.partitions.borrow().keys().copied().collect();
                for id in all {
                    self.tell(id, Partition::on_failed);
                }
            }
            StoreEvent::RoomAvailable => {}
        }
        self.progress.notify();
    }

    fn tell(&self, id: PartitionId, event: impl FnOnce(&mut Partition)) {
        let actions = {
            let mut partitions = self.partitions.borrow_mut();
            let Some(partition) = partitions.get_mut(&id) else {
                return; // Dropped meanwhile.
            };
            event(partition);
            drain(partition)
        };
        self.perform(id, actions, None);
    }

    fn perform(&self, id: PartitionId, actions: Vec<Action>, mut room: Option<Reservation>) {
        for action in actions {
            match action {
                Action::Append { batch, awaited } => {
                    self.model.borrow_mut().append(id, &batch);
                    let room = room.take().expect("one append for each reservation");
                    self.store.append(id, room, batch, awaited);
                }
                Action::Note(note) => self.note(id, note),
                Action::Complete { ticket, outcome } => self.complete(ticket, outcome),
            }
        }
    }

    fn complete(&self, ticket: Ticket, outcome: Outcome) {
        let waiting = self.waiting.borrow_mut().remove(&ticket);
        let waiting = waiting.expect("an answer for somebody who asked");
        let mut model = self.model.borrow_mut();
        match (waiting, outcome) {
            (Waiting::Produce { id, base_offset }, Outcome::Appended(appended)) => {
                assert_eq!(appended.base_offset, base_offset);
                model.answered(id, base_offset);
            }
            (Waiting::Delete { id, before }, Outcome::RecordsDeleted { log_start }) => {
                assert!(
                    log_start >= before,
                    "{id}: {before} asked, {log_start} answered"
                );
                model.log_start_answered(id, before);
            }
            (_, Outcome::Unknown(_)) => {}
            (_, outcome) => panic!("the wrong answer: {outcome:?}"),
        }
        drop(model);
        self.progress.notify();
    }
}

fn drain(partition: &mut Partition) -> Vec<Action> {
    std::iter::from_fn(|| partition.poll_action()).collect()
}
