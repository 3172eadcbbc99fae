use super::*;
use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::ProducerId;
use crate::record::batch::crc_matches;
use crate::record::builder::{BatchBuilder, NewRecord};
use crate::record::{Attributes, Record, TimestampKind, records};
use kafka_protocol::records as oracle;

const TIME: i64 = 1_700_000_000_000;
const FIRST: i64 = 1_000;

/// Offset 1000 and up, leader epoch 3, producer 7 at sequence 40; times rise by 1 from `TIME + 50` down to `TIME`.
fn batch(codec: Codec, rows: &[(Option<&str>, Option<&str>)]) -> Vec<u8> {
    let producer = (ProducerId(7), ProducerEpoch(1));
    let mut builder = BatchBuilder::new(codec).producer(producer.0, producer.1, 40);
    for (index, (key, value)) in rows.iter().enumerate() {
        builder.push(&NewRecord {
            timestamp: Timestamp(TIME + 50 - index as i64),
            key: key.map(str::as_bytes),
            value: value.map(str::as_bytes),
            headers: &[(b"h", Some(b"1")), (b"none", None)],
        });
    }
    let built = builder.build();
    let header = BatchHeader {
        base_offset: Offset(FIRST),
        leader_epoch: LeaderEpoch(3),
        ..BatchHeader::parse(&built).unwrap()
    };
    [&header.encode()[..], &built[61..]].concat()
}

fn rules(now: i64) -> RewriteRules {
    RewriteRules {
        known_below: Offset::MAX,
        now: Some(Timestamp(now)),
        marker_retention_ms: 100,
    }
}

/// Offsets and values of what is left; panics when the batch is not sound.
fn left(batch: &[u8]) -> Vec<(i64, Option<String>)> {
    assert!(crc_matches(batch));
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let found = records(batch).unwrap().into_iter();
    found
        .map(|record: Record| (record.offset.0 - FIRST, record.value.map(text)))
        .collect()
}

fn changed(rewritten: Rewritten) -> Vec<u8> {
    match rewritten {
        Rewritten::Changed(batch) => batch,
        other => panic!("{other:?}"),
    }
}

/// A name, the rules, which records are void, whether it must stay, which records are left.
type Case = (
    &'static str,
    RewriteRules,
    &'static [i64],
    bool,
    Option<&'static [i64]>,
);

/// Of records a, b, a, and one without a key.
fn cases() -> [Case; 7] {
    let known_below = |below: i64| RewriteRules {
        known_below: Offset(FIRST + below),
        ..rules(TIME)
    };
    [
        (
            "a record without a key goes",
            rules(TIME),
            &[],
            false,
            Some(&[0, 1, 2]),
        ),
        ("void ones go", rules(TIME), &[0], false, Some(&[1, 2])),
        ("nothing is left", rules(TIME), &[0, 1, 2], false, None),
        (
            "nothing is left of a producer's last",
            rules(TIME),
            &[0, 1, 2],
            true,
            Some(&[]),
        ),
        (
            "what lies behind is not judged",
            known_below(1),
            &[0, 1, 2],
            false,
            Some(&[1, 2, 3]),
        ),
        (
            "not even without a key",
            known_below(3),
            &[0, 2],
            false,
            Some(&[1, 3]),
        ),
        (
            "all of it lies behind",
            known_below(0),
            &[0, 1, 2],
            false,
            Some(&[0, 1, 2, 3]),
        ),
    ]
}

fn offsets_left(batch: &[u8]) -> Vec<i64> {
    let left = left(batch).into_iter();
    left.map(|(offset, _)| offset).collect()
}

/// Offsets, epoch and sequence stay whatever goes.
fn has_same_place(one: &BatchHeader, other: &BatchHeader) -> bool {
    let producer = |it: &BatchHeader| (it.producer_id, it.producer_epoch, it.base_sequence);
    let place = |it: &BatchHeader| (it.base_offset, it.last_offset(), it.leader_epoch);
    producer(one) == producer(other) && place(one) == place(other)
}

