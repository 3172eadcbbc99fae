//! Space kept for a full disk: given up when a lap needs it, and admission stays shut until it is whole again.

use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::locking::open_locked;
use super::paths::ballast_path;
use super::runtime::Runtime;
use super::shared::Shared;
use crate::base::align::{BLOCK, block_ceil};
use crate::base::ids::ShardId;
use std::path::Path;

/// The ballast file of one shard.
pub(super) struct Ballast<D: Disk> {
    file: D::File,
    len: u64,
}

impl<D: Disk> Ballast<D> {
    pub(super) async fn open<R: Runtime>(
        disk: &D,
        runtime: &R,
        root: &Path,
        shard: ShardId,
    ) -> Result<Ballast<D>, OpenError> {
        let file = open_locked(disk, runtime, &ballast_path(root, shard), OpenMode::Write).await?;
        let len = file.len().await?;
        Ok(Ballast { file, len })
    }

    /// Makes the ballast whole, if the disk has the room, and opens or shuts admission accordingly.
    pub(super) async fn restore<R: Runtime>(&mut self, shared: &Shared<D, R>) {
        let wanted = wanted_bytes(shared);
        if self.len < wanted {
            match self.file.allocate(self.len, wanted).await {
                Ok(()) => self.len = wanted,
                Err(DiskError::NoSpace { .. }) => {
                    // What the attempt took must not be missing where it is needed.
                    if self.file.set_len(self.len).await.is_err() {
                        self.len = 0;
                    }
                    shared.state.borrow_mut().disk_full = true;
                    return;
                }
                Err(error) => return shared.fail(error),
            }
        }
        let was_full = std::mem::replace(&mut shared.state.borrow_mut().disk_full, false);
        if was_full {
            tracing::info!(shard = %shared.shard(), "the disk has room again");
            shared.tell_room();
        }
    }

    /// Gives all of it to whoever needs space now. False when there is nothing to give.
    pub(super) async fn give<R: Runtime>(&mut self, shared: &Shared<D, R>) -> bool {
        if self.len == 0 {
            return false;
        }
        if let Err(error) = self.file.set_len(0).await {
            shared.fail(error);
        }
        self.len = 0;
        true
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        self.file.close().await
    }
}

/// What a lap may need at most: all dirty bytes, one block more per partition, and a snapshot.
fn wanted_bytes<D: Disk, R: Runtime>(shared: &Shared<D, R>) -> u64 {
    let state = shared.state.borrow();
    let blocks = (state.partitions.len() * BLOCK) as u64;
    let dirty = shared.settings.limits.dirty_bytes_max() as u64;
    block_ceil(dirty + blocks + state.snapshot_bytes)
}
