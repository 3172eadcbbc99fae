//! Space kept for a full disk: given up when a lap needs it, and admission stays shut until it is whole again.

use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::locking::open_locked;
use super::runtime::Runtime;
use super::shared::Shared;
use crate::base::align::{BLOCK, block_ceil};
use crate::base::ids::ShardId;
use crate::log::paths::ballast_path;
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

    /// Makes the ballast whole, if the disk has the room, and opens or shuts admission accordingly. Whoever wants more
    /// partitions than there are learns whether there is room for them.
    pub(super) async fn restore<R: Runtime>(&mut self, shared: &Shared<D, R>) {
        // Without room for all that is wanted, what is needed has to do.
        for bytes in [wanted_bytes(shared), needed_bytes(shared)] {
            if self.len >= bytes {
                break;
            }
            match self.file.allocate(self.len, bytes).await {
                Ok(()) => self.len = bytes,
                Err(DiskError::NoSpace { .. }) => {
                    // What the attempt took must not be missing where it is needed.
                    if self.file.set_len(self.len).await.is_err() {
                        self.len = 0;
                    }
                    shared.state.borrow_mut().partitions_expected = 0;
                }
                Err(error) => return shared.fail(error),
            }
        }
        let is_whole = self.len >= needed_bytes(shared);
        let was_full = {
            let mut state = shared.state.borrow_mut();
            state.ballast_bytes = self.len;
            std::mem::replace(&mut state.disk_full, !is_whole)
        };
        shared.progress.notify();
        if was_full && is_whole {
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
        shared.state.borrow_mut().ballast_bytes = 0;
        true
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        self.file.close().await
    }
}

/// What a lap may need at most: all dirty bytes, one block more per partition, and a snapshot.
pub(super) fn needed_bytes<D: Disk, R: Runtime>(shared: &Shared<D, R>) -> u64 {
    let partitions = shared.state.borrow().partitions.len();
    bytes_for(shared, partitions)
}

/// The same with the partitions that are about to be created. Ahead by a step, so that most creations wait for nothing.
fn wanted_bytes<D: Disk, R: Runtime>(shared: &Shared<D, R>) -> u64 {
    let partitions = {
        let state = shared.state.borrow();
        state.partitions.len().max(state.partitions_expected)
    };
    bytes_for(shared, partitions.next_multiple_of(PARTITIONS_STEP))
}

fn bytes_for<D: Disk, R: Runtime>(shared: &Shared<D, R>, partitions: usize) -> u64 {
    let dirty = shared.settings.limits.dirty_bytes_max() as u64;
    let snapshot = shared.state.borrow().snapshot_bytes;
    block_ceil(dirty + (partitions * BLOCK) as u64 + snapshot)
}

/// Partitions for which the ballast grows at a time.
const PARTITIONS_STEP: usize = 256;

impl<D: Disk, R: Runtime> Shared<D, R> {
    /// Makes room for so many partitions more, before they are created. False when the disk has none, or the store is
    /// closed: they must not be created then.
    pub(super) async fn room_for(&self, partitions: usize) -> bool {
        let expected = {
            let mut state = self.state.borrow_mut();
            let expected = state.partitions.len() + partitions;
            state.partitions_expected = expected;
            expected
        };
        loop {
            let progress = self.progress.notified();
            let enough = bytes_for(self, expected);
            {
                let mut state = self.state.borrow_mut();
                if state.closed.is_some() || state.disk_full {
                    return false;
                }
                if state.ballast_bytes >= enough {
                    return true;
                }
                // An attempt that found no space gave it up.
                if state.partitions_expected < expected {
                    return false;
                }
                state.ballast_short = true;
            }
            self.lap_wanted.notify();
            progress.await;
        }
    }
}
