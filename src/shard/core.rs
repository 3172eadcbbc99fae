//! What one core owns. Nothing here is shared: every field belongs to this shard's thread.

use super::alarms::Alarms;
use super::calls::{Calls, Origin};
use super::groups::Groups;
use super::mailbox::{Mailbox, Message, Stopped};
use super::metadata::Metadata;
use super::parking::Parking;
use super::producer_ids::ProducerIds;
use super::request::{Image, Request, Response};
use super::runtime::ShardRuntime;
use super::tickets::{Answer, CallClass, Tickets};
use super::waits::Waits;
use crate::base::ids::{PartitionId, ShardId, Ticket};
use crate::base::limits::{SHARD_CALLS_MAX, SHARD_CONTROL_CALLS_MAX, SHARD_WAITS_MAX};
use crate::base::time::Instant;
use crate::config::Settings;
use crate::metrics::{PlaneCells, ShardCells};
use crate::partition::{Action, Caller, Partition, PartitionStats};
use crate::record::ValidBatch;
use crate::storage::dma::DmaDisk;
use crate::storage::event::StoreEvent;
use crate::storage::meta_log::MetaLog;
use crate::storage::store::{Reservation, Store};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

pub type ShardStore = Store<DmaDisk, ShardRuntime>;
pub type ShardMetaLog = MetaLog<DmaDisk, ShardRuntime>;

pub(super) struct Core {
    pub(super) id: ShardId,
    pub(super) shards: u16,
    pub(super) runtime: ShardRuntime,
    pub(super) settings: Arc<Settings>,
    pub(super) image: RefCell<Arc<Image>>,

    // Towards the other shards.
    pub(super) tickets: Tickets,
    pub(super) mailbox: Mailbox,

    // What is asked of this shard and not yet answered.
    pub(super) calls: RefCell<Calls>,
    pub(super) waits: RefCell<Waits>,
    pub(super) parking: RefCell<Parking<ParkedBatch>>,
    pub(super) alarms: Alarms,

    // What it has.
    pub(super) store: Rc<ShardStore>,
    pub(super) partitions: RefCell<BTreeMap<PartitionId, Owned>>,
    pub(super) groups: RefCell<Groups>,
    pub(super) producer_ids: ProducerIds,
    /// On shard 0 alone.
    pub(super) metadata: OnceCell<Metadata>,

    // The turn that runs now.
    pub(super) events: RefCell<VecDeque<StoreEvent>>,
    /// An event is being handled; further ones wait for its end.
    pub(super) in_event: Cell<bool>,
    /// Room for the batch that the turn may append.
    pub(super) reservation: RefCell<Option<Reservation>>,
    /// Actions of the turn; kept for its memory.
    pub(super) actions: RefCell<Vec<Action>>,

    /// The directory has failed: nothing is written any more.
    pub(super) failed: Cell<bool>,
    pub(super) stopping: Cell<bool>,
    /// Counted by partitions that are gone.
    pub(super) gone: Cell<PartitionStats>,
    /// Batches that had to wait for room.
    pub(super) admission_waits: Cell<u64>,
    pub(super) cells: ShardCells,
    pub(super) plane: PlaneCells,
    /// Brings the gauges of the Kafka plane up to date.
    pub(super) plane_gauges: OnceCell<Box<dyn Fn()>>,
}

/// A partition of this shard.
pub(super) struct Owned {
    pub(super) partition: Partition,
    /// When its deadlines are looked at next.
    pub(super) alarm: Option<Instant>,
}

/// A batch without an offset, on its way to its partition.
pub(super) struct ParkedBatch {
    pub(super) partition: PartitionId,
    pub(super) batch: ValidBatch,
    /// Under the ticket of its item.
    pub(super) caller: Caller,
}

impl Core {
    pub(super) fn origin(&self, ticket: Ticket) -> Origin {
        Origin {
            shard: self.id,
            ticket,
        }
    }

    /// To another shard over the mesh, to this one at once.
    pub(super) fn send(self: &Rc<Core>, to: ShardId, request: Request) -> Answer {
        let class = class_of(&request);
        if to != self.id && self.tickets.in_flight(to, class) >= calls_max(class) {
            self.cells.mailbox_full.increment();
            return self.tickets.answered(Response::Busy);
        }
        let (ticket, answer) = self.tickets.open(to, class);
        if to == self.id {
            self.serve(self.origin(ticket), request);
            return answer;
        }
        self.cells.hops.increment();
        if let Err(Stopped) = self.mailbox.send(to, Message::Request { ticket, request }) {
            self.tickets.complete(ticket, Response::Stopping);
        }
        answer
    }

    pub(super) fn reply(&self, to: Origin, response: Response) {
        if to.shard == self.id {
            self.tickets.complete(to.ticket, response);
            return;
        }
        let ticket = to.ticket;
        let message = Message::Response { ticket, response };
        // A shard that has stopped waits for nothing.
        let _ = self.mailbox.send(to.shard, message);
    }
}

fn class_of(request: &Request) -> CallClass {
    match request {
        Request::AwaitData { .. } => CallClass::Wait,
        Request::Group { command, .. } if command.may_wait() => CallClass::Wait,
        Request::Propose(_) | Request::RoomFor(_) | Request::Image(_) | Request::Removed(_) => {
            CallClass::Control
        }
        _ => CallClass::Call,
    }
}

fn calls_max(class: CallClass) -> usize {
    match class {
        CallClass::Call => SHARD_CALLS_MAX,
        CallClass::Wait => SHARD_WAITS_MAX,
        CallClass::Control => SHARD_CONTROL_CALLS_MAX,
    }
}
