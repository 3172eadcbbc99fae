//! The superblock of a data directory: who owns it, and which life of it counts.
//!
//! Two slots (`node.a`, `node.b`) hold one block each and are written in turn; every write carries a number, and
//! the valid slot with the highest number wins. All integers are little-endian.
//!
//! ```text
//! byte  bytes  field
//!    0      8  magic "ottlanod"
//!    8      4  format version
//!   12      4  CRC-32C of the whole block, with this field as zeros
//!   16      8  write number, +1 at every write of either slot
//!   24     16  cluster id
//!   40      4  node id
//!   44      4  flags: bit 0 = stopped cleanly
//!   48      8  incarnation
//!   56      8  life; 0 until the directory was served for the first time
//!   64      8  last wall time, milliseconds since 1970
//!   72      8  features in use that any version may ignore
//!   80      8  features in use without which a version may only read
//!   88      8  features in use without which a version must refuse
//!   96      2  number of shards of this life
//!   98      6  zeros
//!  104    8*n  per shard: generation of the snapshot this life started from
//!    …         zeros up to 4096
//! ```

use crate::base::align::BLOCK;
use crate::base::checksum::crc32c;
use crate::base::ids::{Incarnation, Life, NodeId, Uuid};
use crate::base::time::Timestamp;

const MAGIC: &[u8; 8] = b"ottlanod";
pub const DIRECTORY_FORMAT_VERSION: u32 = 1;
/// Feature bits this version knows, in the order compatible, read-only, incompatible.
pub const KNOWN_FEATURES: Features = Features {
    compatible: 0,
    read_only: 0,
    incompatible: 0,
};
/// Shards of one directory, at most: their start generations share the block.
pub const SHARDS_PER_DIRECTORY_MAX: usize = 256;

const CRC_AT: usize = 12;
const GENERATIONS_AT: usize = 104;
const FLAG_CLEAN: u32 = 1;
const _: () = assert!(GENERATIONS_AT + 8 * SHARDS_PER_DIRECTORY_MAX <= BLOCK);

/// Feature words: what the bytes of this directory make use of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    pub compatible: u64,
    pub read_only: u64,
    pub incompatible: u64,
}

/// One version of the superblock. A node view; owned by the core that runs shard 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Superblock {
    pub number: u64,
    pub cluster_id: Uuid,
    pub node_id: NodeId,
    pub incarnation: Incarnation,
    pub life: Life,
    /// Nothing to replay: the last stop drained everything.
    pub clean: bool,
    pub wall: Timestamp,
    pub features: Features,
    /// Per shard of this life, the generation of the snapshot it started from.
    pub starts: Vec<u64>,
}

/// Why a slot cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotError {
    /// Absent, short or all zeros: never written.
    Empty,
    /// Something was written there, and it is not what was written.
    Damaged,
    /// Sound, but of a format this version does not know.
    UnknownVersion(u32),
}

/// The slot that wins, and what is left of the other one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChosenSlot {
    pub superblock: Superblock,
    /// 0 for `node.a`, 1 for `node.b`.
    pub index: usize,
    /// The other slot cannot be read; a later life may have been in it.
    pub other_unreadable: bool,
}

impl Superblock {
    /// Whether a start has to read the journals: after a clean stop there is nothing in them, unless a later life may
    /// have been in the slot that cannot be read.
    pub fn needs_journals(&self, other_unreadable: bool) -> bool {
        !self.clean || other_unreadable
    }

