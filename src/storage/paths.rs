//! Where things lie in a data directory.

use crate::base::ids::{PartitionId, ShardId, TopicId};
use crate::base::offset::Offset;
use crate::log::segment::{SegmentFileKind, segment_file_name};
use std::path::{Path, PathBuf};

/// The folder of all topics.
pub fn topics_folder(root: &Path) -> PathBuf {
    root.join("topics")
}

/// A topic's folder carries its uuid: a topic created again under the same name never meets its old bytes.
pub fn topic_folder(root: &Path, topic: TopicId) -> PathBuf {
    topics_folder(root).join(topic.to_string())
}

/// A file with the topic's name, for people.
pub fn topic_name_file(root: &Path, topic: TopicId) -> PathBuf {
    topic_folder(root, topic).join("name")
}

pub fn partition_folder(root: &Path, id: PartitionId) -> PathBuf {
    topic_folder(root, id.topic).join(id.index.to_string())
}

pub fn segment_path(root: &Path, id: PartitionId, base: Offset, kind: SegmentFileKind) -> PathBuf {
    partition_folder(root, id).join(segment_file_name(base, kind))
}

pub fn journal_folder(root: &Path) -> PathBuf {
    root.join("journal")
}

/// One file of a shard's journal ring.
pub fn journal_path(root: &Path, shard: ShardId, file: usize) -> PathBuf {
    journal_folder(root).join(format!("{shard}-{file}"))
}

/// Where a ring file is made: it gets its name when it is whole.
pub fn unfinished_journal_path(root: &Path, shard: ShardId, file: usize) -> PathBuf {
    journal_folder(root).join(format!("{shard}-{file}{UNFINISHED}"))
}

/// How the name of a ring file ends that is being made.
pub const UNFINISHED: &str = ".new";

pub fn state_folder(root: &Path) -> PathBuf {
    root.join("state")
}

/// One copy in one slot of a shard's snapshot.
pub fn state_path(root: &Path, shard: ShardId, slot: usize, copy: usize) -> PathBuf {
    let copy = ["a", "b"][copy];
    state_folder(root).join(format!("{shard}.{slot}.{copy}"))
}

/// One copy of the ledger of a shard's journal ring.
pub fn ring_ledger_path(root: &Path, shard: ShardId, copy: usize) -> PathBuf {
    let copy = ["a", "b"][copy];
    state_folder(root).join(format!("{shard}.ring.{copy}"))
}

pub fn ballast_folder(root: &Path) -> PathBuf {
    root.join("ballast")
}

pub fn ballast_path(root: &Path, shard: ShardId) -> PathBuf {
    ballast_folder(root).join(shard.to_string())
}
