//! Damage to what was stored: never served, never kept quiet, and an operator decides what is given up.

use crate::harness::admin::Metrics;
use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start, failed_start};
use crate::harness::client::Connection;
use crate::harness::data::{self, files, flip_a_bit};
use crate::harness::kafka::{EARLIEST, LATEST, record_bytes};
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

const BATCHES: i64 = data::HURT_BATCHES;

/// Thirty batches of one record in three segments of `hurt`, one record in `well`; stopped cleanly.
fn stopped_broker(test: &str) -> Broker {
    let mut broker = Broker::start(test);
    let mut client = Connection::open(&broker.address);
    data::fill_hurt_and_well(&mut client);
    broker.stop();
    broker
}

/// The files of `hurt`, in order; it is the only topic with more than one.
fn segments(broker: &Broker) -> Vec<PathBuf> {
    data::segments(broker.data())
}

fn first_offset(segment: &Path) -> i64 {
    let name = segment.file_stem().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).expect("an offset")
}

fn cut(segment: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(segment);
    file.and_then(|file| file.set_len(bytes)).expect("writable");
}

fn expect_offline(broker: &Broker) {
    wait_until("the partition is offline", || {
        broker.metrics().sum("ottla_partitions_offline", &[]) == 1.0
    });
    let detail = Metrics::detail(&broker.admin);
    let offline = |topic: &str| {
        let topic = format!("topic=\"{topic}\"");
        detail.sum("ottla_partition_offline", &[&topic])
    };
    assert_eq!((offline("hurt"), offline("well")), (1.0, 0.0));
    let mut client = Connection::open(&broker.address);
    let batch = batches::batch(&[Record::value("no")]);
    assert_eq!(
        client.refused("hurt", 0, batch),
        ErrorCode::KafkaStorageError
    );
    let code = ErrorCode::KafkaStorageError.code();
    assert_eq!(client.fetch("hurt", 0, 0).error_code, code);
    assert_eq!(client.list_offset("hurt", 0, LATEST).error_code, code);
    assert_eq!(client.values("well", 0), ["here"]);
    broker.logged("restart with --accept-loss hurt-0");
}

/// The records `0..end` are there, and more can be written.
fn expect_prefix(broker: &Broker, end: i64) {
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.offset("hurt", 0, EARLIEST), 0);
    assert_eq!(client.offset("hurt", 0, LATEST), end);
    let batches = client.read_all("hurt", 0);
    assert_eq!(batches.len() as i64, end);
    for (batch, number) in batches.iter().zip(0..) {
        let value = batch.records[0].value.as_ref().expect("a value");
        assert!(value.len() < 100_000 || value[..] == vec![number; 100_000]);
    }
}

fn accepting(mut start: Start) -> Start {
    start.arguments = vec!["--accept-loss".into(), "hurt-0".into()];
    start
}

fn plain(mut start: Start) -> Start {
    start.arguments.clear();
    start
}

#[test]
fn a_damaged_partition_is_offline_until_an_operator_accepts_the_loss() {
    let mut broker = stopped_broker("damage_accept");
    let damaged = &segments(&broker)[1];
    // Four whole batches and a bit of a fifth.
    let end = first_offset(damaged) + 4;
    cut(damaged, 450_000);
    broker.restart();
    expect_offline(&broker);
    // The verdict survives a clean stop; after a kill it is reached again.
    broker.stop();
    broker.restart();
    expect_offline(&broker);
    broker.kill();

    broker.restart_with(accepting);
    assert_eq!(broker.metrics().sum("ottla_partitions_offline", &[]), 0.0);
    broker.logged(&format!("Lost: offsets {end} to {BATCHES}"));
    expect_prefix(&broker, end);
    let life = files(&broker.data().join("quarantine"))
        .pop()
        .expect("a life");
    assert!(
        files(&life).len() >= 2,
        "the rest of one segment, and another"
    );
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.produce_values("hurt", 0, &["new"]), end);
    broker.kill();

    for _ in 0..2 {
        broker.restart_with(plain);
        expect_prefix(&broker, end + 1);
        assert_eq!(
            Connection::open(&broker.address).values("well", 0),
            ["here"]
        );
        broker.stop();
    }
}

#[test]
fn the_log_goes_on_behind_a_lost_beginning() {
    let mut broker = stopped_broker("damage_beginning");
    let found = segments(&broker);
    fs::remove_file(&found[0]).expect("there");
    broker.restart_with(|mut start| {
        start.arguments = vec!["--accept-loss".into(), "all".into()];
        start
    });
    let mut client = Connection::open(&broker.address);
    let start = first_offset(&found[1]);
    assert_eq!(client.offset("hurt", 0, EARLIEST), start);
    assert_eq!(client.read_all("hurt", 0).len() as i64, BATCHES - start);
    assert_eq!(client.values("well", 0), ["here"]);
    assert_eq!(client.produce_values("hurt", 0, &["new"]), BATCHES);
    broker.stop();
}

