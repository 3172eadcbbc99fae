//! Records written and read, limits, times, deletion.

use ottla::wire::ApiKey;

use super::batches::{Record, Shape, batch, seal, shaped};
use super::build::*;
use crate::session::{Client, Session};

const TIMES: [i64; 13] = [
    -1,
    -2,
    -3,
    -4,
    -5,
    -6,
    -7,
    0,
    LONG_AGO,
    LONG_AGO + 1,
    LONG_AGO + 1_000,
    LONG_AGO + 1_000_000,
    i64::MAX,
];

pub(super) fn write_and_read(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("log", 3, &[]);
    client.ask("an empty log", &fetch(&topic, &[(0, 0), (1, 0), (2, 0)]));
    client.ask(
        "one batch",
        &produce(&topic, -1, vec![(0, values(&["a", "b", "c"]))]),
    );
    client.ask(
        "acks of one",
        &produce(&topic, 1, vec![(0, values(&["d"]))]),
    );
    client.tell(
        "acks of none",
        &produce(&topic, 0, vec![(0, values(&["e", "f"]))]),
    );
    let two = vec![(2, values(&["x"])), (1, values(&["y"]))];
    client.ask("two partitions", &produce(&topic, -1, two));
    let partly = vec![(1, values(&["z"])), (7, values(&["lost"]))];
    client.ask("one of two partitions exists", &produce(&topic, -1, partly));
    client.ask("from the start", &fetch(&topic, &[(0, 0)]));
    client.ask("in the midst of a batch", &fetch(&topic, &[(0, 1)]));
    client.ask("at the end", &fetch(&topic, &[(0, 6)]));
    client.ask("beyond the end", &fetch(&topic, &[(0, 7)]));
    client.ask("all, backwards", &fetch(&topic, &[(2, 0), (1, 0), (0, 0)]));
    client.ask("one of two exists", &fetch(&topic, &[(0, 3), (9, 0)]));
    client.ask("a topic of nobody", &fetch(&client.nowhere(), &[(0, 0)]));
    for time in TIMES {
        client.ask(
            &format!("offset at {time}"),
            &list_offsets(&topic, &[(0, time)]),
        );
    }
    client.ask(
        "offsets of three",
        &list_offsets(&topic, &[(2, -1), (0, -2), (5, -1)]),
    );
    deleted(&mut client, &topic);
    client.delete(&topic);
    client.ask("what is gone", &fetch(&topic, &[(0, 0)]));
    client.ask(
        "into what is gone",
        &produce(&topic, -1, vec![(0, values(&["late"]))]),
    );
    client.ask("offset of what is gone", &list_offsets(&topic, &[(0, -1)]));
}

fn deleted(client: &mut Client, topic: &Topic) {
    for before in [2, 2, 1, 4, 99, -2, -1] {
        client.ask(
            &format!("delete before {before}"),
            &delete_records(topic, &[(0, before)]),
        );
        let newest = format!("newest of what is left from {before}");
        client.ask(&newest, &list_offsets(topic, &[(0, -3)]));
        client.ask("first after deletion", &list_offsets(topic, &[(0, -2)]));
        client.ask("read after deletion", &fetch(topic, &[(0, 2)]));
    }
    client.ask("delete of two", &delete_records(topic, &[(1, 1), (8, 1)]));
    client.ask(
        "delete of nowhere",
        &delete_records(&client.nowhere(), &[(0, 0)]),
    );
    client.ask(
        "write after deletion",
        &produce(topic, -1, vec![(0, values(&["after"]))]),
    );
    client.ask(
        "at a time of what is deleted",
        &list_offsets(topic, &[(0, LONG_AGO)]),
    );
    for (current, asked) in [(-1, 0), (0, 0), (-1, 5), (3, 0), (-1, -1), (-1, -2)] {
        let what = format!("end of epoch {asked} at {current}");
        client.ask(&what, &end_of_epoch(topic, 0, current, asked));
    }
}

