//! Envelope of the metadata log and its snapshots. The records inside are `control`'s own; here they are bytes.
//!
//! Generation `g` is `snapshot-<g>` (absent for generation 0) and `log-<g>`, the records after it. A file gets its
//! name only when its header is durable, so a named file with a bad header is damage and not an interrupted start. The
//! log has its name first: a snapshot whose log is missing is damage too.
//! All integers are little-endian; everything starts on a 4 KiB boundary and is padded with zeros.
//!
//! ```text
//! log file: one header block, then records       snapshot file: header, directly followed by the state
//! byte  bytes  field                             byte  bytes  field
//!    0      8  magic "ottlamlg"                     0      8  magic "ottlamsn"
//!    8      4  format version                       8      4  format version
//!   12      4  CRC-32C of bytes 0..12 and 16..48   12      4  CRC-32C of bytes 0..12 and 16..56
//!   16      8  incarnation                         16      8  incarnation
//!   24      8  generation                          24      8  generation
//!   32      8  sequence of its first record        32      8  sequence of the first record it lacks
//!   40      4  chain value before that record      40      4  chain value before that record
//!   44      4  least length of the file in blocks  44      4  CRC-32C of the state
//!                                                  48      8  length of the state
//!
//! record
//! byte  bytes  field
//!    0      4  magic "mrec"
//!    4      4  CRC-32C of bytes 8..48: the chain value that the next record carries
//!    8      8  incarnation
//!   16      8  sequence, +1 each
//!   24      4  chain value of the record before
//!   28      4  length of the body
//!   32      4  CRC-32C of the body
//!   36      4  number of entries in the body
//!   40      8  zeros
//!   48      …  body: per entry its length (4 bytes) and its bytes
//! ```

use crate::base::align::{BLOCK, block_ceil};
use crate::base::checksum::{Crc32c, crc32c};
use crate::base::ids::Incarnation;
use bytes::Bytes;

const LOG_MAGIC: &[u8; 8] = b"ottlamlg";
const SNAPSHOT_MAGIC: &[u8; 8] = b"ottlamsn";
const RECORD_MAGIC: &[u8; 4] = b"mrec";
const META_FORMAT_VERSION: u32 = 1;
const LOG_HEADER_BYTES: usize = 48;
const SNAPSHOT_HEADER_BYTES: usize = 56;
const RECORD_HEADER_BYTES: usize = 48;

/// Where the next record stands in the chain of all records of this directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChainPoint {
    pub sequence: u64,
    pub chain: u32,
}

/// What a log or snapshot file says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    pub incarnation: Incarnation,
    pub generation: u64,
    /// The first record after this point is the first in the log, or the first the snapshot lacks.
    pub next: ChainPoint,
}

/// A log file as read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogContents {
    pub header: FileHeader,
    /// Entries of all records, in order.
    pub entries: Vec<Bytes>,
    /// Where the next record belongs.
    pub next: ChainPoint,
    /// Byte in the file where it goes. What lies there now was never acknowledged.
    pub end: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetaFormatError {
    /// The file's header does not check out.
    Header,
    /// Written by a later version of the program.
    UnknownVersion(u32),
    /// A bad record at this byte, and a valid later one behind it: damage, not a torn write.
    Record { position: u64 },
    /// The snapshot's state does not match its checksum, or is cut short.
    State,
}

/// The first block of a log file that is `file_bytes` long from the beginning.
pub fn encode_log_header(header: &FileHeader, file_bytes: u64) -> Vec<u8> {
    let mut block = header_fields(LOG_MAGIC, header);
    let blocks = u32::try_from(file_bytes / BLOCK as u64).expect("callers bound the file");
    block.extend_from_slice(&blocks.to_le_bytes());
    debug_assert_eq!(block.len(), LOG_HEADER_BYTES);
    seal_header(&mut block);
    block.resize(BLOCK, 0);
    block
}

/// A whole snapshot file, padded.
pub fn encode_snapshot(header: &FileHeader, state: &[u8]) -> Vec<u8> {
    let mut file = header_fields(SNAPSHOT_MAGIC, header);
    file.extend_from_slice(&crc32c(state).to_le_bytes());
    file.extend_from_slice(&(state.len() as u64).to_le_bytes());
    debug_assert_eq!(file.len(), SNAPSHOT_HEADER_BYTES);
    seal_header(&mut file);
    file.extend_from_slice(state);
    file.resize(padded(file.len()), 0);
    file
}

