//! A thread per shard that wakes its executor again and again, because the executor of glommio-ng 0.12 may go to sleep
//! on work.
//!
//! It parks although tasks are runnable when it finds itself preempted before it ran the first one: the thread had lost
//! its CPU for longer than the preemption timer, or the wake-up of another core came a moment late. Then nothing but an
//! event ends its sleep (glommio/glommio#53, fixed there after 0.12; to be removed with the release that has it). A
//! timer of the executor itself does not help: the task that would set it again is among those that lie still.

use super::clock::Clock;
use crate::metrics::Histogram;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

/// The longest that runnable tasks may lie still. Costs a sleeping core some microseconds each time.
const BEAT: Duration = Duration::from_millis(5);

thread_local! {
    static DELAYS: Rc<Histogram> = Rc::default();
}

/// How long the beats of this thread's executor waited until they were heard: a sample of what every task waits for.
pub(super) fn delays() -> Rc<Histogram> {
    DELAYS.with(Rc::clone)
}

/// Dropped, it ends with its thread.
pub struct Heartbeat {
    beat: Arc<Beat>,
    clock: Clock,
}

struct Beat {
    /// The first task of the executor: where it waits again it is only polled once more.
    woken: OnceLock<Waker>,
    /// When the first beat came that the executor has not heard yet, in nanoseconds; 0: there is none.
    at: AtomicU64,
}

impl Heartbeat {
    /// Starts the thread, on the CPUs of this one.
    pub fn start() -> io::Result<Heartbeat> {
        let beat = Arc::new(Beat {
            woken: OnceLock::new(),
            at: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&beat);
        let clock = Clock::start();
        let thread = std::thread::Builder::new().name("heartbeat".to_owned());
        thread.spawn(move || {
            while let Some(beat) = weak.upgrade() {
                if let Some(woken) = beat.woken.get() {
                    let now = clock.instant().0;
                    let first = &beat.at;
                    let _ = first.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
                    woken.wake_by_ref();
                }
                drop(beat);
                std::thread::sleep(BEAT);
            }
        })?;
        Ok(Heartbeat { beat, clock })
    }

    /// `work` is what the executor runs first, so that not even its first wait is without a heartbeat.
    pub async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        let delays = delays();
        let mut work = pin!(work);
        poll_fn(|context| {
            self.beat.woken.get_or_init(|| context.waker().clone());
            self.hear(&delays);
            work.as_mut().poll(context)
        })
        .await
    }

    fn hear(&self, delays: &Histogram) {
        let at = self.beat.at.swap(0, Ordering::Relaxed);
        if at > 0 {
            let now = self.clock.instant().0;
            delays.record(Duration::from_nanos(now.saturating_sub(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;

    /// On any executor: `beside` needs nothing but to be polled again when its waker says so.
    #[test]
    fn a_core_that_is_kept_from_its_tasks_shows() {
        const KEPT: Duration = Duration::from_millis(60);
        let longer_than = |bound: f64| {
            let snapshot = delays().snapshot();
            let longer = snapshot.buckets().filter(|(upper, _)| *upper > bound);
            longer.map(|(_, count)| count).sum::<u64>()
        };
        let heartbeat = Heartbeat::start().expect("a thread");
        let (beat, clock) = (heartbeat.beat.clone(), heartbeat.clock);
        let mut keeps = true;
        let work = poll_fn(|_| {
            if std::mem::take(&mut keeps) {
                // The next beat comes, and nobody hears it for a while.
                while beat.at.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
                let begun = clock.instant();
                while clock.instant().since(begun) < KEPT {
                    std::thread::yield_now();
                }
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        assert_eq!(longer_than(0.05), 0);
        futures_lite::future::block_on(heartbeat.beside(work));
        assert_eq!(longer_than(0.05), 1);
    }
}
