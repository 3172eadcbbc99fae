//! When this shard must stop waiting for something. Alarms are set for every request and almost never go off, so
//! setting and clearing one touches no timer.

use crate::base::ids::{PartitionId, Ticket};
use crate::base::time::Instant;
use crate::storage::runtime::Notify;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;

/// For whom an alarm goes off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Alarm {
    /// A partition with requests parked in it.
    Partition(PartitionId),
    /// A coordinator of consumer groups.
    Groups(PartitionId),
    /// A fetch that waited for data.
    Wait(Ticket),
    /// A batch that found no room.
    Parking(Ticket),
}

#[derive(Default)]
pub(super) struct Alarms {
    set: RefCell<BTreeSet<(Instant, Alarm)>>,
    /// What the task that sounds them sleeps until.
    armed: Cell<Option<Instant>>,
    earlier: Notify,
}

impl Alarms {
    pub(super) fn set(&self, at: Instant, alarm: Alarm) {
        self.set.borrow_mut().insert((at, alarm));
        if self.armed.get().is_none_or(|armed| at < armed) {
            self.earlier.notify();
        }
    }

    pub(super) fn clear(&self, at: Instant, alarm: Alarm) {
        self.set.borrow_mut().remove(&(at, alarm));
    }

    /// The earliest alarm, and what tells of an earlier one set later.
    pub(super) fn arm(&self) -> (Option<Instant>, impl Future<Output = ()> + use<>) {
        let earlier = self.earlier.notified();
        let first = self.set.borrow().first().map(|(at, _)| *at);
        self.armed.set(first);
        (first, earlier)
    }

    /// Takes the first alarm that is due.
    pub(super) fn take_due(&self, now: Instant) -> Option<Alarm> {
        let mut set = self.set.borrow_mut();
        let (at, _) = set.first()?;
        if *at > now {
            return None;
        }
        set.pop_first().map(|(_, alarm)| alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    const ONE: Alarm = Alarm::Wait(Ticket(1));
    const TWO: Alarm = Alarm::Wait(Ticket(2));
    const PARKED: Alarm = Alarm::Parking(Ticket(1));

    #[test]
    fn alarms_go_off_in_order_and_only_when_due() {
        let alarms = Alarms::default();
        alarms.set(Instant(20), ONE);
        alarms.set(Instant(10), TWO);
        alarms.set(Instant(15), PARKED);
        alarms.clear(Instant(15), PARKED);
        assert_eq!(alarms.take_due(Instant(9)), None);
        assert_eq!(alarms.take_due(Instant(20)), Some(TWO));
        assert_eq!(alarms.take_due(Instant(20)), Some(ONE));
        assert_eq!(alarms.take_due(Instant(20)), None);
    }

    #[test]
    fn only_an_earlier_alarm_disturbs_the_sleeper() {
        let alarms = Alarms::default();
        alarms.set(Instant(20), ONE);
        let (at, earlier) = alarms.arm();
        let mut earlier = pin!(earlier);
        let mut poll = || {
            let mut context = Context::from_waker(Waker::noop());
            earlier.as_mut().poll(&mut context).is_ready()
        };
        assert_eq!(at, Some(Instant(20)));
        alarms.set(Instant(30), TWO);
        assert!(!poll());
        alarms.set(Instant(10), PARKED);
        assert!(poll());
    }
}
