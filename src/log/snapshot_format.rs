//! A shard's snapshot: the sections of all its partitions. Kept in two slots of two copies each.
//!
//! ```text
//! at    size  field
//!    0     8  magic "ottlasnp"
//!    8     4  format version
//!   12     4  CRC-32C of bytes 0..64 with this field zero
//!   16     8  incarnation
//!   24     8  life
//!   32     2  shard
//!   34     2  zeros
//!   36     4  number of sections
//!   40     8  generation
//!   48     8  covered sequence
//!   56     4  CRC-32C of the body, from 4096 on
//!   60     4  body length
//!   64        zeros up to 4096
//! 4096        per section: length u32, the section; then zeros up to a multiple of 4096
//! ```

use super::cursor::{Cursor, PutFields};
use super::journal_format::JournalOwner;
use super::section::{Section, Stand};
use super::shard_header::{Kind, SHARD_HEADER_BYTES};
use crate::base::align::{BLOCK, block_ceil};
use crate::base::checksum::crc32c;

pub const SNAPSHOT_FORMAT_VERSION: u32 = 1;
const KIND: Kind = Kind {
    magic: b"ottlasnp",
    version: SNAPSHOT_FORMAT_VERSION,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHeader {
    pub owner: JournalOwner,
    pub section_count: u32,
    pub generation: u64,
    pub covered: u64,
    pub body_crc: u32,
    pub body_bytes: u32,
}

impl SnapshotHeader {
    pub fn encode(&self) -> [u8; SHARD_HEADER_BYTES] {
        KIND.encode(self.owner, |out| {
            out.put(&[0; 2]);
            out.put_u32(self.section_count);
            out.put_u64(self.generation);
            out.put_u64(self.covered);
            out.put_u32(self.body_crc);
            out.put_u32(self.body_bytes);
        })
    }

    pub fn decode(bytes: &[u8]) -> Option<SnapshotHeader> {
        let mut header = KIND.open(bytes)?;
        header.fields.u16()?;
        Some(SnapshotHeader {
            owner: header.owner,
            section_count: header.fields.u32()?,
            generation: header.fields.u64()?,
            covered: header.fields.u64()?,
            body_crc: header.fields.u32()?,
            body_bytes: header.fields.u32()?,
        })
    }

    /// Bytes of the file that this snapshot takes.
    pub fn file_bytes(&self) -> u64 {
        BLOCK as u64 + block_ceil(u64::from(self.body_bytes))
    }
}

/// Collects sections, one after another, as a lap captures them.
#[derive(Clone, Default, Debug)]
pub struct SnapshotBody {
    bytes: Vec<u8>,
    section_count: u32,
}

impl SnapshotBody {
    pub fn push(&mut self, section: &Section, stand: Stand) {
        let at = self.bytes.len();
        self.bytes.put_u32(0);
        section.encode(stand, &mut self.bytes);
        let len = u32::try_from(self.bytes.len() - at - 4).expect("a section is far below 4 GiB");
        self.bytes[at..at + 4].copy_from_slice(&len.to_le_bytes());
        self.section_count += 1;
    }

    pub fn header(&self, owner: JournalOwner, generation: u64, covered: u64) -> SnapshotHeader {
        SnapshotHeader {
            owner,
            section_count: self.section_count,
            generation,
            covered,
            body_crc: crc32c(&self.bytes),
            body_bytes: u32::try_from(self.bytes.len()).expect("a snapshot is far below 4 GiB"),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The sections of a snapshot; `None` when the body is not what the header says.
pub fn decode_sections(header: &SnapshotHeader, body: &[u8]) -> Option<Vec<Section>> {
    if body.len() != header.body_bytes as usize || crc32c(body) != header.body_crc {
        return None;
    }
    let mut cursor = Cursor::new(body);
    let mut sections = Vec::new();
    for _ in 0..header.section_count {
        let len = cursor.u32()? as usize;
        sections.push(Section::decode(cursor.bytes(len)?)?);
    }
    cursor.is_empty().then_some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Incarnation, Life, ShardId};
    use crate::base::ids::{PartitionId, Uuid};
    use crate::base::offset::Offset;

    #[test]
    fn sections_come_back_and_a_flipped_bit_is_noticed() {
        let section = |index| {
            Section::new(
                PartitionId {
                    topic: Uuid([7; 16]),
                    index,
                },
                Offset(9),
            )
        };
        let mut body = SnapshotBody::default();
        body.push(&section(0), Stand::AsIs);
        body.push(&section(1), Stand::AsIs);
        let owner = JournalOwner {
            incarnation: Incarnation(5),
            life: Life(2),
            shard: ShardId(1),
        };
        let header = body.header(owner, 4, 1000);
        assert_eq!(SnapshotHeader::decode(&header.encode()), Some(header));
        let found = decode_sections(&header, body.bytes());
        assert_eq!(found, Some(vec![section(0), section(1)]));
        for bit in 0..body.bytes().len() * 8 {
            let mut flipped = body.bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_sections(&header, &flipped), None, "bit {bit}");
        }
    }
}
