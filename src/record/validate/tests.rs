use super::*;
use crate::base::checksum::crc32c;
use crate::base::epoch::ProducerEpoch;
use crate::base::ids::ProducerId;
use crate::base::limits::Limits;
use crate::record::iterate::records;
use crate::record::{BatchBuilder, NewRecord};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HOUR_MS: i64 = 3_600_000;

fn rules() -> BatchRules {
    BatchRules {
        batch_bytes_max: Limits::DEFAULT.batch_bytes_max(),
        zstd_allowed: true,
        timestamps: TimestampRules {
            kind: TimestampKind::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: HOUR_MS,
        },
        keys_required: false,
        now: NOW,
    }
}

/// Three records, uncompressed, of producer 7 in epoch 0 from sequence 10.
fn batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(7), ProducerEpoch(0), 10);
    for (index, value) in [&b"one"[..], b"two", b"three"].into_iter().enumerate() {
        builder.push(&NewRecord::value(Timestamp(NOW.0 + index as i64), value));
    }
    builder.build().to_vec()
}

/// The batch with its header changed and its CRC made right again: only the lie itself is wrong.
fn lie(change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut bytes = batch();
    let mut header = BatchHeader::parse(&bytes).unwrap();
    change(&mut header);
    bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header.encode());
    with_right_crc(bytes)
}

fn with_right_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c(&bytes[CRC_START..]);
    bytes[CRC_START - 4..CRC_START].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn refused(bytes: Vec<u8>) -> BatchRejection {
    validate(Bytes::from(bytes), &rules()).expect_err("a lie is refused")
}

#[test]
fn honest_batch_is_accepted_with_every_codec() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec);
        builder.push(&NewRecord::value(NOW, b"value"));
        let bytes = builder.build();
        let valid = validate(bytes.clone(), &rules()).expect("honest");
        assert_eq!(valid.header().attributes.codec(), Ok(codec));
        assert_eq!(valid.len(), bytes.len());
    }
}

#[test]
fn lies_about_the_frame_are_refused() {
    let whole = batch();
    let len = whole.len();
    let second = [whole.clone(), whole.clone()].concat();
    let garbage = [whole.clone(), vec![0]].concat();
    let claims = |batch_length| lie(|header| header.batch_length = batch_length);
    let rows = [
        ("nothing", vec![], BatchRejection::TooShort { bytes: 0 }),
        (
            "half a header",
            whole[..60].to_vec(),
            BatchRejection::TooShort { bytes: 60 },
        ),
        (
            "cut by a byte",
            whole[..len - 1].to_vec(),
            BatchRejection::BeyondSlice {
                batch_bytes: len,
                slice_bytes: len - 1,
            },
        ),
        (
            "length beyond the slice",
            claims(i32::MAX),
            BatchRejection::BeyondSlice {
                batch_bytes: i32::MAX as usize + 12,
                slice_bytes: len,
            },
        ),
        (
            "length negative",
            claims(-1),
            BatchRejection::Length { batch_length: -1 },
        ),
        (
            "length below a header",
            claims(48),
            BatchRejection::Length { batch_length: 48 },
        ),
        (
            "length short by a byte",
            claims(len as i32 - 13),
            BatchRejection::TrailingBytes {
                batch_bytes: len - 1,
                slice_bytes: len,
            },
        ),
        (
            "two batches",
            second,
            BatchRejection::TrailingBytes {
                batch_bytes: len,
                slice_bytes: 2 * len,
            },
        ),
        (
            "trailing garbage",
            garbage,
            BatchRejection::TrailingBytes {
                batch_bytes: len,
                slice_bytes: len + 1,
            },
        ),
    ];
    for (name, bytes, rejection) in rows {
        assert_eq!(refused(bytes), rejection, "{name}");
    }
}

#[test]
fn older_formats_are_refused() {
    for magic in [0, 1, 3, -1] {
        let mut bytes = batch();
        bytes[16] = magic as u8;
        assert_eq!(refused(bytes), BatchRejection::Magic { magic });
    }
}

#[test]
fn every_flipped_bit_under_the_checksum_is_noticed() {
    let whole = batch();
    for bit in 17 * 8..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_delta_negative = (23..27).contains(&(bit / 8)) && bytes[23] >= 0x80;
        let rejection = refused(bytes);
        if is_delta_negative {
            assert!(matches!(rejection, BatchRejection::LastOffsetDelta { .. }));
        } else {
            assert_eq!(rejection, BatchRejection::Crc, "bit {bit}");
        }
    }
}

type Change = fn(&mut BatchHeader);

