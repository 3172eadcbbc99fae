//! When this shard must stop waiting for something. Alarms are set for every request and almost never go off, so
//! setting and clearing one touches no timer.

use crate::base::ids::Ticket;
use crate::base::time::Instant;
use crate::storage::runtime::Notify;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alarm {
    /// A call whose deadline passed.
    Call,
    /// A fetch that waited for data.
    Wait,
    /// Batches that found no room.
    Parking,
}

#[derive(Default)]
pub(super) struct Alarms {
    set: RefCell<BTreeMap<(Instant, Ticket), Alarm>>,
    /// What the task that sounds them sleeps until.
    armed: Cell<Option<Instant>>,
    earlier: Notify,
}

impl Alarms {
    pub(super) fn set(&self, at: Instant, ticket: Ticket, alarm: Alarm) {
        self.set.borrow_mut().insert((at, ticket), alarm);
        if self.armed.get().is_none_or(|armed| at < armed) {
            self.earlier.notify();
        }
    }

    pub(super) fn clear(&self, at: Instant, ticket: Ticket) {
        self.set.borrow_mut().remove(&(at, ticket));
    }

    /// The earliest alarm, and what tells of an earlier one set later.
    pub(super) fn arm(&self) -> (Option<Instant>, impl Future<Output = ()> + use<>) {
        let earlier = self.earlier.notified();
        let first = self.set.borrow().first_key_value().map(|((at, _), _)| *at);
        self.armed.set(first);
        (first, earlier)
    }

    /// Takes the first alarm that is due.
    pub(super) fn take_due(&self, now: Instant) -> Option<(Ticket, Alarm)> {
        let mut set = self.set.borrow_mut();
        let first = set.first_entry()?;
        let (at, ticket) = *first.key();
        (at <= now).then(|| (ticket, first.remove()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[test]
    fn alarms_go_off_in_order_and_only_when_due() {
        let alarms = Alarms::default();
        alarms.set(Instant(20), Ticket(1), Alarm::Call);
        alarms.set(Instant(10), Ticket(2), Alarm::Wait);
        alarms.set(Instant(15), Ticket(3), Alarm::Parking);
        alarms.clear(Instant(15), Ticket(3));
        assert_eq!(alarms.take_due(Instant(9)), None);
        assert_eq!(alarms.take_due(Instant(20)), Some((Ticket(2), Alarm::Wait)));
        assert_eq!(alarms.take_due(Instant(20)), Some((Ticket(1), Alarm::Call)));
        assert_eq!(alarms.take_due(Instant(20)), None);
    }

    #[test]
    fn only_an_earlier_alarm_disturbs_the_sleeper() {
        let alarms = Alarms::default();
        alarms.set(Instant(20), Ticket(1), Alarm::Call);
        let (at, earlier) = alarms.arm();
        let mut earlier = pin!(earlier);
        let mut poll = || {
            let mut context = Context::from_waker(Waker::noop());
            earlier.as_mut().poll(&mut context).is_ready()
        };
        assert_eq!(at, Some(Instant(20)));
        alarms.set(Instant(30), Ticket(2), Alarm::Call);
        assert!(!poll());
        alarms.set(Instant(10), Ticket(3), Alarm::Call);
        assert!(poll());
    }
}
