//! A producing thread: waits for the next due time or for an answer, sends what is due, settles what was answered.

use super::ledger::{BATCHES_MAX, Ledger};
use super::outcome::{Keep, Outcome};
use super::producer::{Connected, Producer, Shared};
use crate::clock::now_ns;
use crate::failure::Failure;
use crate::net::poll::Poll;
use crate::progress::{Reporter, Window};
use crate::schedule::Slots;
use crate::workload::pool::Pool;
use std::io;
use std::sync::Arc;

/// Longest sleep: the progress of an idle run stays visible.
const SLEEP_NS_MAX: u64 = 100_000_000;

/// What makes requests due.
pub(crate) enum Pace {
    /// Times fixed before the run, from its start.
    Open(Slots),
    /// So many under way on each connection; the next when one is answered.
    Closed { in_flight: usize },
}

pub(crate) struct Plan {
    pub(crate) pool: Arc<Pool>,
    pub(crate) version: i16,
    pub(crate) acks: i16,
    /// Of one connection in an open loop.
    pub(crate) in_flight_max: usize,
    pub(crate) pace: Pace,
    pub(crate) window: Window,
    /// When the first request is due: before the window by the warm-up.
    pub(crate) start_ns: u64,
    /// Answers are waited for until then.
    pub(crate) give_up_ns: u64,
    pub(crate) spin: bool,
    pub(crate) core: Option<usize>,
    pub(crate) keep: Keep,
    pub(crate) connections: Vec<Connected>,
    pub(crate) reporter: Reporter,
}

struct Worker<'a> {
    shared: Shared<'a>,
    producers: Vec<Producer>,
    pace: Pace,
    window: Window,
    start_ns: u64,
    give_up_ns: u64,
    /// The producer that got the last due request, and when that was due.
    turn: usize,
    last_due_ns: u64,
    /// Producers with something new to send.
    touched: Vec<usize>,
}

