//! Writing slices of memory to whole blocks.

use super::disk::{Buffer, Disk, DiskError, DiskFile};
use crate::base::align::{BLOCK, block_ceil};
use crate::base::limits::WRITE_BYTES_MAX;

const _: () = assert!(WRITE_BYTES_MAX.is_multiple_of(BLOCK));

/// Writes the slices, joined, from `start` on, which is block-aligned; the last block is filled up with zeros. Answers
/// the bytes written.
pub(super) async fn write_slices<D: Disk>(
    disk: &D,
    file: &D::File,
    start: u64,
    slices: &[impl AsRef<[u8]>],
) -> Result<u64, DiskError> {
    write_slices_in_parts(disk, file, start, slices, || WRITE_BYTES_MAX).await
}

/// The same, with no more at once than `part_bytes` says before each write: whole blocks.
pub(super) async fn write_slices_in_parts<D: Disk>(
    disk: &D,
    file: &D::File,
    start: u64,
    slices: &[impl AsRef<[u8]>],
    part_bytes: impl Fn() -> usize,
) -> Result<u64, DiskError> {
    let total: usize = slices.iter().map(|slice| slice.as_ref().len()).sum();
    let mut source = Joined { slices, at: 0 };
    let mut done = 0;
    while done < total {
        let len = (total - done).min(part_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::disk::OpenMode;
    use crate::storage::rehearsal::RehearsalDisk;
    use futures_lite::future::block_on;
    use std::cell::RefCell;
    use std::path::Path;

    #[test]
    fn slices_are_joined_in_parts_of_which_each_may_have_another_size() {
        block_on(async {
            let disk = RehearsalDisk::default();
            let path = Path::new("/nowhere/file");
            let file = disk.open(path, OpenMode::Write).await.expect("a file");
            let bytes: Vec<u8> = (0..4 * BLOCK + 10)
                .map(|at| at as u8 ^ (at >> 8) as u8)
                .collect();
            let (first, second) = bytes.split_at(BLOCK + 7);
            let asked = RefCell::new(vec![BLOCK, 2 * BLOCK, 8 * BLOCK]);
            let part_bytes = || asked.borrow_mut().remove(0);
            let slices = [first, second];
            let start = BLOCK as u64;
            let written = write_slices_in_parts(&disk, &file, start, &slices, part_bytes).await;
            assert_eq!(written, Ok(5 * BLOCK as u64));
            assert!(asked.borrow().is_empty(), "asked before each write");
            let read = file
                .read_at(start, 5 * BLOCK)
                .await
                .expect("what was written");
            assert_eq!(read.as_bytes()[..bytes.len()], bytes);
            assert!(read.as_bytes()[bytes.len()..].iter().all(|&byte| byte == 0));
        });
    }
}
