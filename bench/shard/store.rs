//! A store on a real directory, and somebody who listens to it.

use super::batch::{batch, valid};
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{Incarnation, NodeId, PartitionId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::log_config::LogConfig;
use ottla::record::ValidBatch;
use ottla::shard::ShardStore;
use ottla::shard::routing;
use ottla::shard::runtime::ShardRuntime;
use ottla::storage::directory::Directory;
use ottla::storage::dma::DmaDisk;
use ottla::storage::event::{Observer, StoreEvent};
use ottla::storage::open::{Recovered, lock_directory};
use ottla::storage::runtime::Notify;
use ottla::storage::settings::{CompactionSettings, KnownTopics, OpenSettings, StoreSettings};
use ottla::storage::store::Store;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub(crate) const TOPIC: Uuid = Uuid([7; 16]);
const TOPIC_NAME: &str = "orders";
const EPOCH: LeaderEpoch = LeaderEpoch(1);

pub(crate) fn partition(index: u32) -> PartitionId {
    PartitionId {
        topic: TOPIC,
        index,
    }
}

pub(crate) fn open_settings(root: &Path, limits: Limits) -> OpenSettings {
    OpenSettings {
        root: root.to_path_buf(),
        node_id: NodeId(1),
        new_cluster_id: Uuid([1; 16]),
        new_incarnation: Incarnation(1),
        limits,
    }
}

/// Locks and recovers a directory of one shard.
pub(crate) async fn recover(
    runtime: &ShardRuntime,
    root: &Path,
    limits: Limits,
    partitions: u32,
) -> Recovered<DmaDisk, ShardRuntime> {
    let settings = open_settings(root, limits);
    let locked = lock_directory(DmaDisk::new(), runtime.clone(), &settings);
    let known = KnownTopics {
        live: [(TOPIC, (TOPIC_NAME.to_owned(), partitions))].into(),
        ..KnownTopics::default()
    };
    let locked = locked.await.expect("the directory is ours");
    let recovered = locked.recover(&known, 1, routing::owner).await;
    recovered.expect("a sound directory")
}

/// The store of the only shard, with what the partitions would know of it.
pub(crate) struct Shard {
    pub(crate) store: Rc<ShardStore>,
    root: PathBuf,
    ear: Rc<Ear>,
    ends: BTreeMap<PartitionId, Offset>,
    batch: ValidBatch,
    _directory: Directory<DmaDisk>,
}

#[derive(Default)]
struct Ear {
    durable: RefCell<BTreeMap<PartitionId, Offset>>,
    heard: Notify,
}

impl Observer for Ear {
    fn on_event(&self, event: StoreEvent) {
        match event {
            StoreEvent::Durable { partition, up_to } => {
                self.durable.borrow_mut().insert(partition, up_to);
            }
            StoreEvent::Failed { error } => panic!("the disk failed: {error:?}"),
            _ => {}
        }
        self.heard.notify();
    }
}

impl Shard {
    /// Of so many partitions, which get batches of this shape.
    pub(crate) async fn start(
        runtime: &ShardRuntime,
        root: &Path,
        limits: Limits,
        partitions: u32,
        (records, record_bytes): (usize, usize),
    ) -> Shard {
        let mut recovered = recover(runtime, root, limits, partitions).await;
        let settings = StoreSettings {
            root: root.to_path_buf(),
            limits,
            retention_check_ms: 3_600_000,
            compaction: CompactionSettings {
                check_ms: 3_600_000,
                map_bytes: 1 << 20,
            },
        };
        let ear = Rc::new(Ear::default());
        let first = recovered.shards.remove(0);
        let store = Store::start(
            DmaDisk::new(),
            runtime.clone(),
            settings,
            first,
            ear.clone(),
        );
        let store = store.await.expect("a store");
        let mut ends = BTreeMap::new();
        for id in (0..partitions).map(partition) {
            store.create_partition(id, TOPIC_NAME, LogConfig::DEFAULT);
            store.note(
                id,
                Note::EpochStart {
                    epoch: EPOCH,
                    offset: Offset::ZERO,
                },
            );
            ends.insert(id, Offset::ZERO);
        }
        Shard {
            store,
            root: root.to_path_buf(),
            ear,
            ends,
            batch: valid(batch(records, record_bytes)),
            _directory: recovered.directory,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch.len()
    }

    pub(crate) fn end(&self, id: PartitionId) -> Offset {
        self.ends[&id]
    }

    /// One batch to each partition, in one cycle.
    pub(crate) async fn cycle(&mut self) {
        let partitions: Vec<PartitionId> = self.ends.keys().copied().collect();
        for id in partitions {
            self.append(id).await;
        }
        self.durable().await;
    }

    /// Waits for room, if it must.
    pub(crate) async fn append(&mut self, id: PartitionId) {
        let room = loop {
            let heard = self.ear.heard.notified();
            match self.store.reserve(id, self.batch.len()) {
                Ok(room) => break room,
                Err(_) => heard.await,
            }
        };
        let stamped = self.batch.stamp(self.ends[&id], EPOCH, None);
        self.ends.insert(id, stamped.header.next_offset());
        self.store.append(id, room, stamped, true);
    }

    /// Waits until everything appended is.
    pub(crate) async fn durable(&self) {
        loop {
            let heard = self.ear.heard.notified();
            let is_durable = {
                let durable = self.ear.durable.borrow();
                let mut ends = self.ends.iter();
                ends.all(|(id, end)| durable.get(id).copied().unwrap_or(Offset::ZERO) >= *end)
            };
            if is_durable {
                return;
            }
            heard.await;
        }
    }

    pub(crate) async fn stop(self) {
        self.store.stop().await.expect("everything is written");
    }
}
