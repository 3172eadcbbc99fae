//! Who is connected to this shard, and the sweep that ends what has stopped moving.
//!
//! One sweep per shard looks at every connection; no connection has a timer of its own.

use crate::base::limits::{CONNECTIONS_MAX, HALF_FRAME_MS_MAX, SEND_STALL_MS_MAX};
use crate::base::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Why the broker ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// No byte in either direction for `connections.max.idle.ms`.
    Idle,
    /// Half a request came, and then nothing.
    HalfFrame,
    /// The peer takes no byte of its answers.
    SendStalled,
    /// The broker stops.
    Stopping,
}

/// Process view: open connections of all shards. Locked when a connection opens or ends, never in between: it is the
/// one bound that cannot be kept shard by shard, because the kernel spreads connections unevenly.
#[derive(Clone, Default)]
pub struct ConnectionCounts(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    all: usize,
    by_ip: BTreeMap<IpAddr, usize>,
}

/// A counted connection; dropping it counts it out.
pub(super) struct Seat {
    counts: ConnectionCounts,
    ip: IpAddr,
}

impl ConnectionCounts {
    /// `None` when this address, or everybody, has as many connections as allowed. `per_ip_max` is Kafka's
    /// `max.connections.per.ip`.
    pub(super) fn sit(&self, ip: IpAddr, per_ip_max: u32) -> Option<Seat> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_ip = counts.by_ip.get(&ip).copied().unwrap_or(0);
        if counts.all >= CONNECTIONS_MAX || of_ip >= per_ip_max as usize {
            return None;
        }
        counts.all += 1;
        counts.by_ip.insert(ip, of_ip + 1);
        Some(Seat {
            counts: self.clone(),
            ip,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        let of_ip = counts.by_ip.get_mut(&self.ip).expect("counted in before");
        *of_ip -= 1;
        if *of_ip == 0 {
            counts.by_ip.remove(&self.ip);
        }
    }
}

/// What the sweep sees of a connection.
pub(super) struct Pulse {
    /// A byte went in either direction.
    active: Cell<Instant>,
    /// Since when half a request waits for its rest.
    half_frame: Cell<Option<Instant>>,
    /// Since when the peer takes nothing although there is something.
    send_stalled: Cell<Option<Instant>>,
    ending: Cell<Option<Ending>>,
    waker: RefCell<Option<Waker>>,
}

impl Pulse {
    fn new(now: Instant) -> Pulse {
        Pulse {
            active: Cell::new(now),
            half_frame: Cell::new(None),
            send_stalled: Cell::new(None),
            ending: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    pub(super) fn received(&self, now: Instant, is_mid_frame: bool) {
        self.active.set(now);
        self.half_frame.set(is_mid_frame.then_some(now));
    }

    /// The connection does not read: a half request cannot be the peer's fault.
    pub(super) fn paused(&self) {
        self.half_frame.set(None);
    }

    /// The connection reads again, or still.
    pub(super) fn reads(&self, now: Instant, is_mid_frame: bool) {
        if !is_mid_frame {
            self.half_frame.set(None);
        } else if self.half_frame.get().is_none() {
            self.half_frame.set(Some(now));
        }
    }

    pub(super) fn sent(&self, now: Instant) {
        self.active.set(now);
        self.send_stalled.set(None);
    }

    pub(super) fn send_blocked(&self, now: Instant) {
        if self.send_stalled.get().is_none() {
            self.send_stalled.set(Some(now));
        }
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    pub(super) fn wake_with(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|old| old.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
    }

    fn end(&self, ending: Ending) {
        self.ending.set(Some(ending));
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn overdue(&self, now: Instant, idle_max: Option<Duration>) -> Option<Ending> {
        let since = |then: Option<Instant>| then.map_or(Duration::ZERO, |then| now.since(then));
        if since(self.send_stalled.get()) >= Duration::from_millis(SEND_STALL_MS_MAX) {
            return Some(Ending::SendStalled);
        }
        if since(self.half_frame.get()) >= Duration::from_millis(HALF_FRAME_MS_MAX) {
            return Some(Ending::HalfFrame);
        }
        let idle = now.since(self.active.get());
        idle_max
            .is_some_and(|most| idle >= most)
            .then_some(Ending::Idle)
    }
}

/// Shard view: its connections by number.
#[derive(Default)]
pub(super) struct Connections {
    next: Cell<u64>,
    open: RefCell<BTreeMap<u64, Rc<Pulse>>>,
    stopping: Cell<bool>,
    /// Who waits for the stop to be asked for, or for the last connection to end.
    watchers: RefCell<Vec<Waker>>,
}

/// A connection's entry in the list; dropping it takes it out.
pub(super) struct Entry {
    connections: Rc<Connections>,
    number: u64,
    pub(super) pulse: Rc<Pulse>,
}

impl Connections {
    pub(super) fn enter(self: &Rc<Connections>, now: Instant) -> Entry {
        let number = self.next.get();
        self.next.set(number + 1);
        let pulse = Rc::new(Pulse::new(now));
        self.open.borrow_mut().insert(number, pulse.clone());
        Entry {
            connections: self.clone(),
            number,
            pulse,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(super) async fn stop_requested(&self) {
        self.watch(|connections| connections.is_stopping()).await;
    }

    pub(super) async fn emptied(&self) {
        self.watch(|connections| connections.count() == 0).await;
    }

    async fn watch(&self, reached: impl Fn(&Connections) -> bool) {
        poll_fn(|context| {
            if reached(self) {
                return Poll::Ready(());
            }
            let mut watchers = self.watchers.borrow_mut();
            if !watchers
                .iter()
                .any(|waker| waker.will_wake(context.waker()))
            {
                watchers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.borrow_mut());
        watchers.into_iter().for_each(Waker::wake);
    }

    /// Ends what has not moved for too long.
    pub(super) fn sweep(&self, now: Instant, idle_max: Option<Duration>) {
        for pulse in self.all() {
            if let Some(ending) = pulse.overdue(now, idle_max) {
                pulse.end(ending);
            }
        }
    }

    /// No connection reads another request; each ends when what it works on is answered.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
        self.wake_watchers();
        for pulse in self.all() {
            let waker = pulse.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Ends what is still there.
    pub(super) fn cut(&self) {
        self.all()
            .iter()
            .for_each(|pulse| pulse.end(Ending::Stopping));
    }

    fn all(&self) -> Vec<Rc<Pulse>> {
        self.open.borrow().values().cloned().collect()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(&self.number);
        if self.connections.is_stopping() {
            self.connections.wake_watchers();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Option<Duration> = Some(Duration::from_secs(600));

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn what_stopped_moving_is_ended_for_its_reason() {
        type Story = fn(&Pulse);
        let stories: [(&str, Story, u64, Option<Ending>); 7] = [
            ("fresh", |_| (), 599, None),
            ("idle", |_| (), 600, Some(Ending::Idle)),
            (
                "half a frame",
                |p| p.received(at(1), true),
                31,
                Some(Ending::HalfFrame),
            ),
            ("a whole frame", |p| p.received(at(1), false), 31, None),
            (
                "half a frame that we do not read",
                |p| {
                    p.received(at(1), true);
                    p.paused();
                },
                31,
                None,
            ),
            (
                "takes nothing",
                |p| p.send_blocked(at(2)),
                32,
                Some(Ending::SendStalled),
            ),
            (
                "takes a little",
                |p| {
                    p.send_blocked(at(2));
                    p.sent(at(20));
                    p.send_blocked(at(21));
                },
                32,
                None,
            ),
        ];
        for (name, story, seconds, ending) in stories {
            let pulse = Pulse::new(at(0));
            story(&pulse);
            assert_eq!(pulse.overdue(at(seconds), IDLE), ending, "{name}");
        }
    }

    #[test]
    fn an_address_has_only_so_many_connections() {
        let counts = ConnectionCounts::default();
        let here = IpAddr::from([127, 0, 0, 1]);
        let first = counts.sit(here, 2);
        let second = counts.sit(here, 2);
        assert!(first.is_some() && second.is_some());
        assert!(counts.sit(here, 2).is_none());
        assert!(counts.sit(IpAddr::from([127, 0, 0, 2]), 2).is_some());
        drop(first);
        assert!(counts.sit(here, 2).is_some());
    }
}
