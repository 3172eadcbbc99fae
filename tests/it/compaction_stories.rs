//! Compacted topics: what is left of them is what a plain model keeps, whoever reads meanwhile and whatever ends the
//! broker.

use crate::harness::batches::{self, Record as Plain};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::kafka::{EARLIEST, LATEST, record_bytes};
use crate::harness::operator::{SET, TOPIC};
use crate::harness::tool::Tool;
use crate::harness::wait::{wait_for, wait_until};
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::ProducerId;
use ottla::base::prng::Prng;
use ottla::base::time::Timestamp;
use ottla::record::{BatchBuilder, Batches, Codec, NewRecord, Record, records};
use ottla::wire::ErrorCode;
use std::collections::BTreeMap;

const TIME: i64 = 1_700_000_000_000;
const RECORDS: i64 = 100_000;
const KEYS: u64 = 6_000;
/// A value that leaves no room for another one in the smallest segment.
const LARGE: usize = 1_000_000;

const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0"),
];

fn eager(start: Start) -> Start {
    let start = start.set("log.cleaner.backoff.ms", "20");
    Start { shards: 1, ..start }
}

/// What was written, by offset.
#[derive(Default)]
struct Written {
    records: Vec<Record>,
}

impl Written {
    /// Of each key the last record; the others are void.
    fn left(&self) -> Vec<&Record> {
        let last: BTreeMap<_, _> = self.records.iter().map(|it| (&it.key, it.offset)).collect();
        let records = self.records.iter();
        records.filter(|it| last[&it.key] == it.offset).collect()
    }

    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    /// Appends a batch as it was built, whose records get the next offsets.
    fn produce(&mut self, client: &mut Connection, topic: &str, batch: &[u8]) -> i64 {
        let base = client.produce(topic, 0, batch.to_vec());
        assert_eq!(base, self.end());
        for record in records(batch).expect("a batch of our own") {
            let offset = record.offset.plus(base);
            self.records.push(Record { offset, ..record });
        }
        base
    }

    /// Ends what was written with a record that is alone in the last segment, so that all before it can be compacted.
    fn close(&mut self, client: &mut Connection, topic: &str, prng: &mut Prng) {
        for _ in 0..2 {
            let value: Vec<u8> = (0..LARGE).map(|_| prng.next_u64() as u8).collect();
            let key = format!("large-{}", self.end());
            let row = (key.as_str(), Some(&value[..]));
            let batch = batch(Codec::None, self.end(), None, &[row]);
            self.produce(client, topic, &batch);
        }
    }
}

/// Times rise with the offsets.
fn batch(
    codec: Codec,
    base: i64,
    producer: Option<(i64, i16, i32)>,
    rows: &[(&str, Option<&[u8]>)],
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    }
    for (index, (key, value)) in rows.iter().enumerate() {
        builder.push(&NewRecord {
            timestamp: Timestamp(TIME + base + index as i64),
            key: Some(key.as_bytes()),
            value: *value,
            headers: &[(b"number", Some(&base.to_be_bytes()))],
        });
    }
    builder.build().to_vec()
}

/// Every record that a consumer gets.
fn read_all(client: &mut Connection, topic: &str) -> Vec<Record> {
    let (mut next, end) = (
        client.offset(topic, 0, EARLIEST),
        client.offset(topic, 0, LATEST),
    );
    let mut found = Vec::new();
    while next < end {
        let data = client.fetch(topic, 0, next);
        assert_eq!(data.error_code, 0, "{topic} at {next}");
        let bytes = record_bytes(&data);
        let before = next;
        for batch in Batches::new(&bytes) {
            let (_, header, batch) = batch.expect("a sound batch");
            let read = records(batch).expect("sound records").into_iter();
            found.extend(read.filter(|record| record.offset.0 >= next));
            next = header.next_offset().0;
        }
        assert!(next > before, "{topic}: nothing at {before}, before {end}");
    }
    found
}

fn compactions(broker: &Broker) -> f64 {
    broker.metrics().sum("ottla_compactions_total", &[])
}

/// Waits until nothing void is left; then what is left is what the model keeps, field by field.
fn check_left(client: &mut Connection, topic: &str, written: &Written) {
    let expected = written.left();
    let found = wait_for("the end of the compaction", || {
        let found = read_all(client, topic);
        (found.len() <= expected.len()).then_some(found)
    });
    let same = found
        .iter()
        .zip(&expected)
        .find(|(found, expected)| found != *expected);
    assert_eq!(same, None, "{topic}");
    assert_eq!(found.len(), expected.len(), "{topic}");
    assert_eq!(client.offset(topic, 0, EARLIEST), 0);
    assert_eq!(client.offset(topic, 0, LATEST), written.end());
}

