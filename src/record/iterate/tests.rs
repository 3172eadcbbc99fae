use super::*;
use crate::base::prng::Prng;
use crate::record::builder::{BatchBuilder, NewRecord};
use crate::record::compression::compress;
use crate::record::varint::{put_i32, put_i64};
use crate::record::{Attributes, Codec};

const BASE: i64 = 1_000_000;

/// A batch around hand-made record bytes; `count` records, base offset 100.
fn batch_of(codec: Codec, count: i32, last_offset_delta: i32, plain: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(&NewRecord::value(Timestamp(BASE), b""));
    let body = compress(codec, plain);
    let header = BatchHeader {
        base_offset: Offset(100),
        batch_length: (49 + body.len()) as i32,
        attributes: Attributes::new(codec),
        last_offset_delta,
        record_count: count,
        ..BatchHeader::parse(&builder.build()).unwrap()
    };
    [&header.encode()[..], &body].concat()
}

/// One record, field by field; a hostile test bends one of them.
struct Fields {
    timestamp_delta: i64,
    offset_delta: i32,
    key_length: i32,
    value_length: i32,
    header_count: i32,
    headers: Vec<u8>,
    length_bias: i32,
}

fn fields() -> Fields {
    Fields {
        timestamp_delta: 0,
        offset_delta: 0,
        key_length: 3,
        value_length: 5,
        header_count: 1,
        headers: [&[2][..], b"h", &[1]].concat(),
        length_bias: 0,
    }
}

impl Fields {
    fn bytes(&self) -> Vec<u8> {
        let mut record = vec![0];
        put_i64(&mut record, self.timestamp_delta);
        put_i32(&mut record, self.offset_delta);
        put_i32(&mut record, self.key_length);
        record.extend_from_slice(b"key");
        put_i32(&mut record, self.value_length);
        record.extend_from_slice(b"value");
        put_i32(&mut record, self.header_count);
        record.extend_from_slice(&self.headers);
        let mut bytes = Vec::new();
        put_i32(&mut bytes, record.len() as i32 + self.length_bias);
        bytes.extend_from_slice(&record);
        bytes
    }
}

#[test]
fn records_come_out_with_all_their_fields() {
    let own = |bytes: &'static [u8]| Bytes::from_static(bytes);
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec);
        builder.push(&NewRecord {
            timestamp: Timestamp(BASE),
            key: Some(b"key"),
            value: None,
            headers: &[(b"a", Some(b"1")), (b"b", None), (b"a", Some(b""))],
        });
        builder.push(&NewRecord {
            timestamp: Timestamp(BASE - 5),
            key: Some(b""),
            value: Some(b"value"),
            headers: &[],
        });
        let expected = [
            Record {
                offset: Offset(0),
                timestamp: Timestamp(BASE),
                key: Some(own(b"key")),
                value: None,
                headers: vec![
                    (own(b"a"), Some(own(b"1"))),
                    (own(b"b"), None),
                    (own(b"a"), Some(own(b""))),
                ],
            },
            Record {
                offset: Offset(1),
                timestamp: Timestamp(BASE - 5),
                key: Some(own(b"")),
                value: Some(own(b"value")),
                headers: vec![],
            },
        ];
        assert_eq!(records(&builder.build()).unwrap(), expected, "{codec:?}");
    }
}

type Bend = fn(&mut Fields);

#[test]
fn lies_about_lengths_inside_a_record_are_errors() {
    let length = |length| RecordError::Length { length };
    let short = RecordError::Short;
    let rows: &[(&str, Bend, RecordError)] = &[
        ("key length -2", |f| f.key_length = -2, length(-2)),
        ("key beyond the record", |f| f.key_length = 1_000, short),
        ("key of 2 GiB", |f| f.key_length = i32::MAX, short),
        ("value length -2", |f| f.value_length = -2, length(-2)),
        ("value beyond the record", |f| f.value_length = 99, short),
        ("header key null", |f| f.headers = vec![1, 1, 1], length(-1)),
        ("header key cut", |f| f.headers = vec![8, 0, 1], short),
        ("header value -2", |f| f.headers = vec![2, 0, 3], length(-2)),
        ("record beyond the batch", |f| f.length_bias = 1, short),
        ("record too short", |f| f.length_bias = -1, short),
        ("record negative", |f| f.length_bias = -99, length(-82)),
    ];
    for (name, bend, error) in rows {
        assert_refused(name, &bent(*bend), *error);
    }
    let trailing = [fields().bytes(), vec![1, 2]].concat();
    assert_refused(
        "garbage",
        &trailing,
        RecordError::TrailingBytes { bytes: 2 },
    );
    assert_refused("nothing", &[], short);
    assert_refused("an empty record", &[0], short);
}