#[test]
fn a_loss_can_be_accepted_only_of_what_exists() {
    let broker = stopped_broker("damage_name");
    let start = Start::in_directory(broker.data());
    let cases = [("hurt-1", 1), ("hurtt-0", 1), ("hurt", 2)];
    for (name, code) in cases {
        let command = start.clone().argument("--accept-loss").argument(name);
        let (status, text) = failed_start(&mut command.command());
        assert_eq!(status.code(), Some(code), "{text}");
        assert!(
            text.contains(&format!("--accept-loss {name} names")),
            "{text}"
        );
    }
}

#[test]
fn nothing_is_given_up_of_a_whole_partition() {
    let mut broker = stopped_broker("damage_none");
    broker.restart_with(accepting);
    broker.logged("partition hurt-0 is whole");
    expect_prefix(&broker, BATCHES);
    assert!(!broker.data().join("quarantine").exists());
    broker.stop();
}

/// An index that is no help does no harm.
#[test]
fn a_wrong_index_is_made_anew() {
    let mut broker = stopped_broker("damage_index");
    let found = segments(&broker);
    let indexes = [&found[0], &found[1]].map(|log| log.with_extension("idx"));
    // Sound in itself, and of another log: each chunk one byte too far.
    let mut entries = fs::read(&indexes[0]).expect("there");
    shift_index(&mut entries);
    fs::write(&indexes[0], entries).expect("writable");
    fs::remove_file(&indexes[1]).expect("there");
    broker.restart();
    let mut client = Connection::open(&broker.address);
    for offset in (0..BATCHES).rev() {
        let data = client.fetch("hurt", 0, offset);
        assert_eq!(data.error_code, 0, "{offset}");
        assert_eq!(batches::read(&record_bytes(&data))[0].base_offset, offset);
    }
    broker.logged("the index is wrong");
    assert_eq!(broker.metrics().sum("ottla_damaged_chunks_total", &[]), 0.0);
    broker.stop();
}

/// Makes the first chunk one byte longer and moves all others behind it, with their checksums.
fn shift_index(index: &mut [u8]) {
    for (number, entry) in index[32..].chunks_exact_mut(32).enumerate() {
        let (at, step) = if number == 0 { (4, 1u32) } else { (8, 1) };
        let old = u32::from_le_bytes(entry[at..at + 4].try_into().expect("four bytes"));
        entry[at..at + 4].copy_from_slice(&(old + step).to_le_bytes());
        let crc = ottla::base::checksum::crc32c(&entry[..28]);
        entry[28..].copy_from_slice(&crc.to_le_bytes());
    }
}

/// What lies before a damaged batch and behind it is served, the batch itself never.
#[test]
fn a_batch_that_fails_its_checksum_is_put_aside_and_not_served() {
    let mut broker = stopped_broker("damage_checksum");
    // In the fourth batch.
    flip_a_bit(&segments(&broker)[0], 350_000);
    broker.restart();
    let mut client = Connection::open(&broker.address);
    for _ in 0..3 {
        let data = client.fetch("hurt", 0, 0);
        assert_eq!(data.error_code, 0);
        assert_eq!(batches::read(&record_bytes(&data)).len(), 3);
        let data = client.fetch("hurt", 0, 3);
        assert_eq!(data.error_code, ErrorCode::KafkaStorageError.code());
        assert!(record_bytes(&data).is_empty());
        let data = client.fetch("hurt", 0, 4);
        assert_eq!(data.error_code, 0);
        assert_eq!(batches::read(&record_bytes(&data))[0].base_offset, 4);
    }
    let metrics = broker.metrics();
    assert_eq!(metrics.sum("ottla_damaged_chunks_total", &[]), 1.0);
    assert_eq!(metrics.sum("ottla_partitions_offline", &[]), 0.0);
    let life = files(&broker.data().join("quarantine")).pop();
    let copies = files(&life.expect("a life"));
    assert_eq!(copies.len(), 1, "{copies:?}");
    let bytes = fs::metadata(&copies[0]).expect("there").len();
    assert!(bytes >= 100_000, "the whole batch: {bytes}");
    broker.logged("the batch at offset 3 is damaged");
    let log = broker.log();
    assert_eq!(
        log.matches("the batch at offset 3 is damaged").count(),
        1,
        "{log}"
    );
    assert_eq!(client.produce_values("hurt", 0, &["new"]), BATCHES);
    broker.stop();
}

