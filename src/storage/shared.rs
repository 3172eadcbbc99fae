//! What the tasks of one store share.

use super::disk::{Disk, DiskError};
use super::event::{Observer, StoreEvent};
use super::failure::DirectoryFailure;
use super::reader::SegmentReader;
use super::runtime::{Notify, Runtime};
use super::segment_file::SegmentFiles;
use super::settings::{CompactionSettings, StoreSettings};
use super::state::{Closed, State};
use super::tasks::Running;
use crate::base::ids::{PartitionId, ShardId};
use crate::base::offset::Offset;
use crate::log::journal_format::JournalOwner;
use crate::log::segment::SegmentName;
use crate::metrics::StoreCells;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Something to remove from the disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Removal {
    /// The whole folder of a dropped partition.
    Partition(PartitionId),
    /// The segments that a partition's section does not have: below its log start, replaced, or never finished.
    Stale(PartitionId),
}

/// One per shard. No borrow of `state` lives across an await or a call of the observer.
pub(super) struct Shared<D: Disk, R: Runtime> {
    pub(super) disk: D,
    pub(super) runtime: R,
    pub(super) settings: StoreSettings,
    pub(super) owner: JournalOwner,
    pub(super) observer: Rc<dyn Observer>,
    /// Of the directory, which other shards write to as well.
    failure: DirectoryFailure,
    pub(super) state: RefCell<State>,
    pub(super) segments: SegmentFiles<D>,
    /// Ring files that were zero-filled in the background; the commit loop takes them.
    pub(super) new_journal_files: RefCell<Vec<(usize, D::File)>>,
    /// Files that nobody needs any more. Housekeeping removes them when no lap runs.
    pub(super) removals: RefCell<VecDeque<Removal>>,
    pub(super) reader: SegmentReader<D, R>,
    /// Reads and checks under way, by segment file: none of them is removed meanwhile.
    pins: RefCell<BTreeMap<(PartitionId, SegmentName), usize>>,
    /// What compaction is writing: not removed meanwhile, although no section has it yet.
    pub(super) rewriting: Cell<Option<(PartitionId, SegmentName)>>,
    /// Offsets at which a damaged batch was found.
    pub(super) damaged: RefCell<BTreeSet<(PartitionId, Offset)>>,
    pub(super) compaction: Cell<CompactionSettings>,
    pub(super) retention_paused: Cell<bool>,
    pub(super) cells: StoreCells,
    pub(super) running: Running,
    /// Wakes the commit loop.
    pub(super) work: Notify,
    /// Wakes the lap's task.
    pub(super) lap_wanted: Notify,
    /// Wakes whoever waits for a capture, a snapshot entry, or the end of a lap.
    pub(super) progress: Notify,
    /// Wakes housekeeping.
    pub(super) chores: Notify,
    /// Wakes the watch for idleness.
    pub(super) active: Notify,
}

/// Keeps a segment's files from being removed while it lives.
pub(super) struct Pin<'a, D: Disk, R: Runtime> {
    shared: &'a Shared<D, R>,
    segment: (PartitionId, SegmentName),
}

impl<D: Disk, R: Runtime> Drop for Pin<'_, D, R> {
    fn drop(&mut self) {
        let mut pins = self.shared.pins.borrow_mut();
        let count = pins
            .get_mut(&self.segment)
            .expect("a pin is counted while it lives");
        *count -= 1;
        if *count == 0 {
            pins.remove(&self.segment);
            drop(pins);
            self.shared.progress.notify();
        }
    }
}

