//! Runs futures to their ends on the calling thread. Nothing waits for a device here, only tasks for one another.

use crate::base::time::Now;
use crate::storage::runtime::{Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A clone is the same executor.
#[derive(Clone)]
pub struct Executor(Rc<State>);

struct State {
    now: Cell<Now>,
    tasks: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>>,
}

impl Executor {
    /// Time stands still at `now`, except while somebody sleeps.
    pub fn starting_at(now: Now) -> Executor {
        Executor(Rc::new(State {
            now: Cell::new(now),
            tasks: RefCell::default(),
        }))
    }

    /// Runs `work`, and what it spawns meanwhile, until `work` has ended.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
                return output;
            }
            let tasks = self.0.tasks.take();
            assert!(
                !tasks.is_empty(),
                "it waits, and nobody is there to end that"
            );
            for mut task in tasks {
                if task.as_mut().poll(&mut context).is_pending() {
                    self.0.tasks.borrow_mut().push(task);
                }
            }
        }
    }
}

impl Runtime for Executor {
    fn now(&self) -> Now {
        self.0.now.get()
    }

    fn spawn(&self, _class: TaskClass, task: impl Future<Output = ()> + 'static) {
        self.0.tasks.borrow_mut().push(Box::pin(task));
    }

    async fn sleep(&self, wait: Duration) {
        std::thread::sleep(wait);
        let mut now = self.0.now.get();
        now.instant = now.instant.plus(wait);
        self.0.now.set(now);
    }

    async fn yield_now(&self) {}
}
