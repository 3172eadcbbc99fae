//! That a data directory has failed, as everybody knows it who writes to it.

use super::disk::DiskError;
use super::errors::OpenError;
use std::sync::{Arc, OnceLock};

/// Of one directory, whatever the core; set once, for good. A failed sync speaks of more than its own file: the kernel or
/// the drive may have lost what other shards wrote and have yet to sync, and their syncs will succeed.
#[derive(Clone, Default, Debug)]
pub struct DirectoryFailure(Arc<OnceLock<DiskError>>);

impl DirectoryFailure {
    /// The first one counts.
    pub(super) fn set(&self, error: &DiskError) {
        self.0.get_or_init(|| error.clone());
    }

    pub(super) fn error(&self) -> Option<&DiskError> {
        self.0.get()
    }

    /// `Failed` when it has failed.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        match self.error() {
            Some(_) => Err(OpenError::Failed),
            None => Ok(()),
        }
    }
}