pub fn decode_snapshot(file: &[u8]) -> Result<(FileHeader, Bytes), MetaFormatError> {
    let header = decode_header(file, SNAPSHOT_MAGIC, SNAPSHOT_HEADER_BYTES)?;
    let len = usize::try_from(read_u64(file, 48)).map_err(|_| MetaFormatError::State)?;
    let state = file[SNAPSHOT_HEADER_BYTES..]
        .get(..len)
        .filter(|state| crc32c(state) == read_u32(file, 44))
        .ok_or(MetaFormatError::State)?;
    Ok((header, Bytes::copy_from_slice(state)))
}

/// Bytes that `encode_record` makes of these entries.
pub fn record_bytes(entries: &[Bytes]) -> usize {
    padded(RECORD_HEADER_BYTES + body_bytes(entries))
}

/// Writes a padded record over the whole of `target`, and returns the point behind it.
///
/// Panics unless `target` has exactly `record_bytes(entries)`.
pub fn encode_record(
    target: &mut [u8],
    incarnation: Incarnation,
    at: ChainPoint,
    entries: &[Bytes],
) -> ChainPoint {
    assert_eq!(target.len(), record_bytes(entries));
    let body_len = body_bytes(entries);
    let (head, body) = target.split_at_mut(RECORD_HEADER_BYTES);
    body[body_len..].fill(0);
    let mut position = 0;
    for entry in entries {
        let len = u32::try_from(entry.len()).expect("an entry fits the body, whose length is u32");
        body[position..position + 4].copy_from_slice(&len.to_le_bytes());
        position += 4;
        body[position..position + entry.len()].copy_from_slice(entry);
        position += entry.len();
    }
    debug_assert_eq!(position, body_len);
    let body_len_field = u32::try_from(body_len).expect("callers bound the body");
    let count = u32::try_from(entries.len()).expect("callers bound the body");
    head[..4].copy_from_slice(RECORD_MAGIC);
    head[8..16].copy_from_slice(&incarnation.0.to_le_bytes());
    head[16..24].copy_from_slice(&at.sequence.to_le_bytes());
    head[24..28].copy_from_slice(&at.chain.to_le_bytes());
    head[28..32].copy_from_slice(&body_len_field.to_le_bytes());
    head[32..36].copy_from_slice(&crc32c(&body[..body_len]).to_le_bytes());
    head[36..40].copy_from_slice(&count.to_le_bytes());
    head[40..48].fill(0);
    let crc = crc32c(&head[8..48]);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    ChainPoint {
        sequence: at.sequence + 1,
        chain: crc,
    }
}

/// Reads a whole log file. A last record that does not check out was torn and never acknowledged.
pub fn decode_log(file: &Bytes) -> Result<LogContents, MetaFormatError> {
    let header = decode_header(file, LOG_MAGIC, LOG_HEADER_BYTES)?;
    if file.len() / BLOCK < read_u32(file, 44) as usize {
        // Records may have been in what is missing.
        return Err(MetaFormatError::Record {
            position: file.len() as u64,
        });
    }
    let mut contents = LogContents {
        header,
        entries: Vec::new(),
        next: header.next,
        end: BLOCK as u64,
    };
    let mut position = BLOCK;
    while let Some(record) = decode_record(file, position, &header, contents.next) {
        contents.entries.extend(record.entries);
        contents.next = record.next;
        position = record.end;
    }
    contents.end = position as u64;
    if later_record_follows(file, position, &header, contents.next.sequence) {
        return Err(MetaFormatError::Record {
            position: contents.end,
        });
    }
    Ok(contents)
}

struct DecodedRecord {
    entries: Vec<Bytes>,
    next: ChainPoint,
    end: usize,
}

fn decode_record(
    file: &Bytes,
    position: usize,
    header: &FileHeader,
    at: ChainPoint,
) -> Option<DecodedRecord> {
    let head = sound_record_head(file, position, header)?;
    if read_u64(head, 16) != at.sequence || read_u32(head, 24) != at.chain {
        return None;
    }
    let body_at = position + RECORD_HEADER_BYTES;
    let body_end = body_at.checked_add(read_u32(head, 28) as usize)?;
    let body = file.get(body_at..body_end)?;
    if crc32c(body) != read_u32(head, 32) {
        return None;
    }
    let mut entries = Vec::new();
    let mut entry_at = body_at;
    for _ in 0..read_u32(head, 36) {
        let len_end = entry_at.checked_add(4).filter(|&end| end <= body_end)?;
        let entry_end = len_end.checked_add(read_u32(file, entry_at) as usize)?;
        if entry_end > body_end {
            return None;
        }
        entries.push(file.slice(len_end..entry_end));
        entry_at = entry_end;
    }
    Some(DecodedRecord {
        entries,
        next: ChainPoint {
            sequence: at.sequence + 1,
            chain: read_u32(head, 4),
        },
        end: padded(body_end),
    })
}

