//! Single records of one batch, decompressed under a cap. Records were never looked at when the batch was appended,
//! so each of their fields may be a lie; a lie is an error value.

use std::borrow::Cow;

use bytes::Bytes;

use super::batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader, TimestampKind, UnknownCodec};
use super::compression::{DecompressError, decompress};
use super::varint::{take_i32, take_i64};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// Fields of one byte each: length, attributes, two deltas, two lengths, header count.
const RECORD_BYTES_MIN: usize = 7;
/// A key length and a value length.
const HEADER_BYTES_MIN: usize = 2;

/// Why the records of a batch cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    Batch(BatchError),
    Codec(UnknownCodec),
    Decompress(DecompressError),
    /// The bytes end inside a record.
    Short,
    /// A varint of more bits than its field.
    Varint,
    /// A negative length where none may be.
    Length {
        length: i32,
    },
    /// More headers than the bytes can hold, or fewer than none.
    HeaderCount {
        count: i32,
    },
    /// The record's length is not that of its fields.
    RecordLength {
        unread_bytes: usize,
    },
    /// Not above its predecessor, or beyond the batch.
    OffsetDelta {
        delta: i32,
    },
    /// No such time.
    TimestampDelta {
        delta: i64,
    },
    /// Bytes after the last record.
    TrailingBytes {
        bytes: usize,
    },
}

/// A record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordView<'a> {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    header_count: usize,
    /// Checked to hold `header_count` headers and nothing else.
    headers: &'a [u8],
    pub(super) raw: RawRecord<'a>,
}

/// The same record as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RawRecord<'a> {
    /// All of it, with its length.
    pub(super) bytes: &'a [u8],
    pub(super) attributes: u8,
    pub(super) offset_delta: i32,
    /// What follows the deltas: key, value, headers.
    pub(super) payload: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Key and value of each header.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.headers;
        (0..self.header_count)
            .map(move |_| take_header(&mut rest).expect("headers were checked with their record"))
    }
}

/// A record that stands alone. Its fields are slices of one copy of the batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// The plain records of one batch.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    header: BatchHeader,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Payload<'a> {
    /// Opens one whole batch. Decompresses, but looks at no record yet.
    pub fn open(batch: &'a [u8]) -> Result<Payload<'a>, RecordError> {
        let header = BatchHeader::parse(batch).map_err(RecordError::Batch)?;
        let stored = batch
            .get(BATCH_HEADER_BYTES..header.total_bytes())
            .ok_or(RecordError::Short)?;
        let codec = header.attributes.codec().map_err(RecordError::Codec)?;
        let bytes = decompress(codec, stored).map_err(RecordError::Decompress)?;
        Ok(Payload { header, bytes })
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    pub fn records(&self) -> Records<'_> {
        Records {
            header: &self.header,
            rest: &self.bytes,
            left: self.header.record_count.max(0),
            delta_min: 0,
        }
    }
}

/// Walks the records of a batch; ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    left: i32,
    /// The next record's offset delta, at least.
    delta_min: i32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let bytes = std::mem::take(&mut self.rest).len();
            return (bytes > 0).then_some(Err(RecordError::TrailingBytes { bytes }));
        }
        self.left -= 1;
        let record = self.take_record();
        if record.is_err() {
            self.left = 0;
            self.rest = &[];
        }
        Some(record)
    }
}

impl<'a> Records<'a> {
    fn take_record(&mut self) -> Result<RecordView<'a>, RecordError> {
        let start = self.rest;
        let length = take_length(&mut self.rest)?;
        let (mut fields, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(RecordError::Short)?;
        self.rest = rest;
        // No bit of the attributes is defined.
        let (&attributes, after) = fields.split_first().ok_or(RecordError::Short)?;
        fields = after;
        let timestamp = self.timestamp(varint(fields, take_i64(&mut fields))?)?;
        let offset_delta = varint(fields, take_i32(&mut fields))?;
        let offset = self.offset(offset_delta)?;
        let payload = fields;
        let key = take_nullable(&mut fields)?;
        let value = take_nullable(&mut fields)?;
        let header_count = take_header_count(&mut fields)?;
        let headers = fields;
        for _ in 0..header_count {
            take_header(&mut fields)?;
        }
        if !fields.is_empty() {
            return Err(RecordError::RecordLength {
                unread_bytes: fields.len(),
            });
        }
        Ok(RecordView {
            offset,
            timestamp,
            key,
            value,
            header_count,
            headers,
            raw: RawRecord {
                bytes: &start[..start.len() - rest.len()],
                attributes,
                offset_delta,
                payload,
            },
        })
    }

