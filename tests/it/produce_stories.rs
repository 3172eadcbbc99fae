//! Produce: acknowledgements, stamps, limits, and batches that lie.

use crate::harness::batches::{self, Record, Shape};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::{LATEST, PRODUCE_VERSION, produce_request, record_bytes};
use crate::harness::wait::wait_until;
use ottla::base::ids::Uuid;
use ottla::wire::ErrorCode;
use ottla::wire::messages::metadata::MetadataRequest;
use ottla::wire::produce::ProduceRequest;
use std::time::{SystemTime, UNIX_EPOCH};

fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.expect("after 1970").as_millis() as i64
}

fn one(value: &str) -> Vec<u8> {
    batches::batch(&[Record::value(value).at(now_ms())])
}

#[test]
fn offsets_start_at_zero_and_are_dense() {
    let broker = Broker::start("produce_dense");
    let mut client = Connection::open(&broker.address);
    client.create_topic("dense", 2, &[]);
    assert_eq!(client.produce_values("dense", 0, &["a", "b", "c"]), 0);
    assert_eq!(client.produce_values("dense", 0, &["d"]), 3);
    assert_eq!(client.produce_values("dense", 1, &["e"]), 0);
    assert_eq!(client.produce_values("dense", 0, &["f", "g"]), 4);
    assert_eq!(client.values("dense", 0), ["a", "b", "c", "d", "f", "g"]);
    assert_eq!(client.values("dense", 1), ["e"]);
}

#[test]
fn acks_decide_who_is_told() {
    let broker = Broker::start("produce_acks");
    let mut client = Connection::open(&broker.address);
    client.create_topic("acks", 1, &[]);
    for acks in [1, -1] {
        let answer = client.call(
            &produce_request("acks", 0, one("told"), acks),
            PRODUCE_VERSION,
        );
        let part = &answer.responses[0].partition_responses[0];
        assert_eq!((part.error_code, part.log_start_offset), (0, 0));
        assert_eq!(
            part.log_append_time_ms, -1,
            "records carry the client's time"
        );
    }
    // Nothing is answered, so the next answer is the next request's.
    client
        .send(
            &produce_request("acks", 0, one("untold"), 0),
            PRODUCE_VERSION,
        )
        .expect("sent");
    client.call(&MetadataRequest::default(), 12);
    wait_until("the unacknowledged record", || {
        client.offset("acks", 0, LATEST) == 3
    });
    for acks in [2, -2, 7] {
        let answer = client.call(&produce_request("acks", 0, one("x"), acks), PRODUCE_VERSION);
        let part = &answer.responses[0].partition_responses[0];
        assert_eq!(
            part.error_code,
            ErrorCode::InvalidRequiredAcks.code(),
            "acks {acks}"
        );
        assert_eq!(part.base_offset, -1);
    }
    assert_eq!(client.values("acks", 0), ["told", "told", "untold"]);
}

/// Without an answer the only way to make a producer look again is to hang up.
#[test]
fn a_failure_nobody_is_told_of_closes_the_connection() {
    let broker = Broker::start("produce_unacknowledged_failure");
    let mut client = Connection::open(&broker.address);
    let request = produce_request("no-such-topic", 0, one("x"), 0);
    client.send(&request, PRODUCE_VERSION).expect("sent");
    assert!(client.is_closed_by_peer());
}

#[test]
fn what_does_not_exist_is_named() {
    let broker = Broker::start("produce_unknown");
    let mut client = Connection::open(&broker.address);
    let id = client.create_topic("known", 1, &[]);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(client.refused("unknown", 0, one("x")), unknown);
    assert_eq!(client.refused("known", 1, one("x")), unknown);
    assert_eq!(client.refused("known", -1, one("x")), unknown);
    // Since version 13 topics have ids only.
    for (id, code) in [
        (id, ErrorCode::None),
        (Uuid([7; 16]), ErrorCode::UnknownTopicId),
    ] {
        let mut request = produce_request("", 0, one("x"), -1);
        request.topic_data[0].topic_id = id;
        let answer = client.call(&request, 13);
        let topic = &answer.responses[0];
        assert_eq!(topic.partition_responses[0].error_code, code.code());
        assert_eq!(topic.topic_id, id);
    }
}

