//! When a shard writes its journal. A write waits in the drive behind all reads that were begun before it, and what it
//! makes durable is what producers wait for.

use super::runtime::{Notify, Runtime};
use crate::base::time::Instant;
use crate::log::pace::{Pace, lap_write_bytes, pace, rest};
use std::cell::Cell;
use std::rc::Rc;

/// A clone is of the same shard.
#[derive(Clone, Default)]
pub(super) struct JournalWrites(Rc<State>);

#[derive(Default)]
struct State {
    begun: Cell<Option<Instant>>,
    is_under_way: Cell<bool>,
    last_bytes: Cell<u64>,
    ended: Notify,
}

impl JournalWrites {
    pub(super) fn begin(&self, now: Instant) {
        self.0.begun.set(Some(now));
        self.0.is_under_way.set(true);
    }

    /// Whether it succeeded or not.
    pub(super) fn end(&self) {
        self.0.is_under_way.set(false);
        self.0.ended.notify();
    }

    /// It succeeded, with so many bytes.
    pub(super) fn wrote(&self, bytes: u64) {
        self.0.last_bytes.set(bytes);
    }

    /// What a lap writes at once meanwhile.
    pub(super) fn lap_write_bytes(&self) -> usize {
        lap_write_bytes(self.0.last_bytes.get())
    }

    /// How others go about the drive meanwhile.
    pub(super) fn pace(&self, now: Instant) -> Pace {
        pace(now, self.0.begun.get())
    }

    /// Rests for what was done in the background since `begun`: drive and core are for those who wait for the journal.
    pub(super) async fn rest<R: Runtime>(&self, runtime: &R, begun: Instant) {
        let now = runtime.now().instant;
        let rest = rest(now.since(begun), self.pace(now).gives_way);
        if !rest.is_zero() {
            runtime.sleep(rest).await;
        }
    }

    /// Waits for the one under way, not for those that follow: where one follows the other a reader still has its turn.
    pub(super) async fn let_pass(&self) {
        if self.0.is_under_way.get() {
            self.0.ended.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn a_reader_lets_one_write_pass_and_not_those_that_follow() {
        let writes = JournalWrites::default();
        assert_eq!(block_on(poll_once(writes.let_pass())), Some(()));
        writes.begin(Instant(1));
        let mut reader = Box::pin(writes.let_pass());
        assert_eq!(block_on(poll_once(&mut reader)), None);
        writes.end();
        writes.begin(Instant(2));
        assert_eq!(block_on(poll_once(&mut reader)), Some(()));
        assert_eq!(writes.0.begun.get(), Some(Instant(2)));
    }
}
