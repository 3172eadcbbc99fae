//! A connection storm: dial, ask one question, take the answer, hang up.
//!
//! Latency counts from the time a dial was due to the first answer: what a client waits when thousands come back at
//! once. Connections are reset at their end, so that none lingers and the ports of the machine suffice.

use crate::client::connection::{request_header, versions_request};
use crate::clock::{MILLISECOND_NS, now_ns};
use crate::failure::Failure;
use crate::net::inbound::Inbound;
use crate::net::poll::Poll;
use crate::produce::outcome::{Keep, Outcome, Times};
use crate::produce::worker::Pace;
use crate::progress::{Reporter, Window};
use bytes::Bytes;
use ottla::wire::ApiKey;
use ottla::wire::frame::request_frame;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

const SLEEP_NS_MAX: u64 = 50 * MILLISECOND_NS;
const READ_BYTES: usize = 4 * 1024;
/// Known to every broker since 0.10.
const VERSIONS_VERSION: i16 = 0;

pub(crate) struct Plan {
    pub(crate) address: String,
    pub(crate) pace: Pace,
    pub(crate) window: Window,
    pub(crate) start_ns: u64,
    pub(crate) give_up_ns: u64,
    /// Dials under way at most; more wait, and count.
    pub(crate) in_flight_max: usize,
    pub(crate) keep: Keep,
    pub(crate) reporter: Reporter,
}

struct Storm {
    plan: Plan,
    target: SocketAddr,
    question: Bytes,
    poll: Poll,
    outcome: Outcome,
    waiting: Vec<u64>,
    dials: BTreeMap<usize, Dial>,
    next_number: usize,
}

struct Dial {
    socket: TcpStream,
    inbound: Inbound,
    due_ns: u64,
    dialled_ns: u64,
    has_asked: bool,
}

pub(crate) fn run(plan: Plan) -> Result<Outcome, Failure> {
    let unknown = |error: io::Error| Failure::new(format!("{}: {error}", plan.address));
    let target = plan.address.to_socket_addrs().map_err(unknown)?.next();
    let target = target.ok_or_else(|| Failure::new(format!("{} has no address", plan.address)))?;
    let header = request_header(ApiKey::ApiVersions, VERSIONS_VERSION, 1);
    let mut storm = Storm {
        target,
        question: request_frame(&header, &versions_request()),
        poll: Poll::new(false).map_err(broken)?,
        outcome: Outcome::new(plan.window, plan.keep),
        waiting: Vec::new(),
        dials: BTreeMap::new(),
        next_number: 0,
        plan,
    };
    storm.run().map_err(broken)?;
    storm.outcome.unanswered = storm.backlog();
    let backlog = storm.backlog();
    storm.plan.reporter.finish(backlog);
    Ok(storm.outcome)
}

impl Storm {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let now = now_ns();
            self.take_due(now);
            self.dial();
            let backlog = self.backlog();
            self.plan.reporter.tick(now, backlog);
            if now >= self.plan.give_up_ns || (backlog == 0 && self.is_over(now)) {
                return Ok(());
            }
            let due = match &self.plan.pace {
                Pace::Open(slots) => slots.peek().map(|offset| self.plan.start_ns + offset),
                Pace::Closed { .. } => Some(self.plan.start_ns).filter(|&start| start > now),
            };
            let wake = due.unwrap_or(u64::MAX).min(now + SLEEP_NS_MAX);
            self.poll.wait(wake.saturating_sub(now_ns()))?;
            let mut at = 0;
            while let Some(ready) = self.poll.ready(at) {
                at += 1;
                self.proceed(ready.number);
            }
        }
    }

    fn backlog(&self) -> u64 {
        (self.waiting.len() + self.dials.len()) as u64
    }

    fn is_over(&self, now: u64) -> bool {
        match &self.plan.pace {
            Pace::Open(slots) => slots.peek().is_none(),
            Pace::Closed { .. } => now >= self.plan.window.end_ns,
        }
    }

    fn take_due(&mut self, now: u64) {
        match &mut self.plan.pace {
            Pace::Open(slots) => {
                while let Some(offset) = slots
                    .peek()
                    .filter(|offset| self.plan.start_ns + offset <= now)
                {
                    slots.advance();
                    let due = self.plan.start_ns + offset;
                    self.outcome.started(due, now);
                    self.waiting.push(due);
                }
            }
            Pace::Closed { in_flight } => {
                let running = now >= self.plan.start_ns && now < self.plan.window.end_ns;
                let wanted = if running { *in_flight } else { 0 };
                for _ in self.dials.len() + self.waiting.len()..wanted {
                    self.outcome.started(now, now);
                    self.waiting.push(now);
                }
            }
        }
    }

    fn dial(&mut self) {
        let room = self.plan.in_flight_max.saturating_sub(self.dials.len());
        let count = room.min(self.waiting.len());
        for due_ns in self.waiting.drain(..count).collect::<Vec<_>>() {
            let dialled_ns = now_ns();
            match self.begin() {
                Ok(socket) => {
                    let dial = Dial {
                        socket,
                        inbound: Inbound::new(READ_BYTES),
                        due_ns,
                        dialled_ns,
                        has_asked: false,
                    };
                    self.dials.insert(self.next_number, dial);
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    fn begin(&mut self) -> io::Result<TcpStream> {
        let family = match self.target {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        match connect(&socket, &self.target) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        self.next_number += 1;
        self.poll.add(&socket, self.next_number)?;
        self.poll.want_write(&socket, self.next_number, true)?;
        Ok(TcpStream::from(socket))
    }

    /// Connected: ask. Answered: done.
    fn proceed(&mut self, number: usize) {
        let Some(dial) = self.dials.get_mut(&number) else {
            return;
        };
        let answered = dial.proceed(number, &self.question, &self.poll);
        match answered {
            Ok(false) => {}
            Ok(true) => {
                let dial = self.dials.remove(&number).expect("it is there");
                let times = Times {
                    due_ns: dial.due_ns,
                    written_ns: dial.dialled_ns,
                    answered_ns: now_ns(),
                };
                self.outcome
                    .acknowledged(times, 1, 0, &mut self.plan.reporter);
            }
            Err(error) => {
                self.dials.remove(&number);
                self.fail(&error);
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        let name = format!("{:?}", error.kind());
        self.outcome.failed(&name, 1, &mut self.plan.reporter);
    }
}

impl Dial {
    fn proceed(&mut self, number: usize, question: &[u8], poll: &Poll) -> io::Result<bool> {
        if !self.has_asked {
            sockopt::socket_error(&self.socket)??;
            // The socket is empty and the question short: it leaves whole, or the connection is broken.
            self.socket.write_all(question)?;
            self.has_asked = true;
            poll.want_write(&self.socket, number, false)?;
            return Ok(false);
        }
        self.inbound.read(&mut self.socket)?;
        Ok(self.inbound.frame()?.is_some())
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(format!("a connection storm: {error}"))
}
