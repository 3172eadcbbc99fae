//! The executor of one core as storage sees it: four task queues, one timer, one clock.

use super::clock::Clock;
use super::deadlines::Deadlines;
use crate::base::time::{Instant, Now, Timestamp};
use crate::storage::runtime::{Runtime, TaskClass};
use glommio::{Latency, Shares, TaskQueueHandle};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// How long a task may run while another is runnable before it is asked to yield; the executor's own preemption timer
/// answers in 200 ms, and is off (see `boot::placement`).
const PREEMPT_AFTER: Latency = Latency::Matters(Duration::from_micros(500));

/// A clone is the same executor.
#[derive(Clone)]
pub struct ShardRuntime(Rc<State>);

struct State {
    clock: Clock,
    wall: Cell<ReadWall>,
    deadlines: Deadlines,
    foreground: TaskQueueHandle,
    flush: TaskQueueHandle,
    read: TaskQueueHandle,
    housekeeping: TaskQueueHandle,
}

/// The wall clock tells milliseconds, and is not read again before the next one begins.
#[derive(Clone, Copy)]
struct ReadWall {
    time: Timestamp,
    until: Instant,
}

impl ReadWall {
    /// `instant` was read before, so that what is kept expires too early, never too late.
    fn read(clock: Clock, instant: Instant) -> ReadWall {
        let (time, changes_in) = clock.wall();
        let until = instant.plus(changes_in);
        ReadWall { time, until }
    }
}

impl ShardRuntime {
    /// Makes the task queues of this thread's executor and starts its timer.
    pub fn start(clock: Clock) -> ShardRuntime {
        let queue = |shares, name| {
            glommio::executor().create_task_queue(Shares::Static(shares), PREEMPT_AFTER, name)
        };
        let runtime = ShardRuntime(Rc::new(State {
            clock,
            wall: Cell::new(ReadWall::read(clock, clock.instant())),
            deadlines: Deadlines::new(clock),
            foreground: queue(1000, "foreground"),
            flush: queue(200, "flush"),
            read: queue(100, "read"),
            housekeeping: queue(50, "housekeeping"),
        }));
        runtime.spawn(TaskClass::Foreground, runtime.deadlines().clone().run());
        runtime
    }

    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    pub fn deadlines(&self) -> &Deadlines {
        &self.0.deadlines
    }

    /// How long the core did something since this was last asked.
    pub(super) fn take_busy(&self) -> Duration {
        glommio::executor().executor_stats().total_runtime()
    }

    /// How long tasks of this class ran since this was last asked.
    pub(super) fn take_ran(&self, class: TaskClass) -> Duration {
        let stats = glommio::executor().task_queue_stats(self.queue(class));
        let stats = stats.expect("the queues live as long as the executor");
        stats.runtime()
    }

    fn queue(&self, class: TaskClass) -> TaskQueueHandle {
        match class {
            TaskClass::Foreground => self.0.foreground,
            TaskClass::Flush => self.0.flush,
            TaskClass::Read => self.0.read,
            TaskClass::Housekeeping => self.0.housekeeping,
        }
    }
}

impl Runtime for ShardRuntime {
    fn now(&self) -> Now {
        let instant = self.0.clock.instant();
        let mut wall = self.0.wall.get();
        if instant >= wall.until {
            wall = ReadWall::read(self.0.clock, instant);
            self.0.wall.set(wall);
        }
        Now {
            instant,
            wall: wall.time,
        }
    }

    fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static) {
        // Into a queue, never `spawn_local`: that would poll the new task inside this call.
        let task = glommio::spawn_local_into(task, self.queue(class));
        task.expect("the queues live as long as the executor")
            .detach();
    }

    async fn sleep(&self, wait: Duration) {
        let at = self.0.clock.instant().plus(wait);
        self.0.deadlines.sleep_until(at).await;
    }

    async fn yield_now(&self) {
        glommio::yield_if_needed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_never_an_older_one() {
        let clock = Clock::start();
        let executor = glommio::LocalExecutorBuilder::default().io_memory(1 << 20);
        executor.make().unwrap().run(async move {
            let runtime = ShardRuntime::start(clock);
            let end = clock.instant().plus(Duration::from_millis(50));
            while clock.instant() < end {
                let (before, _) = clock.wall();
                let told = runtime.now().wall;
                let (after, _) = clock.wall();
                assert!(
                    before <= told && told <= after,
                    "{before:?} {told:?} {after:?}"
                );
            }
        });
    }
}
