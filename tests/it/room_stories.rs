//! Memory and disk that run out: clients are slowed or told so, nothing is lost, nothing ends.

use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::directory::Directory;
use crate::harness::kafka::{LATEST, PRODUCE_VERSION, new_topic, produce_request};
use crate::harness::mount;
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use ottla::wire::messages::create_topics::CreateTopicsRequest;
use ottla::wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla::wire::produce::ProduceRequest;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn small_pool(start: Start) -> Start {
    let start = start.set("shards.pool", "1MiB");
    let start = start.set("storage.journal_file", "512KiB");
    start.set("storage.journal_files", "8")
}

/// Clients that send far more than fits: sockets wait their turn, every batch arrives.
#[test]
fn a_full_pool_pauses_sockets_and_drops_nothing() {
    const WRITERS: usize = 48;
    const BATCHES: usize = 40;
    let broker = Broker::start_with("room_pool", small_pool);
    Connection::open(&broker.address).create_topic("pool", 4, &[]);
    let peak = broker.memory("VmHWM");
    let done = AtomicBool::new(false);
    let mut paused = 0.0f64;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let address = &broker.address;
                scope.spawn(move || write_all(address, writer, BATCHES))
            })
            .collect();
        let watcher = scope.spawn(|| {
            let mut most = 0.0f64;
            while !done.load(Ordering::Relaxed) {
                most = most.max(broker.metrics().known("ottla_sockets_paused"));
            }
            most
        });
        for writer in writers {
            writer.join().expect("every batch was acknowledged");
        }
        done.store(true, Ordering::Relaxed);
        paused = watcher.join().expect("the admin plane answers");
    });
    let mut client = Connection::open(&broker.address);
    let total: i64 = (0..4)
        .map(|partition| client.offset("pool", partition, LATEST))
        .sum();
    assert_eq!(total as usize, WRITERS * BATCHES);
    let grown = broker.memory("VmHWM").saturating_sub(peak);
    println!(
        "at most {paused} sockets paused, peak memory grew by {} KiB",
        grown / 1024
    );
    assert!(
        paused > 0.0,
        "the pool was never full, so nothing was shown"
    );
    assert!(grown < 64 << 20, "{grown}");
    for partition in 0..4 {
        assert_eq!(client.read_all("pool", partition).len(), total as usize / 4);
    }
}

/// All requests on the wire at once, then all answers, in order and without an error.
fn write_all(address: &str, writer: usize, batches: usize) {
    let mut client = Connection::open(address);
    let mut answers = client.try_clone();
    let batch = batches::batch(&[Record::value(vec![writer as u8; 60_000])]);
    let request = produce_request("pool", (writer % 4) as i32, batch, -1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..batches {
                client
                    .send(&request, PRODUCE_VERSION)
                    .expect("slowed, not refused");
            }
        });
        for correlation in 1..=batches as i32 {
            let answer = answers.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
            let answer = answer.expect("an answer");
            let part = &answer.responses[0].partition_responses[0];
            assert_eq!(part.error_code, 0, "{:?}", part.error_message);
        }
    });
}

