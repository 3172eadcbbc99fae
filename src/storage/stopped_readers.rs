//! What is kept for readers that will go on where they stopped, in their memory of the pool, and given up when nobody
//! comes back for it.

use super::cold_pool::{Charge, ColdPool};
use super::read_ahead::Begun;
use super::runtime::{Runtime, TaskClass};
use super::window::Rest;
use crate::base::limits::{COLD_KEPT_MS, COLD_READ_BYTES, COLD_READS_AHEAD};
use crate::base::offset::Offset;
use crate::log::read_streams::ReadStreams;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Of a batch that did not fit, and what was read behind it.
const REST_BYTES_MAX: usize = COLD_READS_AHEAD * COLD_READ_BYTES;

/// Where a reader stopped, and what was read ahead for it.
pub(super) struct Kept<B> {
    pub(super) rest: Rest,
    pub(super) begun: Begun<B>,
    _charge: Option<Charge>,
}

impl<B> Kept<B> {
    /// Only where it stopped.
    pub(super) fn place(rest: Rest) -> Kept<B> {
        Kept {
            begun: Begun::at(rest.position),
            rest: rest.emptied(),
            _charge: None,
        }
    }

    /// And what was read, if there is room for it.
    pub(super) fn with_bytes(rest: Rest, begun: Begun<B>, pool: &ColdPool) -> Kept<B> {
        let fits = rest.bytes() <= REST_BYTES_MAX;
        match fits.then(|| pool.charge_ahead(rest.bytes())).flatten() {
            None => Kept::place(rest),
            charge => Kept {
                rest: rest.moved(),
                begun,
                _charge: charge,
            },
        }
    }
}

/// Of one shard.
pub(super) struct StoppedReaders<B, R> {
    runtime: R,
    streams: Rc<RefCell<ReadStreams<Kept<B>>>>,
    /// A task gives up what is kept for too long.
    is_watched: Rc<Cell<bool>>,
}

impl<B: 'static, R: Runtime> StoppedReaders<B, R> {
    pub(super) fn new(runtime: R) -> StoppedReaders<B, R> {
        StoppedReaders {
            runtime,
            streams: Rc::default(),
            is_watched: Rc::default(),
        }
    }

    pub(super) fn go_on(&self, path: &Path, from: Offset) -> Option<Kept<B>> {
        self.streams.borrow_mut().go_on(path, from)
    }

    pub(super) fn sequential(&self) -> usize {
        self.streams.borrow().sequential()
    }

    /// A reader has what it wanted, and may go on.
    pub(super) fn stop(&self, path: &Path, is_sequential: bool, kept: Kept<B>) {
        let now = self.runtime.now().instant;
        let next = kept.rest.expected;
        let mut streams = self.streams.borrow_mut();
        streams.stop(path, next, is_sequential, kept, now);
        drop(streams);
        self.watch();
    }

    pub(super) fn forget(&self, path: &Path) {
        self.streams.borrow_mut().forget(path);
    }

    pub(super) fn clear(&self) {
        self.streams.borrow_mut().clear();
    }

    fn watch(&self) {
        if self.is_watched.replace(true) {
            return;
        }
        let (runtime, streams) = (self.runtime.clone(), self.streams.clone());
        let is_watched = self.is_watched.clone();
        self.runtime.spawn(TaskClass::Housekeeping, async move {
            loop {
                runtime.sleep(Duration::from_millis(COLD_KEPT_MS)).await;
                if streams.borrow_mut().expire(runtime.now().instant) {
                    break;
                }
            }
            is_watched.set(false);
        });
    }
}
