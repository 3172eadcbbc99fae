//! One process: the directory, its metadata, and its shards.

use super::model::Model;
use super::shard::{Events, Shard};
use super::topics::{Change, Topics, place};
use crate::sim::{SimDisk, SimRuntime};
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{Incarnation, NodeId, PartitionId, TopicId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::offset::Offset;
use ottla::base::time::Timestamp;
use ottla::log::epoch_table::EpochTable;
use ottla::log::log_config::LogConfig;
use ottla::log::producer_table::ProducerTable;
use ottla::record::Batches;
use ottla::storage::directory::Directory;
use ottla::storage::errors::{OpenError, ReadError};
use ottla::storage::meta_log::MetaLog;
use ottla::storage::open::lock_directory;
use ottla::storage::settings::{CompactionSettings, OpenSettings, StoreSettings};
use ottla::storage::start::PartitionStart;
use ottla::storage::store::Store;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

pub const ROOT: &str = "/data/ottla";

/// What a run of the process is started with.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub shards: u16,
    pub limits: Limits,
    pub log_config: LogConfig,
    pub compaction_map_bytes: usize,
}

/// The shards of a process. Clones are the same shards.
#[derive(Clone)]
pub struct Shards {
    all: Rc<Vec<Rc<Shard>>>,
    log_config: LogConfig,
}

/// Directory and metadata; one caller at a time.
pub struct Admin {
    pub topics: Rc<RefCell<Topics>>,
    model: Rc<RefCell<Model>>,
    meta_log: MetaLog<SimDisk, SimRuntime>,
    directory: Directory<SimDisk>,
}

/// What recovery found, before anybody is served.
pub struct Found {
    pub topics: Topics,
    pub partitions: BTreeMap<PartitionId, PartitionStart>,
    /// Partitions that the stores know and the metadata does not.
    pub strays: Vec<PartitionId>,
}

/// Recovers the directory and starts the shards; nobody is served before `Shards::serve`.
pub async fn start(
    disk: SimDisk,
    runtime: SimRuntime,
    start: Start,
    model: Rc<RefCell<Model>>,
) -> Result<(Shards, Admin, Found), OpenError> {
    let settings = OpenSettings {
        root: PathBuf::from(ROOT),
        node_id: NodeId(1),
        new_cluster_id: Uuid([9; 16]),
        new_incarnation: Incarnation(0x0123_4567_89ab_cdef),
        limits: start.limits,
    };
    let mut locked = lock_directory(disk.clone(), runtime.clone(), &settings).await?;
    let topics = Topics::replay(&locked.take_metadata());
    model.borrow_mut().settle_topics(&topics);
    let recovered = locked.recover(&topics.known(), start.shards, place).await?;
    let mut shards = Vec::new();
    for shard in recovered.shards {
        let store_settings = StoreSettings {
            root: PathBuf::from(ROOT),
            limits: start.limits,
            retention_check_ms: 20,
            compaction: CompactionSettings {
                check_ms: 15,
                map_bytes: start.compaction_map_bytes,
            },
        };
        let events = Rc::new(Events::default());
        let store = Store::start(
            disk.clone(),
            runtime.clone(),
            store_settings,
            shard,
            events.clone(),
        )
        .await?;
        shards.push(Shard::start(store, events, &runtime, &model));
    }
    let mut admin = Admin {
        topics: Rc::new(RefCell::new(topics)),
        model,
        meta_log: recovered.meta_log,
        directory: recovered.directory,
    };
    for topic in recovered.deleted_done {
        admin.write(Change::Forgotten(topic)).await?;
    }
    admin.write(Change::Started).await?;
    let shards = Shards {
        all: Rc::new(shards),
        log_config: start.log_config,
    };
    let found = shards.find_all(&admin.topics.borrow());
    Ok((shards, admin, found))
}

impl Shards {
    /// Opens all partitions for clients.
    pub fn serve(&self, found: &Found) {
        for id in found.topics.partitions() {
            let shard = self.shard(id);
            let start = found.partitions[&id].clone();
            let known = shard.store.partitions().iter().any(|known| known.id == id);
            if known {
                shard.store.configure(id, self.log_config);
            } else {
                let name = &found.topics.live[&id.topic].name;
                shard.create(id, name, self.log_config);
            }
            let epoch = found.topics.leader_epoch(id.topic);
            shard.lead(Some(start), id, epoch);
        }
    }

