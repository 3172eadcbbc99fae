//! Batches as clients send them, for whoever measures code instead of a broker.
#![allow(
    dead_code,
    reason = "shared by several programs, each of which uses a part"
)]

use bytes::Bytes;
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::ProducerId;
use ottla::base::time::Timestamp;
use ottla::record::{
    BatchBuilder, BatchRules, Codec, NewRecord, TimestampKind, TimestampRules, ValidBatch, validate,
};

pub(crate) const BYTES_100: usize = 100;
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

const RULES: BatchRules = BatchRules {
    batch_bytes_max: 1 << 20,
    zstd_allowed: true,
    timestamps: TimestampRules {
        kind: TimestampKind::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
    },
    keys_required: false,
    now: NOW,
};

pub(crate) fn valid(bytes: Bytes) -> ValidBatch {
    validate(bytes, &RULES).expect("a batch that a client may send")
}

/// As a producer without idempotence sends it.
pub(crate) fn batch(records: usize, record_bytes: usize) -> Bytes {
    filled(BatchBuilder::new(Codec::None), records, record_bytes)
}

/// The next of an idempotent producer.
pub(crate) fn batch_in_sequence(sequence: i32) -> Bytes {
    let builder = BatchBuilder::new(Codec::None);
    let builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
    filled(builder, 1, BYTES_100)
}

fn filled(mut builder: BatchBuilder, records: usize, record_bytes: usize) -> Bytes {
    let value: Vec<u8> = (0..record_bytes).map(|n| n as u8).collect();
    for _ in 0..records {
        builder.push(&NewRecord::value(NOW, &value));
    }
    builder.build()
}
