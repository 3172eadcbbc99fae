//! Answers of one connection: they leave in request order, whatever order they are finished in.
//!
//! ```text
//! slots (oldest first)          outgoing
//! [pending][ready][pending] --> [piece][piece]...  --> socket, at most 1,024 pieces a write
//! ```

use super::admission::Claim;
use super::budget::Permit;
use super::dispatch::Order;
use super::handlers::produce::Producing;
use super::meter::Meter;
use crate::base::recycler::Recycled;
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Unfinished answers that are polled in one turn; those behind them wait until one of these is finished, so a full
/// pipeline costs a turn a bounded number of polls.
const POLLED_AHEAD_MAX: usize = 16;
/// Slices of most vectored writes.
const WRITE_SLICES_MOSTLY: usize = 16;
/// Slices of one vectored write; the kernel takes no more.
const WRITE_SLICES_MAX: usize = 1_024;

/// What a request ends with.
pub(super) enum Reply {
    /// A whole frame, mostly in one piece.
    Frame {
        head: Bytes,
        rest: Vec<Bytes>,
        /// Held until the frame has left.
        permit: Option<Permit>,
    },
    /// Nothing leaves (`acks=0`).
    Nothing,
    /// Nothing leaves and the connection ends, after the answers before it.
    Close,
}

impl Reply {
    fn bytes(&self) -> usize {
        match self {
            Reply::Frame { head, rest, .. } => {
                head.len() + rest.iter().map(Bytes::len).sum::<usize>()
            }
            Reply::Nothing | Reply::Close => 0,
        }
    }
}

pub(super) type PendingReply = Pin<Box<dyn Future<Output = Reply>>>;

/// A request's answer, now or later.
pub(super) enum Dispatched {
    Ready(Reply),
    Later(PendingReply),
    /// What there is most of has memory of its own.
    Produced(Recycled<Option<Producing>>),
}

/// What a request holds while it is worked on.
pub(super) struct InFlight {
    pub(super) order: Order,
    pub(super) request_bytes: usize,
    /// The request's memory, as it came and decoded; given back when the answer is known.
    pub(super) claim: Option<Claim>,
    pub(super) decoded: Option<Permit>,
    pub(super) meter: Option<Meter>,
}

struct Slot {
    state: Dispatched,
    request: InFlight,
    /// Of the answer, once it is known.
    answer_bytes: usize,
}

struct Outgoing {
    bytes: Bytes,
    /// With the last piece of a frame.
    end: Option<FrameEnd>,
}

/// What is over when the last byte of a frame has left.
struct FrameEnd {
    order: Order,
    meter: Option<Meter>,
    /// Dropping it gives the memory of the answer back.
    _permit: Option<Permit>,
}

/// Connection view.
#[derive(Default)]
pub(super) struct ReplyQueue {
    slots: VecDeque<Slot>,
    outgoing: VecDeque<Outgoing>,
    request_bytes: usize,
    /// Of answers that are known, and wait behind others.
    ready_bytes: usize,
    outgoing_bytes: usize,
    fetches: usize,
    alone: usize,
    closing: bool,
}

impl ReplyQueue {
    pub(super) fn push(&mut self, state: Dispatched, request: InFlight) {
        self.request_bytes += request.request_bytes;
        self.fetches += usize::from(request.order == Order::Fetch);
        self.alone += usize::from(request.order == Order::Alone);
        let answer_bytes = match &state {
            Dispatched::Ready(reply) => reply.bytes(),
            Dispatched::Later(_) | Dispatched::Produced(_) => 0,
        };
        self.ready_bytes += answer_bytes;
        self.slots.push_back(Slot {
            state,
            request,
            answer_bytes,
        });
    }

    /// Requests whose answer is not yet in the outgoing bytes.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of requests that are being worked on.
    pub(super) fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    /// Bytes of all answers that are known and that the peer has not taken yet.
    pub(super) fn answer_bytes(&self) -> usize {
        self.ready_bytes + self.outgoing_bytes
    }

    /// Bytes whose turn it is to leave.
    pub(super) fn outgoing_bytes(&self) -> usize {
        self.outgoing_bytes
    }

    /// Fetches whose answer has not left.
    pub(super) fn fetches(&self) -> usize {
        self.fetches
    }

