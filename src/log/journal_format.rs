//! A journal record: what one commit cycle wrote, or a part of it.
//!
//! ```text
//! at    size  field
//!    0     8  magic "ottlajrn"
//!    8     4  format version
//!   12     4  CRC-32C of bytes 0..64 with this field zero: the record's identity in the chain
//!   16     8  incarnation
//!   24     8  life
//!   32     2  shard
//!   34     2  flags: bit 0 = the cycle continues in the next record, bit 1 = it began in an earlier one
//!   36     4  number of entries of the cycle (the same in each of its records)
//!   40     8  sequence, +1 per record, from 1 in each life
//!   48     4  header CRC of the previous record; 0 in the first of a life
//!   52     4  CRC-32C of the body
//!   56     4  body length
//!   60     4  zeros
//!   64        body, padded with zeros to a multiple of 4096
//! ```
//! A record starts on a block boundary. The bodies of a cycle's records, joined, are its entries (`log::entry`): a cycle
//! that does not fit in the bound or in what is left of a file goes as consecutive records, and means nothing without
//! the last of them.

use super::cursor::PutFields;
use super::shard_header::{CRC_AT, Kind, Opened, SHARD_HEADER_BYTES};
use crate::base::align::block_ceil;
use crate::base::checksum::crc32c;
use crate::base::ids::{Incarnation, Life, ShardId};

pub const RECORD_HEADER_BYTES: usize = SHARD_HEADER_BYTES;
pub const JOURNAL_FORMAT_VERSION: u32 = 1;
const KIND: Kind = Kind {
    magic: b"ottlajrn",
    version: JOURNAL_FORMAT_VERSION,
};
const FLAG_CONTINUES: u16 = 1;
const FLAG_CONTINUED: u16 = 2;

/// Whose journal a record belongs to; a record of anybody else is as good as none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalOwner {
    pub incarnation: Incarnation,
    pub life: Life,
    pub shard: ShardId,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    pub owner: JournalOwner,
    pub continues: bool,
    /// The cycle began in an earlier record.
    pub continued: bool,
    pub entry_count: u32,
    pub sequence: u64,
    pub previous_crc: u32,
    pub body_crc: u32,
    pub body_bytes: u32,
}

impl RecordHeader {
    pub fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        KIND.encode(self.owner, |out| {
            let continues = u16::from(self.continues) * FLAG_CONTINUES;
            let continued = u16::from(self.continued) * FLAG_CONTINUED;
            out.put(&(continues | continued).to_le_bytes());
            out.put_u32(self.entry_count);
            out.put_u64(self.sequence);
            out.put_u32(self.previous_crc);
            out.put_u32(self.body_crc);
            out.put_u32(self.body_bytes);
        })
    }

    /// The header and its own CRC; `None` for anything that is not a sound header of this format.
    pub fn decode(bytes: &[u8]) -> Option<(RecordHeader, u32)> {
        let Opened {
            crc,
            owner,
            mut fields,
        } = KIND.open(bytes)?;
        let flags = fields.u16()?;
        let header = RecordHeader {
            owner,
            continues: flags & FLAG_CONTINUES != 0,
            continued: flags & FLAG_CONTINUED != 0,
            entry_count: fields.u32()?,
            sequence: fields.u64()?,
            previous_crc: fields.u32()?,
            body_crc: fields.u32()?,
            body_bytes: fields.u32()?,
        };
        Some((header, crc))
    }

    /// The header's own CRC, which the next record repeats.
    pub fn crc(&self) -> u32 {
        let encoded = self.encode();
        u32::from_le_bytes(encoded[CRC_AT..CRC_AT + 4].try_into().expect("four bytes"))
    }

    /// Bytes in the file, padding included.
    pub fn record_bytes(&self) -> u64 {
        record_bytes(u64::from(self.body_bytes))
    }
}

/// A record as it stands in a ring file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredRecord<'a> {
    pub header: RecordHeader,
    /// The header's own.
    pub crc: u32,
    /// `None` when it is cut short or contradicts its checksum.
    pub body: Option<&'a [u8]>,
}

impl StoredRecord<'_> {
    /// The record that begins here; `None` where no sound header does.
    pub fn read(bytes: &[u8]) -> Option<StoredRecord<'_>> {
        let (header, crc) = RecordHeader::decode(bytes)?;
        let end = RECORD_HEADER_BYTES + header.body_bytes as usize;
        let body = bytes.get(RECORD_HEADER_BYTES..end);
        Some(StoredRecord {
            header,
            crc,
            body: body.filter(|body| crc32c(body) == header.body_crc),
        })
    }
}

/// Bytes a record with this body takes in the file.
pub const fn record_bytes(body_bytes: u64) -> u64 {
    block_ceil(RECORD_HEADER_BYTES as u64 + body_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RecordHeader {
        RecordHeader {
            owner: JournalOwner {
                incarnation: Incarnation(0x1122),
                life: Life(3),
                shard: ShardId(2),
            },
            continues: true,
            continued: false,
            entry_count: 5,
            sequence: 77,
            previous_crc: 0xaabb_ccdd,
            body_crc: 0x0102_0304,
            body_bytes: 4033,
        }
    }

    #[test]
    fn the_header_is_what_the_drawing_says() {
        let bytes = header().encode();
        let mut expected = Vec::new();
        expected.extend_from_slice(b"ottlajrn\x01\0\0\0");
        expected.extend_from_slice(&bytes[12..16]);
        expected.extend_from_slice(b"\x22\x11\0\0\0\0\0\0\x03\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x02\0\x01\0\x05\0\0\0\x4d\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\xdd\xcc\xbb\xaa\x04\x03\x02\x01\xc1\x0f\0\0\0\0\0\0");
        assert_eq!(bytes.to_vec(), expected);
        assert_eq!(
            RecordHeader::decode(&bytes),
            Some((header(), header().crc()))
        );
        assert_eq!(header().record_bytes(), 8192);
    }

    #[test]
    fn a_flipped_bit_anywhere_spoils_the_header() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&flipped), None, "bit {bit}");
        }
    }
}
