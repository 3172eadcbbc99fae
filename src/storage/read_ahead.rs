//! The bytes of a segment in order, with reads under way ahead of whoever takes them.
//!
//! Each read is a task of its own, of the class for cold reads, and runs to its end: no I/O is cancelled. Until then it
//! uses the segment, and its bytes are charged until they are taken or given up.

use super::cold_pool::{Charge, ColdPool};
use super::disk::{Disk, DiskError, DiskFile};
use super::journal_writes::JournalWrites;
use super::open_segments::InUse;
use super::runtime::{Notify, Runtime, TaskClass};
use crate::base::align::{block_ceil, block_floor};
use crate::log::pace::Pace;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// A read that was begun.
struct Slot<B> {
    result: RefCell<Option<Result<B, DiskError>>>,
    done: Notify,
    _charge: Charge,
}

/// Reads that were begun and not yet taken, one behind the other.
pub(super) struct Begun<B> {
    reads: VecDeque<Rc<Slot<B>>>,
    /// Where the next one begins.
    next: u64,
}

impl<B> Begun<B> {
    /// None yet, of a file that will be read from the block that holds `position`.
    pub(super) fn at(position: u64) -> Begun<B> {
        Begun {
            reads: VecDeque::new(),
            next: block_floor(position),
        }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

/// One reader's way through a file.
pub(super) struct ReadAhead<'a, D: Disk, R: Runtime> {
    pub(super) runtime: &'a R,
    pub(super) segment: &'a InUse<D::File>,
    pub(super) pool: &'a ColdPool,
    pub(super) journal_writes: &'a JournalWrites,
    pub(super) begun: Begun<D::Buffer>,
    /// Nothing is read at or above the block that ends here.
    pub(super) end: u64,
    /// Up to here the bytes are read before they are asked for.
    pub(super) ahead_until: u64,
}

impl<D: Disk, R: Runtime> ReadAhead<'_, D, R> {
    /// The next bytes; `None` at the end.
    pub(super) async fn take(&mut self) -> Result<Option<D::Buffer>, DiskError> {
        let next = self.begun.reads.pop_front();
        let slot = match next.or_else(|| self.begin(|pool, bytes| Some(pool.charge(bytes)))) {
            Some(slot) => slot,
            None => return Ok(None),
        };
        let most = self.pace().reads_ahead;
        while self.begun.reads.len() < most && self.begun.next < self.ahead_until {
            let Some(ahead) = self.begin(ColdPool::charge_ahead) else {
                break;
            };
            self.begun.reads.push_back(ahead);
        }
        loop {
            let done = slot.done.notified();
            let result = slot.result.borrow_mut().take();
            match result {
                Some(result) => return result.map(Some),
                None => done.await,
            }
        }
    }

    fn pace(&self) -> Pace {
        self.journal_writes.pace(self.runtime.now().instant)
    }

    /// Begins the next read, if there is one and it can be charged.
    fn begin(
        &mut self,
        charge: impl FnOnce(&ColdPool, usize) -> Option<Charge>,
    ) -> Option<Rc<Slot<D::Buffer>>> {
        let position = self.begun.next;
        // Not a byte more than is wanted, at first.
        let end = match position < self.ahead_until {
            true => self.ahead_until.min(self.end),
            false => self.end,
        };
        let left = block_ceil(end).saturating_sub(position);
        if left == 0 {
            return None;
        }
        let pace = self.pace();
        let len = left.min(pace.read_bytes as u64) as usize;
        let slot = Rc::new(Slot {
            result: RefCell::new(None),
            done: Notify::default(),
            _charge: charge(self.pool, len)?,
        });
        self.begun.next += len as u64;
        let (segment, read) = (self.segment.clone(), slot.clone());
        let journal_writes = self.journal_writes.clone();
        self.runtime.spawn(TaskClass::Read, async move {
            if pace.gives_way {
                journal_writes.let_pass().await;
            }
            let result = segment.segment.file.read_at(position, len).await;
            drop(segment);
            *read.result.borrow_mut() = Some(result);
            read.done.notify();
        });
        Some(slot)
    }
}