fn assert_refused(rows: &[(Change, BatchRejection)]) {
    for (row, (change, rejection)) in rows.iter().enumerate() {
        assert_eq!(refused(lie(change)), *rejection, "row {row}");
    }
}

#[test]
fn lies_about_offsets_and_counts_are_refused() {
    let base = |offset| BatchRejection::BaseOffset {
        base_offset: Offset(offset),
    };
    let count = |record_count| BatchRejection::RecordCount { record_count };
    let mismatch = |record_count, last_offset_delta| BatchRejection::CountMismatch {
        record_count,
        last_offset_delta,
    };
    let negative = BatchRejection::LastOffsetDelta {
        last_offset_delta: -1,
    };
    let beyond = BatchRejection::CountBeyondBytes {
        record_count: 1000,
        records_bytes: 32,
    };
    assert_refused(&[
        (|h| h.base_offset = Offset(1), base(1)),
        (|h| h.base_offset = Offset(-1), base(-1)),
        (|h| h.record_count = 4, mismatch(4, 2)),
        (|h| h.record_count = 2, mismatch(2, 2)),
        (|h| h.last_offset_delta = i32::MAX, mismatch(3, i32::MAX)),
        (|h| h.record_count = i32::MAX, mismatch(i32::MAX, 2)),
        (|h| h.record_count = 0, count(0)),
        (|h| h.record_count = -3, count(-3)),
        (|h| h.record_count = i32::MIN, count(i32::MIN)),
        (|h| h.last_offset_delta = -1, negative),
        (
            |h| (h.record_count, h.last_offset_delta) = (1000, 999),
            beyond,
        ),
    ]);
}

#[test]
fn attributes_that_only_a_broker_sets_are_refused() {
    let unknown = |bits| BatchRejection::UnknownCodec { bits };
    assert_refused(&[
        (|h| h.attributes = Attributes(5), unknown(5)),
        (|h| h.attributes = Attributes(6), unknown(6)),
        (|h| h.attributes = Attributes(7), unknown(7)),
        (
            |h| h.attributes = Attributes(0x08),
            BatchRejection::TimestampType,
        ),
        (
            |h| h.attributes = Attributes(0x10),
            BatchRejection::Transactional,
        ),
        (|h| h.attributes = Attributes(0x20), BatchRejection::Control),
        (|h| h.attributes = Attributes(0x30), BatchRejection::Control),
        (
            |h| h.attributes = Attributes(0x40),
            BatchRejection::DeleteHorizon,
        ),
    ]);
}

#[test]
fn lies_about_the_producer_are_refused() {
    let id = |producer_id| BatchRejection::ProducerId { producer_id };
    let epoch = |producer_epoch| BatchRejection::ProducerEpoch { producer_epoch };
    let without_sequence = BatchRejection::NoSequence { base_sequence: -1 };
    assert_refused(&[
        (|h| h.producer_id = ProducerId(-2), id(-2)),
        (|h| h.producer_epoch = ProducerEpoch(-1), epoch(-1)),
        (|h| h.base_sequence = -1, without_sequence),
    ]);
}

/// What stock clients without idempotence send: librdkafka and Java -1 and -1, franz-go and Sarama -1 and 0, kafkajs
/// 0 and 0 as epoch and sequence.
#[test]
fn producer_fields_mean_nothing_without_a_producer_id() {
    for (producer_epoch, base_sequence) in [(-1, -1), (-1, 0), (0, 0), (3, 10)] {
        let bytes = lie(|header| {
            header.producer_id = ProducerId::NONE;
            header.producer_epoch = ProducerEpoch(producer_epoch);
            header.base_sequence = base_sequence;
        });
        assert!(validate(Bytes::from(bytes), &rules()).is_ok());
    }
}

#[test]
fn base_sequence_at_the_end_of_its_range_wraps() {
    let bytes = lie(|header| header.base_sequence = i32::MAX);
    let valid = validate(Bytes::from(bytes), &rules()).expect("sequences wrap");
    assert_eq!(valid.header().last_sequence(), 1);
}

#[test]
fn zstd_is_refused_at_versions_that_predate_it() {
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.push(&NewRecord::value(NOW, b"value"));
    let early = BatchRules {
        zstd_allowed: false,
        ..rules()
    };
    assert_eq!(
        validate(builder.build(), &early),
        Err(BatchRejection::ZstdTooEarly)
    );
}

#[test]
fn batch_above_the_topics_limit_is_refused() {
    let bytes = Bytes::from(batch());
    let limit = |batch_bytes_max| BatchRules {
        batch_bytes_max,
        ..rules()
    };
    assert!(validate(bytes.clone(), &limit(bytes.len())).is_ok());
    assert_eq!(
        validate(bytes.clone(), &limit(bytes.len() - 1)),
        Err(BatchRejection::TooLarge {
            batch_bytes: bytes.len(),
            batch_bytes_max: bytes.len() - 1
        })
    );
}

