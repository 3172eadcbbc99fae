//! Record bytes of a Fetch answer as a tree, so that what may differ (the leader epoch's checksum is not in it, the
//! time of an append) is told from what may not.

use std::collections::BTreeMap;

use ottla::base::checksum::crc32c;

use crate::debug_text::Value;

const HEADER_BYTES: usize = 61;
/// Base offset and length, which the length does not count.
const PREFIX_BYTES: usize = 12;

/// Name, place and width of each header field.
const FIELDS: &[(&str, usize, usize)] = &[
    ("base_offset", 0, 8),
    ("leader_epoch", 12, 4),
    ("magic", 16, 1),
    ("attributes", 21, 2),
    ("last_offset_delta", 23, 4),
    ("base_timestamp", 27, 8),
    ("max_timestamp", 35, 8),
    ("producer_id", 43, 8),
    ("producer_epoch", 51, 2),
    ("base_sequence", 53, 4),
    ("count", 57, 4),
];

/// The batches of printed bytes, without a cut one at the end, which no client reads.
pub(crate) fn batches(printed: &str) -> Value {
    let bytes = unquoted(printed);
    let mut rest = &bytes[..];
    let mut found = Vec::new();
    while rest.len() >= HEADER_BYTES {
        let length = integer(rest, 8, 4);
        let total = PREFIX_BYTES + usize::try_from(length).unwrap_or(usize::MAX - PREFIX_BYTES);
        if total > rest.len() {
            break;
        }
        found.push(batch(&rest[..total]));
        rest = &rest[total..];
    }
    Value::List(found)
}

fn batch(bytes: &[u8]) -> Value {
    let header = FIELDS.iter().map(|&(name, at, width)| {
        (
            name.to_owned(),
            Value::Scalar(integer(bytes, at, width).to_string()),
        )
    });
    let mut fields: BTreeMap<String, Value> = header.collect();
    let is_whole = crc32c(&bytes[21..]) == integer(bytes, 17, 4) as u32;
    let payload = format!(
        "{:?}",
        bytes::Bytes::copy_from_slice(&bytes[HEADER_BYTES..])
    );
    fields.insert("is_whole".to_owned(), Value::Scalar(is_whole.to_string()));
    fields.insert("payload".to_owned(), Value::Scalar(payload));
    Value::Struct("Batch".to_owned(), fields)
}

fn integer(bytes: &[u8], at: usize, width: usize) -> i64 {
    let negative = bytes[at] >= 0x80;
    let start = if negative { -1i64 } else { 0 };
    bytes[at..at + width]
        .iter()
        .fold(start, |value, &byte| value << 8 | i64::from(byte))
}

/// The bytes that `b"..."` shows, whose quotes the parser of texts has taken off.
fn unquoted(printed: &str) -> Vec<u8> {
    let mut letters = printed.strip_prefix('b').unwrap_or_default().bytes();
    let mut bytes = Vec::new();
    while let Some(letter) = letters.next() {
        if letter != b'\\' {
            bytes.push(letter);
            continue;
        }
        bytes.push(match letters.next().expect("an escape is complete") {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let mut digit = || {
                    (letters.next().expect("two digits") as char)
                        .to_digit(16)
                        .expect("hexadecimal")
                };
                (digit() * 16 + digit()) as u8
            }
            plain => plain,
        });
    }
    bytes
}
