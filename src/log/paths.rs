//! Where things lie in a data directory.

use super::segment::{SegmentFileKind, SegmentName, segment_file_name};
use crate::base::ids::{PartitionId, ShardId, TopicId};
use std::path::{Path, PathBuf};

/// The slots of the superblock.
pub const SUPERBLOCK_NAMES: [&str; 2] = ["node.a", "node.b"];
/// Slots of a shard's snapshot, and copies in each; copies of the ledger of its ring.
pub const STATE_SLOTS: usize = 2;
pub const STATE_COPIES: usize = 2;

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

pub fn segment_path(
    root: &Path,
    id: PartitionId,
    name: SegmentName,
    kind: SegmentFileKind,
) -> PathBuf {
    partition_folder(root, id).join(segment_file_name(name, kind))
}

/// Where the rewrite of a segment is made: it gets its name when it is whole.
pub fn unfinished_segment_path(root: &Path, id: PartitionId, name: SegmentName) -> PathBuf {
    let name = segment_file_name(name, SegmentFileKind::Log);
    partition_folder(root, id).join(format!("{name}{UNFINISHED}"))
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

/// How the name of a file ends that is being made.
pub const UNFINISHED: &str = ".new";

/// The shard that a ring file belongs to, and its number there, by its name.
pub fn parse_journal_name(name: &str) -> Option<(ShardId, u32)> {
    let (shard, file) = name.split_once('-')?;
    Some((shard.parse().ok().map(ShardId)?, file.parse().ok()?))
}

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

/// The folder of the metadata log.
pub fn meta_folder(root: &Path) -> PathBuf {
    root.join("meta")
}

/// A file of the metadata, by its kind, in its folder.
pub fn meta_path(folder: &Path, kind: MetaFileKind, generation: u64) -> PathBuf {
    let prefix = kind.prefix();
    folder.join(format!(
        "{prefix}{generation:0width$}",
        width = GENERATION_DIGITS
    ))
}

/// Kind and generation of a file of the metadata, by its name; `None` for one that is not ours, or unfinished.
pub fn parse_meta_name(name: &str) -> Option<(MetaFileKind, u64)> {
    let (kind, digits) = [MetaFileKind::Log, MetaFileKind::Snapshot]
        .into_iter()
        .find_map(|kind| Some((kind, name.strip_prefix(kind.prefix())?)))?;
    let is_plain =
        digits.len() == GENERATION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let generation = is_plain.then(|| digits.parse().ok()).flatten()?;
    Some((kind, generation))
}

/// What a generation of the metadata consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MetaFileKind {
    Log,
    Snapshot,
}

impl MetaFileKind {
    fn prefix(self) -> &'static str {
        match self {
            MetaFileKind::Log => "log-",
            MetaFileKind::Snapshot => "snapshot-",
        }
    }
}

const GENERATION_DIGITS: usize = 20;
