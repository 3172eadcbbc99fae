//! Writing slices of memory to whole blocks.

use super::disk::{Buffer, Disk, DiskError, DiskFile};
use crate::base::align::{BLOCK, block_ceil};

/// One direct write, at most.
pub(super) const WRITE_BYTES_MAX: usize = 1024 * 1024;
const _: () = assert!(WRITE_BYTES_MAX.is_multiple_of(BLOCK));

/// Writes the slices, joined, from `start` on, which is block-aligned; the last block is filled up with zeros. Answers
/// the bytes written.
pub(super) async fn write_slices<D: Disk>(
    disk: &D,
    file: &D::File,
    start: u64,
    slices: &[impl AsRef<[u8]>],
) -> Result<u64, DiskError> {
    let total: usize = slices.iter().map(|slice| slice.as_ref().len()).sum();
    let mut source = Joined { slices, at: 0 };
    let mut done = 0;
    while done < total {
        let len = (total - done).min(WRITE_BYTES_MAX);
        let padded = block_ceil(len as u64) as usize;
        let mut buffer = disk.allocate(padded);
        source.fill(&mut buffer.as_bytes_mut()[..len]);
        buffer.as_bytes_mut()[len..].fill(0);
        file.write_at(buffer, start + done as u64).await?;
        done += len;
    }
    Ok(block_ceil(total as u64))
}

struct Joined<'a, T> {
    slices: &'a [T],
    at: usize,
}

impl<T: AsRef<[u8]>> Joined<'_, T> {
    fn fill(&mut self, mut target: &mut [u8]) {
        while !target.is_empty() {
            let whole = self.slices[0].as_ref();
            let slice = &whole[self.at..];
            let len = slice.len().min(target.len());
            let (now, later) = target.split_at_mut(len);
            now.copy_from_slice(&slice[..len]);
            target = later;
            self.at += len;
            if self.at == whole.len() {
                self.slices = &self.slices[1..];
                self.at = 0;
            }
        }
    }
}
