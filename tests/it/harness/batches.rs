//! Record batches made and read by a second hand, so that the product's own codec cannot agree with itself alone.

use ottla::base::checksum::crc32c;

pub const HEADER_BYTES: usize = 61;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

impl Record {
    pub fn value(value: impl Into<Vec<u8>>) -> Record {
        Record {
            value: Some(value.into()),
            ..Record::default()
        }
    }

    pub fn at(mut self, timestamp: i64) -> Record {
        self.timestamp = timestamp;
        self
    }
}

/// Header fields a test wants other than plain.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub attributes: i16,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

impl Shape {
    pub const PLAIN: Shape = Shape {
        attributes: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };

    pub fn idempotent(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Shape {
        Shape {
            attributes: 0,
            producer_id,
            producer_epoch,
            base_sequence,
        }
    }
}

/// An uncompressed batch with base offset 0, as a producer sends it.
pub fn batch(records: &[Record]) -> Vec<u8> {
    shaped(records, Shape::PLAIN)
}

pub fn shaped(records: &[Record], shape: Shape) -> Vec<u8> {
    let base_timestamp = records[0].timestamp;
    let max_timestamp = records.iter().map(|record| record.timestamp).max();
    let mut out = vec![0; 8 + 4];
    out.extend((-1i32).to_be_bytes());
    out.push(2);
    out.extend([0; 4]);
    out.extend(shape.attributes.to_be_bytes());
    out.extend((records.len() as i32 - 1).to_be_bytes());
    out.extend(base_timestamp.to_be_bytes());
    out.extend(max_timestamp.unwrap_or(base_timestamp).to_be_bytes());
    out.extend(shape.producer_id.to_be_bytes());
    out.extend(shape.producer_epoch.to_be_bytes());
    out.extend(shape.base_sequence.to_be_bytes());
    out.extend((records.len() as i32).to_be_bytes());
    for (delta, record) in records.iter().enumerate() {
        put_record(
            &mut out,
            delta as i64,
            record.timestamp - base_timestamp,
            record,
        );
    }
    seal(&mut out);
    out
}

/// Sets length and checksum to what the bytes are.
pub fn seal(batch: &mut [u8]) {
    let length = batch.len() as i32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn put_record(out: &mut Vec<u8>, offset_delta: i64, timestamp_delta: i64, record: &Record) {
    let mut body = vec![0];
    put_varint(&mut body, timestamp_delta);
    put_varint(&mut body, offset_delta);
    for field in [&record.key, &record.value] {
        match field {
            Some(bytes) => {
                put_varint(&mut body, bytes.len() as i64);
                body.extend(bytes);
            }
            None => put_varint(&mut body, -1),
        }
    }
    put_varint(&mut body, 0);
    put_varint(out, body.len() as i64);
    out.extend(body);
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// What a stored batch says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub base_sequence: i32,
    pub records: Vec<Record>,
}

/// Reads back-to-back batches; checks lengths, magic, checksums. A cut last batch is left out.
pub fn read(mut bytes: &[u8]) -> Vec<Stored> {
    let mut found = Vec::new();
    while bytes.len() >= HEADER_BYTES {
        let total = 12 + int32(bytes, 8) as usize;
        if bytes.len() < total {
            break;
        }
        let (one, rest) = bytes.split_at(total);
        found.push(read_one(one));
        bytes = rest;
    }
    found
}

fn read_one(batch: &[u8]) -> Stored {
    assert_eq!(batch[16], 2, "magic");
    assert_eq!(
        crc32c(&batch[21..]),
        int32(batch, 17) as u32,
        "checksum of the batch at {}",
        int64(batch, 0)
    );
    let attributes = i16::from_be_bytes([batch[21], batch[22]]);
    let mut stored = Stored {
        base_offset: int64(batch, 0),
        leader_epoch: int32(batch, 12),
        attributes,
        max_timestamp: int64(batch, 35),
        producer_id: int64(batch, 43),
        base_sequence: int32(batch, 53),
        records: Vec::new(),
    };
    assert_eq!(attributes & 7, 0, "this reader has no codecs");
    let mut cursor = Cursor(&batch[HEADER_BYTES..]);
    for _ in 0..int32(batch, 57) {
        let mut record = cursor.record(stored.base_offset, int64(batch, 27));
        if attributes & 8 != 0 {
            record.timestamp = stored.max_timestamp;
        }
        stored.records.push(record);
    }
    assert!(cursor.0.is_empty(), "bytes after the last record");
    stored
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn record(&mut self, base_offset: i64, base_timestamp: i64) -> Record {
        self.varint();
        self.0 = &self.0[1..];
        let timestamp = base_timestamp + self.varint();
        let offset = base_offset + self.varint();
        let key = self.nullable_bytes();
        let value = self.nullable_bytes();
        for _ in 0..self.varint() {
            self.nullable_bytes();
            self.nullable_bytes();
        }
        Record {
            offset,
            timestamp,
            key,
            value,
        }
    }

    fn nullable_bytes(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.varint()).ok()?;
        let (field, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(field.to_vec())
    }

    fn varint(&mut self) -> i64 {
        let mut raw = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            raw |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        (raw >> 1) as i64 ^ -((raw & 1) as i64)
    }
}

fn int32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn int64(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