/// What says where a batch belongs lies outside its checksum: a lie there is not served either.
#[test]
fn a_batch_that_lies_about_its_place_is_not_served() {
    // Base offset, length, leader epoch, format.
    for field in [7, 9, 15, 16] {
        let mut broker = stopped_broker(&format!("damage_place_{field}"));
        let segment = &segments(&broker)[0];
        let bytes = fs::read(segment).expect("readable");
        let length = u32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"));
        // Of the second batch, behind the length of the first.
        flip_a_bit(segment, u64::from(length) + 12 + field);
        broker.restart();
        let mut client = Connection::open(&broker.address);
        for offset in [0, 1, 2, BATCHES - 1] {
            let data = client.fetch("hurt", 0, offset);
            let is_damaged = data.error_code == ErrorCode::KafkaStorageError.code();
            assert_eq!(is_damaged, offset == 1, "field at {field}: {offset}");
            let first = batches::read(&record_bytes(&data));
            let first = first.first().map(|batch| batch.base_offset);
            assert_eq!(first, (!is_damaged).then_some(offset), "field at {field}");
        }
        broker.logged("the batch at offset 1 is damaged");
        broker.stop();
    }
}

/// Superblock, snapshots and ledgers are there twice, an index can be done without.
#[test]
fn one_flipped_bit_in_what_is_there_twice_costs_nothing() {
    let mut broker = stopped_broker("damage_twice");
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.produce_values("hurt", 0, &["new"]), BATCHES);
    broker.kill();
    let data = broker.data();
    flip_a_bit(&data.join("node.b"), 60);
    flip_a_bit(&segments(&broker)[0].with_extension("idx"), 32 + 9);
    let state = files(&data.join("state")).into_iter();
    let seconds = state.filter(|path| path.extension().is_some_and(|end| end == "b"));
    for copy in seconds {
        let bytes = fs::metadata(&copy).expect("there").len();
        // Of a ledger the blocks of both lives.
        for position in [36, 4_096 + 36] {
            if position < bytes {
                flip_a_bit(&copy, position);
            }
        }
    }
    broker.restart();
    expect_prefix(&broker, BATCHES + 1);
    assert_eq!(
        Connection::open(&broker.address).values("well", 0),
        ["here"]
    );
    let metrics = broker.metrics();
    assert_eq!(metrics.sum("ottla_partitions_offline", &[]), 0.0);
    assert_eq!(metrics.sum("ottla_damaged_chunks_total", &[]), 0.0);
    broker.stop();
}

/// The metadata is there once: without it nobody knows what to serve.
#[test]
fn a_broker_with_damaged_metadata_does_not_start() {
    let broker = stopped_broker("damage_metadata");
    let log = broker.data().join("meta/log-00000000000000000000");
    let start = Start::in_directory(broker.data());
    for position in [20, data::find_in(&log, b"well")] {
        flip_a_bit(&log, position);
        let (status, text) = failed_start(&mut start.command());
        assert_eq!(status.code(), Some(1), "{text}");
        assert!(text.contains("is damaged: a bad record at byte"), "{text}");
        assert!(text.contains("log-00000000000000000000"), "{text}");
        flip_a_bit(&log, position);
    }
}

/// Flips a bit of the journal where these bytes are; they are there once.
fn flip_in_journal(broker: &Broker, content: &[u8]) {
    let (ring, position) = data::find(&broker.data().join("journal"), content);
    flip_a_bit(&ring, position);
}

/// A journal record in the middle is damaged: whoever was in it loses that and what came after, whoever shows that it was
/// not loses nothing.
#[test]
fn a_damaged_journal_record_costs_its_own_partitions_the_rest() {
    let mut broker = Broker::start_with("damage_journal", |start| Start { shards: 1, ..start });
    let mut client = Connection::open(&broker.address);
    client.create_topic("hurt", 1, &[]);
    client.create_topic("well", 1, &[]);
    client.produce_values("well", 0, &["here"]);
    for number in 0..10 {
        client.produce_values("hurt", 0, &[&format!("record number {number}")]);
    }
    client.produce_values("well", 0, &["there"]);
    broker.kill();
    flip_in_journal(&broker, b"record number 6");
    broker.restart();
    let mut client = Connection::open(&broker.address);
    let code = ErrorCode::KafkaStorageError.code();
    assert_eq!(client.fetch("hurt", 0, 0).error_code, code);
    assert_eq!(client.values("well", 0), ["here", "there"]);
    broker.logged("known to be whole below offset 6");
    broker.logged("restart with --accept-loss hurt-0");
    broker.kill();

    broker.restart_with(accepting);
    let mut client = Connection::open(&broker.address);
    let kept: Vec<String> = (0..6)
        .map(|number| format!("record number {number}"))
        .collect();
    assert_eq!(client.values("hurt", 0), kept);
    assert_eq!(client.values("well", 0), ["here", "there"]);
    assert_eq!(client.produce_values("hurt", 0, &["new"]), 6);
    broker.kill();
    broker.restart_with(plain);
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.offset("hurt", 0, LATEST), 7);
    broker.stop();
}
