//! Batches for the tests of this folder.

use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::{PartitionId, ProducerId, Uuid};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::{Attributes, BATCH_HEADER_BYTES, BatchHeader, Codec, StampedBatch};
use bytes::Bytes;

pub(crate) const PARTITION: PartitionId = PartitionId {
    topic: Uuid([7; 16]),
    index: 3,
};

/// A batch of `records` records and `bytes` bytes, its body filled with a byte of its own.
pub(crate) fn batch(base: i64, records: i32, bytes: usize) -> StampedBatch {
    batch_of(base, records, bytes, 0, ProducerId::NONE, -1)
}

pub(crate) fn batch_of(
    base: i64,
    records: i32,
    bytes: usize,
    epoch: i32,
    producer_id: ProducerId,
    base_sequence: i32,
) -> StampedBatch {
    let header = BatchHeader {
        base_offset: Offset(base),
        batch_length: i32::try_from(bytes - 12).expect("a test batch is small"),
        leader_epoch: LeaderEpoch(epoch),
        crc: 0,
        attributes: Attributes::new(Codec::None),
        last_offset_delta: records - 1,
        base_timestamp: Timestamp(base * 10),
        max_timestamp: Timestamp(base * 10 + 5),
        producer_id,
        producer_epoch: ProducerEpoch(0),
        base_sequence,
        record_count: records,
    };
    let fill = (base as u8)
        .wrapping_mul(31)
        .wrapping_add((epoch + 1) as u8);
    let body = Bytes::from(vec![fill; bytes - BATCH_HEADER_BYTES]);
    StampedBatch {
        header,
        head: header.encode(),
        body,
    }
}

/// The whole batch as it lies in the log.
pub(crate) fn bytes_of(batch: &StampedBatch) -> Vec<u8> {
    [&batch.head[..], &batch.body[..]].concat()
}
