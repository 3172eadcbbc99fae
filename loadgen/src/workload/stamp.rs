//! What makes each record of a run unique, and shows a changed one.
//!
//! ```text
//!  0 run u64    8 connection u16   10 partition u16   12 sequence u64   20 check u32    24 filler
//! ```
//! The check is the CRC-32C of key and filler, xor that of the twenty bytes before it. It is computed again from what
//! was read alone: a batch whose checksum was made to fit hides nothing.

use ottla::base::checksum::{Crc32c, crc32c};

pub(crate) const STAMP_BYTES: usize = 24;
const CHECK_AT: usize = 20;

/// One connection's records in one partition: acknowledged in order, so to be found in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Stream {
    pub(crate) connection: u16,
    pub(crate) partition: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) run: u64,
    pub(crate) stream: Stream,
    /// Counts the records of the stream from 0.
    pub(crate) sequence: u64,
}

/// Of what a stamp does not change: made once for a record of the pool.
pub(crate) fn rest_crc(key: Option<&[u8]>, value: &[u8]) -> u32 {
    let mut crc = Crc32c::new();
    crc.update(key.unwrap_or_default());
    crc.update(&value[STAMP_BYTES..]);
    crc.finish()
}

impl Stamp {
    pub(crate) fn write(&self, value: &mut [u8], rest_crc: u32) {
        value[..8].copy_from_slice(&self.run.to_be_bytes());
        value[8..10].copy_from_slice(&self.stream.connection.to_be_bytes());
        value[10..12].copy_from_slice(&self.stream.partition.to_be_bytes());
        value[12..CHECK_AT].copy_from_slice(&self.sequence.to_be_bytes());
        let check = rest_crc ^ crc32c(&value[..CHECK_AT]);
        value[CHECK_AT..STAMP_BYTES].copy_from_slice(&check.to_be_bytes());
    }

    /// None when this is no stamped record, or one that was changed.
    pub(crate) fn read(key: Option<&[u8]>, value: &[u8]) -> Option<Stamp> {
        let stamp: &[u8; STAMP_BYTES] = value.first_chunk()?;
        let check = rest_crc(key, value) ^ crc32c(&stamp[..CHECK_AT]);
        if check.to_be_bytes() != stamp[CHECK_AT..] {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([stamp[at], stamp[at + 1]]);
        Some(Stamp {
            run: u64::from_be_bytes(*stamp.first_chunk()?),
            stream: Stream {
                connection: number(8),
                partition: number(10),
            },
            sequence: u64::from_be_bytes(*stamp[12..].first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_seen() {
        let stamp = Stamp {
            run: 77,
            stream: Stream {
                connection: 3,
                partition: 5,
            },
            sequence: 1 << 40,
        };
        let key = b"key".to_vec();
        let mut value = vec![9; 60];
        let crc = rest_crc(Some(&key), &value);
        stamp.write(&mut value, crc);
        assert_eq!(Stamp::read(Some(&key), &value), Some(stamp));
        for bit in 0..value.len() * 8 {
            let mut changed = value.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Stamp::read(Some(&key), &changed), None, "bit {bit}");
        }
        assert_eq!(Stamp::read(Some(b"kez"), &value), None);
        assert_eq!(Stamp::read(Some(&key), &value[..59]), None);
        assert_eq!(Stamp::read(None, &value[..10]), None);
    }
}
