//! Bytes of a client become a `ValidBatch`, or are refused. By header and CRC alone: records are walked only where each
//! must have a key.

use bytes::Bytes;

use super::batch::{
    Attributes, BATCH_HEADER_BYTES, BatchError, BatchHeader, CRC_START, Codec, TimestampKind,
    crc_matches,
};
use super::iterate::{Payload, RecordError};
use crate::base::checksum::Crc32c;
use crate::base::epoch::LeaderEpoch;
use crate::base::limits::RECORDS_TO_BLAME_MAX;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// The least a record takes: seven fields of one byte each.
const RECORD_BYTES_MIN: usize = 7;

/// What a topic and a request version demand of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchRules {
    /// `max.message.bytes`: the batch as it was sent.
    pub batch_bytes_max: usize,
    /// Zstd came with Produce 7; an older consumer could not read it.
    pub zstd_allowed: bool,
    pub timestamps: TimestampRules,
    /// The topic is compacted: a record without a key could neither stay nor go.
    pub keys_required: bool,
    /// The receiving core's wall clock.
    pub now: Timestamp,
}

/// `message.timestamp.{type, before.max.ms, after.max.ms}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampRules {
    pub kind: TimestampKind,
    pub before_max_ms: i64,
    pub after_max_ms: i64,
}

/// Why a client's bytes are not appended. Each is a lie or a wish that the topic forbids; nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchRejection {
    /// No bytes, or not even a header.
    TooShort {
        bytes: usize,
    },
    /// A record format other than 2.
    Magic {
        magic: i8,
    },
    /// The length field is below the size of a header.
    Length {
        batch_length: i32,
    },
    /// The length field claims bytes beyond the partition's slice.
    BeyondSlice {
        batch_bytes: usize,
        slice_bytes: usize,
    },
    /// Bytes after the batch: a second one (exactly one is allowed), or garbage.
    TrailingBytes {
        batch_bytes: usize,
        slice_bytes: usize,
    },
    /// Above `max.message.bytes`.
    TooLarge {
        batch_bytes: usize,
        batch_bytes_max: usize,
    },
    /// The checksum does not match.
    Crc,
    /// The broker assigns offsets; a client's batch starts at 0.
    BaseOffset {
        base_offset: Offset,
    },
    /// No record, or fewer than none.
    RecordCount {
        record_count: i32,
    },
    LastOffsetDelta {
        last_offset_delta: i32,
    },
    /// The count is not that of the offsets.
    CountMismatch {
        record_count: i32,
        last_offset_delta: i32,
    },
    /// Uncompressed, yet too few bytes for that many records.
    CountBeyondBytes {
        record_count: i32,
        records_bytes: usize,
    },
    UnknownCodec {
        bits: i16,
    },
    /// Zstd in a request whose version predates it.
    ZstdTooEarly,
    /// Only a broker stamps append times.
    TimestampType,
    /// Only a broker's compaction sets a delete horizon.
    DeleteHorizon,
    /// Only a broker writes control batches.
    Control,
    /// Transactional, and there are no transactions.
    Transactional,
    /// A negative producer id other than -1.
    ProducerId {
        producer_id: i64,
    },
    ProducerEpoch {
        producer_epoch: i16,
    },
    /// A producer id without a sequence.
    NoSequence {
        base_sequence: i32,
    },
    /// Of the records with these numbers, in a topic where each needs one; the first of them, when they are many.
    NoKey {
        records: Vec<usize>,
    },
    /// Records that must have keys, and cannot be read.
    Unreadable(RecordError),
    /// Further from the broker's clock than the topic allows.
    TimestampOutOfBounds {
        timestamp: Timestamp,
        now: Timestamp,
    },
}

/// One batch that may be appended as soon as it gets an offset. Cannot be built otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidBatch {
    header: BatchHeader,
    bytes: Bytes,
}

/// Checks what one partition of a produce request carries: exactly one batch a client may send.
pub fn validate(bytes: Bytes, rules: &BatchRules) -> Result<ValidBatch, BatchRejection> {
    let header = parse(&bytes)?;
    check_frame(&header, bytes.len(), rules)?;
    if !crc_matches(&bytes) {
        return Err(BatchRejection::Crc);
    }
    check_attributes(header.attributes, rules)?;
    check_counts(&header)?;
    check_producer(&header)?;
    check_timestamps(&header, rules)?;
    if rules.keys_required {
        check_keys(&bytes)?;
    }
    Ok(ValidBatch { header, bytes })
}

fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchRejection> {
    BatchHeader::parse(bytes).map_err(|error| match error {
        BatchError::Short { bytes } => BatchRejection::TooShort { bytes },
        BatchError::Magic { magic } => BatchRejection::Magic { magic },
        BatchError::Length { batch_length } => BatchRejection::Length { batch_length },
        BatchError::Offsets {
            last_offset_delta, ..
        } if last_offset_delta < 0 => BatchRejection::LastOffsetDelta { last_offset_delta },
        BatchError::Offsets { base_offset, .. } => BatchRejection::BaseOffset { base_offset },
    })
}

fn check_frame(
    header: &BatchHeader,
    slice_bytes: usize,
    rules: &BatchRules,
) -> Result<(), BatchRejection> {
    let batch_bytes = header.total_bytes();
    if batch_bytes > slice_bytes {
        return Err(BatchRejection::BeyondSlice {
            batch_bytes,
            slice_bytes,
        });
    }
    if batch_bytes < slice_bytes {
        return Err(BatchRejection::TrailingBytes {
            batch_bytes,
            slice_bytes,
        });
    }
    if batch_bytes > rules.batch_bytes_max {
        return Err(BatchRejection::TooLarge {
            batch_bytes,
            batch_bytes_max: rules.batch_bytes_max,
        });
    }
    Ok(())
}

