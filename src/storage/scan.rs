//! Walking the batches of a segment file.

use super::disk::{Buffer, DiskError, DiskFile};
use crate::base::align::{BLOCK, block_floor};
use crate::record::{BatchHeader, Batches};

const SCAN_BYTES: usize = 256 * 1024;
const _: () = assert!(SCAN_BYTES.is_multiple_of(BLOCK));

/// Hands the whole batches in `from..to` of the file to `visit`, with their positions, until it answers false. Answers
/// where the next batch would begin: below `to` when something is there that is no batch, or when `visit` stopped.
pub(super) async fn scan_batches<F: DiskFile>(
    file: &F,
    from: u64,
    to: u64,
    mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> bool,
) -> Result<u64, DiskError> {
    let mut held: Vec<u8> = Vec::new();
    // `held` begins at `at` in the file and ends at `read`.
    let mut at = from;
    let mut read = from;
    while read < to {
        let start = block_floor(read);
        let buffer = file.read_at(start, SCAN_BYTES).await?;
        let skip = (read - start) as usize;
        let end = buffer.as_bytes().len().min((to - start) as usize);
        if end <= skip {
            return Ok(at);
        }
        held.extend_from_slice(&buffer.as_bytes()[skip..end]);
        read = start + end as u64;
        let mut batches = Batches::new(&held);
        for batch in batches.by_ref() {
            let Ok((position, header, batch)) = batch else {
                return Ok(at + batch_start(&held));
            };
            if !visit(at + position as u64, &header, batch) {
                return Ok(at + position as u64);
            }
        }
        let used = batches.position();
        held.drain(..used);
        at += used as u64;
    }
    Ok(at)
}

/// Where the batch begins that cannot be parsed.
fn batch_start(held: &[u8]) -> u64 {
    let mut batches = Batches::new(held);
    while let Some(Ok(_)) = batches.next() {}
    batches.position() as u64
}