/// Two hundred partitions in turn: after each lap every one writes what its block has again, so the ring is full while the
/// pool is not.
#[test]
fn a_full_ring_makes_batches_wait_and_drops_nothing() {
    const PARTITIONS: i32 = 200;
    // Less than a block of each, so that memory has room for all of it.
    const ROUNDS: usize = 20;
    let broker = Broker::start_with("room_ring", |start| {
        let start = Start { shards: 1, ..start };
        let start = start.set("shards.pool", "2MiB");
        let start = start.set("storage.journal_file", "128KiB");
        start.set("storage.journal_files", "8")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("ring", PARTITIONS, &[]);
    let waited = || broker.metrics().sum("ottla_admission_waits_total", &[]);
    let before = waited();
    let batch = batches::batch(&[Record::value(vec![7; 100])]);
    for _ in 0..ROUNDS {
        let sent: Vec<i32> = (0..PARTITIONS)
            .map(|partition| {
                let request = produce_request("ring", partition, batch.clone(), -1);
                client.send(&request, PRODUCE_VERSION).expect("taken")
            })
            .collect();
        for correlation in sent {
            let answer = client.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
            let answer = answer.expect("an answer");
            let part = &answer.responses[0].partition_responses[0];
            assert_eq!(part.error_code, 0, "{:?}", part.error_message);
        }
    }
    let waited = waited() - before;
    println!("{waited} batches waited");
    assert!(
        waited > 0.0,
        "the ring was never full, so nothing was shown"
    );
    for partition in 0..PARTITIONS {
        assert_eq!(client.offset("ring", partition, LATEST), ROUNDS as i64);
    }
}

/// A batch larger than an eighth of the pool can never be held, so no topic may promise to take it.
#[test]
fn a_topic_cannot_promise_more_than_the_pool() {
    let broker = Broker::start_with("room_batch", small_pool);
    let mut client = Connection::open(&broker.address);
    client.create_topic("small", 1, &[]);
    let batch = batches::batch(&[Record::value(vec![1; 200_000])]);
    assert_eq!(
        client.refused("small", 0, batch),
        ErrorCode::MessageTooLarge
    );
    client.produce_values("small", 0, &["fits"]);
}

fn fill_until_refused(client: &mut Connection, topic: &str, written: &mut i64) -> ErrorCode {
    let batch = batches::batch(&[Record::value(vec![7; 200_000])]);
    loop {
        let answer = client
            .try_produce(topic, 0, batch.clone())
            .expect("an answer");
        if answer.error_code != 0 {
            return ErrorCode::from_code(answer.error_code).expect("Kafka's");
        }
        assert_eq!(answer.base_offset, *written);
        *written += 1;
        assert!(*written < 5_000, "the disk is larger than it should be");
    }
}

/// A broker of one shard on a small disk of its own, which others can fill.
fn on_small_disk(test: &str, disk: &Path, arguments: &[&str]) -> Broker {
    Broker::start_with(test, |mut start| {
        start.data = disk.join("data");
        start.shards = 1;
        let start = start
            .set("shards.pool", "8MiB")
            .set("storage.journal_file", "4MiB");
        let start = start.set("storage.journal_files", "8");
        let arguments = arguments.iter();
        arguments.fold(start, |start, argument| start.argument(argument))
    })
}

/// Somebody else takes all that is left.
fn fill_disk(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut file = File::create(&path).expect("room for a name");
    for bytes in [1 << 20, 4096] {
        let zeros = vec![1; bytes];
        while file.write_all(&zeros).is_ok() {}
        // A write that failed halfway may have left room for smaller ones.
        let _ = file.sync_all();
    }
    path
}

fn ring_is_filled(broker: &Broker) {
    wait_until("the ring's files", || {
        let files = fs::read_dir(broker.data().join("journal")).expect("there");
        // One that has just been given its name is not there under the old one.
        let metadata = files.filter_map(|file| file.expect("there").metadata().ok());
        let lens = metadata.map(|metadata| metadata.len());
        lens.filter(|len| *len == 4 << 20).count() == 8
    });
}

/// Space to get what was acknowledged out of the journal is set aside before there is a partition to write to.
#[test]
fn a_full_disk_takes_no_more_partitions() {
    let directory = Directory::new("room_partitions_image");
    let Some(disk) = mount::small_ext4(directory.path(), 128 << 20) else {
        return;
    };
    let automatic = ["--set", "num.partitions=600"];
    let mut broker = on_small_disk("room_partitions", disk.path(), &automatic);
    let mut client = Connection::open(&broker.address);
    client.create_topic("early", 1, &[]);
    ring_is_filled(&broker);
    let filler = fill_disk(disk.path());

    let request = CreateTopicsRequest {
        topics: vec![new_topic("late", 600, &[])],
        timeout_ms: 30_000,
        ..CreateTopicsRequest::default()
    };
    let refused = ErrorCode::KafkaStorageError.code();
    let answer = client.call(&request, 7).topics.remove(0);
    assert_eq!(answer.error_code, refused, "{answer:?}");
    let message = answer.error_message.expect("a reason");
    assert!(message.contains("disk is full"), "{message}");
    assert_eq!(
        client.create_partitions_at("early", 600, 3).error_code,
        refused
    );
    let mut wanted = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some("automatic".into()),
            ..MetadataRequestTopic::default()
        }]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    };
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(client.call(&wanted, 12).topics[0].error_code, unknown);
    wait_until("the refusal of the automatic topic", || {
        broker
            .log()
            .matches("the disk is full: nothing is created")
            .count()
            == 3
    });
    wanted.topics = None;
    assert_eq!(
        client.call(&wanted, 12).topics.len(),
        1,
        "only the early one"
    );
    client.produce_values("early", 0, &["still taken"]);

    fs::remove_file(filler).expect("there");
    client.create_topic("late", 600, &[]);
    client.produce_values("late", 599, &["taken"]);
    broker.stop();
}

