//! What one core owns. Nothing here is shared: every field belongs to this shard's thread.

use super::calls::Origin;
use super::mailbox::{Mailbox, Message};
use super::request::{Image, Request, Response};
use super::runtime::ShardRuntime;
use super::stats::ShardStats;
use super::tickets::{Answer, CallClass, Tickets};
use crate::base::ids::{ShardId, Ticket};
use crate::base::limits::{SHARD_CALLS_MAX, SHARD_CONTROL_CALLS_MAX, SHARD_WAITS_MAX};
use crate::config::Settings;
use crate::metrics::PlaneCells;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub(super) struct Core {
    pub(super) id: ShardId,
    pub(super) shards: u16,
    pub(super) runtime: ShardRuntime,
    pub(super) settings: Arc<Settings>,
    pub(super) image: RefCell<Arc<Image>>,
    // Towards the other shards.
    pub(super) tickets: Tickets,
    pub(super) mailbox: Mailbox,
    pub(super) stats: ShardStats,
    pub(super) plane: PlaneCells,
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
            self.stats.busy.add(1);
            return Answer::ready(Response::Busy);
        }
        let (ticket, answer) = self.tickets.open(to, class);
        if to == self.id {
            self.serve(self.origin(ticket), request);
        } else if let Err(_refused) = self.mailbox.send(to, Message::Request { ticket, request }) {
            self.tickets.complete(ticket, Response::Stopping);
        }
        answer
    }

    pub(super) fn serve(self: &Rc<Core>, origin: Origin, _request: Request) {
        self.tickets.complete(origin.ticket, Response::Busy);
    }
}

fn class_of(request: &Request) -> CallClass {
    match request {
        Request::AwaitData { .. } => CallClass::Wait,
        Request::Propose(_) | Request::Image(_) | Request::Removed(_) => CallClass::Control,
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
