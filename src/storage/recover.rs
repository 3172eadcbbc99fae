//! Carrying out recovery: read the old life, write what segments lack, begin the new life.
//!
//! Everything up to the new superblock may be cut short and done again; nothing of the old life is overwritten before.

use super::directory::Directory;
use super::disk::{Disk, DiskError};
use super::errors::OpenError;
use super::offline::report_offline;
use super::runtime::{Runtime, TaskClass};
use super::segment_file::{WriteError, all_written};
use super::settings::{AcceptedLoss, KnownTopics, OpenSettings, Place};
use super::start::RecoveredShard;
use super::state_file::StateFiles;
use super::tasks::for_each;
use crate::base::ids::{Life, PartitionId, ShardId, TopicId};
use crate::base::offset::Offset;
use crate::log::journal_format::JournalOwner;
use crate::log::offline::OfflineReason;
use crate::log::paths::{ballast_folder, journal_folder, state_folder, topics_folder};
use crate::log::recovery::replay::Replayed;
use crate::log::section::{Section, Stand};
use crate::log::snapshot_format::SnapshotBody;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

mod accept;
mod folders;
mod old_shard;
mod partition_files;

use folders::Folders;
use old_shard::{OldShard, remove_unfinished_files};

/// Partitions whose files are completed at the same time.
const PARTITIONS_IN_FLIGHT: usize = 8;

/// The work of one start.
pub(super) struct Recovery<'a, D: Disk, R: Runtime> {
    pub(super) disk: &'a D,
    pub(super) runtime: &'a R,
    pub(super) settings: &'a OpenSettings,
    pub(super) known: &'a KnownTopics,
    pub(super) accepted: &'a AcceptedLoss,
    pub(super) place: Place,
    pub(super) shards: u16,
}

/// What a start found and made.
pub(super) struct Outcome {
    pub(super) shards: Vec<RecoveredShard>,
    pub(super) deleted_done: Vec<TopicId>,
}

/// A partition with its topic's name, on its way to its new shard.
type Named = (String, Section);