fn check_attributes(attributes: Attributes, rules: &BatchRules) -> Result<(), BatchRejection> {
    let codec = attributes
        .codec()
        .map_err(|unknown| BatchRejection::UnknownCodec { bits: unknown.bits })?;
    if codec == Codec::Zstd && !rules.zstd_allowed {
        return Err(BatchRejection::ZstdTooEarly);
    }
    if attributes.timestamp_kind() == TimestampKind::LogAppendTime {
        return Err(BatchRejection::TimestampType);
    }
    if attributes.has_delete_horizon() {
        return Err(BatchRejection::DeleteHorizon);
    }
    if attributes.is_control() {
        return Err(BatchRejection::Control);
    }
    if attributes.is_transactional() {
        return Err(BatchRejection::Transactional);
    }
    Ok(())
}

fn check_counts(header: &BatchHeader) -> Result<(), BatchRejection> {
    let BatchHeader {
        record_count,
        last_offset_delta,
        base_offset,
        ..
    } = *header;
    if base_offset != Offset::ZERO {
        return Err(BatchRejection::BaseOffset { base_offset });
    }
    if record_count <= 0 {
        return Err(BatchRejection::RecordCount { record_count });
    }
    // Not `delta + 1`: a delta of `i32::MAX` would overflow.
    if record_count - 1 != last_offset_delta {
        return Err(BatchRejection::CountMismatch {
            record_count,
            last_offset_delta,
        });
    }
    let records_bytes = header.total_bytes() - BATCH_HEADER_BYTES;
    let is_plain = header.attributes.codec() == Ok(Codec::None);
    if is_plain && record_count as usize > records_bytes / RECORD_BYTES_MIN {
        return Err(BatchRejection::CountBeyondBytes {
            record_count,
            records_bytes,
        });
    }
    Ok(())
}

/// Without a producer id epoch and sequence mean nothing: the Go client franz-go, Sarama and kafkajs send 0.
fn check_producer(header: &BatchHeader) -> Result<(), BatchRejection> {
    let BatchHeader {
        producer_id,
        producer_epoch,
        base_sequence,
        ..
    } = *header;
    if producer_id.0 < -1 {
        return Err(BatchRejection::ProducerId {
            producer_id: producer_id.0,
        });
    }
    if !producer_id.is_some() {
        return Ok(());
    }
    if producer_epoch.0 < 0 {
        return Err(BatchRejection::ProducerEpoch {
            producer_epoch: producer_epoch.0,
        });
    }
    if base_sequence < 0 {
        return Err(BatchRejection::NoSequence { base_sequence });
    }
    Ok(())
}

/// Under LogAppendTime the client's times are overwritten, so they are not looked at.
fn check_timestamps(header: &BatchHeader, rules: &BatchRules) -> Result<(), BatchRejection> {
    if rules.timestamps.kind == TimestampKind::LogAppendTime {
        return Ok(());
    }
    for timestamp in [header.base_timestamp, header.max_timestamp] {
        let age = rules.now.millis_since(timestamp);
        let lead = timestamp.millis_since(rules.now);
        let is_out = age > rules.timestamps.before_max_ms || lead > rules.timestamps.after_max_ms;
        if timestamp != Timestamp::NONE && is_out {
            return Err(BatchRejection::TimestampOutOfBounds {
                timestamp,
                now: rules.now,
            });
        }
    }
    Ok(())
}

/// Decompresses, under a cap, and looks at every record.
fn check_keys(batch: &[u8]) -> Result<(), BatchRejection> {
    let payload = Payload::open(batch).map_err(BatchRejection::Unreadable)?;
    let mut records = Vec::new();
    for (record, view) in payload.records().enumerate() {
        let view = view.map_err(BatchRejection::Unreadable)?;
        if view.key.is_none() && records.len() < RECORDS_TO_BLAME_MAX {
            records.push(record);
        }
    }
    match records.is_empty() {
        false => Err(BatchRejection::NoKey { records }),
        true => Ok(()),
    }
}

impl ValidBatch {
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Bytes of the whole batch; stamping does not change it.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the batch its place in the log. With an append time the records' times are replaced by it, which lies
    /// inside the CRC and costs a pass over the bytes; without, only fields outside the CRC change.
    pub fn stamp(
        &self,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        log_append_time: Option<Timestamp>,
    ) -> StampedBatch {
        assert!(base_offset >= Offset::ZERO, "offsets count from 0");
        let body = self.bytes.slice(BATCH_HEADER_BYTES..);
        let mut header = BatchHeader {
            base_offset,
            leader_epoch,
            ..self.header
        };
        if let Some(time) = log_append_time {
            header.attributes = header
                .attributes
                .with_timestamp_kind(TimestampKind::LogAppendTime);
            header.max_timestamp = time;
            header.crc = crc_of(&header.encode(), &body);
        }
        let head = header.encode();
        assert_eq!(head.len() + body.len(), header.total_bytes());
        StampedBatch { header, head, body }
    }
}

fn crc_of(head: &[u8; BATCH_HEADER_BYTES], body: &[u8]) -> u32 {
    let mut crc = Crc32c::new();
    crc.update(&head[CRC_START..]);
    crc.update(body);
    crc.finish()
}

/// A batch with its offset, in two pieces: the patched header, and the client's bytes untouched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StampedBatch {
    pub header: BatchHeader,
    pub head: [u8; BATCH_HEADER_BYTES],
    pub body: Bytes,
}

impl StampedBatch {
    /// Bytes of the whole batch.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

#[cfg(test)]
mod tests;
