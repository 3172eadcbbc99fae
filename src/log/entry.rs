//! The entries of a commit cycle: each is one durable change of one partition, or of the shard.
//!
//! ```text
//! at    size  field
//!    0     1  kind
//!    1     1  flags: bit 0 = may be skipped by a version that does not know the kind
//!    2     2  zeros
//!    4     4  length of the body
//!    8    20  partition: topic uuid, index (zeros for an entry of the shard)
//!   28     4  the partition's entry number, +1 each
//!   32        body, padded with zeros to a multiple of 8
//! ```
//! | kind | body |
//! |---|---|
//! | 1 `Data` | segment i64, byte u64: where the bytes begin; base offset i64; leader epoch of the last batch i32; lead-in u32: how many bytes repeat what precedes the batches in their block; the bytes |
//! | 2 `Truncate` | new end offset i64; its segment i64, byte u64 |
//! | 3 `Roll` | base i64 and length u64 of the segment closed; base i64 of the next |
//! | 4 `Sealed` | base i64, length u64; number of side files u32, zeros u32; 32 zeros kept for a chain hash; per side file kind u32, CRC u32, length u64 |
//! | 5 `EpochStart` | epoch i32, zeros; start offset i64 |
//! | 6 `Promise` | epoch i32, zeros |
//! | 7 `LogStart` | offset i64 |
//! | 8 `Drop` | none |
//! | 9 `Reset` | epoch i32, zeros; offset i64; replica incarnation u64 |
//! | 10 `Snapshot` | generation u64; covered sequence u64; CRC u32, zeros |
//! | 12 `Replace` | base i64 of the first segment that goes and of the first behind it; compacted up to i64; of the segment instead: rewrite u32, zeros, length u64, first timestamp i64, largest timestamp i64, its batch i64; CRC u32 of its index, zeros, length u64 |
//!
//! Kinds 11 `Extent` and 13 `Stamps` are reserved.

use super::cursor::{Cursor, FieldBytes, PutFields};
use super::segment::{LargestTimestamp, SegmentName, SideFile};
use crate::base::checksum::APPEND_BYTES_MIN;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{PartitionId, Uuid};
use crate::base::offset::{Offset, Position};
use crate::base::time::Timestamp;
use crate::record::{BatchHeader, parted};
use bytes::Bytes;

pub const ENTRY_HEADER_BYTES: usize = 32;
/// What `Data` takes besides its bytes, at most.
pub const DATA_OVERHEAD_BYTES: usize = ENTRY_HEADER_BYTES + DATA_FIELDS_BYTES + ENTRY_ALIGN;
const DATA_FIELDS_BYTES: usize = 32;
/// Of `Replace`, which has the most.
const FIELDS_BYTES_MAX: usize = 80;
const ENTRY_ALIGN: usize = 8;
const FLAG_SKIPPABLE: u8 = 1;
const CHAIN_HASH_BYTES: usize = 32;
const SIDE_INDEX: u32 = 1;

type Fields = FieldBytes<FIELDS_BYTES_MAX>;

const SHARD: PartitionId = PartitionId {
    topic: Uuid::ZERO,
    index: 0,
};

/// Batches that were appended, back to back within one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataChange {
    /// Where the first batch begins.
    pub at: Position,
    pub bytes: u64,
    pub batches: Vec<BatchHeader>,
}

/// Closed segments that are read from other files from now on: what compaction left of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplaceChange {
    /// The first segment that goes, by the number that the one instead of it gets.
    pub name: SegmentName,
    /// The first segment that stays as it is.
    pub until: Offset,
    /// Below this every record that is left was the last of its key when it was looked at.
    pub compacted: Offset,
    pub bytes: u64,
    pub first_timestamp: Timestamp,
    pub largest: LargestTimestamp,
    pub index: SideFile,
}

/// A durable change of one partition: what `Section::apply` understands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Data(DataChange),
    Truncate {
        end: Offset,
        at: Position,
    },
    Roll {
        closed: Offset,
        bytes: u64,
        base: Offset,
    },
    Sealed {
        base: Offset,
        bytes: u64,
        index: SideFile,
    },
    EpochStart {
        epoch: LeaderEpoch,
        offset: Offset,
    },
    Promise(LeaderEpoch),
    LogStart(Offset),
    Drop,
    Reset {
        epoch: LeaderEpoch,
        offset: Offset,
        replica: u64,
    },
    Replace(ReplaceChange),
}

