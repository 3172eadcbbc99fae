//! The shell around every partition of a shard: requests, events of the store and alarms come in, each is a turn, and
//! what the partition wants done is done. It grows no logic.

use super::alarms::Alarm;
use super::calls::Origin;
use super::core::Core;
use super::inspect::{log_bytes, producers, space};
use super::mailbox::{Message, Receiver};
use super::reads::{Fetch, list_offsets};
use super::request::{Request, Response};
use super::waits::Wait;
use crate::base::ids::{PartitionId, ShardId};
use crate::base::time::Now;
use crate::partition::Partition;
use crate::storage::event::{Observer, StoreEvent};
use crate::storage::runtime::{Runtime, TaskClass};
use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::rc::{Rc, Weak};

impl Core {
    /// Starts the tasks that feed the driver.
    pub(super) fn start_tasks(self: &Rc<Core>, receivers: Vec<Receiver>) {
        for receiver in receivers {
            let task = receive(self.clone(), receiver);
            self.runtime.spawn(TaskClass::Foreground, task);
        }
        let task = sound_alarms(self.clone());
        self.runtime.spawn(TaskClass::Foreground, task);
    }

    /// One request. Its answer leaves by `reply`, now or later.
    pub(super) fn serve(self: &Rc<Core>, origin: Origin, request: Request) {
        match request {
            Request::Produce { items, deadline } => self.produce(origin, items, deadline),
            Request::DeleteRecords { cuts, deadline } => {
                self.delete_records(origin, cuts, deadline);
            }
            Request::Fetch {
                parts,
                bytes_max,
                at_least_one,
                isolation,
            } => {
                let fetch = Fetch {
                    parts,
                    bytes_max,
                    at_least_one,
                    isolation,
                };
                self.reply_after(origin, fetch.run(self.clone()));
            }
            Request::AwaitData {
                ticket,
                parts,
                isolation,
                bytes_needed,
                deadline,
            } => {
                let wait = Wait {
                    origin,
                    parts,
                    isolation,
                    bytes_needed,
                    deadline,
                };
                self.await_data(ticket, wait);
            }
            Request::ListOffsets { queries, isolation } => {
                self.reply_after(origin, list_offsets(self.clone(), queries, isolation));
            }
            Request::Group { partition, command } => {
                self.group_command(origin, partition, *command);
            }
            Request::Producers(wanted) => {
                self.reply_after(origin, producers(self.clone(), wanted));
            }
            Request::LogBytes(wanted) => self.reply_after(origin, log_bytes(self.clone(), wanted)),
            Request::Space => self.reply_after(origin, space(self.clone())),
            Request::Observe(what) => self.observe(origin, what),
            Request::ProducerId => self.producer_id(origin),
            Request::Propose(command) => self.propose(origin, command),
            Request::RoomFor(partitions) => {
                let core = self.clone();
                let room = async move { core.store.room_for(partitions).await };
                self.reply_after(origin, async { Response::RoomFor(room.await) });
            }
            other => self.serve_at_once(origin, other),
        }
    }

    /// Requests that never wait.
    fn serve_at_once(self: &Rc<Core>, origin: Origin, request: Request) {
        let response = match request {
            Request::Cancel(ticket) => {
                self.end_wait(ticket);
                Response::Done
            }
            Request::EpochEnds(wanted) => self.epoch_ends(&wanted),
            Request::ListGroups => self.list_groups(),
            Request::Image(image) => {
                self.apply(image);
                Response::Done
            }
            Request::Removed(partition) => {
                self.on_removed(partition);
                Response::Done
            }
            waiting => unreachable!("served before: {waiting:?}"),
        };
        self.reply(origin, response);
    }

    /// Answers when `work` ends, in a task of its own.
    fn reply_after(
        self: &Rc<Core>,
        origin: Origin,
        work: impl Future<Output = Response> + 'static,
    ) {
        let core = self.clone();
        self.runtime.spawn(TaskClass::Foreground, async move {
            let response = work.await;
            core.reply(origin, response);
        });
    }

