//! Block alignment for direct I/O.

/// What every direct read and write is aligned to, in position, length and memory.
pub const BLOCK: usize = 4096;

const _: () = assert!(BLOCK.is_power_of_two());

pub const fn block_floor(position: u64) -> u64 {
    position & !(BLOCK as u64 - 1)
}

pub const fn block_ceil(position: u64) -> u64 {
    block_floor(position + BLOCK as u64 - 1)
}

/// A block-aligned, non-empty byte range of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlignedRange {
    start: u64,
    len: u64,
}

impl AlignedRange {
    /// The smallest aligned range that contains `start..end`.
    ///
    /// Panics when `start..end` is empty.
    pub fn covering(start: u64, end: u64) -> AlignedRange {
        assert!(start < end, "an aligned range is not empty");
        AlignedRange {
            start: block_floor(start),
            len: block_ceil(end) - block_floor(start),
        }
    }

    pub fn start(self) -> u64 {
        self.start
    }

    pub fn len(self) -> usize {
        usize::try_from(self.len).expect("a range fits in memory")
    }

    pub fn end(self) -> u64 {
        self.start + self.len
    }

    pub fn is_empty(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_grows_to_whole_blocks() {
        for (start, end, aligned) in [
            (0, 1, 0..4096),
            (4095, 4097, 0..8192),
            (4096, 8192, 4096..8192),
        ] {
            let range = AlignedRange::covering(start, end);
            assert_eq!(range.start()..range.end(), aligned);
        }
    }
}
