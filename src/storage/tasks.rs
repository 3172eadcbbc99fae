//! Running several I/Os at a time without ever cancelling one.

use super::runtime::{Notify, Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

struct Batch<T, O> {
    waiting: RefCell<Vec<T>>,
    results: RefCell<Vec<O>>,
    running: Cell<usize>,
    done: Notify,
}

/// Runs `work` for every item, `limit` at a time, each in a task of its own class. The tasks run to their ends whatever
/// becomes of this future. The results come in any order.
pub(super) async fn for_each<R, T, O, F, W>(
    runtime: &R,
    class: TaskClass,
    limit: usize,
    mut items: Vec<T>,
    work: F,
) -> Vec<O>
where
    R: Runtime,
    T: 'static,
    O: 'static,
    F: Fn(T) -> W + Clone + 'static,
    W: Future<Output = O> + 'static,
{
    items.reverse();
    let tasks = items.len().min(limit);
    let batch = Rc::new(Batch {
        waiting: RefCell::new(items),
        results: RefCell::new(Vec::new()),
        running: Cell::new(tasks),
        done: Notify::default(),
    });
    let done = batch.done.notified();
    for _ in 0..tasks {
        let (batch, work) = (batch.clone(), work.clone());
        runtime.spawn(class, async move {
            loop {
                let item = batch.waiting.borrow_mut().pop();
                let Some(item) = item else { break };
                let result = work(item).await;
                batch.results.borrow_mut().push(result);
            }
            batch.running.set(batch.running.get() - 1);
            if batch.running.get() == 0 {
                batch.done.notify();
            }
        });
    }
    if tasks > 0 {
        done.await;
    }
    batch.results.take()
}

/// Runs `work` in a task of another class, to its end whatever becomes of this future.
pub(super) async fn in_class<R: Runtime, O: 'static>(
    runtime: &R,
    class: TaskClass,
    work: impl Future<Output = O> + 'static,
) -> O {
    let result = Rc::new(RefCell::new(None));
    let ended = Notify::default();
    let waiting = ended.notified();
    let told = result.clone();
    runtime.spawn(class, async move {
        let output = work.await;
        *told.borrow_mut() = Some(output);
        ended.notify();
    });
    waiting.await;
    let output = result.borrow_mut().take();
    output.expect("the task has ended")
}

/// Part of a task that a stop waits for.
pub(super) struct Entered(Running);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.ended.notify();
    }
}

/// Counts tasks of a store, so that a stop can wait for the last of them.
#[derive(Clone, Default)]
pub(super) struct Running {
    count: Rc<Cell<usize>>,
    ended: Notify,
}

impl Running {
    pub(super) fn spawn<R: Runtime>(
        &self,
        runtime: &R,
        class: TaskClass,
        task: impl Future<Output = ()> + 'static,
    ) {
        let entered = self.enter();
        runtime.spawn(class, async move {
            task.await;
            drop(entered);
        });
    }

    /// Counts as a task until what is answered is dropped.
    pub(super) fn enter(&self) -> Entered {
        self.count.set(self.count.get() + 1);
        Entered(self.clone())
    }

    pub(super) async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.count.get() == 0 {
                return;
            }
            ended.await;
        }
    }
}