#[test]
fn lies_about_deltas_and_counts_inside_a_record_are_errors() {
    let delta = |delta| RecordError::OffsetDelta { delta };
    let time = |delta| RecordError::TimestampDelta { delta };
    let count = |count| RecordError::HeaderCount { count };
    let unread = |unread_bytes| RecordError::RecordLength { unread_bytes };
    let rows: &[(&str, Bend, RecordError)] = &[
        ("offset delta 1", |f| f.offset_delta = 1, delta(1)),
        ("offset delta -1", |f| f.offset_delta = -1, delta(-1)),
        (
            "time beyond 2^63",
            |f| f.timestamp_delta = i64::MAX,
            time(i64::MAX),
        ),
        ("headers -1", |f| f.header_count = -1, count(-1)),
        ("headers beyond the bytes", |f| f.header_count = 2, count(2)),
        (
            "headers without end",
            |f| f.header_count = i32::MAX,
            count(i32::MAX),
        ),
        ("headers below the bytes", |f| f.header_count = 0, unread(3)),
        (
            "overlong varint",
            |f| f.headers = vec![0xff; 7],
            RecordError::Short,
        ),
        (
            "varint too wide",
            |f| f.headers = WIDE.to_vec(),
            RecordError::Varint,
        ),
    ];
    for (name, bend, error) in rows {
        assert_refused(name, &bent(*bend), *error);
    }
    let honest = batch_of(Codec::None, 1, 0, &fields().bytes());
    assert_eq!(records(&honest).unwrap().len(), 1);
}

/// 35 bits where 32 fit.
const WIDE: [u8; 6] = [0xff, 0xff, 0xff, 0xff, 0x7f, 0];

fn bent(bend: Bend) -> Vec<u8> {
    let mut fields = fields();
    bend(&mut fields);
    fields.bytes()
}

fn assert_refused(name: &str, plain: &[u8], error: RecordError) {
    for codec in [Codec::None, Codec::Zstd] {
        let batch = batch_of(codec, 1, 0, plain);
        assert_eq!(records(&batch), Err(error), "{name}");
        assert_eq!(
            max_timestamp_record(&batch, Offset(0)),
            Err(error),
            "{name}"
        );
        let late = find_timestamp(&batch, Offset(0), Timestamp(i64::MAX));
        assert_eq!(late, Err(error), "{name}");
    }
}

#[test]
fn truncated_records_are_an_error_at_every_byte() {
    let plain = fields().bytes();
    for cut in 0..plain.len() {
        let batch = batch_of(Codec::None, 1, 0, &plain[..cut]);
        assert!(records(&batch).is_err(), "cut at {cut}");
    }
}

#[test]
fn offset_deltas_of_a_full_batch_are_dense_and_of_a_compacted_one_rise() {
    let rows: &[(&[i32], i32, bool)] = &[
        (&[0, 1, 2], 2, true),
        (&[0, 2, 1], 2, false),
        (&[0, 0, 1], 2, false),
        (&[1, 2, 3], 2, false),
        (&[1, 4, 6], 6, true),
        (&[0, 3], 6, true),
        (&[4, 1], 6, false),
        (&[0, 7], 6, false),
    ];
    for &(deltas, last_offset_delta, is_sound) in rows {
        let mut plain = Vec::new();
        for &offset_delta in deltas {
            let fields = Fields {
                offset_delta,
                ..fields()
            };
            plain.extend(fields.bytes());
        }
        let batch = batch_of(Codec::None, deltas.len() as i32, last_offset_delta, &plain);
        let found = records(&batch);
        assert_eq!(found.is_ok(), is_sound, "{deltas:?}: {found:?}");
        for (record, delta) in found.into_iter().flatten().zip(deltas) {
            assert_eq!(record.offset, Offset(100 + i64::from(*delta)));
        }
    }
}

