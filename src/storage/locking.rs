//! Opening a file for writing, with its lock.
//!
//! The lock is not about two careful brokers only. A direct write of a killed process that is still on its way to the
//! device holds the open file and with it the lock, so whoever gets the lock knows that nothing lands any more.

use super::disk::{Disk, DiskFile, OpenMode};
use super::errors::OpenError;
use super::runtime::Runtime;
use crate::base::limits::DIRECTORY_LOCK_WAIT_MS;
use std::path::Path;
use std::time::Duration;

const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Opens the file and waits for its lock, `DIRECTORY_LOCK_WAIT_MS` at most.
///
/// Read nothing from the file before this returns, and `sync` it before trusting what is read: a write that landed
/// late is readable, but not yet durable.
pub async fn open_locked<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    path: &Path,
    mode: OpenMode,
) -> Result<D::File, OpenError> {
    let file = disk.open(path, mode).await?;
    let wait = Duration::from_millis(DIRECTORY_LOCK_WAIT_MS);
    let deadline = runtime.now().instant.plus(wait);
    while !file.try_lock().await? {
        if runtime.now().instant >= deadline {
            file.close().await?;
            return Err(OpenError::InUse {
                path: path.to_path_buf(),
            });
        }
        runtime.sleep(RETRY_EVERY).await;
    }
    Ok(file)
}