    pub fn shard(&self, id: PartitionId) -> &Rc<Shard> {
        let shards = u16::try_from(self.all.len()).expect("a few shards");
        &self.all[usize::from(place(id, shards).0)]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Rc<Shard>> {
        self.all.iter()
    }

    pub fn is_failed(&self) -> bool {
        self.all.iter().any(|shard| shard.is_failed())
    }

    fn find_all(&self, topics: &Topics) -> Found {
        let mut partitions = BTreeMap::new();
        for shard in self.iter() {
            for found in shard.store.partitions() {
                let id = found.id;
                let twice = partitions.insert(id, found);
                assert!(twice.is_none(), "{id} is on two shards");
            }
        }
        let live: Vec<PartitionId> = topics.partitions().collect();
        let strays = partitions
            .keys()
            .filter(|id| !live.contains(id))
            .copied()
            .collect();
        for id in live {
            partitions.entry(id).or_insert_with(|| empty(id));
        }
        Found {
            topics: topics.clone(),
            partitions,
            strays,
        }
    }
}

impl Admin {
    pub async fn create_topic(
        &mut self,
        shards: &Shards,
        id: TopicId,
        name: &str,
        partitions: u32,
    ) -> Result<(), OpenError> {
        let change = Change::Created {
            id,
            name: name.to_owned(),
            partitions,
        };
        self.write(change).await?;
        let epoch = self.topics.borrow().leader_epoch(id);
        for index in 0..partitions {
            let id = PartitionId { topic: id, index };
            let shard = shards.shard(id);
            shard.create(id, name, shards.log_config);
            shard.lead(None, id, epoch);
        }
        Ok(())
    }

    /// Deletes the topic; what is left of it goes in the background. Returns its partitions.
    pub async fn delete_topic(
        &mut self,
        shards: &Shards,
        id: TopicId,
    ) -> Result<Vec<PartitionId>, OpenError> {
        let count = self.topics.borrow().live[&id].partitions;
        self.write(Change::Deleted(id)).await?;
        let partitions: Vec<PartitionId> = (0..count)
            .map(|index| PartitionId { topic: id, index })
            .collect();
        for &id in &partitions {
            shards.shard(id).drop_partition(id);
        }
        Ok(partitions)
    }

    /// Of this deleted topic every partition has been removed.
    pub async fn forget_topic(&mut self, shards: &Shards, id: TopicId) -> Result<(), OpenError> {
        shards.all[0].store.remove_topic(id).await?;
        self.write(Change::Forgotten(id)).await
    }

    /// Drains everything and says so: the next start has nothing to replay.
    pub async fn stop(mut self, shards: &Shards, wall: Timestamp) -> Result<(), OpenError> {
        let mut generations = Vec::new();
        for shard in shards.iter() {
            generations.push(shard.store.stop().await?.generation);
        }
        self.directory.mark_clean(generations, wall).await?;
        self.meta_log.close().await?;
        self.directory.close().await
    }

    async fn write(&mut self, change: Change) -> Result<(), OpenError> {
        self.model.borrow_mut().topic_change_asked(&change);
        self.meta_log.append(&[change.encode()]).await?;
        self.model.borrow_mut().topic_changes_answered();
        self.topics.borrow_mut().apply(&change);
        if self.meta_log.wants_snapshot() {
            let state = self.topics.borrow().snapshot();
            self.meta_log.write_snapshot(&state).await?;
        }
        Ok(())
    }
}

fn empty(id: PartitionId) -> PartitionStart {
    PartitionStart {
        id,
        log_start: Offset::ZERO,
        next_offset: Offset::ZERO,
        epochs: EpochTable::default(),
        promise: LeaderEpoch::NONE,
        producers: ProducerTable::default(),
        max_timestamp: Timestamp::NONE,
        offline: None,
    }
}

/// Reads `from..below` in pieces of at most `bytes_max`; all of it, or an error.
pub async fn read_range(
    shard: &Shard,
    id: PartitionId,
    from: Offset,
    below: Offset,
    bytes_max: usize,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let mut next = from;
    while next < below {
        let read = shard.store.read(id, next, below, bytes_max, true).await?;
        let piece: Vec<u8> = read.pieces.concat();
        assert_eq!(piece.len(), read.bytes, "{id}: what was counted was given");
        // Compaction may have left nothing; the caller knows what has to be there.
        let Some(last) = Batches::new(&piece).last() else {
            break;
        };
        let (_, header, _) = last.expect("whole batches");
        next = header.next_offset();
        bytes.extend(piece);
    }
    Ok(bytes)
}
