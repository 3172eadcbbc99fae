//! The two copies of a shard's ring ledger on disk.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::errors::OpenError;
use super::locking::open_locked;
use super::runtime::Runtime;
use crate::base::align::BLOCK;
use crate::base::ids::{Life, ShardId};
use crate::log::paths::{STATE_COPIES, ring_ledger_path};
use crate::log::ring_ledger::{RING_LEDGER_BYTES, RingLedger};
use std::path::Path;

/// The open ledger of one shard. Owned by whoever makes the ring's files.
pub(super) struct RingLedgerFiles<D: Disk> {
    disk: D,
    copies: [D::File; STATE_COPIES],
}

impl<D: Disk> RingLedgerFiles<D> {
    /// Opens and locks both copies, creating what is missing.
    pub(super) async fn open<R: Runtime>(
        disk: &D,
        runtime: &R,
        root: &Path,
        shard: ShardId,
    ) -> Result<RingLedgerFiles<D>, OpenError> {
        let open = async |copy| {
            let path = ring_ledger_path(root, shard, copy);
            open_locked(disk, runtime, &path, OpenMode::WriteThrough).await
        };
        Ok(RingLedgerFiles {
            disk: disk.clone(),
            copies: [open(0).await?, open(1).await?],
        })
    }

    /// What the copies say of a life. Synced first, so that what is read here cannot vanish later.
    pub(super) async fn read(
        &self,
        life: Life,
    ) -> Result<[Option<RingLedger>; STATE_COPIES], DiskError> {
        let mut found = [None; STATE_COPIES];
        for (copy, found) in self.copies.iter().zip(&mut found) {
            copy.sync().await?;
            let block = copy.read_at(RingLedger::position(life), BLOCK).await;
            let block = if_readable(block)?;
            *found = block.and_then(|block| RingLedger::decode(block.as_bytes()));
        }
        Ok(found)
    }

    /// One copy durably, then the other: at every instant one of them is sound.
    pub(super) async fn write(&self, ledger: &RingLedger) -> Result<(), DiskError> {
        for copy in &self.copies {
            let mut block = self.disk.allocate(BLOCK);
            let bytes = block.as_bytes_mut();
            bytes[..RING_LEDGER_BYTES].copy_from_slice(&ledger.encode());
            bytes[RING_LEDGER_BYTES..].fill(0);
            let position = RingLedger::position(ledger.owner.life);
            copy.write_at(block, position).await?;
        }
        Ok(())
    }

    pub(super) async fn close(self) -> Result<(), DiskError> {
        for copy in self.copies {
            copy.close().await?;
        }
        Ok(())
    }
}
