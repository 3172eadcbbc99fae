//! Batches that we originate: tests, load, and records of our own.

use bytes::Bytes;

use super::batch::{
    Attributes, BATCH_HEADER_BYTES, BATCH_LENGTH_PREFIX_BYTES, BatchHeader, CRC_START, Codec,
};
use super::compression::compress;
use super::varint::{put_i32, put_i64};
use crate::base::checksum::crc32c;
use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::ProducerId;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// A record to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRecord<'a> {
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl<'a> NewRecord<'a> {
    /// A record with a value alone.
    pub fn value(timestamp: Timestamp, value: &'a [u8]) -> NewRecord<'a> {
        NewRecord {
            timestamp,
            key: None,
            value: Some(value),
            headers: &[],
        }
    }
}

/// Collects records, then writes one batch as a client would send it: base offset 0, no leader epoch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    codec: Codec,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: i32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    record_count: i32,
    records: Vec<u8>,
    scratch: Vec<u8>,
}

impl BatchBuilder {
    pub fn new(codec: Codec) -> BatchBuilder {
        BatchBuilder {
            codec,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: -1,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            record_count: 0,
            records: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Makes it a batch of an idempotent producer.
    pub fn producer(
        mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        base_sequence: i32,
    ) -> BatchBuilder {
        assert!(
            producer_id.is_some() && base_sequence >= 0,
            "a real producer"
        );
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
        self
    }

    pub fn push(&mut self, record: &NewRecord<'_>) {
        if self.record_count == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        let fields = &mut self.scratch;
        fields.clear();
        fields.push(0);
        put_i64(fields, record.timestamp.millis_since(self.base_timestamp));
        put_i32(fields, self.record_count);
        put_nullable(fields, record.key);
        put_nullable(fields, record.value);
        put_i32(fields, length(record.headers.len()));
        for (key, value) in record.headers {
            put_nullable(fields, Some(key));
            put_nullable(fields, *value);
        }
        put_i32(&mut self.records, length(fields.len()));
        self.records.extend_from_slice(fields);
        self.record_count += 1;
    }

    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Bytes of the records so far, not compressed.
    pub fn plain_bytes(&self) -> usize {
        self.records.len()
    }

    /// Panics without a record.
    pub fn build(self) -> Bytes {
        assert!(self.record_count > 0, "a batch has a record");
        let body = compress(self.codec, &self.records);
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            batch_length: batch_length(body.len()),
            leader_epoch: LeaderEpoch::NONE,
            crc: 0,
            attributes: Attributes::new(self.codec),
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.record_count,
        };
        Bytes::from(assemble(&header, &body))
    }
}

/// Header and records as one batch, with its checksum.
pub(super) fn assemble(header: &BatchHeader, body: &[u8]) -> Vec<u8> {
    let mut batch = Vec::with_capacity(header.total_bytes());
    batch.extend_from_slice(&header.encode());
    batch.extend_from_slice(body);
    let crc = crc32c(&batch[CRC_START..]);
    batch[CRC_START - 4..CRC_START].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// What the length field of a batch with so many bytes of records says.
pub(super) fn batch_length(body: usize) -> i32 {
    length(BATCH_HEADER_BYTES - BATCH_LENGTH_PREFIX_BYTES + body)
}

fn put_nullable(out: &mut Vec<u8>, part: Option<&[u8]>) {
    put_i32(out, part.map_or(-1, |part| length(part.len())));
    out.extend_from_slice(part.unwrap_or_default());
}

fn length(len: usize) -> i32 {
    i32::try_from(len).expect("a batch of our own is far below 2 GiB")
}