/// 10^5 records of 6,000 keys, an eighth of them markers, in batches of all codecs, half of them of a producer with
/// sequences.
fn write_many(client: &mut Connection, topic: &str, producer: (i64, i16)) -> (Written, Vec<u8>) {
    let mut prng = Prng::new(11);
    let mut written = Written::default();
    let (mut sequence, mut last) = (0, Vec::new());
    while written.end() < RECORDS {
        let count = 1 + prng.below(400) as i32;
        let keys: Vec<String> = (0..count).map(|_| prng.below(KEYS).to_string()).collect();
        let values: Vec<Option<Vec<u8>>> = keys
            .iter()
            .map(|_| {
                let len = prng.below(100);
                (!prng.chance(12)).then(|| (0..len).map(|_| prng.next_u64() as u8).collect())
            })
            .collect();
        let rows: Vec<(&str, Option<&[u8]>)> = keys
            .iter()
            .map(String::as_str)
            .zip(values.iter().map(|v| v.as_deref()))
            .collect();
        let codec = Codec::ALL[prng.below(5) as usize];
        let with_sequence = prng
            .chance(50)
            .then_some((producer.0, producer.1, sequence));
        let batch = batch(codec, written.end(), with_sequence, &rows);
        written.produce(client, topic, &batch);
        if with_sequence.is_some() {
            sequence += count;
            last = batch;
        }
    }
    written.close(client, topic, &mut prng);
    (written, last)
}

/// From any offset on a reader goes on with the next record there is; so does a look-up by time.
fn check_from_anywhere(client: &mut Connection, topic: &str, written: &Written) {
    let left: Vec<i64> = written
        .left()
        .iter()
        .map(|record| record.offset.0)
        .collect();
    for from in (0..written.end()).step_by(9_973) {
        let next = left[left.partition_point(|offset| *offset < from)];
        assert_eq!(
            client.offset(topic, 0, TIME + from),
            next,
            "by time, from {from}"
        );
        let bytes = record_bytes(&client.fetch(topic, 0, from));
        let (_, _, first) = Batches::new(&bytes)
            .next()
            .expect("a batch")
            .expect("a sound one");
        let mut found = records(first).expect("sound records").into_iter();
        let is_next = |record: &Record| record.offset.0 >= from;
        assert!(
            found
                .find(is_next)
                .is_none_or(|found| found.offset.0 == next),
            "from {from}"
        );
    }
}

/// The tool finds everything in order in what a stopped broker left.
fn check_directory(broker: &Broker, partition: &str, last_offset: i64) {
    let data = broker
        .data()
        .to_str()
        .expect("a path of ours is text")
        .to_owned();
    let tool = Tool::at(&broker.address);
    tool.run(&["log", "verify", &data]).ok();
    tool.run(&["log", "index", &data, partition, "--check"])
        .ok();
    let ran = tool
        .run(&["log", "dump", &data, partition, "-o", "json"])
        .ok();
    assert!(
        ran.lines()
            .last()
            .expect("lines")
            .contains(&format!("\"lastOffset\":{last_offset}"))
    );
}

#[test]
fn what_is_left_of_many_records_is_what_a_plain_model_keeps() {
    let mut broker = Broker::start_with("compaction_many", eager);
    let mut client = Connection::open(&broker.address);
    client.create_topic("many", 1, COMPACTED);
    let producer = client.init_producer_id();
    let (mut written, last) = write_many(&mut client, "many", producer);
    check_left(&mut client, "many", &written);
    assert!(compactions(&broker) > 0.0);

    check_from_anywhere(&mut client, "many", &written);

    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    check_left(&mut client, "many", &written);
    // Sequences go on where they were: the last batch is known, the next one is taken.
    let header = ottla::record::BatchHeader::parse(&last).expect("a batch of our own");
    let again = client.produce("many", 0, last.clone());
    let original = written
        .records
        .iter()
        .rfind(|record| record.offset.0 == again);
    let first = records(&last).expect("a batch of our own").remove(0);
    assert_eq!(original.map(|record| &record.value), Some(&first.value));
    let next = (producer.0, producer.1, header.last_sequence() + 1);
    let batch = batch(
        Codec::Lz4,
        written.end(),
        Some(next),
        &[("1", Some(b"last"))],
    );
    written.produce(&mut client, "many", &batch);
    written.close(&mut client, "many", &mut Prng::new(1));
    check_left(&mut client, "many", &written);

    broker.stop();
    check_directory(&broker, "many-0", written.end() - 1);
}