    /// Delivers one input to a partition and performs what it wants done. `None`: it is not here.
    pub(super) fn turn<T>(
        &self,
        id: PartitionId,
        deliver: impl FnOnce(&mut Partition, Now) -> T,
    ) -> Option<T> {
        let now = self.runtime.now();
        let mut actions = self.actions.take();
        let result = {
            let mut partitions = self.partitions.borrow_mut();
            let owned = partitions.get_mut(&id)?;
            let result = deliver(&mut owned.partition, now);
            actions.extend(std::iter::from_fn(|| owned.partition.poll_action()));
            self.set_alarm(id, owned);
            result
        };
        for action in actions.drain(..) {
            self.perform(id, action);
        }
        self.actions.replace(actions);
        Some(result)
    }

    fn on_message(self: &Rc<Core>, from: ShardId, message: Message) {
        match message {
            Message::Request { ticket, request } => {
                let shard = from;
                self.serve(Origin { shard, ticket }, request);
            }
            Message::Response { ticket, response } => self.tickets.complete(ticket, response),
        }
    }

    fn on_alarms(self: &Rc<Core>) {
        let now = self.runtime.now().instant;
        while let Some(alarm) = self.alarms.take_due(now) {
            match alarm {
                Alarm::Partition(id) => self.on_partition_alarm(id),
                Alarm::Groups(id) => self.on_group_alarm(id),
                Alarm::Wait(ticket) => self.end_wait(ticket),
                Alarm::Parking(_) => self.refuse_expired(now),
            }
        }
    }

    /// What the store told, in order, one event at a time.
    fn take_events(self: &Rc<Core>) {
        if self.in_event.replace(true) {
            return;
        }
        loop {
            let event = self.events.borrow_mut().pop_front();
            let Some(event) = event else { break };
            self.on_event(event);
        }
        self.in_event.set(false);
    }

    fn on_event(self: &Rc<Core>, event: StoreEvent) {
        match event {
            StoreEvent::Durable { partition, up_to } => {
                self.turn(partition, |partition, now| partition.on_durable(up_to, now));
            }
            StoreEvent::LogStartDurable { partition, offset } => {
                self.turn(partition, |partition, _| {
                    partition.on_log_start_durable(offset);
                });
            }
            StoreEvent::RetentionDue {
                partition,
                log_start,
            } => {
                self.turn(partition, |partition, _| {
                    partition.on_retention_due(log_start);
                });
            }
            StoreEvent::Damaged { partition, offline } => {
                self.turn(partition, |partition, _| partition.on_offline(offline));
            }
            StoreEvent::RoomAvailable => self.release_parked(),
            StoreEvent::Removed { partition } => self.report_removed(partition),
            StoreEvent::Failed { error } => self.on_failed(&error),
        }
    }
}

/// One task per sending shard, which only awaits it.
async fn receive(core: Rc<Core>, receiver: Receiver) {
    while let Some(message) = receiver.next().await {
        core.on_message(receiver.from, message);
        core.runtime.yield_now().await;
    }
    core.tickets.abandon(receiver.from);
}

async fn sound_alarms(core: Rc<Core>) {
    loop {
        let (at, earlier) = core.alarms.arm();
        match at {
            None => earlier.await,
            Some(at) => {
                let due = core.runtime.deadlines().sleep_until(at);
                futures_lite::future::or(due, earlier).await;
            }
        }
        core.on_alarms();
    }
}

/// Where the store tells what happened. It listens before there is a shard to tell.
#[derive(Default)]
pub(super) struct Ear {
    core: OnceCell<Weak<Core>>,
    early: RefCell<Vec<StoreEvent>>,
}

impl Ear {
    pub(super) fn attach(&self, core: &Rc<Core>) {
        let attached = self.core.set(Rc::downgrade(core));
        assert!(attached.is_ok(), "a store has one shard");
        for event in self.early.take() {
            self.on_event(event);
        }
    }
}

impl Observer for Ear {
    fn on_event(&self, event: StoreEvent) {
        let Some(core) = self.core.get() else {
            return self.early.borrow_mut().push(event);
        };
        if let Some(core) = core.upgrade() {
            core.events.borrow_mut().push_back(event);
            core.take_events();
        }
    }
}
