//! A thread per shard that wakes its executor again and again, because the executor of glommio-ng 0.12 may go to sleep
//! on work.
//!
//! It parks although tasks are runnable when it finds itself preempted before it ran the first one: the thread had lost
//! its CPU for longer than the preemption timer, or the wake-up of another core came a moment late. Then nothing but an
//! event ends its sleep (glommio/glommio#53, fixed there after 0.12; to be removed with the release that has it). A
//! timer of the executor itself does not help: the task that would set it again is among those that lie still.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The longest that runnable tasks may lie still. Costs a sleeping core some microseconds each time.
const BEAT: Duration = Duration::from_millis(5);

/// Dropped, it ends with its thread.
pub struct Heartbeat {
    /// The first task of the executor: where it waits again it is only polled once more.
    woken: Arc<OnceLock<Waker>>,
}

impl Heartbeat {
    /// Starts the thread, on the CPUs of this one.
    pub fn start() -> io::Result<Heartbeat> {
        let woken = Arc::new(OnceLock::<Waker>::new());
        let weak = Arc::downgrade(&woken);
        let thread = std::thread::Builder::new().name("heartbeat".to_owned());
        thread.spawn(move || {
            while let Some(woken) = weak.upgrade() {
                woken.get().into_iter().for_each(Waker::wake_by_ref);
                drop(woken);
                std::thread::sleep(BEAT);
            }
        })?;
        Ok(Heartbeat { woken })
    }

    /// `work` is what the executor runs first, so that not even its first wait is without a heartbeat.
    pub async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        poll_fn(|context| {
            self.woken.get_or_init(|| context.waker().clone());
            Poll::Ready(())
        })
        .await;
        work.await
    }
}
