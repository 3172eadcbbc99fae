//! When batches go into the journal that nobody waits for.

#[path = "../../bench/batch.rs"]
mod batch;

use crate::bench::Bench;
use crate::sim::{SimDisk, SimRuntime};
use batch::{batch, valid};
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{Incarnation, NodeId, PartitionId, ShardId, Uuid};
use ottla::base::limits::{Limits, UNAWAITED_MS_MAX};
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::log_config::LogConfig;
use ottla::storage::directory::Directory;
use ottla::storage::event::{Observer, StoreEvent};
use ottla::storage::open::lock_directory;
use ottla::storage::runtime::{Notify, Runtime};
use ottla::storage::settings::{CompactionSettings, KnownTopics, OpenSettings, StoreSettings};
use ottla::storage::store::Store;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const ID: PartitionId = PartitionId {
    topic: Uuid([7; 16]),
    index: 0,
};
const EPOCH: LeaderEpoch = LeaderEpoch(1);
const NEVER_MS: u64 = 3_600_000;

/// How far the partition is durable.
#[derive(Default)]
struct Ear {
    durable: Cell<Offset>,
    heard: Notify,
}

impl Observer for Ear {
    fn on_event(&self, event: StoreEvent) {
        if let StoreEvent::Durable { up_to, .. } = event {
            self.durable.set(up_to);
            self.heard.notify();
        }
    }
}

/// A store with one partition.
struct Log {
    store: Rc<Store<SimDisk, SimRuntime>>,
    runtime: SimRuntime,
    ear: Rc<Ear>,
    end: Cell<Offset>,
    /// Whatever keeps the directory locked.
    _directory: Directory<SimDisk>,
}

impl Log {
    async fn start(disk: SimDisk, runtime: SimRuntime) -> Log {
        let root = Path::new("/data/ottla").to_path_buf();
        let limits = Limits::TINY;
        let settings = OpenSettings {
            root: root.clone(),
            node_id: NodeId(1),
            new_cluster_id: Uuid([9; 16]),
            new_incarnation: Incarnation(1),
            limits,
        };
        let locked = lock_directory(disk.clone(), runtime.clone(), &settings).await;
        let locked = locked.expect("an empty disk");
        let known = KnownTopics::default();
        let recovered = locked.recover(&known, 1, |_, _| ShardId(0));
        let mut recovered = recovered.await.expect("nothing to recover");
        let settings = StoreSettings {
            root,
            limits,
            retention_check_ms: NEVER_MS,
            compaction: CompactionSettings {
                check_ms: NEVER_MS,
                map_bytes: 1 << 20,
            },
        };
        let ear = Rc::new(Ear::default());
        let shard = recovered.shards.remove(0);
        let store = Store::start(disk, runtime.clone(), settings, shard, ear.clone()).await;
        let store = store.expect("a store");
        store.create_partition(ID, "ticks", LogConfig::DEFAULT);
        let begin = Note::EpochStart {
            epoch: EPOCH,
            offset: Offset::ZERO,
        };
        store.note(ID, begin);
        let log = Log {
            store,
            runtime,
            ear,
            end: Cell::new(Offset::ZERO),
            _directory: recovered.directory,
        };
        log.append(true);
        log.durable().await;
        log
    }

    fn append(&self, awaited: bool) {
        let valid = valid(batch(1, 100));
        let room = self.store.reserve(ID, valid.len()).expect("room");
        let stamped = valid.stamp(self.end.get(), EPOCH, None);
        self.end.set(stamped.header.next_offset());
        self.store.append(ID, room, stamped, awaited);
    }

    /// Waits until everything is.
    async fn durable(&self) {
        loop {
            let heard = self.ear.heard.notified();
            if self.ear.durable.get() == self.end.get() {
                return;
            }
            heard.await;
        }
    }

    fn cycles(&self) -> u64 {
        self.store.cells().commit_cycles.get()
    }
}

fn run<F: Future<Output = ()> + 'static>(story: impl FnOnce(Log) -> F + 'static) {
    let done = Bench::new(7).run(|disk, runtime| async move {
        story(Log::start(disk, runtime).await).await;
    });
    assert_eq!(done, Some(()), "the machine did not halt");
}

#[test]
fn what_nobody_waits_for_goes_into_the_journal_together_and_in_time() {
    run(|log| async move {
        let (cycles, durable) = (log.cycles(), log.ear.durable.get());
        let began = log.runtime.now().instant;
        for _ in 0..3 {
            log.append(false);
            log.runtime.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(log.ear.durable.get(), durable, "none of it is urgent");
        log.durable().await;
        assert_eq!(log.cycles(), cycles + 1);
        let took = log.runtime.now().instant.since(began);
        assert!(took >= Duration::from_millis(UNAWAITED_MS_MAX), "{took:?}");
    });
}

#[test]
fn what_somebody_waits_for_takes_the_rest_along_at_once() {
    run(|log| async move {
        let cycles = log.cycles();
        let began = log.runtime.now().instant;
        log.append(false);
        log.runtime.sleep(Duration::from_millis(1)).await;
        log.append(true);
        log.durable().await;
        assert_eq!(log.cycles(), cycles + 1);
        let took = log.runtime.now().instant.since(began);
        assert!(took < Duration::from_millis(UNAWAITED_MS_MAX), "{took:?}");
    });
}

#[test]
fn a_stop_takes_along_what_nobody_waits_for() {
    run(|log| async move {
        log.append(false);
        log.store.stop().await.expect("a clean stop");
        assert_eq!(log.ear.durable.get(), log.end.get());
    });
}