fn later_record_follows(file: &Bytes, position: usize, header: &FileHeader, sequence: u64) -> bool {
    (position..file.len())
        .step_by(BLOCK)
        .filter_map(|block| sound_record_head(file, block, header))
        .any(|head| read_u64(head, 16) > sequence)
}

fn sound_record_head<'a>(
    file: &'a Bytes,
    position: usize,
    header: &FileHeader,
) -> Option<&'a [u8]> {
    let head = file.get(position..position.checked_add(RECORD_HEADER_BYTES)?)?;
    let sound = &head[..4] == RECORD_MAGIC
        && read_u32(head, 4) == crc32c(&head[8..])
        && read_u64(head, 8) == header.incarnation.0;
    sound.then_some(head)
}

fn header_fields(magic: &[u8; 8], header: &FileHeader) -> Vec<u8> {
    let mut fields = Vec::with_capacity(BLOCK);
    fields.extend_from_slice(magic);
    fields.extend_from_slice(&META_FORMAT_VERSION.to_le_bytes());
    fields.extend_from_slice(&[0; 4]);
    fields.extend_from_slice(&header.incarnation.0.to_le_bytes());
    fields.extend_from_slice(&header.generation.to_le_bytes());
    fields.extend_from_slice(&header.next.sequence.to_le_bytes());
    fields.extend_from_slice(&header.next.chain.to_le_bytes());
    fields
}

fn seal_header(fields: &mut [u8]) {
    let crc = header_crc(fields);
    fields[12..16].copy_from_slice(&crc.to_le_bytes());
}

fn header_crc(fields: &[u8]) -> u32 {
    let mut crc = Crc32c::new();
    crc.update(&fields[..12]);
    crc.update(&fields[16..]);
    crc.finish()
}

fn decode_header(
    file: &[u8],
    magic: &[u8; 8],
    bytes: usize,
) -> Result<FileHeader, MetaFormatError> {
    let fields = file.get(..bytes).ok_or(MetaFormatError::Header)?;
    if &fields[..8] != magic || read_u32(fields, 12) != header_crc(fields) {
        return Err(MetaFormatError::Header);
    }
    match read_u32(fields, 8) {
        META_FORMAT_VERSION => Ok(FileHeader {
            incarnation: Incarnation(read_u64(fields, 16)),
            generation: read_u64(fields, 24),
            next: ChainPoint {
                sequence: read_u64(fields, 32),
                chain: read_u32(fields, 40),
            },
        }),
        version => Err(MetaFormatError::UnknownVersion(version)),
    }
}

fn body_bytes(entries: &[Bytes]) -> usize {
    entries.iter().map(|entry| 4 + entry.len()).sum()
}

