//! The folders of topics, and what is cleared away once the new life has begun.

use super::old_shard::{remove_files_of_other_shards, ring_shard};
use super::{OldShard, Recovery};
use crate::base::ids::{Life, PartitionId, ShardId, TopicId, Uuid};
use crate::log::paths::{
    ballast_folder, ballast_path, journal_folder, journal_path, partition_folder, state_folder,
    state_path, topic_folder, topics_folder,
};
use crate::log::segment::{SegmentFileKind, parse_segment_file_name};
use crate::storage::directory::Directory;
use crate::storage::disk::{Disk, DiskError, DiskFile, OpenMode};
use crate::storage::errors::OpenError;
use crate::storage::journal::file_len;
use crate::storage::locking::open_locked;
use crate::storage::removal::remove_topic;
use crate::storage::runtime::Runtime;
use crate::storage::start::RecoveredShard;
use std::collections::BTreeSet;
use std::path::Path;

/// What lies in `topics/`.
pub(super) struct Folders {
    topics: BTreeSet<TopicId>,
    /// Names that are no uuid.
    foreign: Vec<String>,
}

impl Folders {
    pub(super) async fn read<D: Disk>(disk: &D, root: &Path) -> Result<Folders, DiskError> {
        let mut folders = Folders {
            topics: BTreeSet::new(),
            foreign: Vec::new(),
        };
        for entry in disk.list(&topics_folder(root)).await? {
            match Uuid::parse(&entry.name) {
                Some(topic) => drop(folders.topics.insert(topic)),
                None => folders.foreign.push(entry.name),
            }
        }
        Ok(folders)
    }

    /// Whether a partition that nothing speaks of has bytes nevertheless.
    pub(super) async fn has_bytes<D: Disk>(
        &self,
        disk: &D,
        root: &Path,
        id: PartitionId,
    ) -> Result<bool, DiskError> {
        if !self.topics.contains(&id.topic) {
            return Ok(false);
        }
        let folder = partition_folder(root, id);
        let entries = match disk.list(&folder).await {
            Ok(entries) => entries,
            Err(DiskError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let is_log = parse_segment_file_name(&entry.name)
                .is_some_and(|(_, kind)| kind == SegmentFileKind::Log);
            if is_log && file_len(disk, &folder.join(&entry.name)).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<D: Disk, R: Runtime> Recovery<'_, D, R> {
    /// Gives the space of every shard's ballast to the recovery.
    pub(super) async fn give_ballast(&self) -> Result<(), OpenError> {
        let root = &self.settings.root;
        for entry in self.disk.list(&ballast_folder(root)).await? {
            let Ok(shard) = entry.name.parse() else {
                continue;
            };
            let path = ballast_path(root, ShardId(shard));
            let file = open_locked(self.disk, self.runtime, &path, OpenMode::Write).await?;
            file.set_len(0).await?;
            file.close().await?;
        }
        Ok(())
    }

    /// Refuses a disk that cannot hold the journals: it would be full before it holds anything else.
    pub(super) async fn check_space(&self) -> Result<(), OpenError> {
        let root = &self.settings.root;
        let limits = &self.settings.limits;
        let mut missing = 0;
        for shard in 0..self.shards {
            for file in 0..limits.journal_files {
                let path = journal_path(root, ShardId(shard), file);
                let len = match file_len(self.disk, &path).await {
                    Err(DiskError::NotFound { .. }) => 0,
                    len => len?,
                };
                missing += (limits.journal_file_bytes as u64).saturating_sub(len);
            }
        }
        if missing > 0 && self.disk.space(root).await?.free_bytes < missing {
            return Err(OpenError::NoSpace {
                path: root.clone(),
                needed: missing,
            });
        }
        Ok(())
    }

    /// The old life is void: after damage what it left is kept for an operator, else only what nobody reuses goes.
    pub(super) async fn clear(
        &self,
        directory: &Directory<D>,
        old: &[OldShard],
        old_life: Life,
        has_damage: bool,
        shards: &[RecoveredShard],
    ) -> Result<(), OpenError> {
        let root = &self.settings.root;
        for (index, shard) in old.iter().enumerate().filter(|_| has_damage) {
            let id = super::shard_id(index);
            for path in self.ring_files(id).await? {
                directory.quarantine(&path, old_life).await?;
            }
            let current = shards.get(index).map(|shard| shard.slot);
            let slots = [0, 1].into_iter().filter(|slot| Some(*slot) != current);
            for slot in slots.filter(|slot| shard.slot.is_none_or(|old| old == *slot)) {
                for copy in 0..2 {
                    directory
                        .quarantine(&state_path(root, id, slot, copy), old_life)
                        .await?;
                }
            }
        }
        let state_shard = |name: &str| name.split('.').next()?.parse().ok().map(ShardId);
        let plain = |name: &str| name.parse().ok().map(ShardId);
        remove_files_of_other_shards(self.disk, &journal_folder(root), ring_shard, self.shards)
            .await?;
        remove_files_of_other_shards(self.disk, &state_folder(root), state_shard, self.shards)
            .await?;
        remove_files_of_other_shards(self.disk, &ballast_folder(root), plain, self.shards).await?;
        Ok(())
    }

    /// Finishes deletes that metadata knows of; puts aside what nobody knows.
    pub(super) async fn finish_folders(
        &self,
        directory: &Directory<D>,
        folders: &Folders,
        old_life: Life,
    ) -> Result<Vec<TopicId>, OpenError> {
        let root = &self.settings.root;
        for name in &folders.foreign {
            directory
                .quarantine(&topics_folder(root).join(name), old_life)
                .await?;
        }
        for &topic in &folders.topics {
            if self.known.deleted.contains(&topic) {
                remove_partitions(self.disk, root, topic).await?;
                remove_topic(self.disk, root, topic).await?;
            } else if !self.known.live.contains_key(&topic) {
                tracing::error!(%topic, "the folder of an unknown topic goes to quarantine");
                directory
                    .quarantine(&topic_folder(root, topic), old_life)
                    .await?;
            }
        }
        Ok(self.known.deleted.iter().copied().collect())
    }
}

async fn remove_partitions<D: Disk>(
    disk: &D,
    root: &Path,
    topic: TopicId,
) -> Result<(), DiskError> {
    let folder = topic_folder(root, topic);
    for entry in disk.list(&folder).await? {
        if !entry.is_directory {
            continue;
        }
        let partition = folder.join(&entry.name);
        for file in disk.list(&partition).await? {
            disk.remove_file(&partition.join(file.name)).await?;
        }
        disk.remove_directory(&partition).await?;
    }
    disk.sync_directory(&folder).await
}
