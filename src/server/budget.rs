//! Memory that is known only when it has been taken, per shard: answers on their way out, and what requests become when
//! they are decoded.
//!
//! A fetch is granted at most a quarter of what is free, and the least grant even beyond the capacity: readers that never
//! take their answers make the answers of others smaller long before they stop them. At twice the capacity everybody
//! waits until somebody has given back.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The smallest grant, so that a fetch under pressure still carries a useful amount.
const GRANT_BYTES_MIN: usize = 64 * 1024;

/// Shard view. A clone is the same budget.
#[derive(Clone)]
pub(super) struct Budget(Rc<RefCell<State>>);

struct State {
    capacity: usize,
    /// Stays below twice the capacity but for the last one that got in: a batch is always answered, however large.
    used: usize,
    waiting: Vec<Waker>,
}

/// Bytes of one answer or request. Dropping it gives them back.
pub(super) struct Permit {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(capacity: usize) -> Budget {
        assert!(capacity > 0, "an empty budget answers nobody");
        Budget(Rc::new(RefCell::new(State {
            capacity,
            used: 0,
            waiting: Vec::new(),
        })))
    }

    /// Waits until there is room, then grants up to `want` bytes.
    pub(super) async fn take(&self, want: usize) -> Permit {
        poll_fn(|context| match self.try_take(want) {
            Some(permit) => Poll::Ready(permit),
            None => {
                self.wake_when_free(context);
                Poll::Pending
            }
        })
        .await
    }

    pub(super) fn wake_when_free(&self, context: &Context<'_>) {
        let waker = context.waker().clone();
        self.0.borrow_mut().waiting.push(waker);
    }

    pub(super) fn try_take(&self, want: usize) -> Option<Permit> {
        let state = self.0.borrow();
        if state.is_full() {
            return None;
        }
        let free = state.capacity.saturating_sub(state.used);
        drop(state);
        Some(self.charge(want.min(GRANT_BYTES_MIN.max(free / 4))))
    }

    /// For what is there already, whatever is free.
    pub(super) fn charge(&self, bytes: usize) -> Permit {
        self.0.borrow_mut().used += bytes;
        Permit {
            budget: self.clone(),
            bytes,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.0.borrow().used
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.borrow().is_full()
    }

    /// Half of what makes it full: who only waits should not add to it.
    pub(super) fn is_short(&self) -> bool {
        let state = self.0.borrow();
        state.used >= state.capacity
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.used >= 2 * self.capacity
    }
}

impl Permit {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it really holds.
    pub(super) fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let woken = {
            let mut state = self.budget.0.borrow_mut();
            state.used = state.used + bytes - before;
            match state.is_full() {
                true => Vec::new(),
                false => std::mem::take(&mut state.waiting),
            }
        };
        // All of them: a waker may belong to a connection that is gone, and who finds nothing waits again.
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn readers_that_take_nothing_leave_something_for_the_next_one() {
        let budget = Budget::new(16 * MIB);
        let mut held = Vec::new();
        for _ in 0..200 {
            held.push(budget.try_take(50 * MIB).expect("something is free"));
        }
        assert_eq!(held[0].bytes(), 4 * MIB);
        assert_eq!(held[199].bytes(), GRANT_BYTES_MIN);
        drop(held);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_there_already_is_charged_whatever_is_free() {
        let budget = Budget::new(MIB);
        let first = budget.charge(MIB - 1);
        assert!(!budget.is_short() && !budget.is_full());
        let second = budget.charge(2 * MIB);
        assert!(budget.is_short() && budget.is_full());
        drop(first);
        assert!(budget.is_full());
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_answer_is_charged_what_it_holds_not_what_it_was_granted() {
        let budget = Budget::new(MIB);
        let mut permit = budget.try_take(MIB).expect("free");
        permit.set(100);
        assert_eq!(budget.used(), 100);
        permit.set(2 * MIB);
        assert!(budget.try_take(1).is_none(), "one large batch overdraws");
        drop(permit);
        assert!(budget.try_take(1).is_some());
    }
}
