//! Memory for the record bytes of answers on their way out, per shard.
//!
//! A fetch is granted at most a quarter of what is free, and the least grant even beyond the capacity: readers that never
//! take their answers make the answers of others smaller long before they stop them. At twice the capacity fetches wait
//! until an answer has left.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The smallest grant, so that a fetch under pressure still carries a useful amount.
const GRANT_BYTES_MIN: usize = 64 * 1024;

/// Shard view. A clone is the same budget.
#[derive(Clone)]
pub(super) struct AnswerBudget(Rc<RefCell<State>>);

struct State {
    capacity: usize,
    /// Stays below twice the capacity but for the one batch that is always answered, however large.
    used: usize,
    waiting: VecDeque<Waker>,
}

/// Bytes of an answer. Dropping it gives them back: when the answer has left, or nobody wants it any more.
pub(super) struct AnswerPermit {
    budget: AnswerBudget,
    bytes: usize,
}

impl AnswerBudget {
    pub(super) fn new(capacity: usize) -> AnswerBudget {
        assert!(capacity > 0, "an empty budget answers nobody");
        AnswerBudget(Rc::new(RefCell::new(State {
            capacity,
            used: 0,
            waiting: VecDeque::new(),
        })))
    }

    /// Waits until there is room, then grants up to `want` bytes.
    pub(super) async fn take(&self, want: usize) -> AnswerPermit {
        poll_fn(|context| match self.try_take(want) {
            Some(permit) => Poll::Ready(permit),
            None => {
                let mut state = self.0.borrow_mut();
                state.waiting.push_back(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    pub(super) fn try_take(&self, want: usize) -> Option<AnswerPermit> {
        let mut state = self.0.borrow_mut();
        if state.is_full() {
            return None;
        }
        let free = state.capacity.saturating_sub(state.used);
        let bytes = want.min(GRANT_BYTES_MIN.max(free / 4));
        state.used += bytes;
        drop(state);
        Some(AnswerPermit {
            budget: self.clone(),
            bytes,
        })
    }

    pub(super) fn used(&self) -> usize {
        self.0.borrow().used
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.used >= 2 * self.capacity
    }
}

impl AnswerPermit {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the answer really holds.
    pub(super) fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        let woken = {
            let mut state = self.budget.0.borrow_mut();
            state.used = state.used + bytes - before;
            match state.is_full() {
                true => VecDeque::new(),
                false => std::mem::take(&mut state.waiting),
            }
        };
        // All of them: a waker may belong to a connection that is gone, and who finds nothing waits again.
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for AnswerPermit {
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
        let budget = AnswerBudget::new(16 * MIB);
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
    fn an_answer_is_charged_what_it_holds_not_what_it_was_granted() {
        let budget = AnswerBudget::new(MIB);
        let mut permit = budget.try_take(MIB).expect("free");
        permit.set(100);
        assert_eq!(budget.used(), 100);
        permit.set(2 * MIB);
        assert!(budget.try_take(1).is_none(), "one large batch overdraws");
        drop(permit);
        assert!(budget.try_take(1).is_some());
    }
}