impl<D: Disk, R: Runtime> Recovery<'_, D, R> {
    pub(super) async fn run(self, directory: &mut Directory<D>) -> Result<Outcome, OpenError> {
        self.create_folders().await?;
        remove_unfinished_files(self.disk, &journal_folder(self.root())).await?;
        self.check_space().await?;
        let (old, replayed) = self.read_old_life(directory).await?;
        tracing::debug!("the journals are read");
        let folders = Folders::read(self.disk, &self.settings.root).await?;
        let replayed = self.complete(replayed).await?;
        tracing::debug!("the segments are complete");
        let life = directory.superblock().life;
        let partitions = self.all_partitions(&old, replayed, &folders, life).await?;
        let has_damage = partitions.has_new_damage;
        let shards = self
            .write_snapshots(directory, &old, partitions.by_shard)
            .await?;
        let starts = shards.iter().map(|shard| shard.generation).collect();
        let last_wall = directory.superblock().wall;
        directory
            .begin_life(starts, self.runtime.now().wall)
            .await?;
        self.clear(directory, &old, life, has_damage, &shards)
            .await?;
        let deleted_done = self.finish_folders(directory, &folders, life).await?;
        let identity = directory.identity();
        let shards = shards.into_iter().map(|shard| {
            // The last shard speaks for those of the old life that the new one lacks.
            let index = usize::from(shard.shard.0);
            let is_last = index + 1 == usize::from(self.shards);
            let own = old.iter().skip(index);
            let own = own.take(if is_last { old.len() } else { 1 });
            RecoveredShard {
                identity,
                last_wall,
                journal_bytes: own.map(|shard| shard.journal_bytes).sum(),
                ..shard
            }
        });
        Ok(Outcome {
            shards: shards.collect(),
            deleted_done,
        })
    }

    fn root(&self) -> &PathBuf {
        &self.settings.root
    }

    async fn create_folders(&self) -> Result<(), DiskError> {
        let root = self.root();
        for folder in [
            topics_folder(root),
            journal_folder(root),
            state_folder(root),
            ballast_folder(root),
        ] {
            self.disk.create_directory(&folder).await?;
            // A name that a killed process left visible must not vanish after it was relied on.
            self.disk.sync_directory(&folder).await?;
        }
        self.disk.sync_directory(root).await
    }

    /// Reads snapshots and journals of all shards of the old life.
    async fn read_old_life(
        &self,
        directory: &Directory<D>,
    ) -> Result<(Vec<OldShard>, BTreeMap<PartitionId, Replayed>), OpenError> {
        let superblock = directory.superblock();
        let reads_journal = superblock.needs_journals(directory.slot_unreadable());
        let mut old = Vec::new();
        let mut replayed = BTreeMap::new();
        for (index, &start) in superblock.starts.iter().enumerate() {
            let owner = JournalOwner {
                incarnation: superblock.incarnation,
                life: superblock.life,
                shard: shard_id(index),
            };
            let (shard, partitions) = self.read_shard(owner, start, reads_journal).await?;
            old.push(shard);
            replayed.extend(partitions);
        }
        Ok((old, replayed))
    }

    /// Writes what the journal holds and segments lack, for every partition that is still wanted.
    async fn complete(
        &self,
        replayed: BTreeMap<PartitionId, Replayed>,
    ) -> Result<Vec<(String, Replayed)>, OpenError> {
        let wanted = replayed.into_iter().filter_map(|(id, replayed)| {
            let (name, count) = self.known.live.get(&id.topic)?;
            (id.index < *count).then(|| Rc::new((name.clone(), replayed)))
        });
        let wanted: Vec<Rc<(String, Replayed)>> = wanted.collect();
        let short = match self.complete_files(wanted.clone()).await {
            Err(WriteError::NoSpace) => {
                // The ballast was kept for this. What has been written is written again.
                self.give_ballast().await?;
                self.complete_files(wanted.clone()).await
            }
            done => done,
        };
        let short = short.map_err(|error| self.describe(error))?;
        let partitions = wanted.into_iter().map(|partition| {
            let (name, mut replayed) = Rc::into_inner(partition).expect("every task has ended");
            if let Some(&position) = short.get(&replayed.section.id) {
                replayed.refuse_at(OfflineReason::SegmentShort, position);
            }
            // What they held is in segments now.
            replayed.images.clear();
            (name, replayed)
        });
        Ok(partitions.collect())
    }

    /// Answers where files turned out missing or short. The bytes are shared: there is not the memory for two of them.
    async fn complete_files(
        &self,
        wanted: Vec<Rc<(String, Replayed)>>,
    ) -> Result<BTreeMap<PartitionId, Offset>, WriteError> {
        let (disk, runtime, settings) = (
            self.disk.clone(),
            self.runtime.clone(),
            self.settings.clone(),
        );
        let complete = move |partition: Rc<(String, Replayed)>| {
            let (disk, runtime, settings) = (disk.clone(), runtime.clone(), settings.clone());
            async move {
                let (name, replayed) = &*partition;
                let done = partition_files::complete(&disk, &runtime, &settings, name, replayed);
                let short = done.await?;
                Ok(short.map(|position| (replayed.section.id, position)))
            }
        };
        let class = TaskClass::Foreground;
        let results = for_each(self.runtime, class, PARTITIONS_IN_FLIGHT, wanted, complete).await;
        Ok(all_written(results)?.into_iter().flatten().collect())
    }

    fn describe(&self, error: WriteError) -> OpenError {
        match error {
            WriteError::Failed(error) => OpenError::Disk(error),
            WriteError::NoSpace => OpenError::NoSpace {
                path: self.root().clone(),
                needed: self.settings.limits.dirty_bytes_max() as u64 * u64::from(self.shards),
            },
        }
    }

    /// Everything metadata knows, on its new shard: what was replayed, and what nothing spoke of.
    async fn all_partitions(
        &self,
        old: &[OldShard],
        replayed: Vec<(String, Replayed)>,
        folders: &Folders,
        life: Life,
    ) -> Result<Partitions, OpenError> {
        let mut partitions = Partitions::new(self.shards);
        let mut heard: BTreeMap<PartitionId, (String, Replayed)> = replayed
            .into_iter()
            .map(|(name, replayed)| (replayed.section.id, (name, replayed)))
            .collect();
        for (&topic, (name, count)) in &self.known.live {
            for index in 0..*count {
                let id = PartitionId { topic, index };
                let replayed = match heard.remove(&id) {
                    Some((_, mut replayed)) => {
                        if std::mem::take(&mut replayed.section.dropped) {
                            // Dropped in the journal, alive in the metadata: one of the two is not whole.
                            replayed.refuse_at(OfflineReason::EntryContradicts, Offset::ZERO);
                        }
                        replayed
                    }
                    None => self.unheard(id, old, folders).await?,
                };
                let shard = (self.place)(id, self.shards);
                partitions.has_new_damage |= replayed.is_newly_offline();
                let section = match self.accepted.get(&id) {
                    Some(&epoch_max) => self.accept(name, replayed, epoch_max, life).await?,
                    None => replayed.into_start(),
                };
                partitions.add(shard, name, section);
            }
        }
        Ok(partitions)
    }

    async fn unheard(
        &self,
        id: PartitionId,
        old: &[OldShard],
        folders: &Folders,
    ) -> Result<Replayed, OpenError> {
        let count = u16::try_from(old.len()).expect("shards are counted in 16 bits");
        let damaged = match count {
            0 => None,
            count => old[usize::from((self.place)(id, count).0)].damage,
        };
        let damaged = match damaged {
            None if folders.has_bytes(self.disk, self.root(), id).await? => {
                Some(OfflineReason::Unaccounted)
            }
            damaged => damaged,
        };
        Ok(Replayed::unheard(Section::new(id, Offset::ZERO), damaged))
    }

    /// Writes the snapshots of the new life beside those of the old, which stay what counts until the superblock says
    /// otherwise.
    async fn write_snapshots(
        &self,
        directory: &Directory<D>,
        old: &[OldShard],
        by_shard: Vec<Vec<Named>>,
    ) -> Result<Vec<RecoveredShard>, OpenError> {
        let mut shards = Vec::new();
        for (index, partitions) in by_shard.into_iter().enumerate() {
            let owner = JournalOwner {
                incarnation: directory.superblock().incarnation,
                life: Life(directory.superblock().life.0 + 1),
                shard: shard_id(index),
            };
            let mut body = SnapshotBody::default();
            partitions
                .iter()
                .for_each(|(_, section)| body.push(section, Stand::AsIs));
            let taken = old.get(index).and_then(|shard| shard.slot);
            let files = StateFiles::open(self.disk, self.runtime, self.root(), owner.shard).await?;
            let slot = taken.map_or(0, |slot| 1 - slot);
            let highest = files.highest_generation().await?;
            let before = directory
                .superblock()
                .starts
                .get(index)
                .copied()
                .unwrap_or(0);
            let generation = highest.max(before) + 1;
            let written = match files.write(slot, owner, generation, 0, &body).await {
                Err(WriteError::NoSpace) => {
                    self.give_ballast().await?;
                    files.write(slot, owner, generation, 0, &body).await
                }
                written => written,
            };
            written.map_err(|error| self.describe(error))?;
            files.close().await?;
            self.begin_ledger(owner).await?;
            shards.push(RecoveredShard {
                shard: owner.shard,
                identity: directory.identity(),
                partitions,
                slot,
                generation,
                last_wall: directory.superblock().wall,
                journal_bytes: 0,
                failure: directory.failure().clone(),
            });
        }
        self.disk.sync_directory(&state_folder(self.root())).await?;
        Ok(shards)
    }
}

/// Partitions by the shard that will serve them.
struct Partitions {
    by_shard: Vec<Vec<Named>>,
    /// A verdict was reached in this start: what it was reached from is kept.
    has_new_damage: bool,
}

impl Partitions {
    fn new(shards: u16) -> Partitions {
        Partitions {
            by_shard: vec![Vec::new(); usize::from(shards)],
            has_new_damage: false,
        }
    }

    fn add(&mut self, shard: ShardId, name: &str, section: Section) {
        if let Some(offline) = section.offline {
            report_offline(section.id, name, offline);
        }
        self.by_shard[usize::from(shard.0)].push((name.to_owned(), section));
    }
}

fn shard_id(index: usize) -> ShardId {
    ShardId(u16::try_from(index).expect("shards are counted in 16 bits"))
}