/// How much one answer carries.
pub(super) fn limits(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("limits", 3, &[]);
    let big = "x".repeat(1_000);
    for partition in 0..2 {
        client.fill(&topic, partition, &vec![values(&[&big]); 5]);
    }
    for (max_bytes, partition_max_bytes) in [
        (1, 1),
        (0, 0),
        (1_500, 1 << 20),
        (3_000, 1_500),
        (1 << 20, 1),
        (1 << 20, 2_500),
        (4_000, 4_000),
        (i32::MAX, i32::MAX),
        (-1, 1_000),
    ] {
        let mut request = fetch(&topic, &[(2, 0), (0, 0), (1, 1)]);
        request.max_bytes = max_bytes;
        for partition in &mut request.topics[0].partitions {
            partition.partition_max_bytes = partition_max_bytes;
        }
        client.ask(
            &format!("{max_bytes} bytes, {partition_max_bytes} a partition"),
            &request,
        );
    }
    let mut request = fetch(&topic, &[(0, 0)]);
    (request.min_bytes, request.max_wait_ms) = (1 << 20, 50);
    client.ask("a short wait for more than there is", &request);
    let mut request = fetch(&topic, &[(0, 5)]);
    request.max_wait_ms = 50;
    client.ask("a short wait at the end", &request);
    let mut request = fetch(&topic, &[(0, 9)]);
    (request.min_bytes, request.max_wait_ms) = (1 << 20, 20_000);
    client.ask("no wait where there is an error", &request);
    let mut request = fetch(&topic, &[(0, 0), (0, 3)]);
    request.isolation_level = 1;
    client.ask("a partition twice", &request);
    for epoch in [-1, 0, 1, 77, -2] {
        let mut request = fetch(&topic, &[(0, 4)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        client.ask(&format!("in epoch {epoch}"), &request);
    }
    for epoch in [-1, 0, 1, 77, -2] {
        let mut request = fetch(&topic, &[(0, 4)]);
        request.topics[0].partitions[0].last_fetched_epoch = epoch;
        client.ask(&format!("after epoch {epoch}"), &request);
        let mut request = list_offsets(&topic, &[(0, -1)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        client.ask(&format!("last offset in epoch {epoch}"), &request);
    }
}

/// Who may not write what.
pub(super) fn refused(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("refused", 1, &[("max.message.bytes", Some("500"))]);
    let strict = client.topic("strict", 1, &[("min.insync.replicas", Some("2"))]);
    let big = "x".repeat(600);
    client.ask(
        "too large",
        &produce(&topic, -1, vec![(0, values(&[&big]))]),
    );
    client.ask(
        "small enough",
        &produce(&topic, -1, vec![(0, values(&["small"]))]),
    );
    client.ask(
        "too few replicas",
        &produce(&strict, -1, vec![(0, values(&["a"]))]),
    );
    client.ask(
        "enough for acks of one",
        &produce(&strict, 1, vec![(0, values(&["a"]))]),
    );
    client.ask(
        "to a topic of nobody",
        &produce(&client.nowhere(), -1, vec![(0, values(&["a"]))]),
    );
    client.tell(
        "acks of none to nobody",
        &produce(&client.nowhere(), 0, vec![(0, values(&["a"]))]),
    );
    client.tell(
        "acks of none, too large",
        &produce(&topic, 0, vec![(0, values(&[&big]))]),
    );
    let internal = Topic {
        name: "__consumer_offsets".to_owned(),
        ..Default::default()
    };
    if client.version(ApiKey::Produce) < 13 {
        client.ask(
            "to an internal topic",
            &produce(&internal, -1, vec![(0, values(&["a"]))]),
        );
    }
    let twice = vec![(0, values(&["first"])), (0, values(&["second"]))];
    client.ask("a partition twice", &produce(&topic, -1, twice));
    client.ask("what was written", &fetch(&topic, &[(0, 0)]));
}

/// Bytes of a batch that are changed, what they are there for, and whether the checksum is made anew.
const DAMAGES: &[(&str, usize, &[u8], bool)] = &[
    ("base offset 7", 7, &[7], false),
    ("leader epoch 7", 15, &[7], false),
    ("magic 3", 16, &[3], true),
    ("magic -1", 16, &[0xff], true),
    ("a flipped bit", 62, &[0xff], false),
    ("codec 5", 22, &[5], true),
    ("gzip over plain records", 22, &[1], true),
    ("time type set", 22, &[8], true),
    ("delete horizon set", 22, &[0x40], true),
    ("unknown attribute", 21, &[0x80], true),
    ("last delta 1", 26, &[1], true),
    ("last delta -1", 23, &[0xff, 0xff, 0xff, 0xff], true),
    ("max timestamp -1", 35, &[0xff; 8], true),
    ("max timestamp far ahead", 35, &[0x7f], true),
    ("base timestamp -1", 27, &[0xff; 8], true),
    (
        "producer -2",
        43,
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
        true,
    ),
    ("epoch 3 without producer", 51, &[0, 3], true),
    ("count 2", 60, &[2], true),
    ("count 0", 60, &[0], true),
    ("record length beyond the batch", 61, &[0x7e], true),
    ("record length short", 61, &[2], true),
    ("record offset delta 1", 64, &[2], true),
];

pub(super) fn damaged(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("damaged", DAMAGES.len() as i32, &[]);
    for (partition, &(what, at, bytes, is_sealed)) in (0..).zip(DAMAGES) {
        let mut damaged = values(&["value"]);
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        if is_sealed {
            seal(&mut damaged);
        }
        client.ask(what, &produce(&topic, -1, vec![(partition, damaged)]));
        let what = format!("what was taken with {what}");
        client.ask(&what, &fetch(&topic, &[(partition, 0)]));
    }
}

pub(super) fn codecs(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("codecs", 1, &[]);
    for (codec, name) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        let plain = values(&["one", "two", "three"]);
        let packed = packed(&plain, codec);
        client.ask(name, &produce(&topic, -1, vec![(0, packed)]));
    }
    client.ask("all of them", &fetch(&topic, &[(0, 0)]));
    for time in TIMES {
        client.ask(
            &format!("packed, at {time}"),
            &list_offsets(&topic, &[(0, time)]),
        );
    }
}

fn packed(plain: &[u8], codec: usize) -> Vec<u8> {
    use std::io::Write;
    let (header, body) = plain.split_at(61);
    let body = match codec {
        1 => {
            let mut writer =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(body).expect("memory");
            writer.finish().expect("memory")
        }
        2 => snap::raw::Encoder::new()
            .compress_vec(body)
            .expect("memory"),
        3 => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(body).expect("memory");
            writer.finish().expect("memory")
        }
        4 => zstd::encode_all(body, 3).expect("memory"),
        _ => body.to_vec(),
    };
    let mut packed = [header, &body].concat();
    packed[22] = codec as u8;
    seal(&mut packed);
    packed
}

/// What becomes of timestamps.
pub(super) fn times(session: &Session) {
    let mut client = session.client();
    let day = Some("86400000");
    let appended = client.topic(
        "appended",
        1,
        &[("message.timestamp.type", Some("LogAppendTime"))],
    );
    let narrow = client.topic("narrow", 1, &[("message.timestamp.before.max.ms", day)]);
    let ahead = client.topic("ahead", 1, &[("message.timestamp.after.max.ms", day)]);
    let future = LONG_AGO * 3;
    for topic in [&appended, &narrow, &ahead] {
        for (what, time) in [("old", LONG_AGO), ("far ahead", future), ("-1", -1)] {
            let records = [Record::value("v").at(time), Record::value("w").at(time + 5)];
            client.ask(what, &produce(topic, -1, vec![(0, batch(&records))]));
        }
        client.ask("what is there", &fetch(topic, &[(0, 0)]));
        for time in [-1, -2, -3, 0, LONG_AGO, future] {
            client.ask(&format!("at {time}"), &list_offsets(topic, &[(0, time)]));
        }
    }
    let plain = client.topic("plain", 1, &[]);
    let odd = [
        Record::value("late").at(LONG_AGO + 9),
        Record::value("early").at(LONG_AGO),
    ];
    client.ask(
        "times out of order",
        &produce(&plain, -1, vec![(0, batch(&odd))]),
    );
    client.ask(
        "earlier still",
        &produce(&plain, -1, vec![(0, batch(&odd[1..]))]),
    );
    client.ask(
        "without time",
        &produce(&plain, -1, vec![(0, batch(&[Record::value("n").at(-1)]))]),
    );
    for time in [-3, LONG_AGO, LONG_AGO + 1, LONG_AGO + 9, LONG_AGO + 10] {
        client.ask(
            &format!("out of order, at {time}"),
            &list_offsets(&plain, &[(0, time)]),
        );
    }
}

/// A walk that the seed draws: writes, reads, deletions, look-ups.
pub(super) fn walk(session: &Session) {
    let mut client = session.client();
    let mut prng = session.prng();
    let topic = client.topic("walk", 2, &[]);
    for step in 0..60 {
        let partition = prng.below(3) as i32;
        let offset = prng.below(40) as i64 - 3;
        let what = |name: &str| format!("step {step}, {name} {partition} {offset}");
        match prng.below(8) {
            0..=2 => {
                let count = 1 + prng.below(4) as usize;
                let texts = ["p", "q", "r", "s"];
                let attributes = if prng.chance(10) { 0x10 } else { 0 };
                let shape = Shape {
                    attributes,
                    ..Shape::PLAIN
                };
                let batch = shaped(&records(&texts[..count]), shape);
                client.ask(
                    &what("write"),
                    &produce(&topic, -1, vec![(partition, batch)]),
                );
            }
            3 | 4 => {
                let mut request = fetch(&topic, &[(partition, offset)]);
                request.isolation_level = prng.below(2) as i8;
                request.max_bytes = prng.below(400) as i32;
                client.ask(&what("read"), &request);
            }
            5 => {
                client.ask(
                    &what("delete"),
                    &delete_records(&topic, &[(partition, offset)]),
                );
            }
            6 => {
                let time = TIMES[prng.below(TIMES.len() as u64) as usize];
                client.ask(
                    &format!("step {step}, at {time}"),
                    &list_offsets(&topic, &[(partition, time)]),
                );
            }
            _ => {
                let epoch = prng.below(3) as i32 - 1;
                client.ask(&what("epoch"), &end_of_epoch(&topic, partition, -1, epoch));
            }
        }
    }
}
