//! A thread per shard that wakes its executor again and again, because the executor of glommio-ng 0.12 may go to sleep
//! on work.
//!
//! It parks although tasks are runnable when it finds itself preempted before it ran the first one: the thread had lost
//! its CPU for longer than the preemption timer, or the wake-up of another core came a moment late. Then nothing but an
//! event ends its sleep (glommio/glommio#53, fixed there after 0.12; to be removed with the release that has it). A
//! timer of the executor itself does not help: the task that would set it again is among those that lie still.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The longest that runnable tasks may lie still. Costs a sleeping core some microseconds each time.
const BEAT: Duration = Duration::from_millis(5);

/// Starts the thread, on the CPUs of this one. The future is to be spawned on the executor and never ends; the thread
/// ends after it.
pub(super) fn start() -> impl Future<Output = ()> {
    let listener = Arc::new(Mutex::new(None::<Waker>));
    let weak = Arc::downgrade(&listener);
    let thread = std::thread::Builder::new().name("heartbeat".to_owned());
    let started = thread.spawn(move || {
        while let Some(listener) = weak.upgrade() {
            let waker = listener
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            drop(listener);
            waker.iter().for_each(Waker::wake_by_ref);
            drop(waker);
            std::thread::sleep(BEAT);
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no heartbeat: this shard may answer late");
    }
    poll_fn(move |context| {
        let mut listener = listener.lock().unwrap_or_else(PoisonError::into_inner);
        if !listener
            .as_ref()
            .is_some_and(|old| old.will_wake(context.waker()))
        {
            *listener = Some(context.waker().clone());
        }
        Poll::Pending
    })
}
