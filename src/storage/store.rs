//! One shard's storage: appends into tails, commits, reads.

use super::ballast::{self, Ballast};
use super::commit;
use super::compaction;
use super::disk::{Disk, DiskError, DiskSpace};
use super::errors::{NoRoom, OpenError};
use super::event::Observer;
use super::housekeeping;
use super::journal::{Journal, RingMaker};
use super::lap::{self, Flusher};
use super::removal;
use super::runtime::{Runtime, TaskClass};
use super::settings::{CompactionSettings, StoreSettings};
use super::shared::Shared;
use super::start::{PartitionStart, RecoveredShard, Stopped};
use super::state::{Closed, Partition};
use super::state_file::StateFiles;
use super::stats::StoreStats;
use crate::base::ids::{PartitionId, TopicId};
use crate::log::journal_format::JournalOwner;
use crate::log::log_config::LogConfig;
use crate::log::note::Note;
use crate::log::retention::ClockGuard;
use crate::metrics::StoreCells;
use crate::record::StampedBatch;
use std::rc::Rc;

pub use super::reads::ReadBytes;
pub use super::state::Reservation;

/// The storage of one shard. Owned by its core; every method is called there.
pub struct Store<D: Disk, R: Runtime> {
    pub(super) shared: Rc<Shared<D, R>>,
}

