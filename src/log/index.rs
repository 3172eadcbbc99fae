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
use crate::record::{BatchHeader, parted};

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

/// Where the sound entries of an index end, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IndexEnd {
    /// Nothing follows, or nothing but zeros.
    Whole,
    /// The header is not that of this segment: no entry counts.
    Header,
    /// The entry with this number contradicts its checksum.
    Checksum { entry: usize },
    /// It does not begin where the one before it ends.
    Gap { entry: usize },
    /// It speaks of more than the log has: an attempt that did not count left it.
    Beyond { entry: usize },
}

/// The sound entries from the beginning that end at or below `end`; none when the header is not of this segment.
pub fn decode_index(bytes: &[u8], base: Offset, chunk_bytes: usize, end: u64) -> Vec<IndexEntry> {
    judge_index(bytes, base, chunk_bytes, end).0
}

/// The same, and why there are no more.
pub fn judge_index(
    bytes: &[u8],
    base: Offset,
    chunk_bytes: usize,
    end: u64,
) -> (Vec<IndexEntry>, IndexEnd) {
    let mut entries: Vec<IndexEntry> = Vec::new();
    if bytes.is_empty() {
        return (entries, IndexEnd::Whole);
    }
    if bytes.get(..INDEX_HEADER_BYTES) != Some(&encode_index_header(base, chunk_bytes)) {
        return (entries, IndexEnd::Header);
    }
    for bytes in bytes[INDEX_HEADER_BYTES..].chunks_exact(INDEX_ENTRY_BYTES) {
        let expected = entries.last().map_or(0, IndexEntry::end);
        let entry = entries.len();
        match IndexEntry::decode(bytes, base) {
            None if bytes.iter().all(|byte| *byte == 0) => return (entries, IndexEnd::Whole),
            None => return (entries, IndexEnd::Checksum { entry }),
            Some(found) if found.position != expected => return (entries, IndexEnd::Gap { entry }),
            Some(found) if found.end() > end => return (entries, IndexEnd::Beyond { entry }),
            Some(found) => entries.push(found),
        }
    }
    (entries, IndexEnd::Whole)
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
        add_batch(&mut chunk.crc, header, batch);
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

fn add_batch(crc: &mut Crc32c, header: &BatchHeader, batch: &[u8]) {
    let Some((head, summed)) = parted(batch) else {
        return crc.update(batch);
    };
    crc.update(head);
    crc.append(header.crc, summed.len() as u64);
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

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset(100);
    const CHUNK: usize = 4096;

    /// Three chunks of 5,000 bytes and ten offsets each.
    fn index() -> Vec<u8> {
        let mut bytes = encode_index_header(BASE, CHUNK).to_vec();
        for number in 0..3 {
            let entry = IndexEntry {
                first: BASE.plus(number * 10),
                position: number as u64 * 5_000,
                bytes: 5_000,
                largest: Timestamp(number),
                crc: 7,
            };
            bytes.extend(entry.encode(BASE));
        }
        bytes
    }

    #[test]
    fn an_index_says_where_its_sound_entries_end_and_why() {
        let whole = index();
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = index();
            change(&mut bytes);
            bytes
        };
        let zeros = changed(&|bytes| bytes.resize(4_096, 0));
        let flipped = changed(&|bytes| bytes[32 + 32 + 5] ^= 1);
        let header = changed(&|bytes| bytes[17] ^= 1);
        let without_second = changed(&|bytes| drop(bytes.drain(64..96)));
        for (name, bytes, end, count, why) in [
            ("whole", &whole, 15_000, 3, IndexEnd::Whole),
            ("zeros behind", &zeros, 15_000, 3, IndexEnd::Whole),
            ("none", &Vec::new(), 15_000, 0, IndexEnd::Whole),
            (
                "a shorter log",
                &whole,
                14_999,
                2,
                IndexEnd::Beyond { entry: 2 },
            ),
            (
                "a flipped bit",
                &flipped,
                15_000,
                1,
                IndexEnd::Checksum { entry: 1 },
            ),
            ("another header", &header, 15_000, 0, IndexEnd::Header),
            (
                "a gap",
                &without_second,
                15_000,
                1,
                IndexEnd::Gap { entry: 1 },
            ),
        ] {
            let (entries, found) = judge_index(bytes, BASE, CHUNK, end);
            assert_eq!((entries.len(), found), (count, why), "{name}");
            assert_eq!(decode_index(bytes, BASE, CHUNK, end), entries, "{name}");
        }
    }
}
