//! Reading one shard of the old life: its snapshot, then its journal.

use super::Recovery;
use crate::base::align::BLOCK;
use crate::base::ids::{Life, PartitionId, ShardId};
use crate::log::journal_format::{JournalOwner, RecordHeader};
use crate::log::offline::OfflineReason;
use crate::log::paths::{UNFINISHED, journal_folder, parse_journal_name};
use crate::log::recovery::chain::{FoundJournal, Verdict};
use crate::log::recovery::replay::{Replayed, replay};
use crate::log::ring_ledger::{RingLedger, RingLoss, find_loss};
use crate::storage::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use crate::storage::errors::OpenError;
use crate::storage::locking::open_locked;
use crate::storage::ring_ledger_file::RingLedgerFiles;
use crate::storage::runtime::{Runtime, TaskClass};
use crate::storage::state_file::StateFiles;
use crate::storage::tasks::for_each;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const READ_BYTES: usize = 256 * 1024;
const READS_IN_FLIGHT: usize = 5;

/// What is left to know of a shard of the old life.
pub(super) struct OldShard {
    /// The slot of its authoritative snapshot, if it could be read.
    pub(super) slot: Option<usize>,
    /// What is wrong with partitions of this shard that nothing speaks of.
    pub(super) damage: Option<OfflineReason>,
    /// Read from its journal; none after a clean stop.
    pub(super) journal_bytes: u64,
}

impl<D: Disk, R: Runtime> Recovery<'_, D, R> {
    pub(super) async fn read_shard(
        &self,
        owner: JournalOwner,
        start_generation: u64,
        reads_journal: bool,
    ) -> Result<(OldShard, BTreeMap<PartitionId, Replayed>), OpenError> {
        let state =
            StateFiles::open(self.disk, self.runtime, &self.settings.root, owner.shard).await?;
        let (verdict, journal_bytes) = match reads_journal {
            true => self.read_journal(owner).await?,
            false => (Verdict::default(), 0),
        };
        let generation = verdict
            .snapshot
            .map_or(start_generation, |entry| entry.generation);
        let crc = verdict.snapshot.map(|entry| entry.crc);
        let found = state.find(owner, generation, crc).await?;
        state.close().await?;
        let Some(found) = found else {
            // Without the snapshot nobody knows what segments hold; the journal alone proves nothing.
            let shard = OldShard {
                slot: None,
                damage: Some(OfflineReason::SnapshotDamaged),
                journal_bytes,
            };
            return Ok((shard, BTreeMap::new()));
        };
        let damage = verdict
            .is_damaged()
            .then_some(OfflineReason::JournalDamaged);
        let partitions = replay(found.sections, verdict.runs);
        Ok((
            OldShard {
                slot: Some(found.slot),
                damage,
                journal_bytes,
            },
            partitions,
        ))
    }

    /// Reads every ring file of the shard, the oldest first, each locked: nothing of a killed process lands any more.
    /// Returns how many bytes that was, too.
    async fn read_journal(&self, owner: JournalOwner) -> Result<(Verdict, u64), OpenError> {
        let mut files = Vec::new();
        let mut lens = BTreeMap::new();
        for path in self.ring_files(owner.shard).await? {
            let file = open_locked(self.disk, self.runtime, &path, OpenMode::WriteThrough).await?;
            // What is readable may not be durable yet, and will be acted upon.
            file.sync().await?;
            if let Some((_, number)) = path
                .file_name()
                .and_then(OsStr::to_str)
                .and_then(parse_journal_name)
            {
                lens.insert(number, file.len().await?);
            }
            let first = file.read_at(0, BLOCK).await?;
            let header = RecordHeader::decode(first.as_bytes()).map(|(header, _)| header);
            let sequence = header
                .filter(|header| header.owner == owner)
                .map(|h| h.sequence);
            files.push((sequence.unwrap_or(u64::MAX), file));
        }
        files.sort_by_key(|(sequence, _)| *sequence);
        let mut journal = FoundJournal::new(owner);
        if let Some(loss) = self.find_loss(owner, &lens).await? {
            tracing::error!(shard = %owner.shard, ?loss, "the journal is not all there");
            journal.note_loss();
        }
        let mut read_bytes = 0;
        for (_, file) in files {
            let bytes = read_all::<D, R>(self.runtime, &file).await?;
            read_bytes += bytes.len() as u64;
            journal.add_file(&bytes);
            file.close().await?;
        }
        if let Some(later) = journal.later_life() {
            return Err(later_life(owner.life, later));
        }
        let verdict = journal.judge().map_err(|unknown| OpenError::Unsupported {
            what: "a journal entry",
            found: u64::from(unknown.kind),
        })?;
        Ok((verdict, read_bytes))
    }

    async fn find_loss(
        &self,
        owner: JournalOwner,
        lens: &BTreeMap<u32, u64>,
    ) -> Result<Option<RingLoss>, OpenError> {
        let root = &self.settings.root;
        let files = RingLedgerFiles::open(self.disk, self.runtime, root, owner.shard).await?;
        let copies = files.read(owner.life).await?;
        files.close().await?;
        Ok(find_loss(owner, &copies, lens))
    }

    /// The next life of this shard has not used any ring file. Beside what counts until the superblock names that life.
    pub(super) async fn begin_ledger(&self, owner: JournalOwner) -> Result<(), OpenError> {
        let ledger = RingLedger {
            owner,
            files: 0,
            file_bytes: self.settings.limits.journal_file_bytes as u64,
        };
        let root = &self.settings.root;
        let files = RingLedgerFiles::open(self.disk, self.runtime, root, owner.shard).await?;
        match files.write(&ledger).await {
            Err(DiskError::NoSpace { .. }) => {
                self.give_ballast().await?;
                files.write(&ledger).await?;
            }
            written => written?,
        }
        files.close().await?;
        Ok(())
    }

    pub(super) async fn ring_files(&self, shard: ShardId) -> Result<Vec<PathBuf>, DiskError> {
        let folder = journal_folder(&self.settings.root);
        let entries = self.disk.list(&folder).await?;
        let of_shard = entries
            .into_iter()
            .filter(|entry| ring_shard(&entry.name) == Some(shard));
        Ok(of_shard.map(|entry| folder.join(entry.name)).collect())
    }
}

