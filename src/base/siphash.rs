//! SipHash-2-4 with 128 bits (Aumasson, Bernstein): a keyed hash whose collisions nobody finds without the key.

/// What makes the hash unpredictable. Whoever chooses what is hashed must not know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SipKey(pub u128);

struct State([u64; 4]);

impl State {
    fn new(key: SipKey) -> State {
        let (k0, k1) = (key.0 as u64, (key.0 >> 64) as u64);
        State([
            k0 ^ 0x736f_6d65_7073_6575,
            // The last bits say that 128 are wanted.
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.0 = [v0, v1, v2, v3];
    }

    fn add(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        (0..4).for_each(|_| self.round());
        self.0.iter().fold(0, |sum, word| sum ^ word)
    }
}

/// The hash of `bytes`; the first eight bytes of the reference implementation are the lower half.
pub fn siphash(key: SipKey, bytes: &[u8]) -> u128 {
    let mut state = State::new(key);
    let mut words = bytes.chunks_exact(8);
    for word in words.by_ref() {
        state.add(u64::from_le_bytes(word.try_into().expect("eight bytes")));
    }
    let rest = words.remainder();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.add(u64::from_le_bytes(last));
    state.0[2] ^= 0xee;
    let low = state.finish();
    state.0[1] ^= 0xdd;
    let high = state.finish();
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `vectors_sip128` of the reference implementation: the key 00..0f, inputs of 0, 1 and 2 bytes 00 01 ….
    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        let key = SipKey(u128::from_le_bytes(std::array::from_fn(|at| at as u8)));
        for (len, expected) in [
            (0, 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293_u128),
            (1, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45),
            (2, 0x8177_228d_a4a4_5dc7_fca3_8bde_f60a_ffe4),
        ] {
            let input: Vec<u8> = (0..len).collect();
            assert_eq!(siphash(key, &input).swap_bytes(), expected, "{len} bytes");
        }
    }

    #[test]
    fn another_key_and_another_length_hash_otherwise() {
        let (one, other) = (SipKey(1), SipKey(2));
        let zeros = [0; 64];
        let mut seen: Vec<u128> = (0..=64).map(|len| siphash(one, &zeros[..len])).collect();
        seen.extend((0..=64).map(|len| siphash(other, &zeros[..len])));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 130);
    }
}
