//! Batches that found no room. First come, first served over the whole shard, so that none starves; bounded in number
//! and in time.
//!
//! Nothing here has an offset yet: what leaves unserved was definitely not appended.

use crate::base::limits::PARKED_BATCHES_MAX;
use crate::base::time::Instant;
use std::collections::VecDeque;

pub(super) struct Parking<T> {
    queue: VecDeque<Parked<T>>,
}

struct Parked<T> {
    batch: T,
    until: Instant,
}

impl<T> Parking<T> {
    pub(super) fn new() -> Parking<T> {
        Parking {
            queue: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.queue.len()
    }

    /// Gives the batch back when too many wait.
    pub(super) fn push(&mut self, batch: T, until: Instant) -> Result<(), T> {
        if self.queue.len() >= PARKED_BATCHES_MAX {
            return Err(batch);
        }
        self.queue.push_back(Parked { batch, until });
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<(T, Instant)> {
        let parked = self.queue.pop_front()?;
        Some((parked.batch, parked.until))
    }

    /// Back to the place it was popped from.
    pub(super) fn put_back(&mut self, batch: T, until: Instant) {
        self.queue.push_front(Parked { batch, until });
    }

    /// Takes out those whose time is over, in order.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<T> {
        self.take_if(|parked| parked.until <= now)
    }

    /// Takes out those that are `wanted`, in order.
    pub(super) fn remove(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        self.take_if(|parked| wanted(&parked.batch))
    }

    fn take_if(&mut self, wanted: impl Fn(&Parked<T>) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for parked in std::mem::take(&mut self.queue) {
            if wanted(&parked) {
                taken.push(parked.batch);
            } else {
                self.queue.push_back(parked);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(count: u64) -> Parking<u64> {
        let mut parking = Parking::new();
        for batch in 0..count {
            parking.push(batch, Instant(100 + batch)).expect("room");
        }
        parking
    }

    #[test]
    fn a_refused_batch_keeps_its_place() {
        let mut parking = parked(3);
        let (batch, until) = parking.pop().expect("three wait");
        parking.put_back(batch, until);
        let order: Vec<u64> =
            std::iter::from_fn(|| parking.pop().map(|(batch, _)| batch)).collect();
        assert_eq!(order, [0, 1, 2]);
    }

    #[test]
    fn whoever_waited_too_long_leaves_and_the_others_keep_their_order() {
        let mut parking = parked(4);
        parking.push(9, Instant(50)).expect("room");
        assert_eq!(parking.expired(Instant(101)), [0, 1, 9]);
        assert_eq!(parking.remove(|batch| *batch == 3), [3]);
        assert_eq!(parking.pop(), Some((2, Instant(102))));
        assert!(parking.is_empty());
    }

    #[test]
    fn parking_is_bounded() {
        let mut parking = parked(PARKED_BATCHES_MAX as u64);
        assert_eq!(parking.push(7, Instant(1)), Err(7));
        assert_eq!(parking.len(), PARKED_BATCHES_MAX);
    }
}
