//! What a start would do to a data directory, found out by a start on a disk that keeps to itself what is written: the
//! recovery is the real one, and so are its verdicts. Blocking; nothing of the directory changes.

use super::directory::known_topics;
use super::failure::StartError;
use crate::base::ids::{Incarnation, NodeId, ShardId, TopicId, Uuid};
use crate::base::limits::Limits;
use crate::config::Settings;
use crate::control::controller::{Controller, Start};
use crate::log::directory_format::Superblock;
use crate::log::section::Section;
use crate::shard::clock::Clock;
use crate::shard::routing;
use crate::storage::open::{LockedDirectory, lock_directory};
use crate::storage::rehearsal::{Executor, RehearsalDisk};
use crate::storage::settings::{KnownTopics, OpenSettings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A start that was played through as far as its metadata.
pub struct Rehearsal {
    root: PathBuf,
    disk: RehearsalDisk,
    executor: Executor,
    locked: LockedDirectory<RehearsalDisk, Executor>,
    known: KnownTopics,
}

/// A topic, as the metadata has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownTopic {
    pub id: TopicId,
    pub name: String,
    pub partitions: u32,
}

/// What a start comes to.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// Every partition, as it would begin the next life, by topic name and index.
    pub partitions: Vec<RehearsedPartition>,
    /// Bytes, in whole blocks, that would be written to each file.
    pub written: BTreeMap<PathBuf, u64>,
    /// What would be moved, to quarantine or to the name it was made for: from where, to where.
    pub moved: Vec<(PathBuf, PathBuf)>,
    /// Files and folders that would be removed.
    pub removed: Vec<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RehearsedPartition {
    pub topic: String,
    pub shard: ShardId,
    pub section: Section,
}

/// Begins a start on the directory that this superblock describes: locks it and reads its metadata. Without a superblock
/// it is refused, as by a real one.
pub fn rehearse(root: &Path, superblock: Option<&Superblock>) -> Result<Rehearsal, StartError> {
    let failed = |error| StartError::of_open(root, error);
    let disk = RehearsalDisk::default();
    let executor = Executor::starting_at(Clock::start().now());
    // Whoever starts a broker here says the right node: that is not what a rehearsal is to find out.
    let open = OpenSettings {
        root: root.to_path_buf(),
        node_id: superblock.map_or(NodeId(0), |superblock| superblock.node_id),
        new_cluster_id: Uuid::ZERO,
        new_incarnation: Incarnation(0),
        limits: Limits::DEFAULT,
    };
    let locked = executor.run(lock_directory(disk.clone(), executor.clone(), &open));
    let mut locked = locked.map_err(failed)?;
    let metadata = locked.take_metadata();
    let settings = Settings::default();
    let identity = locked.identity();
    let start = Start {
        cluster_id: identity.cluster_id,
        node_id: identity.node_id,
        fixed: Arc::default(),
        rules: settings.topic_rules(),
    };
    let controller = Controller::recover(start, metadata.snapshot, metadata.records);
    let controller = controller.map_err(|error| StartError::metadata(root, &error))?;
    Ok(Rehearsal {
        root: root.to_path_buf(),
        known: known_topics(controller.image()),
        disk,
        executor,
        locked,
    })
}

impl Rehearsal {
    /// Topics by name.
    pub fn topics(&self) -> Vec<KnownTopic> {
        let topics = self.known.live.iter();
        let topics = topics.map(|(id, (name, partitions))| KnownTopic {
            id: *id,
            name: name.clone(),
            partitions: *partitions,
        });
        let mut topics: Vec<KnownTopic> = topics.collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics
    }

    /// Goes on with as many shards as the last life had, up to where a broker would serve.
    pub fn recover(self, shards: u16) -> Result<Rehearsed, StartError> {
        let Rehearsal {
            root,
            disk,
            executor,
            locked,
            known,
        } = self;
        let recovered = executor.run(locked.recover(&known, shards, routing::owner));
        let recovered = recovered.map_err(|error| StartError::of_open(&root, error))?;
        let partitions = recovered.shards.into_iter().flat_map(|recovered| {
            let shard = recovered.shard();
            let partitions = recovered.partitions.into_iter();
            partitions.map(move |(topic, section)| RehearsedPartition {
                topic,
                shard,
                section,
            })
        });
        let mut partitions: Vec<RehearsedPartition> = partitions.collect();
        partitions.sort_by(|a, b| {
            let key = |partition: &RehearsedPartition| partition.section.id.index;
            (&a.topic, key(a)).cmp(&(&b.topic, key(b)))
        });
        Ok(Rehearsed {
            partitions,
            written: disk.written(),
            moved: disk.moved(),
            removed: disk.removed(),
        })
    }
}

/// A record of the metadata log in words.
pub fn describe_metadata(record: &[u8]) -> String {
    Controller::describe_record(record)
}
