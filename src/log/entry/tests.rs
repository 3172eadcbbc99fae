use super::*;
use crate::base::ids::ProducerId;
use crate::log::testing::{PARTITION, batch, batch_of, bytes_of};

fn changes() -> Vec<Change> {
    let at = Position {
        segment: Offset(5),
        byte: 900,
    };
    let index = SideFile {
        bytes: 96,
        crc: 0xfeed,
    };
    vec![
        Change::Truncate { end: Offset(9), at },
        Change::Roll {
            closed: Offset(5),
            bytes: 900,
            base: Offset(9),
        },
        Change::Sealed {
            base: Offset(5),
            bytes: 900,
            index,
        },
        Change::EpochStart {
            epoch: LeaderEpoch(4),
            offset: Offset(9),
        },
        Change::Promise(LeaderEpoch(6)),
        Change::LogStart(Offset(7)),
        Change::Drop,
        Change::Reset {
            epoch: LeaderEpoch(8),
            offset: Offset(100),
            replica: 3,
        },
        Change::Replace(ReplaceChange {
            name: SegmentName {
                base: Offset(5),
                rewrite: 2,
            },
            until: Offset(90),
            compacted: Offset(80),
            bytes: 700,
            first_timestamp: Timestamp(11),
            largest: LargestTimestamp {
                timestamp: Timestamp(12),
                batch: Some(Offset(7)),
            },
            index,
        }),
    ]
}

fn encoded(entries: &[PlannedEntry]) -> Bytes {
    let mut body = Vec::new();
    for entry in entries {
        let before = body.len();
        entry.encode(&mut |bytes, _| body.extend_from_slice(bytes));
        assert_eq!(body.len() - before, entry.encoded_bytes());
    }
    body.into()
}

fn data_entry() -> PlannedEntry {
    let batches = [batch(40, 3, 100), batch_of(43, 1, 77, 2, ProducerId(9), 0)];
    let mut pieces = vec![Bytes::from_static(b"leading")];
    pieces.extend(batches.iter().map(|batch| Bytes::from(bytes_of(batch))));
    PlannedEntry {
        partition: PARTITION,
        number: 12,
        change: Change::Data(DataChange {
            at: Position {
                segment: Offset(40),
                byte: 4096 + 7,
            },
            bytes: 177,
            batches: batches.iter().map(|batch| batch.header).collect(),
        }),
        lead_in: 7,
        pieces,
    }
}

#[test]
fn every_change_reads_back() {
    let planned: Vec<PlannedEntry> = (1..)
        .zip(changes())
        .map(|(number, change)| PlannedEntry::change(PARTITION, number, change))
        .collect();
    let found = decode_entries(&encoded(&planned)).unwrap();
    let expected: Vec<FoundEntry> = (1..)
        .zip(changes())
        .map(|(number, change)| FoundEntry {
            partition: PARTITION,
            number,
            body: FoundBody::Change(change),
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn data_carries_what_precedes_it_in_its_block() {
    let entry = data_entry();
    let found = decode_entries(&encoded(std::slice::from_ref(&entry))).unwrap();
    let bytes: Vec<u8> = entry.pieces.concat();
    let body = FoundBody::Data {
        start: Position {
            segment: Offset(40),
            byte: 4096,
        },
        base_offset: Offset(40),
        leader_epoch: LeaderEpoch(2),
        lead_in: 7,
        bytes: bytes.into(),
    };
    assert_eq!(
        found,
        [FoundEntry {
            partition: PARTITION,
            number: 12,
            body
        }]
    );
}

#[test]
fn an_entry_is_what_the_drawing_says() {
    let change = Change::EpochStart {
        epoch: LeaderEpoch(4),
        offset: Offset(9),
    };
    let bytes = encoded(&[PlannedEntry::change(PARTITION, 258, change)]);
    let mut expected = vec![5, 0, 0, 0, 16, 0, 0, 0];
    expected.extend([7; 16]);
    expected.extend([3, 0, 0, 0, 2, 1, 0, 0]);
    expected.extend([4, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn an_unknown_kind_is_skipped_only_if_it_allows_it() {
    let mut body = encoded(&[PlannedEntry::change(
        PARTITION,
        1,
        Change::LogStart(Offset(1)),
    )])
    .to_vec();
    body[0] = 77;
    assert_eq!(
        decode_entries(&body.clone().into()),
        Err(UnknownEntry { kind: 77 })
    );
    body[1] = FLAG_SKIPPABLE;
    let found = decode_entries(&body.into()).unwrap();
    assert_eq!(found[0].body, FoundBody::Skipped);
}

#[test]
fn a_body_cut_anywhere_is_an_error_and_no_panic() {
    let body = encoded(&[
        data_entry(),
        PlannedEntry::change(PARTITION, 13, changes()[2].clone()),
    ]);
    let whole = decode_entries(&body).unwrap();
    for len in 0..body.len() {
        if let Ok(found) = decode_entries(&body.slice(..len)) {
            assert!(
                found.len() < whole.len() || len >= body.len() - ENTRY_ALIGN,
                "at {len}"
            );
        }
    }
}

#[test]
fn a_snapshot_entry_reads_back() {
    let snapshot = SnapshotEntry {
        generation: 3,
        covered: 99,
        crc: 5,
    };
    let mut body = Vec::new();
    snapshot.encode(&mut |bytes| body.extend_from_slice(bytes));
    assert_eq!(body.len(), SnapshotEntry::ENCODED_BYTES);
    let found = decode_entries(&body.into()).unwrap();
    assert_eq!(found[0].body, FoundBody::Snapshot(snapshot));
}