impl<D: Disk, R: Runtime> Shared<D, R> {
    pub(super) fn new(
        disk: D,
        runtime: R,
        settings: StoreSettings,
        owner: JournalOwner,
        observer: Rc<dyn Observer>,
        failure: DirectoryFailure,
    ) -> Shared<D, R> {
        let work = Notify::default();
        let limits = settings.limits;
        let reader = SegmentReader::new(disk.clone(), runtime.clone(), limits.index_chunk_bytes);
        let journal_writes = reader.journal_writes().clone();
        Shared {
            state: RefCell::new(State::new(limits, work.clone())),
            segments: SegmentFiles::new(&disk, settings.root.clone(), limits, journal_writes),
            reader,
            new_journal_files: RefCell::default(),
            removals: RefCell::default(),
            pins: RefCell::default(),
            rewriting: Cell::new(None),
            damaged: RefCell::default(),
            compaction: Cell::new(settings.compaction),
            retention_paused: Cell::new(false),
            cells: StoreCells::default(),
            running: Running::default(),
            work,
            lap_wanted: Notify::default(),
            progress: Notify::default(),
            chores: Notify::default(),
            active: Notify::default(),
            disk,
            runtime,
            settings,
            owner,
            observer,
            failure,
        }
    }

    pub(super) fn pin(&self, id: PartitionId, name: SegmentName) -> Pin<'_, D, R> {
        *self.pins.borrow_mut().entry((id, name)).or_default() += 1;
        Pin {
            shared: self,
            segment: (id, name),
        }
    }

    /// Waits until nobody uses this segment's files.
    pub(super) async fn unpinned(&self, id: PartitionId, name: SegmentName) {
        loop {
            let progress = self.progress.notified();
            if !self.pins.borrow().contains_key(&(id, name)) {
                return;
            }
            progress.await;
        }
    }

    pub(super) fn shard(&self) -> ShardId {
        self.owner.shard
    }

    /// A write or sync failed, so nobody knows what is on the medium: nothing is written any more, by no shard.
    pub(super) fn fail(&self, error: DiskError) {
        self.failure.set(&error);
        let first = {
            let mut state = self.state.borrow_mut();
            let first = !matches!(state.closed, Some(Closed::Failed(_)));
            if first {
                state.closed = Some(Closed::Failed(error.clone()));
            }
            first
        };
        if first {
            tracing::error!(shard = %self.shard(), ?error, "the data directory failed");
            self.wake_all();
            self.observer.on_event(StoreEvent::Failed { error });
        }
    }

    /// Here, or elsewhere in the directory.
    pub(super) fn has_failed(&self) -> bool {
        if let Some(error) = self.failure.error() {
            self.fail(error.clone());
        }
        matches!(self.state.borrow().closed, Some(Closed::Failed(_)))
    }

    /// Lets every task look at what it waits for.
    pub(super) fn wake_all(&self) {
        for notify in [
            &self.work,
            &self.lap_wanted,
            &self.progress,
            &self.chores,
            &self.active,
        ] {
            notify.notify();
        }
    }

    pub(super) fn add_removal(&self, removal: Removal) {
        self.removals.borrow_mut().push_back(removal);
        self.chores.notify();
    }

    pub(super) fn tell(&self, events: Vec<StoreEvent>) {
        events
            .into_iter()
            .for_each(|event| self.observer.on_event(event));
    }

    /// Room may have come: whoever was refused tries again.
    pub(super) fn tell_room(&self) {
        let event = self.state.borrow_mut().room_event();
        self.tell(event.into_iter().collect());
    }

    /// A batch of this partition waits for a cycle; the commit loop hears of it unless it rests anyway.
    pub(super) fn enqueue_batch(self: &Rc<Self>, id: PartitionId) {
        let missing = self.state.borrow_mut().enqueue(id);
        if let Some(missing) = missing {
            self.fetch_missing(missing);
        } else if !self.state.borrow().rest.has_begun() {
            self.work.notify();
        }
    }

    /// What is pending goes into a cycle now.
    pub(super) fn end_rest(&self) {
        self.state.borrow_mut().rest.end();
        self.work.notify();
    }

    /// Something of this partition waits for a cycle, now.
    pub(super) fn enqueue(self: &Rc<Self>, id: PartitionId) {
        self.state.borrow_mut().rest.end();
        self.enqueue_batch(id);
    }
}