/// Which snapshot is authoritative from here on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotEntry {
    pub generation: u64,
    /// Records up to this one are no longer needed.
    pub covered: u64,
    pub crc: u32,
}

/// An entry as it goes into a cycle. `pieces` are the bytes of a `Data`, lead-in first; else empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedEntry {
    pub partition: PartitionId,
    pub number: u32,
    pub change: Change,
    pub lead_in: u32,
    pub pieces: Vec<Bytes>,
}

/// An entry as it was found. Its bytes share the record's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundEntry {
    pub partition: PartitionId,
    pub number: u32,
    pub body: FoundBody,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FoundBody {
    Data {
        /// Where `bytes` begin, lead-in included.
        start: Position,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        lead_in: u32,
        bytes: Bytes,
    },
    /// Never a `Change::Data`.
    Change(Change),
    Snapshot(SnapshotEntry),
    /// A kind of a later version that allows itself to be skipped.
    Skipped,
}

/// The cycle's entries cannot be read although its checksums are right: a newer version wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownEntry {
    pub kind: u8,
}

impl PlannedEntry {
    /// A change without bytes.
    pub fn change(partition: PartitionId, number: u32, change: Change) -> PlannedEntry {
        PlannedEntry {
            partition,
            number,
            change,
            lead_in: 0,
            pieces: Vec::new(),
        }
    }

    /// Bytes in the cycle's body.
    pub fn encoded_bytes(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(Bytes::len).sum();
        let body = self.fields().1.as_slice().len() + pieces;
        (ENTRY_HEADER_BYTES + body).next_multiple_of(ENTRY_ALIGN)
    }

    /// Hands the encoded entry over slice by slice, large ones with their CRC-32C if it is known.
    pub fn encode(&self, put: &mut impl FnMut(&[u8], Option<u32>)) {
        let (kind, fields) = self.fields();
        let pieces: usize = self.pieces.iter().map(Bytes::len).sum();
        let body = fields.as_slice().len() + pieces;
        put(&entry_header(kind, body, self.partition, self.number), None);
        put(fields.as_slice(), None);
        match &self.change {
            Change::Data(data) if pieces >= APPEND_BYTES_MIN => {
                self.put_batches(&data.batches, put);
            }
            _ => self.pieces.iter().for_each(|piece| put(piece, None)),
        }
        put(&[0; ENTRY_ALIGN][..padding(body)], None);
    }

    /// A piece is whole batches, but for the lead-in before the first.
    fn put_batches(&self, batches: &[BatchHeader], put: &mut impl FnMut(&[u8], Option<u32>)) {
        let mut batches = batches.iter();
        let mut lead_in = self.lead_in as usize;
        for piece in &self.pieces {
            let mut at = lead_in.min(piece.len());
            lead_in -= at;
            let mut put_until = 0;
            while at < piece.len() {
                let header = batches.next().expect("each batch has its header");
                let end = at + header.total_bytes();
                if let Some((head, summed)) = parted(&piece[at..end]) {
                    put(&piece[put_until..at + head.len()], None);
                    put(summed, Some(header.crc));
                    put_until = end;
                }
                at = end;
            }
            put(&piece[put_until..], None);
        }
    }

