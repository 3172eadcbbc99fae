//! Reading little-endian fields of our own formats; `None` when the bytes end too early.

use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{PartitionId, Uuid};
use crate::base::offset::{Offset, Position};
use crate::base::time::Timestamp;

pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor(bytes)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn rest(&mut self) -> &mut &'a [u8] {
        &mut self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn offset(&mut self) -> Option<Offset> {
        self.i64().map(Offset)
    }

    pub(crate) fn timestamp(&mut self) -> Option<Timestamp> {
        self.i64().map(Timestamp)
    }

    pub(crate) fn epoch(&mut self) -> Option<LeaderEpoch> {
        self.array().map(i32::from_le_bytes).map(LeaderEpoch)
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        Some(Position {
            segment: self.offset()?,
            byte: self.u64()?,
        })
    }

    pub(crate) fn partition(&mut self) -> Option<PartitionId> {
        Some(PartitionId {
            topic: Uuid(self.array()?),
            index: self.u32()?,
        })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes(N)?;
        Some(taken.try_into().expect("as many bytes as asked for"))
    }
}

/// Appending the same fields.
pub(crate) trait PutFields {
    fn put(&mut self, bytes: &[u8]);

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.put(&value.to_le_bytes());
    }

    fn put_epoch(&mut self, epoch: LeaderEpoch) {
        self.put(&epoch.0.to_le_bytes());
    }

    fn put_position(&mut self, position: Position) {
        self.put_i64(position.segment.0);
        self.put_u64(position.byte);
    }

    fn put_partition(&mut self, id: PartitionId) {
        self.put(&id.topic.0);
        self.put_u32(id.index);
    }
}

impl PutFields for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Fields that need no memory of their own: at most `N` bytes of them.
pub(crate) struct FieldBytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> FieldBytes<N> {
    pub(crate) fn new() -> FieldBytes<N> {
        FieldBytes {
            bytes: [0; N],
            len: 0,
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// All `N`, zeros behind what was put.
    pub(crate) fn into_padded(self) -> [u8; N] {
        self.bytes
    }
}

impl<const N: usize> PutFields for FieldBytes<N> {
    /// Panics beyond `N`: the size of a format is known.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}
