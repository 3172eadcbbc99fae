//! One socket: bytes in, requests dispatched in order, answers out in order.
//!
//! A single task polls answers, writes and reads, so nothing is shared between two. It reads only while it may
//! dispatch: a client that sends faster than it is served, or does not take its answers, fills its own socket.

use super::call::Peer;
use super::connections::{Ending, Entry};
use super::dispatch::{self, Order};
use super::inbound::{Frame, Inbound, Next};
use super::plane::Server;
use super::reply_queue::{InFlight, ReplyQueue};
use crate::base::limits::{
    ANSWER_BYTES_IN_FLIGHT_MAX, REQUEST_BYTES_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MAX,
};
use crate::base::time::Instant;
use crate::wire::frame::FrameError;
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Rounds of read, dispatch and write before others on this core get their turn.
const ROUNDS_PER_TURN: usize = 8;

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed it.
    Closed,
    /// An answer asked for it (`acks=0` failed, unknown API, undecodable request).
    Refused,
    InvalidFrame(FrameError),
    Ended(Ending),
    Socket(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        End::Socket(error)
    }
}

pub(super) struct Connection {
    server: Rc<Server>,
    stream: TcpStream,
    peer: Peer,
    entry: Entry,
    inbound: Inbound,
    /// Whole, but not yet allowed to start.
    held: Option<Frame>,
    replies: ReplyQueue,
}

enum Reading {
    /// Requests were dispatched or bytes came; look again.
    Progress,
    /// Nothing more can be done until woken.
    Blocked,
}

impl Connection {
    pub(super) fn new(server: Rc<Server>, stream: TcpStream, peer: SocketAddr) -> Connection {
        let entry = server.connections.enter(server.handle.instant());
        let inbound = Inbound::new(&server.admission, server.frame_bytes_max());
        Connection {
            server,
            stream,
            peer: Peer {
                host: format!("/{}", peer.ip()).into(),
                client_id: None,
            },
            entry,
            inbound,
            held: None,
            replies: ReplyQueue::default(),
        }
    }

    /// Serves until the end. What is unanswered then is dropped, which cancels what is parked for it.
    pub(super) async fn run(mut self) -> End {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        if let Some(ending) = self.entry.pulse.ending() {
            return Poll::Ready(End::Ended(ending));
        }
        self.entry.pulse.wake_with(context);
        let now = self.server.handle.instant();
        for _ in 0..ROUNDS_PER_TURN {
            self.replies.advance(context);
            if let Err(error) = self.write(context, now) {
                return Poll::Ready(End::Socket(error));
            }
            if let Some(end) = self.is_over() {
                return Poll::Ready(end);
            }
            match self.read(context, now) {
                Ok(Reading::Progress) => {}
                Ok(Reading::Blocked) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_over(&self) -> Option<End> {
        if self.replies.is_closing() && self.replies.outgoing_bytes() == 0 {
            return Some(End::Refused);
        }
        let stopping = self.server.connections.is_stopping();
        (stopping && !self.replies.has_work()).then_some(End::Ended(Ending::Stopping))
    }

    /// Offers everything that is ready in one call, again while the socket takes it.
    fn write(&mut self, context: &mut Context<'_>, now: Instant) -> io::Result<()> {
        while self.replies.outgoing_bytes() > 0 {
            let slices = self.replies.slices();
            match Pin::new(&mut self.stream).poll_write_vectored(context, &slices) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(bytes)) => {
                    drop(slices);
                    self.replies.written(bytes);
                    self.server.handle.stats().bytes_out.add(bytes as u64);
                    self.entry.pulse.sent(now);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.entry.pulse.send_blocked(now);
                    break;
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, context: &mut Context<'_>, now: Instant) -> Result<Reading, End> {
        let mut dispatched = false;
        loop {
            if !self.may_dispatch() {
                self.entry.pulse.paused();
                return Ok(progress(dispatched));
            }
            if self.server.decoded.is_full() {
                self.entry.pulse.paused();
                self.server.decoded.wake_when_free(context);
                return Ok(progress(dispatched));
            }
            let next = match self.held.take() {
                Some(frame) => Next::Dispatch(frame),
                None => self.inbound.next(now).map_err(End::InvalidFrame)?,
            };
            match next {
                Next::Dispatch(frame) => dispatched |= self.dispatch(frame),
                _ if dispatched => return Ok(Reading::Progress),
                Next::WaitForMemory => {
                    self.entry.pulse.paused();
                    if let Some(claim) = self.inbound.waiting_claim() {
                        claim.wake_when_granted(context);
                    }
                    return Ok(Reading::Blocked);
                }
                Next::Read { room } => {
                    self.entry.pulse.reads(now, self.inbound.is_mid_frame());
                    return match self.receive(context, room, now) {
                        Poll::Ready(Ok(())) => Ok(Reading::Progress),
                        Poll::Ready(Err(end)) => Err(end),
                        Poll::Pending => Ok(Reading::Blocked),
                    };
                }
            }
        }
    }

    fn receive(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        now: Instant,
    ) -> Poll<Result<(), End>> {
        let mut scratch = self.server.scratch.borrow_mut();
        let target = &mut scratch[..room];
        let bytes = ready!(Pin::new(&mut self.stream).poll_read(context, target))?;
        if bytes == 0 {
            return Poll::Ready(Err(End::Closed));
        }
        self.inbound.received(&scratch[..bytes], now);
        self.server.handle.stats().bytes_in.add(bytes as u64);
        self.entry.pulse.received(now, self.inbound.is_mid_frame());
        Poll::Ready(Ok(()))
    }

    fn may_dispatch(&self) -> bool {
        let replies = &self.replies;
        let held_back = self
            .held
            .as_ref()
            .is_some_and(|frame| self.must_wait(frame));
        !held_back
            && !replies.is_closing()
            && !self.server.connections.is_stopping()
            && replies.in_flight() < REQUESTS_IN_FLIGHT_MAX
            && replies.request_bytes() < REQUEST_BYTES_IN_FLIGHT_MAX
            && replies.answer_bytes() < self.answer_bytes_max()
    }

    /// When many take nothing, whoever has an answer to take gets no other; whoever takes them goes on.
    fn answer_bytes_max(&self) -> usize {
        match self.server.replies.is_full() {
            true => 1,
            false => ANSWER_BYTES_IN_FLIGHT_MAX,
        }
    }

    fn must_wait(&self, frame: &Frame) -> bool {
        match dispatch::order(&frame.bytes) {
            Order::Free | Order::Parked => self.replies.alone() > 0,
            Order::Fetch => self.replies.alone() > 0 || self.replies.fetches() > 0,
            Order::Alone => self.replies.in_flight() > 0,
        }
    }

    fn dispatch(&mut self, frame: Frame) -> bool {
        if self.must_wait(&frame) {
            self.held = Some(frame);
            return false;
        }
        let order = dispatch::order(&frame.bytes);
        let request_bytes = frame.bytes.len();
        let started = dispatch::dispatch(&self.server, &mut self.peer, frame.bytes, frame.received);
        let request = InFlight {
            order,
            request_bytes,
            claim: Some(frame.claim).filter(|_| order != Order::Parked),
            decoded: started.decoded.filter(|_| order != Order::Parked),
            meter: started.meter,
        };
        self.replies.push(started.answer, request);
        true
    }
}

fn progress(dispatched: bool) -> Reading {
    match dispatched {
        true => Reading::Progress,
        false => Reading::Blocked,
    }
}
