//! The header with which a shard's own formats begin: whose it is, and a checksum over all of it.
//!
//! ```text
//! at    size  field
//!    0     8  magic
//!    8     4  format version
//!   12     4  CRC-32C of bytes 0..64 with this field zero
//!   16     8  incarnation
//!   24     8  life
//!   32     2  shard
//!   34    30  the format's own fields, zeros at the end
//! ```

use super::cursor::{Cursor, FieldBytes, PutFields};
use super::journal_format::JournalOwner;
use crate::base::checksum::crc32c;
use crate::base::ids::{Incarnation, Life, ShardId};

pub(super) const SHARD_HEADER_BYTES: usize = 64;
pub(super) const CRC_AT: usize = 12;

pub(super) type HeaderFields = FieldBytes<SHARD_HEADER_BYTES>;

/// What tells one format from another.
pub(super) struct Kind {
    pub(super) magic: &'static [u8; 8],
    pub(super) version: u32,
}

/// A sound header; `fields` are the format's own.
pub(super) struct Opened<'a> {
    pub(super) crc: u32,
    pub(super) owner: JournalOwner,
    pub(super) fields: Cursor<'a>,
}

impl Kind {
    /// `fields` appends the format's own.
    pub(super) fn encode(
        &self,
        owner: JournalOwner,
        fields: impl FnOnce(&mut HeaderFields),
    ) -> [u8; SHARD_HEADER_BYTES] {
        let mut out = HeaderFields::new();
        out.put(self.magic);
        out.put_u32(self.version);
        out.put_u32(0);
        out.put_u64(owner.incarnation.0);
        out.put_u64(owner.life.0);
        out.put(&owner.shard.0.to_le_bytes());
        fields(&mut out);
        let mut header = out.into_padded();
        let crc = crc32c(&header);
        header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        header
    }

    /// `None` for anything that is not a sound header of this format.
    pub(super) fn open<'a>(&self, bytes: &'a [u8]) -> Option<Opened<'a>> {
        let mut zeroed: [u8; SHARD_HEADER_BYTES] = *bytes.first_chunk()?;
        let mut fields = Cursor::new(&bytes[8..]);
        let version = fields.u32()?;
        let crc = fields.u32()?;
        zeroed[CRC_AT..CRC_AT + 4].fill(0);
        if &zeroed[..8] != self.magic || version != self.version || crc32c(&zeroed) != crc {
            return None;
        }
        let owner = JournalOwner {
            incarnation: Incarnation(fields.u64()?),
            life: Life(fields.u64()?),
            shard: ShardId(fields.u16()?),
        };
        Some(Opened { crc, owner, fields })
    }
}