#[test]
fn count_of_the_header_is_not_believed() {
    let plain = fields().bytes();
    let bytes = plain.len();
    for (count, error) in [
        (2, RecordError::Short),
        (1_000, RecordError::Short),
        (i32::MAX, RecordError::Short),
        (0, RecordError::TrailingBytes { bytes }),
        (-1, RecordError::TrailingBytes { bytes }),
        (i32::MIN, RecordError::TrailingBytes { bytes }),
    ] {
        let batch = batch_of(Codec::None, count, i32::MAX - 1, &plain);
        assert_eq!(records(&batch), Err(error), "{count}");
    }
}

#[test]
fn batch_that_is_no_batch_is_an_error() {
    let good = batch_of(Codec::None, 1, 0, &fields().bytes());
    let mut unknown_codec = good.clone();
    unknown_codec[22] = 5;
    let mut not_gzip = good.clone();
    not_gzip[22] = 1;
    let malformed = DecompressError::Malformed { codec: Codec::Gzip };
    for (batch, error) in [
        (
            &good[..40],
            RecordError::Batch(BatchError::Short { bytes: 40 }),
        ),
        (&good[..70], RecordError::Short),
        (&unknown_codec, RecordError::Codec(UnknownCodec { bits: 5 })),
        (&not_gzip, RecordError::Decompress(malformed)),
    ] {
        assert_eq!(records(batch), Err(error));
    }
}

#[test]
fn time_is_found_exact_to_the_record() {
    // Producers' clocks go back: the first record not older wins, in offset order.
    let times = [10, 30, 20, 40, 40];
    let at = |(offset, time)| (Offset(offset), Timestamp(BASE + time));
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec);
        for time in times {
            builder.push(&NewRecord::value(Timestamp(BASE + time), b"v"));
        }
        let batch = builder.build();
        for (at_least, expected) in [
            (0, Some((0, 10))),
            (10, Some((0, 10))),
            (11, Some((1, 30))),
            (30, Some((1, 30))),
            (31, Some((3, 40))),
            (40, Some((3, 40))),
            (41, None),
        ] {
            let found = find_timestamp(&batch, Offset(0), Timestamp(BASE + at_least));
            assert_eq!(found, Ok(expected.map(at)), "{codec:?} {at_least}");
        }
        assert_eq!(
            max_timestamp_record(&batch, Offset(0)),
            Ok(Some(at((3, 40))))
        );
        // What lies before the first wanted offset does not hide what lies behind it.
        let found = find_timestamp(&batch, Offset(2), Timestamp(BASE));
        assert_eq!(found, Ok(Some(at((2, times[2])))), "{codec:?}");
        let last = times.len() as i64 - 1;
        let newest = max_timestamp_record(&batch, Offset(last));
        assert_eq!(
            newest,
            Ok(Some(at((last, times[times.len() - 1])))),
            "{codec:?}"
        );
    }
}

#[test]
fn varied_damage_never_panics() {
    let mut prng = Prng::new(5);
    let mut builder = BatchBuilder::new(Codec::None);
    for index in 0..20 {
        builder.push(&NewRecord {
            timestamp: Timestamp(BASE + index),
            key: Some(b"key"),
            value: Some(b"some value"),
            headers: &[(b"header", Some(b"x")), (b"", None)],
        });
    }
    let honest = builder.build();
    for _ in 0..20_000 {
        let mut batch = honest.to_vec();
        for _ in 0..1 + prng.below(3) {
            let at = 61 + prng.below(batch.len() as u64 - 61) as usize;
            batch[at] = prng.next_u64() as u8;
        }
        if let Ok(found) = records(&batch) {
            assert_eq!(found.len(), 20);
        }
    }
}
