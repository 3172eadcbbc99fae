//! Opening a data directory: lock, recover, begin a new life.

use super::directory::Directory;
use super::disk::Disk;
use super::errors::OpenError;
use super::meta_log::{MetaLog, MetaRecovered};
use super::recover::Recovery;
use super::runtime::Runtime;
use super::settings::{AcceptedLoss, Identity, KnownTopics, OpenSettings, Place};
use super::start::RecoveredShard;
use crate::base::ids::TopicId;

/// A directory that nobody else can serve now, with its metadata read. Nothing of the partitions was touched.
pub struct LockedDirectory<D: Disk, R: Runtime> {
    disk: D,
    runtime: R,
    settings: OpenSettings,
    directory: Directory<D>,
    meta_log: MetaLog<D, R>,
    metadata: MetaRecovered,
    accepted: AcceptedLoss,
}

/// A new life, durable: everything in it may be served.
pub struct Recovered<D: Disk, R: Runtime> {
    pub identity: Identity,
    /// Holds the lock and the superblock.
    pub directory: Directory<D>,
    pub meta_log: MetaLog<D, R>,
    /// One per shard, to be sent to its core.
    pub shards: Vec<RecoveredShard>,
    /// Deleted topics of which nothing is left: their tombstones may go.
    pub deleted_done: Vec<TopicId>,
}

/// Takes the directory, creating it if it is new, and reads the metadata log.
pub async fn lock_directory<D: Disk, R: Runtime>(
    disk: D,
    runtime: R,
    settings: &OpenSettings,
) -> Result<LockedDirectory<D, R>, OpenError> {
    let directory = Directory::lock(&disk, &runtime, settings).await?;
    let identity = directory.identity();
    let (meta_log, metadata) = MetaLog::open(
        &disk,
        &runtime,
        &settings.root,
        identity.incarnation,
        identity.life,
        &settings.limits,
        directory.failure(),
    )
    .await?;
    Ok(LockedDirectory {
        settings: settings.clone(),
        directory,
        meta_log,
        metadata,
        accepted: AcceptedLoss::new(),
        disk,
        runtime,
    })
}

impl<D: Disk, R: Runtime> LockedDirectory<D, R> {
    pub fn identity(&self) -> Identity {
        self.directory.identity()
    }

    /// The metadata as of the last durable record, once.
    pub fn take_metadata(&mut self) -> MetaRecovered {
        std::mem::take(&mut self.metadata)
    }

    /// Of these partitions the recovery takes what is left, should they be damaged.
    pub fn accept_loss(&mut self, accepted: AcceptedLoss) {
        self.accepted = accepted;
    }

    /// Recovers every partition of the old life onto `shards` shards and begins the next life.
    ///
    /// When it returns, everything that will be served is in synced segments, described by synced snapshots.
    pub async fn recover(
        mut self,
        known: &KnownTopics,
        shards: u16,
        place: Place,
    ) -> Result<Recovered<D, R>, OpenError> {
        let recovery = Recovery {
            disk: &self.disk,
            runtime: &self.runtime,
            settings: &self.settings,
            known,
            accepted: &self.accepted,
            place,
            shards,
        };
        let outcome = recovery.run(&mut self.directory).await?;
        Ok(Recovered {
            identity: self.directory.identity(),
            directory: self.directory,
            meta_log: self.meta_log,
            shards: outcome.shards,
            deleted_done: outcome.deleted_done,
        })
    }
}