#[test]
fn one_request_reaches_partitions_of_every_shard() {
    let broker = Broker::start("produce_many");
    let mut client = Connection::open(&broker.address);
    client.create_topic("many", 16, &[]);
    let mut request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        ..ProduceRequest::default()
    };
    for partition in 0..16 {
        let part = produce_request("many", partition, one(&format!("p{partition}")), -1);
        match request.topic_data.first_mut() {
            None => request = part,
            Some(topic) => topic
                .partition_data
                .extend(part.topic_data[0].partition_data.clone()),
        }
    }
    // One that does not exist must not harm the others.
    let stranger = produce_request("many", 99, one("lost"), -1);
    request.topic_data[0]
        .partition_data
        .extend(stranger.topic_data[0].partition_data.clone());
    let answer = client.call(&request, PRODUCE_VERSION);
    let mut parts = answer.responses[0].partition_responses.clone();
    parts.sort_by_key(|part| part.index);
    let codes: Vec<i16> = parts.iter().map(|part| part.error_code).collect();
    assert_eq!(codes[..16], [0; 16]);
    assert_eq!(codes[16], ErrorCode::UnknownTopicOrPartition.code());
    for partition in 0..16 {
        assert_eq!(client.values("many", partition), [format!("p{partition}")]);
    }
}

/// Opaque payloads: whatever a codec made comes back byte for byte, only base offset and epoch are the broker's.
#[test]
fn every_codec_passes_through_untouched() {
    let broker = Broker::start("produce_codecs");
    let mut client = Connection::open(&broker.address);
    client.create_topic("codecs", 1, &[]);
    for codec in 0..=4i16 {
        let shape = Shape {
            attributes: codec,
            ..Shape::PLAIN
        };
        let value = format!("not really compressed with {codec}");
        let sent = batches::shaped(&[Record::value(value).at(now_ms())], shape);
        let offset = client.produce("codecs", 0, sent.clone());
        assert_eq!(offset, i64::from(codec));
        let stored = record_bytes(&client.fetch("codecs", 0, offset));
        assert_eq!(stored[..8], offset.to_be_bytes());
        assert_eq!(stored[8..12], sent[8..12], "length");
        assert_eq!(stored[16..], sent[16..], "codec {codec}");
    }
    // zstd came with version 7, the others earlier.
    let zstd = batches::shaped(
        &[Record::value("z").at(now_ms())],
        Shape {
            attributes: 4,
            ..Shape::PLAIN
        },
    );
    let answer = client.call(&produce_request("codecs", 0, zstd, -1), 6);
    let code = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::UnsupportedCompressionType.code());
}

#[test]
fn the_log_can_stamp_records_itself() {
    let broker = Broker::start("produce_log_append_time");
    let mut client = Connection::open(&broker.address);
    client.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let before = now_ms();
    let batch = batches::batch(&[Record::value("a").at(1), Record::value("b").at(2)]);
    let answer = client.try_produce("stamped", 0, batch).expect("an answer");
    let stamp = answer.log_append_time_ms;
    assert!(before <= stamp && stamp <= now_ms(), "{stamp}");
    // The checksum covers attributes and time; `read` has verified that it was made anew.
    let stored = client.read_all("stamped", 0);
    assert_eq!(stored[0].attributes & 8, 8);
    assert_eq!(stored[0].max_timestamp, stamp);
    assert!(
        stored[0]
            .records
            .iter()
            .all(|record| record.timestamp == stamp)
    );
}

#[test]
fn limits_of_a_topic_hold() {
    let broker = Broker::start("produce_limits");
    let mut client = Connection::open(&broker.address);
    let configs = [
        ("max.message.bytes", "1000"),
        ("message.timestamp.before.max.ms", "60000"),
        ("message.timestamp.after.max.ms", "60000"),
    ];
    client.create_topic("limited", 1, &configs);
    let exact = "x".repeat(1000 - one("").len() - 2);
    let fits = one(&exact);
    assert_eq!(fits.len(), 1000);
    assert_eq!(client.produce("limited", 0, fits), 0);
    assert_eq!(
        client.refused("limited", 0, one(&(exact + "x"))),
        ErrorCode::MessageTooLarge
    );
    for distance in [-120_000, 120_000] {
        let batch = batches::batch(&[Record::value("x").at(now_ms() + distance)]);
        assert_eq!(
            client.refused("limited", 0, batch),
            ErrorCode::InvalidTimestamp,
            "{distance}"
        );
    }
    assert_eq!(client.offset("limited", 0, LATEST), 1);
}

