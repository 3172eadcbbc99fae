//! All deadlines of a shard behind one timer of the runtime, whose cost grows with every pending one.

use super::clock::Clock;
use crate::base::time::Instant;
use crate::storage::runtime::Notify;
use glommio::timer::Timer;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A clone is the same set.
#[derive(Clone)]
pub struct Deadlines(Rc<State>);

struct State {
    clock: Clock,
    next_place: Cell<u64>,
    waiting: RefCell<BTreeMap<(Instant, u64), Option<Waker>>>,
    /// What the timer is set to; `None` while nobody waits.
    armed: Cell<Option<Instant>>,
    earlier: Notify,
}

/// Ready at its time; a dropped one costs nothing more.
pub struct Sleep {
    deadlines: Deadlines,
    key: Option<(Instant, u64)>,
}

impl Deadlines {
    pub(super) fn new(clock: Clock) -> Deadlines {
        Deadlines(Rc::new(State {
            clock,
            next_place: Cell::new(0),
            waiting: RefCell::default(),
            armed: Cell::new(None),
            earlier: Notify::default(),
        }))
    }

    pub fn sleep_until(&self, at: Instant) -> Sleep {
        let place = self.0.next_place.get();
        self.0.next_place.set(place + 1);
        let key = (at, place);
        self.0.waiting.borrow_mut().insert(key, None);
        if self.0.armed.get().is_none_or(|armed| at < armed) {
            self.0.earlier.notify();
        }
        Sleep {
            deadlines: self.clone(),
            key: Some(key),
        }
    }

    /// The task that owns the timer; one per shard, never ends.
    pub(super) async fn run(self) {
        loop {
            let earlier = self.0.earlier.notified();
            let first = self.earliest();
            self.0.armed.set(first);
            match first {
                None => earlier.await,
                Some(at) => self.wait(at, earlier).await,
            }
            self.wake_due();
        }
    }

    fn earliest(&self) -> Option<Instant> {
        let waiting = self.0.waiting.borrow();
        waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Until `at`, or until an earlier deadline appears.
    async fn wait(&self, at: Instant, earlier: impl Future<Output = ()>) {
        let wait = at.since(self.0.clock.instant());
        let mut timer = Timer::new(wait);
        let mut earlier = std::pin::pin!(earlier);
        // Each poll of a timer leaves one more entry in the runtime until it expires. This task is woken by nothing
        // but the timer and `earlier`, so there is one entry.
        poll_fn(|context| {
            if earlier.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            Pin::new(&mut timer).poll(context).map(|_| ())
        })
        .await;
    }

    fn wake_due(&self) {
        let now = self.0.clock.instant();
        let mut due = Vec::new();
        {
            let mut waiting = self.0.waiting.borrow_mut();
            while let Some(entry) = waiting.first_entry()
                && entry.key().0 <= now
            {
                due.extend(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(key) = self.key else {
            return Poll::Ready(());
        };
        {
            let mut waiting = self.deadlines.0.waiting.borrow_mut();
            if let Some(waker) = waiting.get_mut(&key) {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.key = None;
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.0.waiting.borrow_mut().remove(&key);
        }
    }
}
