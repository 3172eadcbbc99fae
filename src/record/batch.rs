//! The header of a record batch v2, and batches back to back in a slice.
//!
//! ```text
//!  0 base offset i64        17 CRC-32C u32 of 21..end      43 producer id i64
//!  8 batch length i32 (*)   21 attributes i16              51 producer epoch i16
//! 12 leader epoch i32       23 last offset delta i32       53 base sequence i32
//! 16 magic i8 = 2           27 base timestamp i64          57 record count i32
//!                           35 max timestamp i64           61 records
//! ```
//! All big-endian. (*) counts the bytes after itself. Base offset, length and leader epoch lie outside the CRC, so a
//! broker patches them without touching it.

use std::fmt;

use crate::base::checksum::{APPEND_BYTES_MIN, crc32c};
use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::ProducerId;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// Bytes before the first record.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes of base offset and batch length, which the length does not count.
pub const BATCH_LENGTH_PREFIX_BYTES: usize = 12;
/// The only record format this broker knows (KIP-896 dropped the older two).
pub const MAGIC: i8 = 2;
/// Where the checksummed part begins.
pub(crate) const CRC_START: usize = 21;

const MAGIC_POSITION: usize = 16;

/// How the records after the header are compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    /// The number in the lowest three attribute bits.
    pub fn bits(self) -> i16 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    fn from_bits(bits: i16) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.bits() == bits)
    }
}

/// Who stamps a record: its producer when it was made, or the broker when it was appended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TimestampKind {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// The attribute bits of a batch: codec 0-2, timestamp type 3, transactional 4, control 5, delete horizon 6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC_MASK: i16 = 0b111;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;

    pub fn new(codec: Codec) -> Attributes {
        Attributes(codec.bits())
    }

    /// The codec, or the three bits that name none.
    pub fn codec(self) -> Result<Codec, UnknownCodec> {
        let bits = self.0 & Attributes::CODEC_MASK;
        Codec::from_bits(bits).ok_or(UnknownCodec { bits })
    }

    pub fn timestamp_kind(self) -> TimestampKind {
        if self.0 & Attributes::LOG_APPEND_TIME == 0 {
            TimestampKind::CreateTime
        } else {
            TimestampKind::LogAppendTime
        }
    }

    pub fn with_timestamp_kind(self, kind: TimestampKind) -> Attributes {
        match kind {
            TimestampKind::CreateTime => Attributes(self.0 & !Attributes::LOG_APPEND_TIME),
            TimestampKind::LogAppendTime => Attributes(self.0 | Attributes::LOG_APPEND_TIME),
        }
    }

    pub fn is_transactional(self) -> bool {
        self.0 & Attributes::TRANSACTIONAL != 0
    }

    pub fn is_control(self) -> bool {
        self.0 & Attributes::CONTROL != 0
    }

    /// The base timestamp is the delete horizon of a compacted batch (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Attributes::DELETE_HORIZON != 0
    }

    pub(super) fn with_delete_horizon(self) -> Attributes {
        Attributes(self.0 | Attributes::DELETE_HORIZON)
    }

    pub(super) fn with_codec(self, codec: Codec) -> Attributes {
        Attributes(self.0 & !Attributes::CODEC_MASK | codec.bits())
    }

    pub(super) fn without_delete_horizon(self) -> Attributes {
        Attributes(self.0 & !Attributes::DELETE_HORIZON)
    }
}

/// A codec number nobody has defined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownCodec {
    pub bits: i16,
}

/// Why bytes are not a batch header, or not a batch of a stored log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchError {
    /// Fewer bytes than a header.
    Short { bytes: usize },
    /// The length field is too small for a header.
    Length { batch_length: i32 },
    /// Another record format.
    Magic { magic: i8 },
    /// Offsets that no log contains: negative, running backwards or past 2^63.
    Offsets {
        base_offset: Offset,
        last_offset_delta: i32,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Short { bytes } => write!(f, "{bytes} bytes are no batch header"),
            BatchError::Length { batch_length } => write!(f, "batch length {batch_length}"),
            BatchError::Magic { magic } => write!(f, "record format {magic}, not {MAGIC}"),
            BatchError::Offsets {
                base_offset,
                last_offset_delta,
            } => write!(f, "offsets from {base_offset} by {last_offset_delta}"),
        }
    }
}

impl std::error::Error for BatchError {}