fn padded(len: usize) -> usize {
    block_ceil(len as u64) as usize
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

    const HEADER: FileHeader = FileHeader {
        incarnation: Incarnation(0x0102),
        generation: 3,
        next: ChainPoint {
            sequence: 40,
            chain: 0xAABB_CCDD,
        },
    };

    fn entries(texts: &[&'static str]) -> Vec<Bytes> {
        texts
            .iter()
            .map(|text| Bytes::from_static(text.as_bytes()))
            .collect()
    }

    /// A log file of these records, and the byte where each begins.
    fn log_of(records: &[Vec<Bytes>]) -> (Vec<u8>, Vec<usize>) {
        let mut file = encode_log_header(&HEADER, 4096);
        let mut at = HEADER.next;
        let mut starts = Vec::new();
        for record in records {
            starts.push(file.len());
            let mut block = vec![0xEE; record_bytes(record)];
            at = encode_record(&mut block, HEADER.incarnation, at, record);
            file.extend(block);
        }
        (file, starts)
    }

    #[test]
    fn a_record_is_what_the_drawing_says() {
        let record = entries(&["ab", "c"]);
        let mut block = vec![0xEE; record_bytes(&record)];
        let next = encode_record(&mut block, HEADER.incarnation, HEADER.next, &record);
        let mut expected = Vec::new();
        expected.extend_from_slice(b"mrec");
        expected.extend_from_slice(&next.chain.to_le_bytes());
        expected.extend_from_slice(b"\x02\x01\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x28\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\xDD\xCC\xBB\xAA\x0b\0\0\0");
        expected.extend_from_slice(&crc32c(b"\x02\0\0\0ab\x01\0\0\0c").to_le_bytes());
        expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x02\0\0\0ab\x01\0\0\0c");
        expected.resize(4096, 0);
        assert_eq!(block, expected);
        assert_eq!(next.sequence, 41);
        assert_eq!(next.chain, crc32c(&expected[8..48]));
    }

    #[test]
    fn headers_are_what_the_drawing_says() {
        let log = encode_log_header(&HEADER, 8192);
        assert_eq!(log.len(), 4096);
        assert_eq!(&log[..12], b"ottlamlg\x01\0\0\0");
        let fields = b"\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x28\0\0\0\0\0\0\0\xDD\xCC\xBB\xAA";
        assert_eq!(&log[16..44], fields);
        assert_eq!(&log[44..48], b"\x02\0\0\0");
        assert!(log[48..].iter().all(|&byte| byte == 0));

        let snapshot = encode_snapshot(&HEADER, b"state");
        assert_eq!(snapshot.len(), 4096);
        assert_eq!(&snapshot[..12], b"ottlamsn\x01\0\0\0");
        assert_eq!(&snapshot[16..44], fields);
        assert_eq!(&snapshot[44..48], crc32c(b"state").to_le_bytes());
        assert_eq!(&snapshot[48..61], b"\x05\0\0\0\0\0\0\0state");
        assert!(snapshot[61..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_log_reads_back_and_ends_where_the_next_record_belongs() {
        let long = vec![Bytes::from(vec![7; 9000])];
        let records = [entries(&["a", ""]), long.clone(), entries(&[])];
        let (mut file, _) = log_of(&records);
        let end = file.len();
        file.resize(end + 3 * BLOCK, 0);
        let contents = decode_log(&file.into()).unwrap();
        assert_eq!(
            contents.entries,
            [entries(&["a", ""]), long, vec![]].concat()
        );
        assert_eq!(contents.end, end as u64);
        assert_eq!(contents.next.sequence, 43);
        assert_eq!(contents.header, HEADER);
    }

    #[test]
    fn a_bad_last_record_is_torn_and_a_bad_one_before_it_is_damage() {
        let records = [entries(&["a"]), entries(&["b"]), entries(&["c"])];
        let (file, starts) = log_of(&records);
        for (index, &start) in starts.iter().enumerate() {
            for byte in [0, 4, 9, 17, 25, 29, 33, 37, 48, 52] {
                let mut broken = file.clone();
                broken[start + byte] ^= 0x10;
                let found = decode_log(&broken.into());
                if index == 2 {
                    let contents = found.unwrap();
                    assert_eq!(contents.entries, entries(&["a", "b"]), "byte {byte}");
                    assert_eq!(contents.end, start as u64);
                } else {
                    let position = start as u64;
                    assert_eq!(found, Err(MetaFormatError::Record { position }), "{byte}");
                }
            }
        }
    }

    #[test]
    fn a_file_cut_inside_a_record_ends_before_it() {
        let (file, starts) = log_of(&[entries(&["a"]), vec![Bytes::from(vec![1; 6000])]]);
        for len in [starts[1], starts[1] + 20, starts[1] + BLOCK] {
            let contents = decode_log(&Bytes::copy_from_slice(&file[..len])).unwrap();
            assert_eq!(contents.entries, entries(&["a"]));
            assert_eq!(contents.end, starts[1] as u64);
        }
    }

    #[test]
    fn a_file_shorter_than_it_was_made_is_damaged() {
        let file = Bytes::from(encode_log_header(&HEADER, 8192));
        let position = 4096;
        assert_eq!(decode_log(&file), Err(MetaFormatError::Record { position }));
    }

    #[test]
    fn a_record_of_another_chain_or_incarnation_is_not_taken() {
        let (mut file, _) = log_of(&[entries(&["a"])]);
        let record = entries(&["stray"]);
        for (incarnation, chain) in [(9, None), (0x0102, Some(5))] {
            let clean = decode_log(&file.clone().into()).unwrap();
            let at = ChainPoint {
                sequence: clean.next.sequence,
                chain: chain.unwrap_or(clean.next.chain),
            };
            let mut block = vec![0; BLOCK];
            encode_record(&mut block, Incarnation(incarnation), at, &record);
            let end = file.len();
            file.extend(block);
            assert_eq!(decode_log(&file.clone().into()).unwrap(), clean);
            file.truncate(end);
        }
    }

    #[test]
    fn a_snapshot_reads_back_and_a_flipped_bit_spoils_it() {
        let state = vec![3; 5000];
        let file = encode_snapshot(&HEADER, &state);
        assert_eq!(decode_snapshot(&file), Ok((HEADER, state.into())));
        for byte in 0..SNAPSHOT_HEADER_BYTES + 5000 {
            let mut broken = file.clone();
            broken[byte] ^= 1;
            assert!(decode_snapshot(&broken).is_err(), "byte {byte}");
        }
        assert_eq!(decode_snapshot(&file[..4096]), Err(MetaFormatError::State));
        assert_eq!(decode_snapshot(&[]), Err(MetaFormatError::Header));
    }
}