    /// Panics with more shards than a directory may have: boot bounds them long before.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.starts.len() <= SHARDS_PER_DIRECTORY_MAX);
        let mut block = Vec::with_capacity(BLOCK);
        block.extend_from_slice(MAGIC);
        block.extend_from_slice(&DIRECTORY_FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&self.number.to_le_bytes());
        block.extend_from_slice(&self.cluster_id.0);
        block.extend_from_slice(&self.node_id.0.to_le_bytes());
        block.extend_from_slice(&(u32::from(self.clean) * FLAG_CLEAN).to_le_bytes());
        block.extend_from_slice(&self.incarnation.0.to_le_bytes());
        block.extend_from_slice(&self.life.0.to_le_bytes());
        block.extend_from_slice(&self.wall.0.to_le_bytes());
        block.extend_from_slice(&self.features.compatible.to_le_bytes());
        block.extend_from_slice(&self.features.read_only.to_le_bytes());
        block.extend_from_slice(&self.features.incompatible.to_le_bytes());
        let shards = u16::try_from(self.starts.len()).expect("checked above");
        block.extend_from_slice(&shards.to_le_bytes());
        block.extend_from_slice(&[0; 6]);
        debug_assert_eq!(block.len(), GENERATIONS_AT);
        for generation in &self.starts {
            block.extend_from_slice(&generation.to_le_bytes());
        }
        block.resize(BLOCK, 0);
        let crc = crc32c(&block);
        block[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads one slot; `bytes` is what the file holds, however little.
    pub fn decode(bytes: &[u8]) -> Result<Superblock, SlotError> {
        let block = match bytes.get(..BLOCK) {
            Some(block) if block.iter().any(|&byte| byte != 0) => block,
            Some(_) => return Err(SlotError::Empty),
            None if bytes.is_empty() => return Err(SlotError::Empty),
            None => return Err(SlotError::Damaged),
        };
        let mut zeroed = block.to_vec();
        zeroed[CRC_AT..CRC_AT + 4].fill(0);
        if &block[..8] != MAGIC || read_u32(block, CRC_AT) != crc32c(&zeroed) {
            return Err(SlotError::Damaged);
        }
        let version = read_u32(block, 8);
        if version != DIRECTORY_FORMAT_VERSION {
            return Err(SlotError::UnknownVersion(version));
        }
        let shards = usize::from(u16::from_le_bytes([block[96], block[97]]));
        if shards > SHARDS_PER_DIRECTORY_MAX {
            return Err(SlotError::Damaged);
        }
        Ok(Superblock {
            number: read_u64(block, 16),
            cluster_id: Uuid(block[24..40].try_into().expect("16 bytes")),
            node_id: NodeId(read_u32(block, 40) as i32),
            clean: read_u32(block, 44) & FLAG_CLEAN != 0,
            incarnation: Incarnation(read_u64(block, 48)),
            life: Life(read_u64(block, 56)),
            wall: Timestamp(read_u64(block, 64) as i64),
            features: Features {
                compatible: read_u64(block, 72),
                read_only: read_u64(block, 80),
                incompatible: read_u64(block, 88),
            },
            starts: (0..shards)
                .map(|shard| read_u64(block, GENERATIONS_AT + 8 * shard))
                .collect(),
        })
    }
}

/// Picks the slot that counts.
///
/// A sound slot of an unknown format is never passed over for an older one: it is the newer truth.
pub fn choose_slot(slots: [Result<Superblock, SlotError>; 2]) -> Result<ChosenSlot, SlotError> {
    if let Some(version) = slots.iter().find_map(|slot| match slot {
        Err(SlotError::UnknownVersion(version)) => Some(*version),
        _ => None,
    }) {
        return Err(SlotError::UnknownVersion(version));
    }
    let [a, b] = slots;
    match (a, b) {
        (Ok(a), Ok(b)) if b.number > a.number => Ok(chosen(b, 1, false)),
        (Ok(a), Ok(_)) => Ok(chosen(a, 0, false)),
        (Ok(a), Err(_)) => Ok(chosen(a, 0, true)),
        (Err(_), Ok(b)) => Ok(chosen(b, 1, true)),
        (Err(SlotError::Empty), Err(SlotError::Empty)) => Err(SlotError::Empty),
        (Err(_), Err(_)) => Err(SlotError::Damaged),
    }
}

fn chosen(superblock: Superblock, index: usize, other_unreadable: bool) -> ChosenSlot {
    ChosenSlot {
        superblock,
        index,
        other_unreadable,
    }
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(number: u64) -> Superblock {
        Superblock {
            number,
            cluster_id: Uuid(std::array::from_fn(|index| 0xa0 + index as u8)),
            node_id: NodeId(7),
            incarnation: Incarnation(1),
            life: Life(3),
            clean: true,
            wall: Timestamp(1_700_000_000_000),
            features: Features {
                compatible: 0x11,
                read_only: 0x22,
                incompatible: 0x33,
            },
            starts: vec![5, 6],
        }
    }

    #[test]
    fn the_block_is_what_the_drawing_says() {
        let block = superblock(9).encode();
        assert_eq!(block.len(), 4096);
        let mut expected = Vec::new();
        expected.extend_from_slice(b"ottlanod\x01\0\0\0");
        expected.extend_from_slice(&block[12..16]);
        expected.extend_from_slice(b"\x09\0\0\0\0\0\0\0");
        expected.extend(0xa0..0xb0);
        expected.extend_from_slice(b"\x07\0\0\0\x01\0\0\0");
        expected.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x00\x68\xe5\xcf\x8b\x01\0\0");
        expected.extend_from_slice(b"\x11\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0\x33\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0");
        expected.resize(4096, 0);
        assert_eq!(block, expected);
        // Computed by another implementation of CRC-32C.
        assert_eq!(read_u32(&block, 12), GOLDEN_CRC);
        assert_eq!(Superblock::decode(&block), Ok(superblock(9)));
    }

    const GOLDEN_CRC: u32 = 3_806_281_535;

    #[test]
    fn a_flipped_bit_anywhere_spoils_the_slot() {
        let block = superblock(9).encode();
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Superblock::decode(&flipped),
                Err(SlotError::Damaged),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn the_highest_valid_number_wins() {
        let (old, new) = (superblock(4), superblock(5));
        let empty = || Err(SlotError::Empty);
        let damaged = || Err(SlotError::Damaged);
        let table = [
            (Ok(old.clone()), Ok(new.clone()), Ok((5, 1, false))),
            (Ok(new.clone()), Ok(old.clone()), Ok((5, 0, false))),
            (Ok(old.clone()), damaged(), Ok((4, 0, true))),
            (empty(), Ok(old.clone()), Ok((4, 1, true))),
            (empty(), empty(), Err(SlotError::Empty)),
            (damaged(), empty(), Err(SlotError::Damaged)),
            (damaged(), damaged(), Err(SlotError::Damaged)),
            (
                Err(SlotError::UnknownVersion(2)),
                Ok(old),
                Err(SlotError::UnknownVersion(2)),
            ),
        ];
        for (a, b, expected) in table {
            let row = format!("{a:?} {b:?}");
            let found = choose_slot([a, b]).map(|chosen| {
                (
                    chosen.superblock.number,
                    chosen.index,
                    chosen.other_unreadable,
                )
            });
            assert_eq!(found, expected, "{row}");
        }
    }

    #[test]
    fn a_newer_format_is_named_and_not_mistaken_for_damage() {
        let mut block = superblock(1).encode();
        block[8] = 2;
        block[12..16].fill(0);
        let crc = crc32c(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(
            Superblock::decode(&block),
            Err(SlotError::UnknownVersion(2))
        );
    }

    #[test]
    fn what_was_never_written_is_empty_and_a_stump_is_damaged() {
        assert_eq!(Superblock::decode(&[]), Err(SlotError::Empty));
        assert_eq!(Superblock::decode(&[0; 4096]), Err(SlotError::Empty));
        assert_eq!(Superblock::decode(&[0; 512]), Err(SlotError::Damaged));
    }
}
