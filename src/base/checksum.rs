//! CRC-32C (Castagnoli), the checksum of Kafka's record batches and of every structure on disk.

use crc_fast::{CrcAlgorithm, Digest};

pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// CRC-32C over bytes that arrive in pieces.
pub struct Crc32c(Digest);

impl Crc32c {
    #[expect(clippy::new_without_default, reason = "a checksum begins explicitly")]
    pub fn new() -> Crc32c {
        Crc32c(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// So many bytes of which only the checksum is looked at. Sooner done than `update` from [`APPEND_BYTES_MIN`] on.
    pub fn append(&mut self, crc: u32, bytes: u64) {
        let joined = shifted(self.0.finalize() as u32, bytes) ^ crc;
        self.0 = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!joined));
    }

    pub fn finish(self) -> u32 {
        self.0.finalize() as u32
    }
}

/// Below it bytes are summed sooner than their checksum is appended.
pub const APPEND_BYTES_MIN: usize = 4_096;

/// Of x^32 + ..., as CRC-32C has it: the highest bit is x^0.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const ONE: u32 = 1 << 31;
/// x to the power of 8 * 2^k, for k from 0 on.
const POWERS: [u32; 64] = {
    let mut powers = [ONE >> 8; 64];
    let mut k = 1;
    while k < powers.len() {
        powers[k] = product(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

/// Of two polynomials over GF(2), modulo `POLYNOMIAL`.
const fn product(a: u32, mut b: u32) -> u32 {
    let (mut product, mut bit) = (0, ONE);
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = (b >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(b & 1));
        bit >>= 1;
    }
    product
}

/// What a checksum contributes to that of its bytes and so many behind them: times x^8 for each.
fn shifted(crc: u32, bytes: u64) -> u32 {
    let mut shifted = crc;
    let mut left = bytes;
    while left != 0 {
        shifted = product(POWERS[left.trailing_zeros() as usize], shifted);
        left &= left - 1;
    }
    shifted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn crc32c_has_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        let mut pieces = Crc32c::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.finish(), 0xE306_9283);
    }

    #[test]
    fn a_checksum_may_stand_for_its_bytes() {
        let mut prng = Prng::new(1);
        let bytes: Vec<u8> = (0..70_000).map(|_| prng.next_u64() as u8).collect();
        for [first, second] in [
            [0, 0],
            [0, 9],
            [9, 0],
            [1, 1],
            [61, 4_096],
            [65, 66_000],
            [70_000, 0],
        ] {
            let end = first + second;
            let mut crc = Crc32c::new();
            crc.update(&bytes[..first]);
            crc.append(crc32c(&bytes[first..end]), second as u64);
            crc.update(&bytes[end..]);
            assert_eq!(crc.finish(), crc32c(&bytes), "{first}, then {second}");
        }
    }
}
