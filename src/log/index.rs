//! The sparse index of a segment: one entry per chunk of the log.
//!
//! ```text
//!  0   8  magic "ottlaidx"          32  per entry:
//!  8   4  format version             0   4  first offset of the chunk, relative to the base
//! 12   4  entry size                 4   4  length of the chunk
//! 16   8  base offset                8   8  position of the chunk in the segment
//! 24   4  bytes per chunk           16   8  largest timestamp up to the end of the chunk
//! 28   4  CRC-32C of bytes 0..28    24   4  CRC-32C of the chunk
//!                                   28   4  CRC-32C of the entry's bytes 0..28
//! ```
//! A chunk is whole batches, as many as reach the chunk size. The index is a help and no authority: entries beyond the
//! synced end are ignored, and what is missing is made from the log again.

use super::cursor::{Cursor, PutFields};
use crate::base::checksum::{Crc32c, crc32c};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::BatchHeader;

pub const INDEX_FORMAT_VERSION: u32 = 1;
pub const INDEX_HEADER_BYTES: usize = 32;
pub const INDEX_ENTRY_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"ottlaidx";
const CRC_AT: usize = 28;

/// One chunk of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    pub first: Offset,
    pub position: u64,
    pub bytes: u32,
    /// Largest timestamp from the start of the segment to the end of this chunk.
    pub largest: Timestamp,
    pub crc: u32,
}

impl IndexEntry {
    pub fn end(&self) -> u64 {
        self.position + u64::from(self.bytes)
    }

    pub fn encode(&self, base: Offset) -> [u8; INDEX_ENTRY_BYTES] {
        let relative =
            u32::try_from(self.first.since(base)).expect("a segment rolls before 2^31 offsets");
        let mut out = Vec::with_capacity(INDEX_ENTRY_BYTES);
        out.put_u32(relative);
        out.put_u32(self.bytes);
        out.put_u64(self.position);
        out.put_i64(self.largest.0);
        out.put_u32(self.crc);
        let crc = crc32c(&out);
        out.put_u32(crc);
        out.try_into().expect("an entry has its size")
    }

    fn decode(bytes: &[u8], base: Offset) -> Option<IndexEntry> {
        let mut cursor = Cursor::new(bytes);
        let relative = cursor.u32()?;
        let entry_bytes = cursor.u32()?;
        let entry = IndexEntry {
            bytes: entry_bytes,
            position: cursor.u64()?,
            largest: cursor.timestamp()?,
            crc: cursor.u32()?,
            first: Offset(base.0.checked_add(i64::from(relative))?),
        };
        (cursor.u32()? == crc32c(&bytes[..CRC_AT])).then_some(entry)
    }
}

pub fn encode_index_header(base: Offset, chunk_bytes: usize) -> [u8; INDEX_HEADER_BYTES] {
    let mut out = Vec::with_capacity(INDEX_HEADER_BYTES);
    out.put(MAGIC);
    out.put_u32(INDEX_FORMAT_VERSION);
    out.put_u32(INDEX_ENTRY_BYTES as u32);
    out.put_i64(base.0);
    out.put_u32(u32::try_from(chunk_bytes).expect("a chunk is small"));
    let crc = crc32c(&out);
    out.put_u32(crc);
    out.try_into().expect("the header has its size")
}

/// The sound entries from the beginning that end at or below `end`; none when the header is not of this segment.
pub fn decode_index(bytes: &[u8], base: Offset, chunk_bytes: usize, end: u64) -> Vec<IndexEntry> {
    if bytes.get(..INDEX_HEADER_BYTES) != Some(&encode_index_header(base, chunk_bytes)) {
        return Vec::new();
    }
    let mut entries: Vec<IndexEntry> = Vec::new();
    for bytes in bytes[INDEX_HEADER_BYTES..].chunks_exact(INDEX_ENTRY_BYTES) {
        let expected = entries.last().map_or(0, IndexEntry::end);
        match IndexEntry::decode(bytes, base) {
            Some(entry) if entry.position == expected && entry.end() <= end => entries.push(entry),
            _ => break,
        }
    }
    entries
}

/// Makes entries from batches in log order.
pub struct IndexBuilder {
    chunk_bytes: usize,
    chunk: Option<OpenChunk>,
    position: u64,
    largest: Timestamp,
}

struct OpenChunk {
    first: Offset,
    position: u64,
    crc: Crc32c,
}

impl IndexBuilder {
    /// Goes on after the last of the sound entries.
    pub fn after(entries: &[IndexEntry], chunk_bytes: usize) -> IndexBuilder {
        IndexBuilder {
            chunk_bytes,
            chunk: None,
            position: entries.last().map_or(0, IndexEntry::end),
            largest: entries
                .last()
                .map_or(Timestamp::NONE, |entry| entry.largest),
        }
    }

    /// Takes the next batch, whole. Answers with the entry that it completes.
    pub fn add(&mut self, header: &BatchHeader, batch: &[u8]) -> Option<IndexEntry> {
        let chunk = self.chunk.get_or_insert_with(|| OpenChunk {
            first: header.base_offset,
            position: self.position,
            crc: Crc32c::new(),
        });
        chunk.crc.update(batch);
        self.position += batch.len() as u64;
        self.largest = self.largest.max(header.max_timestamp);
        let is_full = self.position - chunk.position >= self.chunk_bytes as u64;
        is_full.then(|| self.finish()).flatten()
    }

    /// Closes the chunk begun, if there is one: the segment ends here.
    pub fn finish(&mut self) -> Option<IndexEntry> {
        let chunk = self.chunk.take()?;
        Some(IndexEntry {
            first: chunk.first,
            position: chunk.position,
            bytes: u32::try_from(self.position - chunk.position).expect("a chunk is small"),
            largest: self.largest,
            crc: chunk.crc.finish(),
        })
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// Where to begin to look for `offset`: the chunk that holds it, or what lies behind the last chunk.
pub fn chunk_of_offset(entries: &[IndexEntry], offset: Offset) -> Option<IndexEntry> {
    let after = entries.partition_point(|entry| entry.first <= offset);
    after.checked_sub(1).map(|index| entries[index])
}

/// The first chunk that holds a batch with a timestamp of at least this; `None` when it lies behind the last chunk.
pub fn chunk_of_timestamp(entries: &[IndexEntry], at_least: Timestamp) -> Option<IndexEntry> {
    let index = entries.partition_point(|entry| entry.largest < at_least);
    entries.get(index).copied()
}
