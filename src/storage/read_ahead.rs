//! The bytes of a segment in order, with reads under way ahead of whoever takes them.
//!
//! Each read is a task of its own, of the class for cold reads, and runs to its end: no I/O is cancelled.

use super::disk::{Disk, DiskError, DiskFile};
use super::runtime::{Notify, Runtime, TaskClass};
use crate::base::align::{block_ceil, block_floor};
use crate::base::limits::{COLD_BUFFERS_MAX, COLD_READ_BYTES, COLD_READS_AHEAD};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

/// A read that was begun.
struct Slot<B> {
    result: RefCell<Option<Result<B, DiskError>>>,
    done: Notify,
}

/// One reader's way through a file. `finish` it: a file is not let go of while it is read.
pub(super) struct ReadAhead<'a, D: Disk, R: Runtime> {
    runtime: &'a R,
    file: &'a D::File,
    /// Buffers of all readers of the shard, from the begin of a read until it is taken.
    buffers: &'a Cell<usize>,
    begun: VecDeque<Rc<Slot<D::Buffer>>>,
    /// Where the next read begins, and what bounds it.
    next: u64,
    end: u64,
    /// Up to here the bytes are wanted for sure, and read before they are asked for.
    sure: u64,
}

impl<'a, D: Disk, R: Runtime> ReadAhead<'a, D, R> {
    /// Reads `range`, whole blocks, of which `sure` bytes will be wanted.
    pub(super) fn new(
        runtime: &'a R,
        file: &'a D::File,
        buffers: &'a Cell<usize>,
        range: Range<u64>,
        sure: u64,
    ) -> ReadAhead<'a, D, R> {
        let end = block_ceil(range.end);
        ReadAhead {
            runtime,
            file,
            buffers,
            begun: VecDeque::new(),
            next: block_floor(range.start),
            end,
            sure: range.start.saturating_add(sure).min(end),
        }
    }

    /// The next bytes, at most `COLD_READ_BYTES`; `None` at the end of the range.
    pub(super) async fn take(&mut self) -> Result<Option<D::Buffer>, DiskError> {
        if self.begun.is_empty() {
            self.begin();
        }
        while self.begun.len() <= COLD_READS_AHEAD
            && self.next < self.sure
            && self.buffers.get() < COLD_BUFFERS_MAX
        {
            self.begin();
        }
        match self.begun.pop_front() {
            Some(slot) => self.wait(&slot).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits for what is still under way.
    pub(super) async fn finish(mut self) {
        while let Some(slot) = self.begun.pop_front() {
            // Nobody asked for these bytes yet; whoever does reads them again and is told.
            let _ = self.wait(&slot).await;
        }
    }

    async fn wait(&self, slot: &Slot<D::Buffer>) -> Result<D::Buffer, DiskError> {
        let result = loop {
            let done = slot.done.notified();
            let result = slot.result.borrow_mut().take();
            match result {
                Some(result) => break result,
                None => done.await,
            }
        };
        self.buffers.set(self.buffers.get() - 1);
        result
    }

    fn begin(&mut self) {
        if self.next >= self.end {
            return;
        }
        // Not a byte more than is wanted, at first.
        let end = match self.next < self.sure {
            true => block_ceil(self.sure),
            false => self.end,
        };
        let len = (end - self.next).min(COLD_READ_BYTES as u64);
        let slot = Rc::new(Slot {
            result: RefCell::new(None),
            done: Notify::default(),
        });
        self.begun.push_back(slot.clone());
        self.buffers.set(self.buffers.get() + 1);
        let (file, position) = (self.file.clone(), self.next);
        self.next += len;
        self.runtime.spawn(TaskClass::Read, async move {
            let result = file.read_at(position, len as usize).await;
            drop(file);
            *slot.result.borrow_mut() = Some(result);
            slot.done.notify();
        });
    }
}
