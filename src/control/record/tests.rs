use super::*;
use crate::control::fixture::{id, overrides};
use bytes::BufMut;

fn changes() -> ConfigChanges {
    ConfigChanges {
        set: overrides(&[("a", "1"), ("b", "")]),
        cleared: vec!["c".to_owned()],
    }
}

fn registered(term: u32, rack: Option<&str>) -> Record {
    let broker = Broker {
        node_id: NodeId(3),
        host: "h".to_owned(),
        port: 9092,
        rack: rack.map(str::to_owned),
    };
    Record::BrokerRegistered { term, broker }
}

fn created(internal: bool, set: &[(&str, &str)]) -> Record {
    Record::TopicCreated(NewTopicRecord {
        id: id(1),
        name: "t".to_owned(),
        partitions: 4,
        replication_factor: 1,
        created_term: 2,
        internal,
        overrides: overrides(set),
    })
}

fn records() -> Vec<(Record, &'static str)> {
    let (id, name, node) = (id(1), "t".to_owned(), Some(NodeId(3)));
    let (changes, cluster_id) = (changes(), Uuid([9; 16]));
    let records = [
        Record::SnapshotHead {
            cluster_id,
            version: 258,
        },
        Record::SnapshotEnd { records: 5 },
        registered(2, Some("r")),
        registered(3, None),
        created(false, &[("retention.ms", "1")]),
        created(true, &[]),
        Record::TopicDeleted { id },
        Record::TombstoneRemoved { id },
        Record::TombstoneKept {
            id,
            name,
            partitions: 4,
        },
        Record::PartitionsGrown { id, partitions: 5 },
        Record::TopicConfigured {
            id,
            changes: changes.clone(),
        },
        Record::BrokerConfigured {
            node: None,
            changes: changes.clone(),
        },
        Record::BrokerConfigured { node, changes },
        Record::ProducerIdsAllocated { next: 1000 },
        Record::GroupConfigured {
            group: "t".to_owned(),
            changes: self::changes(),
        },
    ];
    assert_eq!(records.len(), GOLDEN.len());
    records.into_iter().zip(GOLDEN.iter().copied()).collect()
}

/// Kind, flags, length, then each field: tag, length, value.
#[rustfmt::skip]
const GOLDEN: &[&str] = &[
    "0100 0000 22000000 01 10000000 09090909090909090909090909090909 02 08000000 0201000000000000",
    "0200 0000 09000000 03 04000000 05000000",
    "0300 0000 25000000 04 04000000 02000000 05 04000000 03000000 06 01000000 68 07 02000000 8423 \
     08 01000000 72",
    "0300 0000 1f000000 04 04000000 03000000 05 04000000 03000000 06 01000000 68 07 02000000 8423",
    "0400 0000 4e000000 09 10000000 01010101010101010101010101010101 0a 01000000 74 \
     0b 04000000 04000000 0c 02000000 0100 04 04000000 02000000 0d 01000000 00 \
     0e 0f000000 0c00 726574656e74696f6e2e6d73 31",
    "0400 0000 3a000000 09 10000000 01010101010101010101010101010101 0a 01000000 74 \
     0b 04000000 04000000 0c 02000000 0100 04 04000000 02000000 0d 01000000 01",
    "0500 0000 15000000 09 10000000 01010101010101010101010101010101",
    "0600 0000 15000000 09 10000000 01010101010101010101010101010101",
    "0700 0000 24000000 09 10000000 01010101010101010101010101010101 0a 01000000 74 \
     0b 04000000 04000000",
    "0800 0000 1e000000 09 10000000 01010101010101010101010101010101 0b 04000000 05000000",
    "0900 0000 2c000000 09 10000000 01010101010101010101010101010101 0e 04000000 0100 61 31 \
     0e 03000000 0100 62 0f 01000000 63",
    "0a00 0000 17000000 0e 04000000 0100 61 31 0e 03000000 0100 62 0f 01000000 63",
    "0a00 0000 20000000 05 04000000 03000000 0e 04000000 0100 61 31 0e 03000000 0100 62 \
     0f 01000000 63",
    "0b00 0000 0d000000 10 08000000 e803000000000000",
    "0c00 0000 1d000000 0a 01000000 74 0e 04000000 0100 61 31 0e 03000000 0100 62 0f 01000000 63",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_every_record_are_fixed() {
    for (record, expected) in records() {
        let bytes = record.encode();
        assert_eq!(hex(&bytes), expected.replace(' ', ""), "{record:?}");
        assert_eq!(Record::decode(&bytes), Ok(Some(record)));
    }
}

#[test]
fn a_record_cut_anywhere_or_too_long_is_refused() {
    for (record, _) in records() {
        let bytes = record.encode();
        for length in 0..bytes.len() {
            assert!(
                Record::decode(&bytes[..length]).is_err(),
                "{record:?} cut to {length}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Record::decode(&longer), Err(RecordError::TrailingBytes));
    }
}

#[test]
fn lengths_are_checked_before_they_are_believed() {
    for (record, _) in records() {
        let bytes = record.encode();
        for position in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[position] = value;
                let _ = Record::decode(&changed);
            }
        }
    }
}

/// A record with the given kind and flags, and the fields of another one.
fn altered(kind: u16, flags: u16, extra: &[u8]) -> Vec<u8> {
    let known = Record::PartitionsGrown {
        id: id(1),
        partitions: 5,
    }
    .encode();
    let mut bytes = Vec::new();
    bytes.put_u16_le(kind);
    bytes.put_u16_le(flags);
    bytes.put_u32_le((known.len() - 8 + extra.len()) as u32);
    bytes.put_slice(&known[8..]);
    bytes.put_slice(extra);
    bytes
}

#[test]
fn what_is_unknown_is_skipped_only_where_it_says_so() {
    let known = Record::PartitionsGrown {
        id: id(1),
        partitions: 5,
    };
    let field = |tag: u8| [tag, 1, 0, 0, 0, 42];
    for (bytes, expected) in [
        (altered(8, 0, &[]), Ok(Some(known.clone()))),
        (
            altered(99, 0, &[]),
            Err(RecordError::UnknownKind { kind: 99 }),
        ),
        (altered(99, 1, &[]), Ok(None)),
        (
            altered(8, 0, &field(100)),
            Err(RecordError::UnknownField { kind: 8, tag: 100 }),
        ),
        (
            altered(8, 1, &field(100)),
            Err(RecordError::UnknownField { kind: 8, tag: 100 }),
        ),
        (altered(8, 0, &field(0x80 | 100)), Ok(Some(known))),
        // A known field in a place it has no meaning is as unknown as any.
        (
            altered(8, 0, &field(13)),
            Err(RecordError::UnknownField { kind: 8, tag: 13 }),
        ),
    ] {
        assert_eq!(Record::decode(&bytes), expected);
    }
    assert_eq!(
        RecordError::UnknownKind { kind: 99 }.to_string(),
        "unknown kind 99, written by a newer release; start that release on this directory"
    );
}