pub(super) fn ring_shard(name: &str) -> Option<ShardId> {
    parse_journal_name(name).map(|(shard, _)| shard)
}

fn later_life(superblock: Life, journal: Life) -> OpenError {
    OpenError::LaterLife {
        superblock,
        journal,
    }
}

/// With several reads under way: a start waits for the drive here, not for the length of its queue.
async fn read_all<D: Disk, R: Runtime>(runtime: &R, file: &D::File) -> Result<Vec<u8>, DiskError> {
    let len = usize::try_from(file.len().await?).expect("a ring file fits into memory");
    let bytes = Rc::new(RefCell::new(vec![0; len]));
    let reads = (0..len).step_by(READ_BYTES);
    let reads = reads.map(|at| (file.clone(), bytes.clone(), at)).collect();
    let read = async |(file, bytes, at): (D::File, Rc<RefCell<Vec<u8>>>, usize)| {
        let buffer = file.read_at(at as u64, READ_BYTES).await?;
        let read = buffer.as_bytes();
        bytes.borrow_mut()[at..at + read.len()].copy_from_slice(read);
        Ok(())
    };
    let done = for_each(runtime, TaskClass::Foreground, READS_IN_FLIGHT, reads, read).await;
    done.into_iter().collect::<Result<(), DiskError>>()?;
    Ok(bytes.take())
}

/// Removes what an earlier life began to make of a ring file: nobody knows what of it is on the medium.
pub(super) async fn remove_unfinished_files<D: Disk>(
    disk: &D,
    journals: &Path,
) -> Result<(), DiskError> {
    for entry in disk.list(journals).await? {
        if entry.name.ends_with(UNFINISHED) {
            disk.remove_file(&journals.join(entry.name)).await?;
        }
    }
    Ok(())
}

/// Removes the ring and state files of shards that the new life does not have.
pub(super) async fn remove_files_of_other_shards<D: Disk>(
    disk: &D,
    folder: &Path,
    shard_of: impl Fn(&str) -> Option<ShardId>,
    shards: u16,
) -> Result<(), DiskError> {
    let mut removed = false;
    for entry in disk.list(folder).await? {
        if shard_of(&entry.name).is_some_and(|shard| shard.0 >= shards) {
            disk.remove_file(&folder.join(entry.name)).await?;
            removed = true;
        }
    }
    if removed {
        disk.sync_directory(folder).await?;
    }
    Ok(())
}
