//! Memory of one shard for what is read from segments. A reader waits for one of a bounded number of places; a place has
//! room for the one read that its reader waits for. What is read ahead gets what is left, or is not read ahead.

use super::runtime::Notify;
use crate::base::limits::{COLD_POOL_BYTES, COLD_READ_BYTES, COLD_READERS_MAX};
use std::cell::Cell;
use std::rc::Rc;

/// The rest is for the reads that readers wait for.
const AHEAD_BYTES_MAX: usize = COLD_POOL_BYTES - COLD_READERS_MAX * COLD_READ_BYTES;

/// A clone is the same pool.
#[derive(Clone, Default)]
pub(super) struct ColdPool(Rc<State>);

#[derive(Default)]
struct State {
    readers: Cell<usize>,
    bytes: Cell<usize>,
    left: Notify,
}

/// One of the bounded number of readers.
pub(super) struct Place(Rc<State>);

/// Bytes of the pool, while it lives.
pub(super) struct Charge {
    pool: Rc<State>,
    bytes: usize,
}

impl ColdPool {
    /// Waits until fewer than the most read.
    pub(super) async fn enter(&self) -> Place {
        while self.0.readers.get() == COLD_READERS_MAX {
            self.0.left.notified().await;
        }
        self.0.readers.set(self.0.readers.get() + 1);
        Place(self.0.clone())
    }

    pub(super) fn readers(&self) -> usize {
        self.0.readers.get()
    }

    /// For the one read that the holder of a place waits for.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        debug_assert!(bytes <= COLD_READ_BYTES);
        self.0.bytes.set(self.0.bytes.get() + bytes);
        Charge {
            pool: self.0.clone(),
            bytes,
        }
    }

    /// For what nobody waits for yet.
    pub(super) fn charge_ahead(&self, bytes: usize) -> Option<Charge> {
        let used = self.0.bytes.get() + bytes;
        (used <= AHEAD_BYTES_MAX).then(|| {
            self.0.bytes.set(used);
            Charge {
                pool: self.0.clone(),
                bytes,
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.readers.set(self.0.readers.get() - 1);
        self.0.left.notify();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.pool.bytes.set(self.pool.bytes.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_room_for_a_read_whatever_is_read_ahead() {
        let pool = ColdPool::default();
        let ahead: Vec<_> = std::iter::from_fn(|| pool.charge_ahead(COLD_READ_BYTES)).collect();
        assert_eq!(ahead.len() * COLD_READ_BYTES, AHEAD_BYTES_MAX);
        let own: Vec<_> = (0..COLD_READERS_MAX)
            .map(|_| pool.charge(COLD_READ_BYTES))
            .collect();
        assert_eq!(pool.0.bytes.get(), COLD_POOL_BYTES);
        drop(ahead);
        assert!(pool.charge_ahead(AHEAD_BYTES_MAX).is_none());
        drop(own);
        assert!(pool.charge_ahead(AHEAD_BYTES_MAX).is_some());
        assert_eq!(pool.0.bytes.get(), 0);
    }
}
