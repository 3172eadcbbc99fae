//! Stores with one partition each, on the shards of one directory.

use crate::batch::{batch, valid};
use crate::sim::{SimDisk, SimRuntime};
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{Incarnation, NodeId, PartitionId, ShardId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::log_config::LogConfig;
use ottla::storage::directory::Directory;
use ottla::storage::errors::NoRoom;
use ottla::storage::event::{Observer, StoreEvent};
use ottla::storage::open::{Recovered, lock_directory};
use ottla::storage::runtime::{Notify, Runtime};
use ottla::storage::settings::{CompactionSettings, KnownTopics, OpenSettings, StoreSettings};
use ottla::storage::start::RecoveredShard;
use ottla::storage::store::Store;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

pub(crate) const ID: PartitionId = PartitionId {
    topic: Uuid([7; 16]),
    index: 0,
};
/// Another one, for stories beside it.
pub(crate) const QUIET: PartitionId = PartitionId {
    topic: Uuid([8; 16]),
    index: 0,
};
const EPOCH: LeaderEpoch = LeaderEpoch(1);
const NEVER_MS: u64 = 3_600_000;
pub(crate) const ROOT: &str = "/data/ottla";
const TOPIC: &str = "ticks";

/// How far the partition is durable.
pub(crate) struct Ear {
    id: PartitionId,
    pub(crate) durable: Cell<Offset>,
    heard: Notify,
}

impl Observer for Ear {
    fn on_event(&self, event: StoreEvent) {
        if let StoreEvent::Durable { partition, up_to } = event
            && partition == self.id
        {
            self.durable.set(up_to);
            self.heard.notify();
        }
    }
}

/// It lives as long as its process.
pub(crate) struct OneLog {
    pub(crate) store: Rc<Store<SimDisk, SimRuntime>>,
    id: PartitionId,
    pub(crate) runtime: SimRuntime,
    pub(crate) ear: Rc<Ear>,
    pub(crate) end: Cell<Offset>,
    /// Whatever keeps the directory locked.
    _directory: Rc<Directory<SimDisk>>,
}

/// Recovers the directory, which has the partition unless it is new.
pub(crate) async fn recover(
    disk: &SimDisk,
    runtime: &SimRuntime,
    is_new: bool,
    shards: u16,
) -> Recovered<SimDisk, SimRuntime> {
    let settings = OpenSettings {
        root: Path::new(ROOT).to_path_buf(),
        node_id: NodeId(1),
        new_cluster_id: Uuid([9; 16]),
        new_incarnation: Incarnation(1),
        limits: Limits::TINY,
    };
    let locked = lock_directory(disk.clone(), runtime.clone(), &settings).await;
    let locked = locked.expect("nobody else has it");
    let mut known = KnownTopics::default();
    if !is_new {
        known.live.insert(ID.topic, (TOPIC.to_owned(), 1));
    }
    let recovered = locked.recover(&known, shards, |_, _| ShardId(0)).await;
    recovered.expect("nothing is damaged")
}

impl OneLog {
    /// In a new directory.
    pub(crate) async fn start(disk: SimDisk, runtime: SimRuntime) -> OneLog {
        let [log] = OneLog::start_shards(disk, runtime).await;
        log
    }

    /// One on each of so many shards of a new directory.
    pub(crate) async fn start_shards<const N: usize>(
        disk: SimDisk,
        runtime: SimRuntime,
    ) -> [OneLog; N] {
        let recovered = recover(&disk, &runtime, true, N as u16).await;
        let directory = Rc::new(recovered.directory);
        let mut logs = Vec::new();
        for shard in recovered.shards {
            let (disk, runtime) = (disk.clone(), runtime.clone());
            logs.push(OneLog::begin_shard(disk, runtime, shard, directory.clone()).await);
        }
        logs.try_into().ok().expect("a log for each shard")
    }

    async fn begin_shard(
        disk: SimDisk,
        runtime: SimRuntime,
        shard: RecoveredShard,
        directory: Rc<Directory<SimDisk>>,
    ) -> OneLog {
        let settings = StoreSettings {
            root: Path::new(ROOT).to_path_buf(),
            limits: Limits::TINY,
            retention_check_ms: NEVER_MS,
            compaction: CompactionSettings {
                check_ms: NEVER_MS,
                map_bytes: 1 << 20,
            },
        };
        let id = PartitionId {
            index: u32::from(shard.shard().0),
            ..ID
        };
        let ear = Rc::new(Ear {
            id,
            durable: Cell::default(),
            heard: Notify::default(),
        });
        let store = Store::start(disk, runtime.clone(), settings, shard, ear.clone()).await;
        let store = store.expect("a store");
        let log = OneLog {
            store,
            id,
            runtime,
            ear,
            end: Cell::new(Offset::ZERO),
            _directory: directory,
        };
        log.begin(id, TOPIC);
        log.append(100, true).await;
        log.durable().await;
        log
    }

    /// A partition that has nothing yet.
    pub(crate) fn begin(&self, id: PartitionId, topic: &str) {
        self.store.create_partition(id, topic, LogConfig::DEFAULT);
        let begin = Note::EpochStart {
            epoch: EPOCH,
            offset: Offset::ZERO,
        };
        self.store.note(id, begin);
    }

    /// A batch of one record, as soon as there is room for it.
    pub(crate) async fn append(&self, record_bytes: usize, awaited: bool) {
        let end = self.end.get();
        let end = self.append_to(self.id, end, record_bytes, awaited).await;
        self.end.set(end);
    }

    /// The same to any partition, which ends at `offset`. Answers where it ends then.
    pub(crate) async fn append_to(
        &self,
        id: PartitionId,
        offset: Offset,
        record_bytes: usize,
        awaited: bool,
    ) -> Offset {
        let valid = valid(batch(1, record_bytes));
        let room = loop {
            match self.store.reserve(id, valid.len()) {
                Ok(room) => break room,
                Err(NoRoom::Busy) => self.runtime.sleep(Duration::from_millis(1)).await,
                Err(refused) => panic!("{refused:?}"),
            }
        };
        let stamped = valid.stamp(offset, EPOCH, None);
        let end = stamped.header.next_offset();
        self.store.append(id, room, stamped, awaited);
        end
    }

    /// Appends several times what the memory holds, so that laps write what came before, and the oldest of it goes.
    pub(crate) async fn let_laps_pass(&self) {
        for _ in 0..300 {
            self.append(5_000, true).await;
        }
        self.durable().await;
    }

    /// Waits until everything is.
    pub(crate) async fn durable(&self) {
        loop {
            let heard = self.ear.heard.notified();
            if self.ear.durable.get() == self.end.get() {
                return;
            }
            heard.await;
        }
    }
}
