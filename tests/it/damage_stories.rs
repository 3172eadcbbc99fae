//! Damage to what was stored: never served, never kept quiet, and an operator decides what is given up.

use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start, failed_start};
use crate::harness::client::Connection;
use crate::harness::kafka::{EARLIEST, LATEST};
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

const BATCHES: i64 = 30;

/// Thirty batches of one record in three segments of `hurt`, one record in `well`; stopped cleanly.
fn stopped_broker(test: &str) -> Broker {
    let mut broker = Broker::start(test);
    let mut client = Connection::open(&broker.address);
    let configs = [
        ("segment.bytes", "1048576"),
        ("max.message.bytes", "200000"),
    ];
    client.create_topic("hurt", 1, &configs);
    client.create_topic("well", 1, &[]);
    for number in 0..BATCHES {
        let value = vec![number as u8; 100_000];
        client.produce("hurt", 0, batches::batch(&[Record::value(value)]));
    }
    client.produce_values("well", 0, &["here"]);
    broker.stop();
    broker
}

/// The files of `hurt`, in order; it is the only topic with more than one.
fn segments(broker: &Broker) -> Vec<PathBuf> {
    let topics = files(&broker.data().join("topics"));
    let partitions = topics.iter().map(|topic| topic.join("0"));
    let logs = |folder: PathBuf| {
        let mut logs = files(&folder);
        logs.retain(|path| path.extension().is_some_and(|end| end == "log"));
        logs
    };
    let found: Vec<PathBuf> = partitions
        .map(logs)
        .find(|logs| logs.len() > 1)
        .expect("the topic has rolled");
    assert_eq!(found.len(), 3, "{found:?}");
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the broker");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
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
    let log = broker.log();
    assert!(log.contains("restart with --accept-loss hurt-0"), "{log}");
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
    let log = broker.log();
    assert!(
        log.contains(&format!("Lost: offsets {end} to {BATCHES}")),
        "{log}"
    );
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
    assert!(broker.log().contains("partition hurt-0 is whole"));
    expect_prefix(&broker, BATCHES);
    assert!(!broker.data().join("quarantine").exists());
    broker.stop();
}
