//! The ledger of a shard's journal ring: how many files of it a life may have written to. Without it, a ring file that
//! is gone takes answered records with it, and nothing that is left says so.
//!
//! ```text
//! at    size  field
//!    0     8  magic "ottlarng"
//!    8     4  format version
//!   12     4  CRC-32C of bytes 0..64 with this field zero
//!   16     8  incarnation
//!   24     8  life
//!   32     2  shard
//!   34     2  zeros
//!   36     4  number of files
//!   40     8  size of each file
//!   48        zeros up to 4096
//! ```
//! Two copies of two blocks each: lives take the blocks in turn, so that the next life's is written before the
//! superblock names that life. A file is counted when it is whole and its name durable, and used afterwards.

use super::cursor::PutFields;
use super::journal_format::JournalOwner;
use super::shard_header::{Kind, SHARD_HEADER_BYTES};
use crate::base::align::BLOCK;
use crate::base::ids::Life;
use std::collections::BTreeMap;

pub const RING_LEDGER_FORMAT_VERSION: u32 = 1;
pub const RING_LEDGER_BYTES: usize = SHARD_HEADER_BYTES;
const KIND: Kind = Kind {
    magic: b"ottlarng",
    version: RING_LEDGER_FORMAT_VERSION,
};

/// What one life may have written to. A shard view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingLedger {
    pub owner: JournalOwner,
    pub files: u32,
    pub file_bytes: u64,
}

/// Why records of a life may be gone without a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingLoss {
    /// Nobody knows how many files there were.
    Ledger,
    /// The file with this number is missing or shorter than it was made.
    File(u32),
}

impl RingLedger {
    pub fn encode(&self) -> [u8; RING_LEDGER_BYTES] {
        KIND.encode(self.owner, |out| {
            out.put(&[0; 2]);
            out.put_u32(self.files);
            out.put_u64(self.file_bytes);
        })
    }

    pub fn decode(bytes: &[u8]) -> Option<RingLedger> {
        let mut header = KIND.open(bytes)?;
        header.fields.u16()?;
        Some(RingLedger {
            owner: header.owner,
            files: header.fields.u32()?,
            file_bytes: header.fields.u64()?,
        })
    }

    /// Where the block of this life lies in each copy.
    pub fn position(life: Life) -> u64 {
        life.0 % 2 * BLOCK as u64
    }
}

/// Judges the ring of a life by the copies of its ledger that can be read and the lengths of the files that are there.
pub fn find_loss(
    owner: JournalOwner,
    copies: &[Option<RingLedger>],
    lens: &BTreeMap<u32, u64>,
) -> Option<RingLoss> {
    let ours = copies.iter().flatten().filter(|copy| copy.owner == owner);
    // A count that only one copy has was being written: that file was whole before.
    let Some(ledger) = ours.max_by_key(|copy| copy.files) else {
        return Some(RingLoss::Ledger);
    };
    let is_whole = |file: &u32| lens.get(file).is_some_and(|len| *len >= ledger.file_bytes);
    (0..ledger.files)
        .find(|file| !is_whole(file))
        .map(RingLoss::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Incarnation, ShardId};

    const OWNER: JournalOwner = JournalOwner {
        incarnation: Incarnation(0x0b),
        life: Life(3),
        shard: ShardId(2),
    };

    fn ledger(files: u32) -> RingLedger {
        RingLedger {
            owner: OWNER,
            files,
            file_bytes: 0x1_0000,
        }
    }

    #[test]
    fn the_ledger_is_what_the_drawing_says() {
        let bytes = ledger(4).encode();
        let mut expected = Vec::new();
        expected.extend_from_slice(b"ottlarng\x01\0\0\0");
        expected.extend_from_slice(&bytes[12..16]);
        expected.extend_from_slice(b"\x0b\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0\x04\0\0\0");
        expected.extend_from_slice(b"\0\0\x01\0\0\0\0\0");
        expected.resize(64, 0);
        assert_eq!(bytes, *expected);
        assert_eq!(RingLedger::decode(&bytes), Some(ledger(4)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RingLedger::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn lives_take_the_blocks_in_turn() {
        assert_eq!(RingLedger::position(Life(2)), 0);
        assert_eq!(RingLedger::position(Life(3)), 4096);
    }

    /// Copies of the ledger, lengths of the files from the first on, the verdict.
    type Row = (
        &'static str,
        [Option<RingLedger>; 2],
        &'static [u64],
        Option<RingLoss>,
    );

    /// What each crash may leave is no loss; what no crash leaves is one, with the first file that shows it.
    #[test]
    fn a_ring_is_judged_by_its_ledger() {
        const WHOLE: u64 = 0x1_0000;
        let earlier = RingLedger {
            owner: JournalOwner {
                life: Life(2),
                ..OWNER
            },
            ..ledger(4)
        };
        let foreign = RingLedger {
            owner: JournalOwner {
                shard: ShardId(1),
                ..OWNER
            },
            ..ledger(0)
        };
        let own = |files| Some(ledger(files));
        let lost = |file| Some(RingLoss::File(file));
        let none = None;
        let no_ledger = Some(RingLoss::Ledger);
        let table: [Row; 14] = [
            ("begun, no file made", [own(0), own(0)], &[], none),
            ("made, not counted", [own(0), own(0)], &[WHOLE], none),
            ("one counted", [own(1), own(1)], &[WHOLE], none),
            ("no space for more", [own(2), own(2)], &[WHOLE, WHOLE], none),
            ("torn while counting", [None, own(0)], &[WHOLE], none),
            ("counted in one", [own(2), own(1)], &[WHOLE, WHOLE], none),
            ("older ones behind", [own(1), own(1)], &[WHOLE, 0, 5], none),
            ("made larger later", [own(1), own(1)], &[2 * WHOLE], none),
            ("the only one gone", [own(1), own(1)], &[], lost(0)),
            (
                "one cut short",
                [own(2), None],
                &[WHOLE, WHOLE - 1],
                lost(1),
            ),
            ("one gone", [own(1), own(2)], &[WHOLE], lost(1)),
            ("both copies gone", [None, None], &[WHOLE], no_ledger),
            ("an older life's", [Some(earlier), None], &[], no_ledger),
            ("another shard's", [Some(foreign), None], &[], no_ledger),
        ];
        for (row, copies, lens, expected) in table {
            let lens = (0..).zip(lens.iter().copied()).collect();
            assert_eq!(find_loss(OWNER, &copies, &lens), expected, "{row}");
        }
    }
}
