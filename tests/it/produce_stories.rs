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
/// As in Apache Kafka since 4.0: tools that ask for two replicas in sync work with a single node.
#[test]
fn a_topic_cannot_ask_for_more_replicas_in_sync_than_it_has() {
    let broker = Broker::start("produce_insync");
    let mut client = Connection::open(&broker.address);
    client.create_topic("strict", 1, &[("min.insync.replicas", "2")]);
    let answer = client.call(
        &produce_request("strict", 0, one("all"), -1),
        PRODUCE_VERSION,
    );
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    assert_eq!(client.values("strict", 0), ["all"]);
}

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

/// What a batch may say of itself that is not so: byte, hex, the code it is refused with, what it means. Under a checksum
/// made anew, so that only the lie is left to find.
const FORGED: &str = "
16 00 87             magic 0
16 01 87             magic 1
16 03 2              magic 3
21 0005 76           codec 5
21 0007 76           codec 7
21 0020 87           a control batch from a client
21 0010 53           transactional without a producer
21 0008 32           stamped by its sender as if by the broker
23 ffffffff 87       a last delta below zero
23 7fffffff 87       a last delta near overflow
57 00000003 87       a count above the last delta
57 00000000 87       a count of zero
57 fffffffe 87       a count below zero
57 7fffffff 87       a count near overflow
";

/// The same where length and checksum stay as sent.
const UNSEALED: &str = "
8  ffffffff 2        a length below zero
8  0000000a 2        a length below a header
8  00000050 87       a length short of the bytes
8  7fffffff 87       a length near overflow
17 01020304 2        another checksum
70 ff 2              a flipped payload
";

/// Each is refused, nothing is appended, the connection lives.
#[test]
fn batches_that_lie_are_refused() {
    let broker = Broker::start("produce_lies");
    let mut client = Connection::open(&broker.address);
    client.create_topic("lies", 1, &[]);
    for (what, code, batch) in lies() {
        assert_eq!(client.refused("lies", 0, batch).code(), code, "{what}");
    }
    assert_eq!(client.offset("lies", 0, LATEST), 0);
    assert_eq!(client.produce("lies", 0, one("truth")), 0);
    assert_eq!(
        broker.metrics().known("ottla_unknown_server_errors_total"),
        0.0
    );
}

/// What it is, its code, the batch.
fn lies() -> Vec<(String, i16, Vec<u8>)> {
    let time = now_ms();
    let honest = || batches::batch(&[Record::value("one").at(time), Record::value("two").at(time)]);
    let shaped = |shape| batches::shaped(&[Record::value("x").at(time)], shape);
    let transactional = Shape {
        attributes: 0x10,
        ..Shape::idempotent(5, 0, 0)
    };
    let invalid = ErrorCode::InvalidRecord.code();
    let mut found: Vec<(String, i16, Vec<u8>)> = vec![
        ("two batches".into(), invalid, [honest(), honest()].concat()),
        (
            "bytes after the batch".into(),
            invalid,
            [honest(), vec![0; 5]].concat(),
        ),
        (
            "a byte short".into(),
            invalid,
            honest()[..honest().len() - 1].to_vec(),
        ),
        ("half a header".into(), invalid, honest()[..40].to_vec()),
        ("nothing".into(), invalid, Vec::new()),
        (
            "a producer without an epoch".into(),
            invalid,
            shaped(Shape::idempotent(5, -1, 0)),
        ),
        (
            "a producer without a sequence".into(),
            invalid,
            shaped(Shape::idempotent(5, 0, -1)),
        ),
        (
            "transactional without a transaction".into(),
            ErrorCode::TransactionalIdAuthorizationFailed.code(),
            shaped(transactional),
        ),
    ];
    for (table, sealed) in [(FORGED, true), (UNSEALED, false)] {
        for row in table.lines().filter(|row| !row.is_empty()) {
            let (at, rest) = row.split_once(' ').expect("a byte");
            let (hex, rest) = rest.trim_start().split_once(' ').expect("hex");
            let (code, what) = rest.split_once(' ').expect("a code");
            let mut batch = honest();
            overwrite(&mut batch[at.parse().expect("a number")..], hex);
            if sealed {
                batches::seal(&mut batch);
            }
            let code = code.parse().expect("a number");
            found.push((what.trim_start().into(), code, batch));
        }
    }
    found
}

fn overwrite(bytes: &mut [u8], hex: &str) {
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).expect("ASCII");
        *byte = u8::from_str_radix(digits, 16).expect("hex");
    }
}