#[test]
fn a_record_without_a_key_is_refused_and_none_of_its_batch_is_written() {
    let broker = Broker::start("compaction_keyless");
    let mut client = Connection::open(&broker.address);
    client.create_topic("both", 1, &[("cleanup.policy", "compact,delete")]);
    client.create_topic("deletes", 1, &[]);
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec);
        for key in [Some(&b"key"[..]), None, Some(b""), None] {
            builder.push(&NewRecord {
                key,
                ..NewRecord::value(Timestamp(TIME), b"value")
            });
        }
        let batch = builder.build().to_vec();
        let answer = client
            .try_produce("both", 0, batch.clone())
            .expect("an answer");
        assert_eq!(answer.error_code, ErrorCode::InvalidRecord.code());
        let to_blame: Vec<i32> = answer
            .record_errors
            .iter()
            .map(|it| it.batch_index)
            .collect();
        assert_eq!(
            to_blame,
            [1, 3],
            "the client learns which records they were"
        );
        client.produce("deletes", 0, batch);
    }
    assert_eq!(client.offset("both", 0, LATEST), 0);
    // Nor is one that cannot be read: nobody would ever know its keys.
    let mut broken = batch(Codec::None, 0, None, &[("key", None)]);
    broken[61] = 0x7f;
    batches::seal(&mut broken);
    assert_eq!(client.refused("both", 0, broken), ErrorCode::InvalidRecord);
}

#[test]
fn markers_go_when_their_time_has_come() {
    let broker = Broker::start_with("compaction_markers", eager);
    let mut client = Connection::open(&broker.address);
    let configs = [COMPACTED, &[("delete.retention.ms", "0")]].concat();
    client.create_topic("markers", 1, &configs);
    let (mut written, mut prng) = (Written::default(), Prng::new(2));
    for (key, value) in [
        ("a", Some(&b"1"[..])),
        ("b", Some(b"2")),
        ("a", None),
        ("c", None),
    ] {
        let batch = batch(Codec::Zstd, written.end(), None, &[(key, value)]);
        written.produce(&mut client, "markers", &batch);
    }
    written.close(&mut client, "markers", &mut prng);
    check_left(&mut client, "markers", &written);
    // The first compaction began to count their time, the next one ends it.
    written.close(&mut client, "markers", &mut prng);
    let keys = wait_for("the markers to go", || {
        let found = read_all(&mut client, "markers").into_iter();
        let small = found.filter(|record| record.offset.0 < 4);
        let keys: Vec<_> = small.filter_map(|record| record.key).collect();
        (keys.len() < 3).then_some(keys)
    });
    assert_eq!(keys, [&b"b"[..]]);
}

#[test]
fn a_topic_that_is_compacted_later_loses_what_has_no_key_and_no_records_to_deleters() {
    let broker = Broker::start_with("compaction_later", eager);
    let mut client = Connection::open(&broker.address);
    client.create_topic("later", 1, &[("segment.bytes", "1048576")]);
    let records: Vec<Plain> = (0..5).map(|n| Plain::value(format!("{n}"))).collect();
    client.produce("later", 0, batches::batch(&records));
    let mut written = Written {
        records: Vec::new(),
    };
    let rows = [("k", Some(&b"old"[..])), ("k", Some(b"new"))];
    assert_eq!(
        client.produce("later", 0, batch(Codec::Gzip, 5, None, &rows)),
        5
    );
    assert_eq!(client.delete_records("later", 0, 1), 1);
    let operations = [
        ("cleanup.policy", SET, Some("compact")),
        ("min.cleanable.dirty.ratio", SET, Some("0")),
    ];
    let altered = client.alter_configs_at(TOPIC, "later", &operations, 1);
    assert_eq!(altered.error_code, 0, "{:?}", altered.error_message);
    assert_eq!(
        client.config_value(TOPIC, "later", "cleanup.policy"),
        "compact"
    );
    let mut prng = Prng::new(3);
    for at in [7, 8] {
        let value: Vec<u8> = (0..LARGE).map(|_| prng.next_u64() as u8).collect();
        let key = format!("{at}");
        let batch = batch(Codec::None, at, None, &[(&key, Some(&value))]);
        assert_eq!(client.produce("later", 0, batch), at);
    }
    wait_until("only keys are left", || {
        written.records = read_all(&mut client, "later");
        let offsets: Vec<i64> = written
            .records
            .iter()
            .map(|record| record.offset.0)
            .collect();
        offsets == [6, 7, 8]
    });
    let refused = client.delete_records_at("later", 0, 7, 2);
    assert_eq!(refused.error_code, ErrorCode::PolicyViolation.code());
    let operations = [("cleanup.policy", SET, Some("compact,delete"))];
    client.alter_configs_at(TOPIC, "later", &operations, 1);
    assert_eq!(client.delete_records("later", 0, 7), 7);
}