/// Without room for the last lap a stop does not wait for some: the journal has everything.
#[test]
fn a_stop_on_a_full_disk_ends_and_says_what_it_left() {
    let directory = Directory::new("room_stop_image");
    let Some(disk) = mount::small_ext4(directory.path(), 128 << 20) else {
        return;
    };
    let mut broker = on_small_disk("room_stop", disk.path(), &[]);
    let mut client = Connection::open(&broker.address);
    client.create_topic("kept", 1, &[]);
    for _ in 0..5 {
        let batch = batches::batch(&[Record::value(vec![7; 200_000])]);
        client.produce("kept", 0, batch);
    }
    ring_is_filled(&broker);
    // What is kept for this very case is taken too.
    let ballast = File::options()
        .write(true)
        .open(broker.data().join("ballast/0"));
    ballast.and_then(|file| file.set_len(0)).expect("there");
    let filler = fill_disk(disk.path());
    broker.signal(Signal::TERM);
    let status = broker.wait();
    let log = broker.log();
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("stopped on a full disk"), "{log}");
    assert!(!log.contains("nothing to replay"), "{log}");

    fs::remove_file(filler).expect("there");
    broker.restart();
    assert!(broker.metrics().known("ottla_recovery_read_bytes") > 0.0);
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.read_all("kept", 0).len(), 5);
    broker.stop();
    assert!(broker.log().contains("nothing to replay"));
}

/// Room to write is gone, room to read, to delete and to start again is not.
#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let directory = Directory::new("room_disk_image");
    let Some(disk) = mount::small_ext4(directory.path(), 256 << 20) else {
        return;
    };
    let data = disk.path().join("data");
    let mut broker = Broker::start_with("room_disk", |mut start| {
        start.data = data;
        start.shards = 1;
        let start = start
            .set("shards.pool", "8MiB")
            .set("storage.journal_file", "4MiB");
        start.set("storage.journal_files", "8")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("full", 1, &[("segment.bytes", "4194304")]);
    client.create_topic("small", 1, &[]);
    client.produce_values("small", 0, &["early"]);
    let mut written = 0;
    // A closed segment gives back what it had ahead, so the first refusal may not be the last.
    wait_until("the disk stays full, and the metrics say so", || {
        let code = fill_until_refused(&mut client, "full", &mut written);
        println!("{written} batches of 200 kB before {code}");
        assert_eq!(
            code,
            ErrorCode::KafkaStorageError,
            "retriable, and not written"
        );
        broker.metrics().known("ottla_disk_full") == 1.0
    });
    assert_eq!(client.offset("full", 0, LATEST), written);
    assert_eq!(client.read_all("full", 0).len() as i64, written);
    assert_eq!(client.values("small", 0), ["early"]);

    // It comes back on the full disk, with everything.
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.offset("full", 0, LATEST), written);
    assert_eq!(client.read_all("full", 0).len() as i64, written);

    // Deleting makes room, and writing goes on.
    client.delete_topic("full");
    wait_until("room after the deletion", || {
        let batch = batches::batch(&[Record::value(vec![8; 200_000])]);
        let answer = client.try_produce("small", 0, batch).expect("an answer");
        answer.error_code == 0
    });
    let metrics = broker.metrics();
    assert_eq!(metrics.known("ottla_directory_failed"), 0.0);
    assert_eq!(metrics.known("ottla_disk_full"), 0.0);
    broker.stop();
}