/// Runs the thread to the end of its plan.
pub(crate) fn run(plan: Plan) -> Result<Outcome, Failure> {
    if let Some(id) = plan.core {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
    let pool = plan.pool.clone();
    let poll = Poll::new(plan.spin).map_err(broken)?;
    let in_flight_max = match plan.pace {
        Pace::Open(_) => plan.in_flight_max,
        Pace::Closed { in_flight } => in_flight,
    };
    let shared = Shared {
        pool: &pool,
        version: plan.version,
        acks: plan.acks,
        in_flight_max,
        outcome: Outcome::new(plan.window, plan.keep),
        reporter: plan.reporter,
        poll,
        absent: 0,
    };
    let connections = plan.connections.into_iter().enumerate();
    let producers = connections.map(|(index, connected)| Producer::new(connected, index, &shared));
    let producers = producers.collect::<io::Result<Vec<_>>>().map_err(broken)?;
    let mut worker = Worker {
        shared,
        turn: producers.len() - 1,
        producers,
        pace: plan.pace,
        window: plan.window,
        start_ns: plan.start_ns,
        give_up_ns: plan.give_up_ns,
        last_due_ns: u64::MAX,
        touched: Vec::new(),
    };
    worker.run()?;
    Ok(worker.finish())
}

impl Worker<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        if let Pace::Closed { .. } = self.pace {
            self.poll_until(self.start_ns)?;
            self.fill();
        }
        loop {
            let now = now_ns();
            self.take_due(now);
            self.send();
            self.redial(now)?;
            if now >= self.shared.reporter.next_report_ns() {
                let backlog = self.backlog();
                self.shared.reporter.tick(now, backlog);
            }
            if now >= self.give_up_ns || (self.is_over(now) && self.backlog() == 0) {
                return Ok(());
            }
            if self
                .shared
                .outcome
                .ledger
                .as_ref()
                .is_some_and(Ledger::is_full)
            {
                let why = format!("--verify remembers {BATCHES_MAX} batches of a thread at most");
                return Err(Failure::new(why).fix("a shorter --duration, or more --threads"));
            }
            let wait = self.next_wake().saturating_sub(now_ns());
            self.shared.poll.wait(wait).map_err(broken)?;
            self.settle();
        }
    }

    fn poll_until(&mut self, time_ns: u64) -> Result<(), Failure> {
        loop {
            let now = now_ns();
            self.shared.reporter.tick(now, 0);
            if now >= time_ns {
                return Ok(());
            }
            let wait = (time_ns - now).min(SLEEP_NS_MAX);
            self.shared.poll.wait(wait).map_err(broken)?;
        }
    }

    /// Nothing more will become due.
    fn is_over(&self, now: u64) -> bool {
        match &self.pace {
            Pace::Open(slots) => slots.peek().is_none(),
            Pace::Closed { .. } => now >= self.window.end_ns,
        }
    }

    /// Hands out every slot whose time has come. Slots of one time go to one connection, so that they leave in one
    /// write.
    fn take_due(&mut self, now: u64) {
        let Pace::Open(slots) = &mut self.pace else {
            return;
        };
        while let Some(offset) = slots.peek() {
            let due = self.start_ns + offset;
            if due > now {
                break;
            }
            slots.advance();
            if due != self.last_due_ns {
                self.turn = (self.turn + 1) % self.producers.len();
                self.last_due_ns = due;
            }
            self.shared.outcome.started(due, now);
            self.producers[self.turn].due(due);
            if self.touched.last() != Some(&self.turn) {
                self.touched.push(self.turn);
            }
        }
    }

    fn backlog(&self) -> u64 {
        let producers = self.producers.iter();
        producers.map(|producer| producer.backlog() as u64).sum()
    }

    fn fill(&mut self) {
        let now = now_ns();
        for index in 0..self.producers.len() {
            self.refill(index, now);
        }
    }

    /// Makes as many due as a closed loop wants under way.
    fn refill(&mut self, index: usize, now: u64) {
        if let Pace::Closed { in_flight } = self.pace
            && now < self.window.end_ns
        {
            let producer = &mut self.producers[index];
            for _ in producer.backlog()..in_flight {
                producer.due(now);
                self.shared.outcome.started(now, now);
            }
            self.touched.push(index);
        }
    }

    fn send(&mut self) {
        let count = self.touched.len();
        for at in 0..count {
            let index = self.touched[at];
            self.producers[index].send(&mut self.shared);
            if self.shared.acks == 0 {
                self.refill(index, now_ns());
            }
        }
        self.touched.drain(..count);
    }

    fn settle(&mut self) {
        let mut at = 0;
        while let Some(ready) = self.shared.poll.ready(at) {
            at += 1;
            let producer = &mut self.producers[ready.number];
            if ready.readable {
                producer.read(&mut self.shared);
            }
            if ready.writable || ready.readable {
                // Answers and room in the socket both let waiting requests go.
                self.touched.push(ready.number);
            }
            if ready.readable {
                self.refill(ready.number, now_ns());
            }
        }
    }

    fn redial(&mut self, now: u64) -> Result<(), Failure> {
        if self.shared.absent == 0 {
            return Ok(());
        }
        for index in 0..self.producers.len() {
            let producer = &mut self.producers[index];
            if !producer.redial(now, &mut self.shared) {
                let why = format!("{} has been away for a minute", producer.address());
                return Err(Failure::new(why).fix("look at the broker's log"));
            }
        }
        Ok(())
    }

    fn next_wake(&self) -> u64 {
        let due = match &self.pace {
            Pace::Open(slots) => slots.peek().map(|offset| self.start_ns + offset),
            Pace::Closed { .. } => None,
        };
        if !self.touched.is_empty() {
            return 0;
        }
        let redial = match self.shared.absent {
            0 => None,
            _ => self.producers.iter().filter_map(Producer::redial_ns).min(),
        };
        let report = self.shared.reporter.next_report_ns();
        let latest = now_ns() + SLEEP_NS_MAX;
        [
            due,
            redial,
            Some(report),
            Some(latest),
            Some(self.give_up_ns),
        ]
        .into_iter()
        .flatten()
        .min()
        .expect("there is always a latest time")
    }

    fn finish(mut self) -> Outcome {
        let backlog = self.backlog();
        self.shared.outcome.unanswered = backlog;
        self.shared.reporter.finish(backlog);
        self.shared.outcome
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(format!("a producing thread: {error}"))
}