impl<D: Disk, R: Runtime> Store<D, R> {
    /// Begins to serve what recovery left: pre-writes the first journal file, starts the tasks of the store.
    pub async fn start(
        disk: D,
        runtime: R,
        settings: StoreSettings,
        recovered: RecoveredShard,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<Store<D, R>>, OpenError> {
        let owner = JournalOwner {
            incarnation: recovered.identity.incarnation,
            life: recovered.identity.life,
            shard: recovered.shard,
        };
        let (root, limits) = (&settings.root, settings.limits);
        let mut journal = Journal::new(&disk, owner, limits.journal_files);
        let file_bytes = limits.journal_file_bytes;
        let mut ring = RingMaker::new(&disk, &runtime, root, owner, file_bytes).await?;
        let (index, first) = ring.next().await?;
        journal.add_file(index, first);
        let flusher = Flusher {
            state_files: StateFiles::open(&disk, &runtime, root, owner.shard).await?,
            slot: recovered.slot,
            generation: recovered.generation,
            ballast: Ballast::open(&disk, &runtime, root, owner.shard).await?,
        };
        let shared = Rc::new(Shared::new(
            disk,
            runtime,
            settings,
            owner,
            observer,
            recovered.failure,
        ));
        let read = recovered.journal_bytes;
        shared.cells.recovery_bytes.set(read);
        for (topic_name, section) in recovered.partitions {
            let partition = Partition::new(section, &topic_name, LogConfig::DEFAULT);
            let id = partition.log.section().id;
            shared.state.borrow_mut().partitions.insert(id, partition);
        }
        let now = shared.runtime.now();
        let guard = ClockGuard::new(recovered.last_wall, now.wall, now.instant);
        let store = Rc::new(Store { shared });
        store.spawn_tasks(journal, ring, flusher, guard);
        Ok(store)
    }

    fn spawn_tasks(
        &self,
        journal: Journal<D>,
        ring: RingMaker<D, R>,
        flusher: Flusher<D>,
        guard: ClockGuard,
    ) {
        let shared = &self.shared;
        let (runtime, running) = (&shared.runtime, &shared.running);
        running.spawn(
            runtime,
            TaskClass::Foreground,
            commit::run(shared.clone(), journal),
        );
        running.spawn(runtime, TaskClass::Flush, lap::run(shared.clone(), flusher));
        running.spawn(
            runtime,
            TaskClass::Housekeeping,
            housekeeping::fill_journal(shared.clone(), ring),
        );
        running.spawn(
            runtime,
            TaskClass::Housekeeping,
            removal::run(shared.clone()),
        );
        running.spawn(
            runtime,
            TaskClass::Housekeeping,
            housekeeping::check_files(shared.clone()),
        );
        // These only sleep and look; a stop does not wait for them, but for a compaction.
        runtime.spawn(
            TaskClass::Foreground,
            commit::watch_idleness(shared.clone()),
        );
        runtime.spawn(
            TaskClass::Housekeeping,
            housekeeping::retain(shared.clone(), guard),
        );
        runtime.spawn(
            TaskClass::Housekeeping,
            compaction::run(shared.clone(), guard),
        );
    }

    /// Every partition of this shard as far as it is durable: right after the start, as it stood then.
    pub fn partitions(&self) -> Vec<PartitionStart> {
        let state = self.shared.state.borrow();
        let sections = state
            .partitions
            .values()
            .map(|partition| partition.log.section());
        sections.map(PartitionStart::of).collect()
    }

    /// Makes a partition known. Its first file is made by a lap: the next one, or one for it and others that are new.
    pub fn create_partition(&self, id: PartitionId, topic_name: &str, config: LogConfig) {
        let mut state = self.shared.state.borrow_mut();
        state.create(id, topic_name, config);
        if state.wants_lap() {
            self.shared.lap_wanted.notify();
        }
    }

    pub fn configure(&self, id: PartitionId, config: LogConfig) {
        if let Some(partition) = self.shared.state.borrow_mut().partitions.get_mut(&id) {
            partition.log.configure(config);
        }
    }

    /// From the next look for logs to compact on.
    pub fn configure_compaction(&self, compaction: CompactionSettings) {
        self.shared.compaction.set(compaction);
    }

    /// Makes room for so many partitions that are about to be created. False: they must not be.
    pub async fn room_for(&self, partitions: usize) -> bool {
        self.shared.room_for(partitions).await
    }

    /// Forgets a partition at once and durably, removes its files in the background, then says `Removed`.
    pub fn drop_partition(&self, id: PartitionId) {
        if let Some(partition) = self.shared.state.borrow_mut().partitions.get_mut(&id) {
            partition.log.drop_log();
        }
        self.shared.enqueue(id);
    }

    /// Removes the folder of a deleted topic, when every shard has said `Removed` of each of its partitions, and before
    /// its tombstone goes. On one shard only. An error fails the directory, and the tombstone has to stay.
    pub async fn remove_topic(&self, topic: TopicId) -> Result<(), OpenError> {
        let shared = &self.shared;
        let removed = removal::remove_topic(&shared.disk, &shared.settings.root, topic);
        removed.await.map_err(|error| {
            shared.fail(error.clone());
            OpenError::Disk(error)
        })
    }

    /// Takes room for a batch of this many bytes, before it gets its offset.
    pub fn reserve(&self, id: PartitionId, batch_bytes: usize) -> Result<Reservation, NoRoom> {
        let reserved = self.shared.state.borrow_mut().reserve(id, batch_bytes);
        if reserved.is_err() {
            self.shared.lap_wanted.notify();
            self.shared.end_rest();
        }
        reserved
    }

    /// Appends to the tail; a commit cycle makes it durable, the next one if somebody waits for that (`awaited`).
    pub fn append(&self, id: PartitionId, room: Reservation, batch: StampedBatch, awaited: bool) {
        let mut state = self.shared.state.borrow_mut();
        state.append(id, room, &batch, awaited);
        drop(state);
        self.shared.enqueue_batch(id);
    }

    /// Makes a small change durable with the next cycle, in order with the batches around it.
    pub fn note(&self, id: PartitionId, note: Note) {
        self.shared.state.borrow_mut().note(id, note);
        self.shared.enqueue(id);
    }

    /// Bytes of a partition's log; None when it is not here.
    pub fn log_bytes(&self, id: PartitionId) -> Option<u64> {
        let state = self.shared.state.borrow();
        Some(state.partitions.get(&id)?.log.section().bytes())
    }

    /// The volume of the data directory.
    pub async fn space(&self) -> Result<DiskSpace, DiskError> {
        let shared = &self.shared;
        shared.disk.space(&shared.settings.root).await
    }

    /// What metrics want to know, with gauges brought up to date.
    pub fn cells(&self) -> &StoreCells {
        let shared = &self.shared;
        let state = shared.state.borrow();
        let cells = &shared.cells;
        cells
            .journal_free
            .set(state.ring.room() as f64 / state.ring.capacity() as f64);
        cells.tail_dirty_bytes.set(state.pool.dirty());
        cells.pool_used.set(state.pool.held());
        cells.pool_limit.set(state.pool.tails_max());
        cells.damaged_chunks.set(shared.reader.bad_chunks());
        cells.files_open.set(shared.segments.open_count() as u64);
        cells.snapshot_bytes.set(state.snapshot_bytes);
        cells.disk_full.set(u64::from(state.disk_full));
        cells.reserve_bytes.set(state.ballast_bytes);
        cells
            .reserve_needed_bytes
            .set(ballast::needed_bytes(shared));
        cells
            .retention_paused
            .set(u64::from(shared.retention_paused.get()));
        cells
    }

    pub fn stats(&self) -> StoreStats {
        let shared = &self.shared;
        let state = shared.state.borrow();
        let offline = state
            .partitions
            .values()
            .filter(|p| p.log.section().offline.is_some());
        StoreStats {
            cycles: shared.cells.commit_cycles.get(),
            journal_bytes: shared.cells.commit_bytes.get(),
            laps: shared.cells.laps.get(),
            snapshot_bytes: state.snapshot_bytes,
            segment_bytes: shared.cells.segment_bytes.get(),
            journal_free_bytes: state.ring.room(),
            dirty_bytes: state.pool.dirty(),
            pool_used_bytes: state.pool.held(),
            partitions: state.partitions.len() as u64,
            partitions_offline: offline.count() as u64,
            cold_reads: shared.cells.cold_reads.get(),
            cold_read_bytes: shared.cells.cold_read_bytes.get(),
            files_open: shared.segments.open_count() as u64,
            disk_full: state.disk_full,
            failed: matches!(state.closed, Some(Closed::Failed(_))),
            retention_paused: shared.retention_paused.get(),
        }
    }

    /// Makes everything durable in segments and a last snapshot. The caller appends nothing any more. `NoSpace`: the
    /// disk is full, and what the journal has is replayed by the next start.
    pub async fn stop(&self) -> Result<Stopped, OpenError> {
        let shared = &self.shared;
        shared
            .state
            .borrow_mut()
            .closed
            .get_or_insert(Closed::Stopping);
        shared.wake_all();
        shared.running.all_ended().await;
        if let Some(Closed::Failed(error)) = &shared.state.borrow().closed {
            return Err(OpenError::Disk(error.clone()));
        }
        shared.reader.close().await?;
        if shared.state.borrow().left_to_replay {
            return Err(OpenError::NoSpace {
                path: shared.settings.root.clone(),
                needed: shared.state.borrow().pool.dirty(),
            });
        }
        let generation = shared.state.borrow().stopped_generation;
        Ok(Stopped {
            shard: shared.shard(),
            generation,
        })
    }
}