    fn fields(&self) -> (u8, Fields) {
        let mut out = Fields::new();
        let kind = match &self.change {
            Change::Data(data) => {
                out.put_i64(data.at.segment.0);
                out.put_u64(data.at.byte - u64::from(self.lead_in));
                out.put_i64(data.batches[0].base_offset.0);
                out.put_epoch(data.batches[data.batches.len() - 1].leader_epoch);
                out.put_u32(self.lead_in);
                1
            }
            Change::Truncate { end, at } => {
                out.put_i64(end.0);
                out.put_position(*at);
                2
            }
            Change::Roll {
                closed,
                bytes,
                base,
            } => {
                out.put_i64(closed.0);
                out.put_u64(*bytes);
                out.put_i64(base.0);
                3
            }
            Change::Sealed { base, bytes, index } => {
                put_sealed(&mut out, *base, *bytes, *index);
                4
            }
            Change::EpochStart { epoch, offset } => {
                put_epoch_offset(&mut out, *epoch, *offset);
                5
            }
            Change::Promise(epoch) => {
                out.put_epoch(*epoch);
                out.put_u32(0);
                6
            }
            Change::LogStart(offset) => {
                out.put_i64(offset.0);
                7
            }
            Change::Drop => 8,
            Change::Reset {
                epoch,
                offset,
                replica,
            } => {
                put_epoch_offset(&mut out, *epoch, *offset);
                out.put_u64(*replica);
                9
            }
            Change::Replace(replace) => {
                put_replace(&mut out, replace);
                12
            }
        };
        (kind, out)
    }
}

fn put_replace(out: &mut Fields, replace: &ReplaceChange) {
    out.put_i64(replace.name.base.0);
    out.put_i64(replace.until.0);
    out.put_i64(replace.compacted.0);
    out.put_u32(replace.name.rewrite);
    out.put_u32(0);
    out.put_u64(replace.bytes);
    out.put_i64(replace.first_timestamp.0);
    out.put_i64(replace.largest.timestamp.0);
    out.put_i64(replace.largest.batch.unwrap_or(Offset::NONE).0);
    out.put_u32(replace.index.crc);
    out.put_u32(0);
    out.put_u64(replace.index.bytes);
}

fn put_epoch_offset(out: &mut Fields, epoch: LeaderEpoch, offset: Offset) {
    out.put_epoch(epoch);
    out.put_u32(0);
    out.put_i64(offset.0);
}

fn put_sealed(out: &mut Fields, base: Offset, bytes: u64, index: SideFile) {
    out.put_i64(base.0);
    out.put_u64(bytes);
    out.put_u32(1);
    out.put_u32(0);
    out.put(&[0; CHAIN_HASH_BYTES]);
    out.put_u32(SIDE_INDEX);
    out.put_u32(index.crc);
    out.put_u64(index.bytes);
}

impl SnapshotEntry {
    pub const ENCODED_BYTES: usize = ENTRY_HEADER_BYTES + 24;

    pub fn encode(&self, put: &mut impl FnMut(&[u8])) {
        let mut fields = Fields::new();
        fields.put_u64(self.generation);
        fields.put_u64(self.covered);
        fields.put_u32(self.crc);
        fields.put_u32(0);
        let fields = fields.as_slice();
        put(&entry_header(10, fields.len(), SHARD, 0));
        put(fields);
    }
}

fn entry_header(
    kind: u8,
    body: usize,
    partition: PartitionId,
    number: u32,
) -> [u8; ENTRY_HEADER_BYTES] {
    let mut out = FieldBytes::new();
    out.put(&[kind, 0, 0, 0]);
    out.put_u32(u32::try_from(body).expect("a cycle is far below 4 GiB"));
    out.put_partition(partition);
    out.put_u32(number);
    out.into_padded()
}

fn padding(body: usize) -> usize {
    body.next_multiple_of(ENTRY_ALIGN) - body
}

/// Reads the entries of a cycle whose checksums are right.
///
/// An end within an entry cannot happen to such bytes, so it is reported like a kind of a later version.
pub fn decode_entries(body: &Bytes) -> Result<Vec<FoundEntry>, UnknownEntry> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let kind = body[at];
        let (entry, len) = decode_entry(&body.slice(at..)).ok_or(UnknownEntry { kind })?;
        entries.push(entry);
        at += len;
    }
    Ok(entries)
}