/// What a batch may say of itself that is not so; each is refused, nothing is appended, the connection lives.
#[test]
fn batches_that_lie_are_refused() {
    let broker = Broker::start("produce_lies");
    let mut client = Connection::open(&broker.address);
    client.create_topic("lies", 1, &[]);
    let corrupt = ErrorCode::CorruptMessage;
    let invalid = ErrorCode::InvalidRecord;
    for (what, batch, codes) in lies(corrupt, invalid) {
        let code = client.refused("lies", 0, batch);
        assert!(
            codes.contains(&code),
            "{what}: {code}, expected one of {codes:?}"
        );
    }
    assert_eq!(client.offset("lies", 0, LATEST), 0);
    assert_eq!(client.produce("lies", 0, one("truth")), 0);
}

type Lie = (&'static str, Vec<u8>, Vec<ErrorCode>);

fn lies(corrupt: ErrorCode, invalid: ErrorCode) -> Vec<Lie> {
    let honest = || {
        batches::batch(&[
            Record::value("one").at(now_ms()),
            Record::value("two").at(now_ms()),
        ])
    };
    // Bytes changed under a checksum made anew, so that only the lie itself is left to find.
    let forged = |at: usize, bytes: &[u8]| {
        let mut batch = honest();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        batches::seal(&mut batch);
        batch
    };
    let unsealed = |at: usize, bytes: &[u8]| {
        let mut batch = honest();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        batch
    };
    let either = || vec![corrupt, invalid];
    let length = honest().len() as i32 - 12;
    let shaped = |shape| batches::shaped(&[Record::value("x").at(now_ms())], shape);
    vec![
        (
            "length beyond the bytes",
            unsealed(8, &(length + 1).to_be_bytes()),
            either(),
        ),
        (
            "length short of the bytes",
            unsealed(8, &(length - 1).to_be_bytes()),
            either(),
        ),
        (
            "length below a header",
            unsealed(8, &10i32.to_be_bytes()),
            either(),
        ),
        (
            "negative length",
            unsealed(8, &(-1i32).to_be_bytes()),
            either(),
        ),
        (
            "length near overflow",
            unsealed(8, &i32::MAX.to_be_bytes()),
            either(),
        ),
        ("magic 0", forged(16, &[0]), either()),
        ("magic 1", forged(16, &[1]), either()),
        ("magic 3", forged(16, &[3]), either()),
        ("wrong checksum", unsealed(17, &[1, 2, 3, 4]), vec![corrupt]),
        ("one payload bit", unsealed(70, &[0xff]), vec![corrupt]),
        (
            "count above the last delta",
            forged(57, &3i32.to_be_bytes()),
            either(),
        ),
        ("count of zero", forged(57, &0i32.to_be_bytes()), either()),
        (
            "negative count",
            forged(57, &(-2i32).to_be_bytes()),
            either(),
        ),
        (
            "negative last delta",
            forged(23, &(-1i32).to_be_bytes()),
            either(),
        ),
        (
            "last delta near overflow",
            forged(23, &i32::MAX.to_be_bytes()),
            either(),
        ),
        (
            "sequence without a producer",
            forged(53, &0i32.to_be_bytes()),
            either(),
        ),
        (
            "producer without an epoch",
            shaped(Shape::idempotent(5, -1, 0)),
            either(),
        ),
        (
            "producer without a sequence",
            shaped(Shape::idempotent(5, 0, -1)),
            either(),
        ),
        (
            "control batch from a client",
            forged(21, &0x20i16.to_be_bytes()),
            either(),
        ),
        (
            "transactional without a transaction",
            shaped(Shape {
                attributes: 0x10,
                ..Shape::idempotent(5, 0, 0)
            }),
            vec![
                invalid,
                ErrorCode::InvalidTxnState,
                ErrorCode::TransactionalIdAuthorizationFailed,
            ],
        ),
        (
            "codec 5",
            forged(21, &5i16.to_be_bytes()),
            vec![ErrorCode::UnsupportedCompressionType, corrupt, invalid],
        ),
        (
            "codec 7",
            forged(21, &7i16.to_be_bytes()),
            vec![ErrorCode::UnsupportedCompressionType, corrupt, invalid],
        ),
        ("two batches", [honest(), honest()].concat(), either()),
        (
            "bytes after the batch",
            [honest(), vec![0; 5]].concat(),
            either(),
        ),
        ("half a header", honest()[..40].to_vec(), either()),
        ("nothing", Vec::new(), either()),
        (
            "a time beyond an hour ahead",
            batches::batch(&[Record::value("x").at(now_ms() + 10_000_000)]),
            vec![ErrorCode::InvalidTimestamp],
        ),
    ]
}