#[test]
fn what_a_batch_keeps_depends_on_keys_markers_and_what_is_known() {
    let rows = [
        (Some("a"), Some("1")),
        (Some("b"), Some("2")),
        (Some("a"), Some("3")),
        (None, Some("4")),
    ];
    let void = |voids: &'static [i64]| {
        move |offset: Offset, _: &[u8]| !voids.contains(&(offset.0 - FIRST))
    };
    for codec in Codec::ALL {
        let original = batch(codec, &rows);
        let header = BatchHeader::parse(&original).unwrap();
        for (name, rules, voids, must_stay, expected) in &cases() {
            let rewritten = rewrite(&original, rules, *must_stay, void(voids)).unwrap();
            let found = match rewritten {
                Rewritten::Gone => None,
                Rewritten::Same => Some(original.clone()),
                Rewritten::Changed(changed) => Some(changed),
            };
            let offsets = found.as_deref().map(offsets_left);
            assert_eq!(offsets.as_deref(), *expected, "{codec:?}: {name}");
            let Some(found) = found else { continue };
            let after = BatchHeader::parse(&found).unwrap();
            assert_eq!(after.total_bytes(), found.len());
            assert!(has_same_place(&after, &header), "{name}");
        }
    }
}

#[test]
fn a_batch_of_which_nothing_goes_is_the_same_to_the_byte() {
    let rows = [(Some("a"), Some("1")), (Some("b"), Some("2"))];
    for codec in Codec::ALL {
        let original = batch(codec, &rows);
        let rewritten = rewrite(&original, &rules(TIME), true, |_, _| true);
        assert_eq!(rewritten, Ok(Rewritten::Same));
    }
}

#[test]
fn a_marker_goes_when_its_horizon_has_passed_and_times_stay() {
    let rows = [
        (Some("a"), Some("1")),
        (Some("b"), None),
        (Some("c"), Some("3")),
    ];
    for codec in Codec::ALL {
        let original = batch(codec, &rows);
        let before = records(&original).unwrap();
        let all = |_: Offset, _: &[u8]| true;
        let first = changed(rewrite(&original, &rules(TIME + 1_000), false, all).unwrap());
        let header = BatchHeader::parse(&first).unwrap();
        assert_eq!(header.delete_horizon(), Some(Timestamp(TIME + 1_100)));
        assert_eq!(
            records(&first).unwrap(),
            before,
            "{codec:?}: nothing else changed"
        );
        let decoded = oracle::RecordBatchDecoder::decode(&mut bytes::Bytes::from(first.clone()));
        let decoded = decoded.unwrap().records;
        // The other implementation leaves the horizon to its reader: base and deltas still add up.
        let times: Vec<i64> = decoded.iter().map(|record| record.timestamp).collect();
        assert_eq!(times, [TIME + 50, TIME + 49, TIME + 48]);
        // A horizon is set once, and markers go from it on, not before.
        for now in [TIME + 1_050, TIME + 1_099] {
            assert_eq!(
                rewrite(&first, &rules(now), false, all),
                Ok(Rewritten::Same)
            );
        }
        let last = changed(rewrite(&first, &rules(TIME + 1_100), false, all).unwrap());
        let values = [(0, Some("1".to_owned())), (2, Some("3".to_owned()))];
        assert_eq!(left(&last), values);
        let after = BatchHeader::parse(&last).unwrap();
        assert_eq!(after.delete_horizon(), Some(Timestamp(TIME + 1_100)));
        assert_eq!(after.max_timestamp, Timestamp(TIME + 50));
    }
}

#[test]
fn without_a_clock_to_believe_no_marker_goes_and_none_begins_to_age() {
    let original = batch(Codec::Lz4, &[(Some("a"), Some("1")), (Some("a"), None)]);
    let unsure = RewriteRules {
        now: None,
        ..rules(0)
    };
    let later_only = |offset: Offset, _: &[u8]| offset.0 > FIRST;
    let once = changed(rewrite(&original, &unsure, false, later_only).unwrap());
    assert_eq!(left(&once), [(1, None)]);
    let header = BatchHeader::parse(&once).unwrap();
    assert_eq!(header.delete_horizon(), None);
    let aged = changed(rewrite(&once, &rules(TIME), false, later_only).unwrap());
    assert_eq!(
        rewrite(&aged, &unsure, false, later_only),
        Ok(Rewritten::Same)
    );
}