fn decode_entry(bytes: &Bytes) -> Option<(FoundEntry, usize)> {
    let mut cursor = Cursor::new(bytes);
    let kind = cursor.u8()?;
    let skippable = cursor.u8()? & FLAG_SKIPPABLE != 0;
    cursor.u16()?;
    let len = cursor.u32()? as usize;
    let partition = cursor.partition()?;
    let number = cursor.u32()?;
    let end = ENTRY_HEADER_BYTES.checked_add(len)?;
    if end > bytes.len() {
        return None;
    }
    let body = match decode_body(kind, &bytes.slice(ENTRY_HEADER_BYTES..end)) {
        Some(body) => body,
        None if skippable => FoundBody::Skipped,
        None => return None,
    };
    let entry = FoundEntry {
        partition,
        number,
        body,
    };
    Some((entry, (end + padding(len)).min(bytes.len())))
}

fn decode_body(kind: u8, bytes: &Bytes) -> Option<FoundBody> {
    let mut cursor = Cursor::new(bytes);
    let change = match kind {
        1 => return decode_data(bytes),
        2 => Change::Truncate {
            end: cursor.offset()?,
            at: cursor.position()?,
        },
        3 => Change::Roll {
            closed: cursor.offset()?,
            bytes: cursor.u64()?,
            base: cursor.offset()?,
        },
        4 => decode_sealed(&mut cursor)?,
        5 => {
            let epoch = padded_epoch(&mut cursor)?;
            Change::EpochStart {
                epoch,
                offset: cursor.offset()?,
            }
        }
        6 => Change::Promise(padded_epoch(&mut cursor)?),
        7 => Change::LogStart(cursor.offset()?),
        8 => Change::Drop,
        9 => {
            let epoch = padded_epoch(&mut cursor)?;
            Change::Reset {
                epoch,
                offset: cursor.offset()?,
                replica: cursor.u64()?,
            }
        }
        10 => {
            return Some(FoundBody::Snapshot(SnapshotEntry {
                generation: cursor.u64()?,
                covered: cursor.u64()?,
                crc: cursor.u32()?,
            }));
        }
        12 => Change::Replace(decode_replace(&mut cursor)?),
        _ => return None,
    };
    Some(FoundBody::Change(change))
}

fn decode_data(bytes: &Bytes) -> Option<FoundBody> {
    let mut cursor = Cursor::new(bytes);
    let start = cursor.position()?;
    let base_offset = cursor.offset()?;
    let leader_epoch = cursor.epoch()?;
    let lead_in = cursor.u32()?;
    let bytes = bytes.slice(DATA_FIELDS_BYTES..);
    (lead_in as usize <= bytes.len()).then_some(FoundBody::Data {
        start,
        base_offset,
        leader_epoch,
        lead_in,
        bytes,
    })
}

fn decode_sealed(cursor: &mut Cursor) -> Option<Change> {
    let base = cursor.offset()?;
    let bytes = cursor.u64()?;
    let side_files = cursor.u32()?;
    cursor.u32()?;
    cursor.bytes(CHAIN_HASH_BYTES)?;
    let mut index = SideFile::default();
    for _ in 0..side_files {
        let kind = cursor.u32()?;
        let side = SideFile {
            crc: cursor.u32()?,
            bytes: cursor.u64()?,
        };
        if kind == SIDE_INDEX {
            index = side;
        }
    }
    Some(Change::Sealed { base, bytes, index })
}

fn decode_replace(cursor: &mut Cursor) -> Option<ReplaceChange> {
    let base = cursor.offset()?;
    let until = cursor.offset()?;
    let compacted = cursor.offset()?;
    let rewrite = cursor.u32()?;
    cursor.u32()?;
    let bytes = cursor.u64()?;
    let first_timestamp = cursor.timestamp()?;
    let timestamp = cursor.timestamp()?;
    let batch = cursor.offset()?;
    let crc = cursor.u32()?;
    cursor.u32()?;
    Some(ReplaceChange {
        name: SegmentName { base, rewrite },
        until,
        compacted,
        bytes,
        first_timestamp,
        largest: LargestTimestamp {
            timestamp,
            batch: (batch != Offset::NONE).then_some(batch),
        },
        index: SideFile {
            crc,
            bytes: cursor.u64()?,
        },
    })
}

fn padded_epoch(cursor: &mut Cursor) -> Option<LeaderEpoch> {
    let epoch = cursor.epoch()?;
    cursor.u32()?;
    Some(epoch)
}

#[cfg(test)]
mod tests;
