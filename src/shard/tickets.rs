//! Where answers land. A shard gives each request it sends a ticket; the answer comes back under it.
//!
//! Owned by the shard that asked.

use super::request::Response;
use crate::base::ids::{ShardId, Ticket};
use crate::base::recycler::{Recycled, Recycler};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Bits of a ticket that count; the others name the shard, so that no two shards give the same one.
const COUNT_BITS: u32 = 48;

/// How long a request may take decides how many of it there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallClass {
    /// Work.
    Call,
    /// A fetch that waits for data.
    Wait,
    /// Cluster metadata on its way to and from shard 0.
    Control,
}

pub(super) struct Tickets {
    shard: ShardId,
    next: Cell<u64>,
    waiting: RefCell<BTreeMap<Ticket, Pending>>,
    slots: Recycler<Slot>,
    in_flight: Vec<InFlight>,
}

struct Pending {
    to: ShardId,
    class: CallClass,
    slot: Recycled<Slot>,
}

#[derive(Default)]
struct InFlight {
    calls: Cell<usize>,
    waits: Cell<usize>,
    control: Cell<usize>,
}

#[derive(Default)]
struct Slot {
    response: Cell<Option<Response>>,
    waker: Cell<Option<Waker>>,
}

/// The answer to a request, in whatever order it comes. Dropping it only loses interest.
pub struct Answer(Recycled<Slot>);

impl Tickets {
    pub(super) fn new(shard: ShardId, shards: u16) -> Tickets {
        Tickets {
            shard,
            next: Cell::new(0),
            waiting: RefCell::default(),
            slots: Recycler::default(),
            in_flight: (0..shards).map(|_| InFlight::default()).collect(),
        }
    }

    pub(super) fn next(&self) -> Ticket {
        self.next_block(1)
    }

    /// The first of `count` tickets in a row.
    pub(super) fn next_block(&self, count: usize) -> Ticket {
        let first = self.next.get();
        let end = first + count as u64;
        assert!(end < 1 << COUNT_BITS, "tickets never run out");
        self.next.set(end);
        Ticket(u64::from(self.shard.0) << COUNT_BITS | first)
    }

    /// Answers with `Stopping` what the shard `to` will never answer.
    pub(super) fn abandon(&self, to: ShardId) {
        let lost: Vec<Ticket> = {
            let waiting = self.waiting.borrow();
            let lost = waiting.iter().filter(|(_, pending)| pending.to == to);
            lost.map(|(ticket, _)| *ticket).collect()
        };
        for ticket in lost {
            self.complete(ticket, Response::Stopping);
        }
    }

    /// Opens a place for the answer under a new ticket.
    pub(super) fn open(&self, to: ShardId, class: CallClass) -> (Ticket, Answer) {
        let ticket = self.next();
        let slot = self.slots.take(Slot::default());
        let pending = Pending {
            to,
            class,
            slot: slot.clone(),
        };
        self.waiting.borrow_mut().insert(ticket, pending);
        let counter = self.counter(to, class);
        counter.set(counter.get() + 1);
        (ticket, Answer(slot))
    }

    /// An answer that is there already.
    pub(super) fn answered(&self, response: Response) -> Answer {
        let slot = self.slots.take(Slot::default());
        slot.fill(response);
        Answer(slot)
    }

    /// Brings an answer. Every ticket is answered once.
    pub(super) fn complete(&self, ticket: Ticket, response: Response) {
        let pending = self.waiting.borrow_mut().remove(&ticket);
        let pending = pending.expect("a ticket is answered once");
        let counter = self.counter(pending.to, pending.class);
        counter.set(counter.get() - 1);
        pending.slot.fill(response);
    }

    pub(super) fn in_flight(&self, to: ShardId, class: CallClass) -> usize {
        self.counter(to, class).get()
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    fn counter(&self, to: ShardId, class: CallClass) -> &Cell<usize> {
        let in_flight = &self.in_flight[usize::from(to.0)];
        match class {
            CallClass::Call => &in_flight.calls,
            CallClass::Wait => &in_flight.waits,
            CallClass::Control => &in_flight.control,
        }
    }
}

impl Slot {
    fn fill(&self, response: Response) {
        self.response.set(Some(response));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Answer {
    /// The answer, if it is there already.
    pub fn try_take(&self) -> Option<Response> {
        self.0.response.take()
    }
}

impl Future for Answer {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        match self.0.response.take() {
            Some(response) => Poll::Ready(response),
            None => {
                self.0.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_request_in_any_order() {
        let tickets = Tickets::new(ShardId(1), 2);
        let (first, first_answer) = tickets.open(ShardId(0), CallClass::Call);
        let (second, second_answer) = tickets.open(ShardId(0), CallClass::Wait);
        assert_eq!(tickets.in_flight(ShardId(0), CallClass::Call), 1);
        tickets.complete(second, Response::DataReady);
        assert!(first_answer.try_take().is_none());
        assert!(matches!(
            second_answer.try_take(),
            Some(Response::DataReady)
        ));
        drop(first_answer);
        tickets.complete(first, Response::Done);
        assert_eq!(tickets.in_flight(ShardId(0), CallClass::Call), 0);
        assert_eq!(tickets.waiting(), 0);
    }

    #[test]
    fn two_shards_never_give_the_same_ticket() {
        let (one, two) = (Tickets::new(ShardId(1), 2), Tickets::new(ShardId(0), 2));
        assert_ne!(one.next(), two.next());
        assert_ne!(one.next(), one.next());
    }
}
