//! The checksum of a batch after a few of its bytes change, without reading the others.
//!
//! CRC is linear: `crc(a ^ b) ^ crc(a) = crc(b) ^ crc(0)` for strings of one length. So each changed byte contributes
//! a value that depends on its place and on the bits that changed alone, and a table per place answers it.

use ottla::base::checksum::{Crc32c, crc32c};

/// For `N` changing bytes that are followed by a fixed number of others.
pub(crate) struct CrcPatch<const N: usize>(Box<[[u32; 256]; N]>);

impl<const N: usize> CrcPatch<N> {
    pub(crate) fn new(bytes_after: usize) -> CrcPatch<N> {
        let rest = vec![0; bytes_after];
        let crc_of = |changed: &[u8; N]| {
            let mut crc = Crc32c::new();
            crc.update(changed);
            crc.update(&rest);
            crc.finish()
        };
        let zero = crc32c(&vec![0; N + bytes_after]);
        let mut tables = Box::new([[0; 256]; N]);
        for place in 0..N {
            for bit in 0..8 {
                let mut changed = [0; N];
                changed[place] = 1 << bit;
                let effect = crc_of(&changed) ^ zero;
                for byte in (0..256).filter(|byte| byte & 1 << bit != 0) {
                    tables[place][byte] ^= effect;
                }
            }
        }
        CrcPatch(tables)
    }

    /// What the checksum changes by when `from` becomes `to`.
    pub(crate) fn change(&self, from: &[u8; N], to: &[u8; N]) -> u32 {
        let places = self.0.iter().zip(from.iter().zip(to));
        places.fold(0, |crc, (table, (from, to))| {
            crc ^ table[usize::from(from ^ to)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patched_checksum_is_the_computed_one() {
        let mut prng = ottla::base::prng::Prng::new(3);
        for length in [14, 15, 40, 5_000] {
            let mut bytes: Vec<u8> = (0..length).map(|_| prng.next_u64() as u8).collect();
            let patch = CrcPatch::<14>::new(length - 14);
            let before = crc32c(&bytes);
            let from: [u8; 14] = *bytes.first_chunk().expect("long enough");
            let to: [u8; 14] = std::array::from_fn(|_| prng.next_u64() as u8);
            bytes[..14].copy_from_slice(&to);
            assert_eq!(
                before ^ patch.change(&from, &to),
                crc32c(&bytes),
                "{length}"
            );
        }
    }
}
