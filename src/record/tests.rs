//! The folder against another implementation of the format: the `kafka-protocol` crate reads what we build and we
//! read what it builds, for every codec.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as oracle;

use super::*;
use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::ProducerId;
use crate::base::offset::Offset;
use crate::base::prng::Prng;
use crate::base::time::Timestamp;

const BASE: i64 = 1_700_000_000_000;

fn oracle_codec(codec: Codec) -> oracle::Compression {
    match codec {
        Codec::None => oracle::Compression::None,
        Codec::Gzip => oracle::Compression::Gzip,
        Codec::Snappy => oracle::Compression::Snappy,
        Codec::Lz4 => oracle::Compression::Lz4,
        Codec::Zstd => oracle::Compression::Zstd,
    }
}

fn bytes_or_null(prng: &mut Prng) -> Option<Bytes> {
    if prng.chance(20) {
        return None;
    }
    let len = prng.below(200) as usize;
    Some((0..len).map(|_| b'a' + prng.below(4) as u8).collect())
}

/// The records of one batch; header keys differ, because the oracle keeps them in a map.
fn some_records(prng: &mut Prng) -> Vec<Record> {
    let count = 1 + prng.below(30) as i64;
    (0..count)
        .map(|index| Record {
            offset: Offset(index),
            timestamp: Timestamp(BASE + prng.below(10_000) as i64 - i64::from(index > 0) * 5_000),
            key: bytes_or_null(prng),
            value: bytes_or_null(prng),
            headers: (0..prng.below(4))
                .map(|header| (Bytes::from(format!("key-{header}")), bytes_or_null(prng)))
                .collect(),
        })
        .collect()
}

fn oracle_record(record: &Record, producer: Option<(i64, i16, i32)>) -> oracle::Record {
    let (producer_id, producer_epoch, base_sequence) = producer.unwrap_or((-1, -1, -1));
    oracle::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: oracle::TimestampType::Creation,
        offset: record.offset.0,
        // The crate splits a batch where sequences and offsets do not rise together, also without a producer.
        sequence: base_sequence.wrapping_add(record.offset.0 as i32),
        timestamp: record.timestamp.0,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| (StrBytes::try_from(key.clone()).unwrap(), value.clone()))
            .collect::<IndexMap<_, _>>(),
    }
}

fn build(codec: Codec, records: &[Record], producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    }
    for record in records {
        let headers: Vec<(&[u8], Option<&[u8]>)> = record
            .headers
            .iter()
            .map(|(key, value)| (&key[..], value.as_deref()))
            .collect();
        builder.push(&NewRecord {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        });
    }
    builder.build()
}

fn rules() -> BatchRules {
    BatchRules {
        batch_bytes_max: 1 << 20,
        zstd_allowed: true,
        timestamps: TimestampRules {
            kind: TimestampKind::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: i64::MAX,
        },
        keys_required: false,
        now: Timestamp(BASE),
    }
}

#[test]
fn another_implementation_reads_what_we_build() {
    let mut prng = Prng::new(21);
    for round in 0..200 {
        for codec in Codec::ALL {
            let records = some_records(&mut prng);
            let producer = (round % 2 == 0).then_some((42, 3, 17));
            let built = build(codec, &records, producer);
            let decoded = oracle::RecordBatchDecoder::decode(&mut built.clone()).unwrap();
            assert_eq!(decoded.compression, oracle_codec(codec));
            assert_eq!(decoded.records.len(), records.len());
            for (ours, theirs) in records.iter().zip(&decoded.records) {
                let mut expected = oracle_record(ours, producer);
                expected.sequence = theirs.sequence;
                assert_eq!(*theirs, expected, "{codec:?}");
            }
        }
    }
}

#[test]
fn we_read_what_another_implementation_builds() {
    let mut prng = Prng::new(22);
    for round in 0..200 {
        for codec in Codec::ALL {
            let expected = some_records(&mut prng);
            let producer = (round % 2 == 0).then_some((42, 3, i32::MAX - 40));
            let theirs: Vec<_> = expected
                .iter()
                .map(|r| oracle_record(r, producer))
                .collect();
            let options = oracle::RecordEncodeOptions {
                version: 2,
                compression: oracle_codec(codec),
            };
            let mut encoded = BytesMut::new();
            oracle::RecordBatchEncoder::encode(&mut encoded, &theirs, &options).unwrap();
            let encoded = encoded.freeze();
            let valid = validate(encoded.clone(), &rules()).expect("the oracle is honest");
            assert_eq!(records(&encoded).unwrap(), expected, "{codec:?}");
            let times: BTreeSet<_> = expected.iter().map(|record| record.timestamp).collect();
            assert_eq!(Some(&valid.header().max_timestamp), times.last());
        }
    }
}

/// A stamped batch, as a consumer fetches it.
#[test]
fn another_implementation_reads_what_we_stamped() {
    let mut prng = Prng::new(23);
    for codec in Codec::ALL {
        for append_time in [None, Some(Timestamp(BASE + 99))] {
            let records = some_records(&mut prng);
            let valid = validate(build(codec, &records, None), &rules()).unwrap();
            let stamped = valid.stamp(Offset(5_000), LeaderEpoch(6), append_time);
            let mut stored = Bytes::from([&stamped.head[..], &stamped.body].concat());
            let decoded = oracle::RecordBatchDecoder::decode(&mut stored).unwrap();
            for (index, record) in decoded.records.iter().enumerate() {
                assert_eq!(record.offset, 5_000 + index as i64);
                assert_eq!(record.partition_leader_epoch, 6);
                assert_eq!(
                    record.timestamp_type == oracle::TimestampType::LogAppend,
                    append_time.is_some()
                );
                assert_eq!(record.value, records[index].value);
            }
        }
    }
}
