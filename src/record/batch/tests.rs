use super::*;

fn header() -> BatchHeader {
    BatchHeader {
        base_offset: Offset(0x0102_0304_0506_0708),
        batch_length: 49,
        leader_epoch: LeaderEpoch(0x1112_1314),
        crc: 0x2122_2324,
        attributes: Attributes(0x0004),
        last_offset_delta: 0x3132_3334,
        base_timestamp: Timestamp(0x4142_4344_4546_4748),
        max_timestamp: Timestamp(0x5152_5354_5556_5758),
        producer_id: ProducerId(0x6162_6364_6566_6768),
        producer_epoch: ProducerEpoch(0x7172),
        base_sequence: 0x0182_0384,
        record_count: 0x3132_3335,
    }
}

fn batch_at(base_offset: i64, last_offset_delta: i32, body: &[u8]) -> Vec<u8> {
    let header = BatchHeader {
        base_offset: Offset(base_offset),
        batch_length: 49 + body.len() as i32,
        last_offset_delta,
        ..header()
    };
    [&header.encode()[..], body].concat()
}

#[test]
fn header_is_laid_out_as_the_protocol_says() {
    let expected: [u8; 61] = [
        1, 2, 3, 4, 5, 6, 7, 8, // base offset
        0, 0, 0, 49, // length of what follows
        0x11, 0x12, 0x13, 0x14, // leader epoch
        2,    // magic
        0x21, 0x22, 0x23, 0x24, // CRC
        0, 4, // attributes
        0x31, 0x32, 0x33, 0x34, // last offset delta
        0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, // base timestamp
        0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, // max timestamp
        0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, // producer id
        0x71, 0x72, // producer epoch
        0x01, 0x82, 0x03, 0x84, // base sequence
        0x31, 0x32, 0x33, 0x35, // record count
    ];
    assert_eq!(header().encode(), expected);
    assert_eq!(BatchHeader::parse(&expected), Ok(header()));
}

#[test]
fn header_that_cannot_be_computed_with_is_refused() {
    type Change = fn(&mut BatchHeader);
    let length = |batch_length| BatchError::Length { batch_length };
    let delta = header().last_offset_delta;
    let rows: &[(Change, BatchError)] = &[
        (|h| h.batch_length = 48, length(48)),
        (|h| h.batch_length = -1, length(-1)),
        (|h| h.batch_length = i32::MIN, length(i32::MIN)),
        (|h| h.base_offset = Offset(-1), offsets(-1, delta)),
        (
            |h| h.last_offset_delta = -1,
            offsets(0x0102_0304_0506_0708, -1),
        ),
        (
            |h| h.base_offset = Offset(i64::MAX),
            offsets(i64::MAX, delta),
        ),
        (
            |h| (h.base_offset, h.last_offset_delta) = (Offset(i64::MAX - 5), 5),
            offsets(i64::MAX - 5, 5),
        ),
    ];
    for (change, error) in rows {
        let mut bad = header();
        change(&mut bad);
        assert_eq!(BatchHeader::parse(&bad.encode()), Err(*error));
    }
    let largest = BatchHeader {
        base_offset: Offset(i64::MAX - 6),
        last_offset_delta: 5,
        ..header()
    };
    let parsed = BatchHeader::parse(&largest.encode()).unwrap();
    assert_eq!(parsed.next_offset(), Offset::MAX);
}

#[test]
fn other_formats_and_short_headers_are_refused() {
    for magic in [0, 1, 3, -1] {
        let mut head = header().encode();
        head[16] = magic as u8;
        assert_eq!(BatchHeader::parse(&head), Err(BatchError::Magic { magic }));
    }
    for bytes in [0, 1, 60] {
        let short = &header().encode()[..bytes];
        assert_eq!(BatchHeader::parse(short), Err(BatchError::Short { bytes }));
    }
}

fn offsets(base_offset: i64, last_offset_delta: i32) -> BatchError {
    BatchError::Offsets {
        base_offset: Offset(base_offset),
        last_offset_delta,
    }
}

#[test]
fn attributes_name_what_the_protocol_names() {
    for (bits, codec) in (0..8).zip(Codec::ALL.map(Ok).into_iter().chain([5, 6, 7].map(Err))) {
        let expected = codec.map_err(|bits| UnknownCodec { bits });
        assert_eq!(Attributes(bits).codec(), expected);
        assert_eq!(Attributes(bits | 0x78).codec(), expected, "other bits set");
    }
    let set = |attributes: Attributes| {
        (
            attributes.timestamp_kind() == TimestampKind::LogAppendTime,
            attributes.is_transactional(),
            attributes.is_control(),
            attributes.has_delete_horizon(),
        )
    };
    for (bits, expected) in [
        (0x07, (false, false, false, false)),
        (0x08, (true, false, false, false)),
        (0x10, (false, true, false, false)),
        (0x20, (false, false, true, false)),
        (0x40, (false, false, false, true)),
    ] {
        assert_eq!(set(Attributes(bits)), expected, "{bits:#x}");
    }
    let stamped = Attributes(0x14).with_timestamp_kind(TimestampKind::LogAppendTime);
    assert_eq!(stamped, Attributes(0x1c));
    let created = stamped.with_timestamp_kind(TimestampKind::CreateTime);
    assert_eq!(created, Attributes(0x14));
}

#[test]
fn sequences_go_on_at_zero_after_the_largest() {
    for (sequence, count, expected) in [
        (0, 0, 0),
        (5, 3, 8),
        (i32::MAX, 0, i32::MAX),
        (i32::MAX, 1, 0),
        (i32::MAX - 2, 5, 2),
        (i32::MAX, i32::MAX, i32::MAX - 1),
        (-1, 7, -1),
    ] {
        assert_eq!(
            sequence_plus(sequence, count),
            expected,
            "{sequence}+{count}"
        );
    }
}

#[test]
fn batches_are_walked_up_to_the_first_incomplete_one() {
    let first = batch_at(0, 2, b"abc");
    let second = batch_at(3, 0, b"");
    let both = [&first[..], &second[..]].concat();
    let expected = [
        (0, Offset(0), first.len()),
        (first.len(), Offset(3), second.len()),
    ];
    for cut in 0..=both.len() {
        let mut batches = Batches::new(&both[..cut]);
        let found: Vec<_> = batches
            .by_ref()
            .map(|batch| batch.map(|(at, header, bytes)| (at, header.base_offset, bytes.len())))
            .collect::<Result<_, _>>()
            .unwrap();
        let whole = [first.len(), both.len()]
            .iter()
            .filter(|end| cut >= **end)
            .count();
        assert_eq!(found, expected[..whole], "cut at {cut}");
        assert_eq!(batches.position(), [0, first.len(), both.len()][whole]);
    }
}

#[test]
fn batches_end_after_an_error() {
    let first = batch_at(0, 2, b"abc");
    let mut bad = batch_at(3, 0, b"");
    bad[16] = 1;
    let all = [&first[..], &bad[..], &first[..]].concat();
    let mut batches = Batches::new(&all);
    assert!(batches.next().unwrap().is_ok());
    assert_eq!(batches.next(), Some(Err(BatchError::Magic { magic: 1 })));
    assert_eq!(batches.next(), None);
    assert_eq!(batches.position(), first.len());
}
