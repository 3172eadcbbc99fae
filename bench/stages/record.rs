//! A client's batch: header and checksum.

use super::batch::{BYTES_100, batch, valid};
use super::stage::{Work, each};

pub(crate) fn validate_small() -> Box<dyn Work> {
    each(batch(1, BYTES_100), valid)
}

pub(crate) fn validate_large() -> Box<dyn Work> {
    each(batch(16, 1024), valid)
}
