//! The seam to the executor: time, tasks, and one wake-up. The shard implements it on its own executor, the crash
//! tests on a seeded one in virtual time.

use crate::base::time::Now;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// Which share of the core a task gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskClass {
    /// Network, deciders, commit.
    Foreground,
    /// Laps: tails to segments.
    Flush,
    /// Cold reads.
    Read,
    /// Growing, rolling, retention, removal.
    Housekeeping,
}

/// One core's executor. Cheap to clone.
pub trait Runtime: Clone + 'static {
    fn now(&self) -> Now;
    /// Starts a task that runs to its end; it is never cancelled.
    fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static);
    /// A coarse timer for rare events; never armed per request.
    async fn sleep(&self, wait: Duration);
    /// Lets others run if this task has run for long.
    async fn yield_now(&self);
}

/// Wakes every task that waits on it. Single-threaded; a clone is the same event.
#[derive(Clone, Default)]
pub struct Notify(Rc<NotifyState>);

#[derive(Default)]
struct NotifyState {
    generation: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Notify {
    pub fn notify(&self) {
        self.0.generation.set(self.0.generation.get() + 1);
        let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Completes at the first `notify` after this call (not after the first poll), so a condition checked before
    /// the call must be checked again after it only once notified.
    pub fn notified(&self) -> impl Future<Output = ()> + use<> {
        let state = self.0.clone();
        let seen = state.generation.get();
        poll_fn(move |context| {
            if state.generation.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = state.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}