#[test]
fn timestamps_out_of_bounds_are_refused_unless_the_broker_stamps() {
    let bounds = TimestampRules {
        kind: TimestampKind::CreateTime,
        before_max_ms: 1_000,
        after_max_ms: 500,
    };
    let rows = [
        (0, 0, None),
        (-1_000, 500, None),
        (-1_001, 0, Some(-1_001)),
        (0, 501, Some(501)),
        (501, 0, Some(501)),
        (i64::MAX - NOW.0, 0, Some(i64::MAX - NOW.0)),
        (i64::MIN, 0, Some(i64::MIN)),
        // No time at all is no lie.
        (-1 - NOW.0, -1 - NOW.0, None),
    ];
    for (base, max, out) in rows {
        let bytes = Bytes::from(lie(|header| {
            header.base_timestamp = Timestamp(NOW.0.saturating_add(base));
            header.max_timestamp = Timestamp(NOW.0 + max);
        }));
        let expected = match out {
            None => Ok(()),
            Some(out) => Err(BatchRejection::TimestampOutOfBounds {
                timestamp: Timestamp(NOW.0.saturating_add(out)),
                now: NOW,
            }),
        };
        let judge = |kind| {
            let timestamps = TimestampRules { kind, ..bounds };
            validate(
                bytes.clone(),
                &BatchRules {
                    timestamps,
                    ..rules()
                },
            )
            .map(drop)
        };
        assert_eq!(judge(TimestampKind::CreateTime), expected, "{base} {max}");
        assert_eq!(judge(TimestampKind::LogAppendTime), Ok(()));
    }
}

#[test]
fn stamping_patches_offset_and_epoch_outside_the_checksum() {
    let bytes = Bytes::from(batch());
    let valid = validate(bytes.clone(), &rules()).unwrap();
    let stamped = valid.stamp(Offset(1_000), LeaderEpoch(9), None);
    let mut expected = bytes.to_vec();
    expected[..8].copy_from_slice(&1_000i64.to_be_bytes());
    expected[12..16].copy_from_slice(&9i32.to_be_bytes());
    assert_eq!([&stamped.head[..], &stamped.body].concat(), expected);
    assert_eq!(stamped.len(), bytes.len());
    assert!(crc_matches(&expected));
    assert_eq!(stamped.header, BatchHeader::parse(&expected).unwrap());
    assert_eq!(stamped.header.next_offset(), Offset(1_003));
    let is_shared = bytes.as_ptr_range().contains(&stamped.body.as_ptr());
    assert!(is_shared, "record bytes are not copied");
}

#[test]
fn append_time_replaces_the_records_times_and_renews_the_checksum() {
    let valid = validate(Bytes::from(batch()), &rules()).unwrap();
    let time = Timestamp(NOW.0 + 77);
    let stamped = valid.stamp(Offset(5), LeaderEpoch(0), Some(time));
    let bytes = [&stamped.head[..], &stamped.body].concat();
    assert!(crc_matches(&bytes));
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(header, stamped.header);
    assert_eq!(header.attributes, Attributes(0x08));
    assert_eq!(header.max_timestamp, time);
    let times: Vec<_> = records(&bytes)
        .unwrap()
        .iter()
        .map(|record| (record.offset, record.timestamp))
        .collect();
    assert_eq!(
        times,
        [(Offset(5), time), (Offset(6), time), (Offset(7), time)]
    );
}

#[test]
fn arbitrary_headers_are_judged_without_panic_and_records_agree() {
    let mut prng = crate::base::prng::Prng::new(61);
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut bytes = batch();
        for _ in 0..1 + prng.below(2) {
            let at = prng.below(bytes.len() as u64) as usize;
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, prng.next_u64() as u8][prng.below(6) as usize];
        }
        let Ok(valid) = validate(Bytes::from(with_right_crc(bytes)), &rules()) else {
            continue;
        };
        accepted += 1;
        let header = *valid.header();
        assert_eq!(header.record_count, header.last_offset_delta + 1);
        let stamped = valid.stamp(Offset(i64::MAX / 2), LeaderEpoch(1), None);
        assert_eq!(stamped.len(), valid.len());
        let stored = [&stamped.head[..], &stamped.body].concat();
        if let Ok(found) = records(&stored) {
            assert_eq!(found.len(), header.record_count as usize);
        }
    }
    assert!(accepted > 1_000, "{accepted} accepted");
}
