//! A data directory, opened for reading: no broker runs on it, and none can begin while we read.

use crate::failure::Failure;
use ottla::base::ids::{Incarnation, Life, PartitionId, ShardId, TopicId};
use ottla::base::limits::DIRECTORY_LOCK_WAIT_MS;
use ottla::boot::rehearsal::{KnownTopic, Rehearsal, rehearse};
use ottla::log::directory_format::{ChosenSlot, SlotError, Superblock, choose_slot};
use ottla::log::journal_format::JournalOwner;
use ottla::log::paths::SUPERBLOCK_NAMES;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const RETRY_EVERY: Duration = Duration::from_millis(20);

pub(super) type Slot = Result<Superblock, SlotError>;

pub(super) struct DataDirectory {
    root: PathBuf,
    slots: [Slot; 2],
    chosen: Result<ChosenSlot, SlotError>,
    /// Their locks are shared ones.
    _superblocks: Vec<File>,
}

impl DataDirectory {
    pub(super) fn open(root: &Path) -> Result<DataDirectory, Failure> {
        let root = root.canonicalize().map_err(|error| {
            let failure = Failure::new(format!("{}: {error}", root.display()));
            failure.fix("name a data directory, as serve --data does")
        })?;
        let mut slots = [Err(SlotError::Empty), Err(SlotError::Empty)];
        let mut held = Vec::new();
        for (slot, name) in slots.iter_mut().zip(SUPERBLOCK_NAMES) {
            let path = root.join(name);
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path, &error)),
            };
            lock(&root, &path, &file)?;
            let mut block = vec![0; ottla::base::align::BLOCK];
            let read = read_at_most(&file, &mut block, 0);
            *slot = match read {
                Ok(len) => Superblock::decode(&block[..len]),
                Err(_) => Err(SlotError::Damaged),
            };
            held.push(file);
        }
        if held.is_empty() && !is_ours(&root) {
            let failure = Failure::new(format!("{} is no data directory", root.display()));
            return Err(failure.fix("name one, as serve --data does"));
        }
        Ok(DataDirectory {
            chosen: choose_slot(slots.clone()),
            root,
            slots,
            _superblocks: held,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn slots(&self) -> &[Slot; 2] {
        &self.slots
    }

    pub(super) fn chosen(&self) -> Option<&ChosenSlot> {
        self.chosen.as_ref().ok()
    }

    /// The superblock that counts; without one there is no telling what is what.
    pub(super) fn superblock(&self) -> Result<&Superblock, Failure> {
        let chosen = self.chosen.as_ref().map_err(|error| {
            let why = match error {
                SlotError::UnknownVersion(version) => {
                    format!("its format {version} is of a newer ottla")
                }
                SlotError::Empty | SlotError::Damaged => "neither slot can be read".to_owned(),
            };
            let failure = Failure::new(format!("the superblock of {}: {why}", self.root.display()));
            failure.fix("ottla log verify tells what a start would say")
        })?;
        Ok(&chosen.superblock)
    }

    /// Whose records count in the journal of a shard.
    pub(super) fn owner(&self, shard: u16) -> JournalOwner {
        let life = self.chosen().map(|chosen| &chosen.superblock);
        JournalOwner {
            incarnation: life.map_or(Incarnation(0), |superblock| superblock.incarnation),
            life: life.map_or(Life(0), |superblock| superblock.life),
            shard: ShardId(shard),
        }
    }

    /// A start as far as its metadata.
    pub(super) fn rehearse(&self) -> Result<Rehearsal, Failure> {
        let superblock = self.chosen().map(|chosen| &chosen.superblock);
        rehearse(&self.root, superblock).map_err(|error| Failure::new(error.to_string()))
    }

    /// A path as it is printed.
    pub(super) fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        below.display().to_string()
    }
}

/// Names of partitions, as far as the metadata tells.
#[derive(Default)]
pub(super) struct Names(BTreeMap<TopicId, KnownTopic>);

impl Names {
    pub(super) fn of(rehearsal: &Rehearsal) -> Names {
        let topics = rehearsal.topics().into_iter();
        Names(topics.map(|topic| (topic.id, topic)).collect())
    }

    pub(super) fn name(&self, id: PartitionId) -> String {
        match self.0.get(&id.topic) {
            Some(topic) => format!("{}-{}", topic.name, id.index),
            None => id.to_string(),
        }
    }

    /// The metadata has it.
    pub(super) fn is_known(&self, id: PartitionId) -> bool {
        let topic = self.0.get(&id.topic);
        topic.is_some_and(|topic| id.index < topic.partitions)
    }

    pub(super) fn partition_count(&self) -> u64 {
        let topics = self.0.values();
        topics.map(|topic| u64::from(topic.partitions)).sum()
    }

    /// `orders-3`, where `orders` may be a topic's id too.
    pub(super) fn find(&self, text: &str) -> Result<PartitionId, Failure> {
        let named = text.rsplit_once('-').and_then(|(topic, index)| {
            let index: u32 = index.parse().ok()?;
            Some((topic, index))
        });
        let Some((topic, index)) = named else {
            let failure = Failure::usage(format!("{text} names no partition"));
            return Err(failure.fix("TOPIC-PARTITION, as orders-3"));
        };
        let is_meant = |known: &&KnownTopic| known.name == topic || known.id.to_string() == topic;
        match self.0.values().find(is_meant) {
            Some(known) if index < known.partitions => Ok(PartitionId {
                topic: known.id,
                index,
            }),
            Some(known) => {
                let last = known.partitions - 1;
                Err(Failure::new(format!(
                    "topic {topic} has partitions 0 to {last}, not {index}"
                )))
            }
            None => {
                let failure = Failure::new(format!("there is no topic {topic} in this directory"));
                Err(failure.fix("ottla log verify -v lists the partitions"))
            }
        }
    }
}

/// A directory that has lost its superblock still has the rest.
fn is_ours(root: &Path) -> bool {
    ["journal", "state", "topics", "meta"]
        .iter()
        .any(|name| root.join(name).is_dir())
}

/// A process that was killed may hold its files a moment longer.
fn lock(root: &Path, path: &Path, file: &File) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_millis(DIRECTORY_LOCK_WAIT_MS);
    loop {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(RETRY_EVERY),
            Err(Errno::WOULDBLOCK) => {
                let failure = Failure::new(format!(
                    "the data directory {} is in use by another process",
                    root.display()
                ));
                return Err(
                    failure.fix("stop the broker first; its own clients can read it meanwhile")
                );
            }
            Err(errno) => return Err(unreadable(path, &errno.into())),
        }
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("{} cannot be read: {error}", path.display()));
    failure.fix("run as the user of the broker, and check the disk")
}

/// Fills the buffer as far as the file goes.
pub(super) fn read_at_most(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