#[test]
fn the_largest_time_is_that_of_a_record_that_stays() {
    let original = batch(
        Codec::None,
        &[(Some("a"), Some("1")), (Some("b"), Some("2"))],
    );
    let second_only = |offset: Offset, _: &[u8]| offset.0 > FIRST;
    let rewritten = changed(rewrite(&original, &rules(TIME), false, second_only).unwrap());
    let header = BatchHeader::parse(&rewritten).unwrap();
    assert_eq!(header.max_timestamp, Timestamp(TIME + 49));
    assert_eq!(
        records(&rewritten).unwrap()[0].timestamp,
        Timestamp(TIME + 49)
    );
}

#[test]
fn append_times_survive_a_horizon() {
    let original = batch(Codec::Zstd, &[(Some("a"), Some("1")), (Some("b"), None)]);
    let header = BatchHeader::parse(&original).unwrap();
    let header = BatchHeader {
        attributes: header
            .attributes
            .with_timestamp_kind(TimestampKind::LogAppendTime),
        max_timestamp: Timestamp(TIME + 9_000),
        ..header
    };
    let stamped = assemble(&header, &original[61..]);
    let rewritten = changed(rewrite(&stamped, &rules(TIME), false, |_, _| true).unwrap());
    let after = BatchHeader::parse(&rewritten).unwrap();
    assert_eq!(after.max_timestamp, Timestamp(TIME + 9_000));
    assert_eq!(records(&rewritten).unwrap(), records(&stamped).unwrap());
}

#[test]
fn an_emptied_batch_says_what_a_producers_last_must_say_and_is_stable() {
    let original = batch(
        Codec::Gzip,
        &[(Some("a"), Some("1")), (Some("a"), Some("2"))],
    );
    let none = |_: Offset, _: &[u8]| false;
    let empty = changed(rewrite(&original, &rules(TIME), true, none).unwrap());
    let header = BatchHeader::parse(&empty).unwrap();
    assert_eq!((empty.len(), header.record_count), (61, 0));
    assert_eq!(header.attributes, Attributes::new(Codec::None));
    assert_eq!(header.last_sequence(), 41);
    assert_eq!(header.max_timestamp, Timestamp(TIME + 50));
    assert_eq!(
        rewrite(&empty, &rules(TIME), true, none),
        Ok(Rewritten::Same)
    );
    assert_eq!(
        rewrite(&empty, &rules(TIME), false, none),
        Ok(Rewritten::Gone)
    );
}

#[test]
fn control_batches_transactions_and_unreadable_records_are_left_alone() {
    let original = batch(Codec::None, &[(Some("a"), Some("1"))]);
    for bit in [1 << 4, 1 << 5] {
        let mut header = BatchHeader::parse(&original).unwrap();
        header.attributes.0 |= bit;
        let marked = assemble(&header, &original[61..]);
        let rewritten = rewrite(&marked, &rules(TIME), false, |_, _| false);
        assert_eq!(rewritten, Ok(Rewritten::Same));
    }
    let header = BatchHeader::parse(&original).unwrap();
    let broken = assemble(&header, &vec![0xff; original.len() - 61]);
    assert!(rewrite(&broken, &rules(TIME), false, |_, _| false).is_err());
}

#[test]
fn a_time_that_no_horizon_can_tell_keeps_its_marker() {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(&NewRecord {
        timestamp: Timestamp(i64::MIN),
        key: Some(b"a"),
        value: None,
        headers: &[],
    });
    let original = builder.build();
    let rewritten = rewrite(&original, &rules(TIME), false, |_, _| true);
    assert_eq!(rewritten, Ok(Rewritten::Same));
}

#[test]
fn keys_are_told_in_order_until_somebody_has_enough() {
    let original = batch(
        Codec::Snappy,
        &[(Some("a"), None), (None, Some("1")), (Some("b"), Some("2"))],
    );
    let mut seen = Vec::new();
    let whole = keys(&original, |offset, key| {
        seen.push((offset.0 - FIRST, key.to_vec()));
        true
    });
    assert_eq!(whole, Ok(true));
    assert_eq!(seen, [(0, b"a".to_vec()), (2, b"b".to_vec())]);
    assert_eq!(keys(&original, |offset, _| offset.0 == FIRST), Ok(false));
}