    /// Append time replaces what the producer wrote into its records.
    fn timestamp(&self, delta: i64) -> Result<Timestamp, RecordError> {
        if self.header.attributes.timestamp_kind() == TimestampKind::LogAppendTime {
            return Ok(self.header.max_timestamp);
        }
        let time = self.header.base_timestamp.0.checked_add(delta);
        time.map(Timestamp)
            .ok_or(RecordError::TimestampDelta { delta })
    }

    /// Deltas rise and stay in the batch. So those of a batch as its producer made it, with as many records as
    /// offsets, are exactly 0, 1, 2, …; compaction leaves gaps.
    fn offset(&mut self, delta: i32) -> Result<Offset, RecordError> {
        let delta_max = self.header.last_offset_delta - self.left;
        if delta < self.delta_min || delta > delta_max {
            return Err(RecordError::OffsetDelta { delta });
        }
        self.delta_min = delta + 1;
        Ok(self.header.base_offset.plus(i64::from(delta)))
    }
}

fn varint<T>(rest: &[u8], taken: Option<T>) -> Result<T, RecordError> {
    let is_cut = rest.iter().all(|byte| *byte >= 0x80);
    taken.ok_or(if is_cut {
        RecordError::Short
    } else {
        RecordError::Varint
    })
}

fn take_length(bytes: &mut &[u8]) -> Result<usize, RecordError> {
    let length = varint(bytes, take_i32(bytes))?;
    usize::try_from(length).map_err(|_| RecordError::Length { length })
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], RecordError> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(RecordError::Short)?;
    *bytes = rest;
    Ok(taken)
}

/// -1 is null.
fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    let length = varint(bytes, take_i32(bytes))?;
    match usize::try_from(length) {
        Ok(length) => take_bytes(bytes, length).map(Some),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(RecordError::Length { length }),
    }
}

fn take_header_count(bytes: &mut &[u8]) -> Result<usize, RecordError> {
    let count = varint(bytes, take_i32(bytes))?;
    let fits = bytes.len() / HEADER_BYTES_MIN;
    usize::try_from(count)
        .ok()
        .filter(|&count| count <= fits)
        .ok_or(RecordError::HeaderCount { count })
}

fn take_header<'a>(bytes: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), RecordError> {
    let key_bytes = take_length(bytes)?;
    let key = take_bytes(bytes, key_bytes)?;
    Ok((key, take_nullable(bytes)?))
}

/// All records of one whole batch.
pub fn records(batch: &[u8]) -> Result<Vec<Record>, RecordError> {
    let Payload { header, bytes } = Payload::open(batch)?;
    let bytes = Bytes::from(bytes.into_owned());
    let payload = Payload {
        header,
        bytes: Cow::Borrowed(&bytes[..]),
    };
    let own = |part: &[u8]| bytes.slice_ref(part);
    let count = usize::try_from(header.record_count).unwrap_or(0);
    let mut records = Vec::with_capacity(count.min(bytes.len() / RECORD_BYTES_MIN));
    for view in payload.records() {
        let view = view?;
        records.push(Record {
            offset: view.offset,
            timestamp: view.timestamp,
            key: view.key.map(own),
            value: view.value.map(own),
            headers: view
                .headers()
                .map(|(key, value)| (own(key), value.map(own)))
                .collect(),
        });
    }
    Ok(records)
}

/// The first record of one whole batch, at or after `from`, that is not older than `at_least`.
pub fn find_timestamp(
    batch: &[u8],
    from: Offset,
    at_least: Timestamp,
) -> Result<Option<(Offset, Timestamp)>, RecordError> {
    for record in Payload::open(batch)?.records() {
        let record = record?;
        if record.offset >= from && record.timestamp >= at_least {
            return Ok(Some((record.offset, record.timestamp)));
        }
    }
    Ok(None)
}

/// Of one whole batch's records at or after `from` the first with the largest timestamp; `None` where there is none.
pub fn max_timestamp_record(
    batch: &[u8],
    from: Offset,
) -> Result<Option<(Offset, Timestamp)>, RecordError> {
    let mut newest: Option<(Offset, Timestamp)> = None;
    for record in Payload::open(batch)?.records() {
        let record = record?;
        let is_newer = newest.is_none_or(|(_, timestamp)| timestamp < record.timestamp);
        if record.offset >= from && is_newer {
            newest = Some((record.offset, record.timestamp));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests;