/// The fixed part of a batch, by value. The format number is left out: it is always 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub base_offset: Offset,
    pub batch_length: i32,
    pub leader_epoch: LeaderEpoch,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: Timestamp,
    pub max_timestamp: Timestamp,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the first 61 bytes. What follows them may be missing; nothing is said about the CRC.
    ///
    /// A parsed header has a length of at least the header and offsets that can be computed with.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(head) = bytes.first_chunk::<BATCH_HEADER_BYTES>() else {
            return Err(BatchError::Short { bytes: bytes.len() });
        };
        let magic = head[MAGIC_POSITION] as i8;
        if magic != MAGIC {
            return Err(BatchError::Magic { magic });
        }
        let header = BatchHeader::read(head);
        if batch_bytes(header.batch_length).is_none() {
            return Err(BatchError::Length {
                batch_length: header.batch_length,
            });
        }
        if !header.has_sound_offsets() {
            return Err(BatchError::Offsets {
                base_offset: header.base_offset,
                last_offset_delta: header.last_offset_delta,
            });
        }
        Ok(header)
    }

    fn read(head: &[u8; BATCH_HEADER_BYTES]) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(head, 0))),
            batch_length: i32::from_be_bytes(field(head, 8)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, 12))),
            crc: u32::from_be_bytes(field(head, 17)),
            attributes: Attributes(i16::from_be_bytes(field(head, 21))),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(head, 27))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(head, 35))),
            producer_id: ProducerId(i64::from_be_bytes(field(head, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(head, 51))),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            record_count: i32::from_be_bytes(field(head, 57)),
        }
    }

    pub fn encode(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut head = [0; BATCH_HEADER_BYTES];
        head[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        head[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        head[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        head[16] = MAGIC as u8;
        head[17..21].copy_from_slice(&self.crc.to_be_bytes());
        head[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        head[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        head[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        head[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        head[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        head[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        head[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        head[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        head
    }

    /// Bytes of the whole batch, header included.
    pub fn total_bytes(&self) -> usize {
        batch_bytes(self.batch_length).expect("a header is not longer than its batch")
    }

    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// From when on the markers of deletion in a compacted batch may go (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        let is_set = self.attributes.has_delete_horizon();
        is_set.then_some(self.base_timestamp)
    }

    /// Sequence of the last record; after `i32::MAX` sequences go on at 0.
    pub fn last_sequence(&self) -> i32 {
        sequence_plus(self.base_sequence, self.last_offset_delta)
    }

    fn has_sound_offsets(&self) -> bool {
        let end = self
            .base_offset
            .0
            .checked_add(i64::from(self.last_offset_delta));
        self.base_offset.0 >= 0 && self.last_offset_delta >= 0 && end.is_some_and(|e| e < i64::MAX)
    }
}

/// The sequence `count` records after `sequence`, which wraps from `i32::MAX` to 0; -1 (none) stays.
pub fn sequence_plus(sequence: i32, count: i32) -> i32 {
    debug_assert!(count >= 0, "sequences only grow");
    if sequence < 0 {
        return sequence;
    }
    let sum = i64::from(sequence) + i64::from(count);
    i32::try_from(sum % (1 << 31)).expect("a remainder of 2^31 fits")
}

/// Whether the CRC in the header is that of the bytes after it. `batch` is one whole batch.
pub fn crc_matches(batch: &[u8]) -> bool {
    assert!(
        batch.len() >= BATCH_HEADER_BYTES,
        "a batch contains its header"
    );
    u32::from_be_bytes(field(batch, 17)) == crc32c(&batch[CRC_START..])
}

/// The head of a large batch, which its checksum leaves out, and the bytes that the checksum can stand for. `None` when
/// these are sooner summed.
pub fn parted(batch: &[u8]) -> Option<(&[u8], &[u8])> {
    (batch.len() >= APPEND_BYTES_MIN).then(|| batch.split_at(CRC_START))
}

/// The whole batch's size for a length field, or `None` when it leaves no room for a header.
fn batch_bytes(batch_length: i32) -> Option<usize> {
    let bytes = usize::try_from(batch_length).ok()? + BATCH_LENGTH_PREFIX_BYTES;
    (bytes >= BATCH_HEADER_BYTES).then_some(bytes)
}

fn field<const N: usize>(bytes: &[u8], position: usize) -> [u8; N] {
    *bytes[position..]
        .first_chunk()
        .expect("the header is long enough")
}

/// Walks batches that lie back to back. Ends before an incomplete last batch, and after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Batches<'a> {
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { bytes, position: 0 }
    }

    /// Where the next batch starts: all bytes before it were whole batches.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    /// Position in the slice, header, and the whole batch.
    type Item = Result<(usize, BatchHeader, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.position..];
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(BatchError::Short { .. }) => return None,
            Err(error) => {
                self.bytes = &self.bytes[..self.position];
                return Some(Err(error));
            }
        };
        let batch = rest.get(..header.total_bytes())?;
        let position = self.position;
        self.position += batch.len();
        Some(Ok((position, header, batch)))
    }
}

#[cfg(test)]
mod tests;
