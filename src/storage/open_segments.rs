//! The segment files that a shard has at hand to read from, a bounded number of them, and what is known of their indexes.

use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::runtime::Notify;
use crate::base::limits::OPEN_SEGMENTS_MAX;
use crate::log::index::IndexEntry;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Owned by the reader of one shard.
pub(super) struct OpenSegments<D: Disk> {
    disk: D,
    open: RefCell<BTreeMap<PathBuf, Rc<OpenSegment<D::File>>>>,
    /// Counts uses, to find the file that was used longest ago.
    uses: Cell<u64>,
    released: Notify,
}

pub(super) struct OpenSegment<F> {
    pub(super) file: F,
    pub(super) index: RefCell<Option<Rc<Vec<IndexEntry>>>>,
    /// The index file contradicts the log: it is not read again.
    pub(super) is_index_wrong: Cell<bool>,
    last_use: Cell<u64>,
    users: Cell<usize>,
}

impl<F> OpenSegment<F> {
    pub(super) fn distrust_index(&self) {
        self.is_index_wrong.set(true);
        *self.index.borrow_mut() = None;
    }
}

/// A segment that is read. While it lives its file is not closed.
pub(super) struct InUse<F> {
    pub(super) segment: Rc<OpenSegment<F>>,
    released: Notify,
}

impl<F> InUse<F> {
    fn new(segment: Rc<OpenSegment<F>>, released: Notify) -> InUse<F> {
        segment.users.set(segment.users.get() + 1);
        InUse { segment, released }
    }
}

impl<F> Clone for InUse<F> {
    fn clone(&self) -> InUse<F> {
        InUse::new(self.segment.clone(), self.released.clone())
    }
}

impl<F> Drop for InUse<F> {
    fn drop(&mut self) {
        self.segment.users.set(self.segment.users.get() - 1);
        self.released.notify();
    }
}

impl<D: Disk> OpenSegments<D> {
    pub(super) fn new(disk: D) -> OpenSegments<D> {
        OpenSegments {
            disk,
            open: RefCell::default(),
            uses: Cell::new(0),
            released: Notify::default(),
        }
    }

    /// Opens the file if it is not at hand.
    pub(super) async fn take_up(&self, path: &Path) -> Result<InUse<D::File>, DiskError> {
        let known = self.open.borrow().get(path).cloned();
        let segment = match known {
            Some(segment) => segment,
            None => self.open(path).await?,
        };
        self.uses.set(self.uses.get() + 1);
        segment.last_use.set(self.uses.get());
        Ok(InUse::new(segment, self.released.clone()))
    }

    /// Whether the segment is still known as the one of this path: it was neither cut nor let go meanwhile.
    pub(super) fn has(&self, path: &Path, used: &InUse<D::File>) -> bool {
        let open = self.open.borrow();
        open.get(path)
            .is_some_and(|segment| Rc::ptr_eq(segment, &used.segment))
    }

    /// Closes a file when nobody uses it any more. Who asks for it meanwhile opens it anew.
    pub(super) async fn forget(&self, path: &Path) -> Result<(), DiskError> {
        let Some(segment) = self.open.borrow_mut().remove(path) else {
            return Ok(());
        };
        self.unused(&segment).await;
        close(segment).await
    }

    /// Closes all files.
    pub(super) async fn close(&self) -> Result<(), DiskError> {
        let open = std::mem::take(&mut *self.open.borrow_mut());
        for segment in open.into_values() {
            self.unused(&segment).await;
            close(segment).await?;
        }
        Ok(())
    }

    async fn unused(&self, segment: &OpenSegment<D::File>) {
        while segment.users.get() > 0 {
            self.released.notified().await;
        }
    }

    async fn open(&self, path: &Path) -> Result<Rc<OpenSegment<D::File>>, DiskError> {
        self.evict().await?;
        let file = self.disk.open(path, OpenMode::Read).await?;
        let opened = Rc::new(OpenSegment {
            file,
            index: RefCell::new(None),
            is_index_wrong: Cell::new(false),
            last_use: Cell::new(0),
            users: Cell::new(0),
        });
        // Somebody else may have opened it meanwhile: one of the two is closed again.
        let earlier = self.open.borrow().get(path).cloned();
        if let Some(earlier) = earlier {
            close(opened).await?;
            return Ok(earlier);
        }
        self.open
            .borrow_mut()
            .insert(path.to_path_buf(), opened.clone());
        Ok(opened)
    }

    async fn evict(&self) -> Result<(), DiskError> {
        while self.open.borrow().len() >= OPEN_SEGMENTS_MAX {
            let oldest = {
                let open = self.open.borrow();
                let idle = open.iter().filter(|(_, segment)| segment.users.get() == 0);
                idle.min_by_key(|(_, segment)| segment.last_use.get())
                    .map(|(path, _)| path.clone())
            };
            let Some(path) = oldest else { return Ok(()) };
            let segment = self.open.borrow_mut().remove(&path).expect("it was there");
            close(segment).await?;
        }
        Ok(())
    }
}

async fn close<F: DiskFile>(segment: Rc<OpenSegment<F>>) -> Result<(), DiskError> {
    match Rc::try_unwrap(segment) {
        Ok(segment) => segment.file.close().await,
        // A read that has just begun holds it; the last one lets the descriptor go.
        Err(_) => Ok(()),
    }
}