    /// Requests beside which nothing else may run, and that are not answered.
    pub(super) fn alone(&self) -> usize {
        self.alone
    }

    /// Anything but fetches that wait for data.
    pub(super) fn has_work(&self) -> bool {
        let works = |slot: &Slot| slot.request.order != Order::Fetch;
        self.outgoing_bytes > 0 || self.slots.iter().any(works)
    }

    /// An answer asked for the end of the connection; what stands before it leaves first.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Polls unfinished answers and moves those whose turn it is to the outgoing bytes.
    pub(super) fn advance(&mut self, context: &mut Context<'_>) {
        if self.closing {
            return;
        }
        let mut unfinished = 0;
        let mut index = 0;
        while index < self.slots.len() && unfinished < POLLED_AHEAD_MAX {
            let slot = &mut self.slots[index];
            let known = slot.answer_bytes;
            if !slot.poll(context) {
                unfinished += 1;
                index += 1;
                continue;
            }
            self.ready_bytes += slot.answer_bytes - known;
            if index == 0 {
                self.send_first();
                if self.closing {
                    self.slots.clear();
                    self.ready_bytes = 0;
                    return;
                }
            } else {
                index += 1;
            }
        }
    }

    fn send_first(&mut self) {
        let slot = self.slots.pop_front().expect("the first slot was polled");
        let mut request = slot.request;
        self.ready_bytes -= slot.answer_bytes;
        self.request_bytes -= request.request_bytes;
        self.alone -= usize::from(request.order == Order::Alone);
        if let Some(meter) = &mut request.meter {
            meter.answered();
        }
        let Dispatched::Ready(reply) = slot.state else {
            unreachable!("a finished slot holds its reply");
        };
        let end = |permit| FrameEnd {
            order: request.order,
            meter: request.meter,
            _permit: permit,
        };
        match reply {
            Reply::Frame { head, rest, permit } => self.send(head, rest, end(permit)),
            Reply::Nothing => self.ended(end(None)),
            Reply::Close => self.closing = true,
        }
    }

    fn send(&mut self, head: Bytes, rest: Vec<Bytes>, end: FrameEnd) {
        for bytes in [head].into_iter().chain(rest) {
            self.outgoing_bytes += bytes.len();
            self.outgoing.push_back(Outgoing { bytes, end: None });
        }
        let last = self.outgoing.back_mut().expect("a frame has bytes");
        last.end = Some(end);
    }

    fn ended(&mut self, end: FrameEnd) {
        self.fetches -= usize::from(end.order == Order::Fetch);
        if let Some(meter) = &end.meter {
            meter.sent();
        }
    }

    /// The bytes to write next, in order.
    pub(super) fn slices(&self) -> SmallVec<[IoSlice<'_>; WRITE_SLICES_MOSTLY]> {
        let pieces = self.outgoing.iter().take(WRITE_SLICES_MAX);
        pieces.map(|piece| IoSlice::new(&piece.bytes)).collect()
    }

    /// The peer took `bytes`, perhaps in the middle of a piece.
    pub(super) fn written(&mut self, mut bytes: usize) {
        assert!(bytes <= self.outgoing_bytes, "more taken than offered");
        self.outgoing_bytes -= bytes;
        while let Some(first) = self.outgoing.front_mut() {
            if first.bytes.len() > bytes {
                bytes::Buf::advance(&mut first.bytes, bytes);
                break;
            }
            bytes -= first.bytes.len();
            let end = first.end.take();
            self.outgoing.pop_front();
            if let Some(end) = end {
                self.ended(end);
            }
        }
    }
}

impl Slot {
    /// Whether the answer is known.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let polled = match &mut self.state {
            Dispatched::Ready(_) => None,
            Dispatched::Later(future) => Some(future.as_mut().poll(context)),
            Dispatched::Produced(producing) => Some(Producing::poll(producing, context)),
        };
        match polled {
            Some(Poll::Pending) => return false,
            Some(Poll::Ready(reply)) => {
                self.answer_bytes = reply.bytes();
                self.state = Dispatched::Ready(reply);
            }
            None => {}
        }
        self.request.claim = None;
        self.request.decoded = None;
        true
    }
}

#[cfg(test)]
mod tests;
