//! The executor: processes of tasks, polled in random order; time jumps to the next timer when nobody can run.

use ottla::base::prng::Prng;
use ottla::base::time::{Instant, Now, Timestamp};
use ottla::storage::runtime::{Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// 2023-11-14; any day will do, as long as it is always the same.
const FIRST_WALL_MS: i64 = 1_700_000_000_000;
/// Polls without a result after which a run is called endless.
const POLLS_MAX: u64 = 20_000_000;

/// One run of the program under test. Its tasks die together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Process(u64);

/// The machine's processor and clock. Clones are the same machine.
#[derive(Clone)]
pub struct World(Rc<WorldState>);

struct WorldState {
    now: Cell<u64>,
    schedule: RefCell<Prng>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    alive: RefCell<BTreeSet<Process>>,
    woken: Arc<Mutex<BTreeSet<u64>>>,
    timers: RefCell<BTreeMap<(u64, u64), Timer>>,
    next_number: Cell<u64>,
    polls: Cell<u64>,
    halted: Cell<bool>,
    trace: Cell<u64>,
}

struct Task {
    process: Process,
    /// Taken out while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

enum Timer {
    Wake(Waker),
    Call(Box<dyn FnOnce()>),
}

struct TaskWaker {
    task: u64,
    woken: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock().expect("one thread never poisons a lock");
        woken.insert(self.task);
    }
}

impl World {
    pub fn new(seed: u64) -> World {
        World(Rc::new(WorldState {
            now: Cell::new(0),
            schedule: RefCell::new(Prng::new(seed ^ 0x5ced_0001)),
            tasks: RefCell::default(),
            alive: RefCell::default(),
            woken: Arc::default(),
            timers: RefCell::default(),
            next_number: Cell::new(0),
            polls: Cell::new(0),
            halted: Cell::new(false),
            trace: Cell::new(0xcbf2_9ce4_8422_2325),
        }))
    }

    pub fn start_process(&self) -> Process {
        let process = Process(self.number());
        self.0.alive.borrow_mut().insert(process);
        self.0.halted.set(false);
        process
    }

    pub fn runtime(&self, process: Process) -> SimRuntime {
        SimRuntime {
            world: self.clone(),
            process,
        }
    }

    /// Runs `main` as the first task of the process until it ends. `None`: the machine was halted before.
    pub fn run<T: 'static>(
        &self,
        process: Process,
        main: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let target = result.clone();
        self.spawn(process, async move {
            let value = main.await;
            *target.borrow_mut() = Some(value);
        });
        let polls_before = self.0.polls.get();
        loop {
            if let Some(value) = result.borrow_mut().take() {
                return Some(value);
            }
            if self.0.halted.get() {
                return None;
            }
            assert!(
                self.step(),
                "every task waits and no timer runs: nothing can ever happen again"
            );
            let polls = self.0.polls.get() - polls_before;
            assert!(
                polls < POLLS_MAX,
                "no result after {polls} polls: a loop without end"
            );
        }
    }

    /// Ends all tasks of the process, wherever they stand.
    pub fn kill(&self, process: Process) {
        self.0.alive.borrow_mut().remove(&process);
        loop {
            let dead = {
                let mut tasks = self.0.tasks.borrow_mut();
                let key = tasks
                    .iter()
                    .find(|(_, task)| task.process == process)
                    .map(|(&key, _)| key);
                key.and_then(|key| tasks.remove(&key))
            };
            // Dropped outside the borrow: a future's end may wake others.
            match dead {
                Some(task) => drop(task),
                None => return,
            }
        }
    }

    /// Stops everything at once, until a process is started again.
    pub fn halt(&self) {
        self.0.halted.set(true);
    }

    /// Waits for ever when the machine has been halted.
    pub async fn pass_unless_halted(&self) {
        if self.0.halted.get() {
            pending::<()>().await;
        }
    }

    /// Something that happens to the machine later, whoever is alive then.
    pub fn call_after(&self, wait: Duration, call: impl FnOnce() + 'static) {
        let at = self.0.now.get() + nanos(wait);
        let key = (at, self.number());
        let timer = Timer::Call(Box::new(call));
        self.0.timers.borrow_mut().insert(key, timer);
    }

    pub fn now_nanos(&self) -> u64 {
        self.0.now.get()
    }

    /// Adds to the fingerprint of this history.
    pub fn record(&self, value: u64) {
        let mixed = (self.0.trace.get() ^ value).wrapping_mul(0x0100_0000_01b3);
        self.0.trace.set(mixed ^ mixed >> 29);
    }

    /// Equal for equal histories.
    pub fn trace(&self) -> u64 {
        self.0.trace.get()
    }

    fn spawn(&self, process: Process, future: impl Future<Output = ()> + 'static) {
        if !self.is_alive(process) {
            return;
        }
        let key = self.number();
        let task = Task {
            process,
            future: Some(Box::pin(future)),
        };
        self.0.tasks.borrow_mut().insert(key, task);
        let mut woken = self
            .0
            .woken
            .lock()
            .expect("one thread never poisons a lock");
        woken.insert(key);
    }

    /// Polls one task, or lets time pass. False: nothing is left to do.
    fn step(&self) -> bool {
        match self.pick_task() {
            Some(key) => {
                self.poll(key);
                true
            }
            None => self.pass_time(),
        }
    }

    fn pick_task(&self) -> Option<u64> {
        let mut woken = self
            .0
            .woken
            .lock()
            .expect("one thread never poisons a lock");
        let count = woken.len() as u64;
        if count == 0 {
            return None;
        }
        let index = self.0.schedule.borrow_mut().below(count) as usize;
        let key = *woken.iter().nth(index).expect("an index below the count");
        woken.remove(&key);
        Some(key)
    }

    fn poll(&self, key: u64) {
        let taken = {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.get_mut(&key).and_then(|task| task.future.take())
        };
        let Some(mut future) = taken else {
            return; // Ended, and woken once more.
        };
        self.record(self.0.now.get() << 8 ^ key);
        self.0.polls.set(self.0.polls.get() + 1);
        let waker = Waker::from(Arc::new(TaskWaker {
            task: key,
            woken: self.0.woken.clone(),
        }));
        let outcome = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = self.0.tasks.borrow_mut();
        if outcome.is_ready() {
            tasks.remove(&key);
        } else if let Some(task) = tasks.get_mut(&key) {
            task.future = Some(future);
        }
    }

    fn pass_time(&self) -> bool {
        let first = self.0.timers.borrow_mut().pop_first();
        let Some(((at, _), timer)) = first else {
            return false;
        };
        self.0.now.set(self.0.now.get().max(at));
        match timer {
            Timer::Wake(waker) => waker.wake(),
            Timer::Call(call) => call(),
        }
        true
    }

    pub fn is_alive(&self, process: Process) -> bool {
        self.0.alive.borrow().contains(&process)
    }

    /// Completes when this much time has passed.
    pub fn wait(&self, wait: Duration) -> impl Future<Output = ()> + use<> {
        let at = self.0.now.get() + nanos(wait);
        Sleep {
            key: (at, self.number()),
            world: self.clone(),
        }
    }

    fn number(&self) -> u64 {
        let number = self.0.next_number.get();
        self.0.next_number.set(number + 1);
        number
    }
}

struct Sleep {
    world: World,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.0.now.get() >= self.key.0 {
            return Poll::Ready(());
        }
        let timer = Timer::Wake(context.waker().clone());
        self.world.0.timers.borrow_mut().insert(self.key, timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.world.0.timers.borrow_mut().remove(&self.key);
    }
}

/// The runtime seam of one process. Its shards share the machine's one processor, which only changes how their
/// steps interleave.
#[derive(Clone)]
pub struct SimRuntime {
    world: World,
    process: Process,
}

impl Runtime for SimRuntime {
    fn now(&self) -> Now {
        let nanos = self.world.0.now.get();
        Now {
            instant: Instant(nanos),
            wall: Timestamp(FIRST_WALL_MS + (nanos / 1_000_000) as i64),
        }
    }

    fn spawn(&self, _class: TaskClass, task: impl Future<Output = ()> + 'static) {
        self.world.spawn(self.process, task);
    }

    async fn sleep(&self, wait: Duration) {
        self.world.wait(wait).await;
    }

    async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(move |context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

fn nanos(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos()).expect("a wait of less than centuries")
}
