//! A disk that fails under a running broker: what is in flight is in doubt and answered so, nothing is written any more,
//! and the broker says why.

use crate::harness::admin;
use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::directory::Directory;
use crate::harness::kafka::{PRODUCE_VERSION, produce_request};
use crate::harness::mount;
use crate::harness::wait::wait_until;
use ottla::wire::ErrorCode;
use ottla::wire::messages::describe_log_dirs::DescribeLogDirsRequest;
use ottla::wire::produce::ProduceRequest;
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use std::fs::{self, File};
use std::io::Write;

/// One shard whose ring is 8 x 4 MiB.
fn small(start: Start) -> Start {
    let start = Start { shards: 1, ..start };
    let start = start.set("shards.pool", "8MiB");
    let start = start.set("storage.journal_file", "4MiB");
    start.set("storage.journal_files", "8")
}

fn batch() -> Vec<u8> {
    batches::batch(&[Record::value(vec![7; 200_000])])
}

fn ring_is_filled(broker: &Broker) {
    wait_until("the ring's files", || {
        let files = fs::read_dir(broker.data().join("journal")).expect("there");
        let lens = files.map(|file| {
            let file = file.expect("there");
            file.metadata().expect("there").len()
        });
        lens.filter(|len| *len == 4 << 20).count() == 8
    });
}

/// Appends until an answer is an error: how many were acknowledged, and the errors of all that were on the wire then.
fn produce_until_failure(broker: &Broker) -> (usize, Vec<ErrorCode>) {
    const AT_A_TIME: i32 = 4;
    let mut client = Connection::open(&broker.address);
    let mut acknowledged = 0;
    loop {
        let request = produce_request("topic", 0, batch(), -1);
        let sent: Vec<i32> = (0..AT_A_TIME)
            .map(|_| client.send(&request, PRODUCE_VERSION).expect("taken"))
            .collect();
        let mut errors = Vec::new();
        for correlation in sent {
            let answer = client.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
            let answer = answer.expect("an answer");
            let part = &answer.responses[0].partition_responses[0];
            match ErrorCode::from_code(part.error_code).expect("Kafka's") {
                ErrorCode::None => {
                    assert_eq!(errors, [], "nothing is acknowledged after a failure");
                    assert_eq!(part.base_offset, acknowledged as i64);
                    acknowledged += 1;
                }
                error => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return (acknowledged, errors);
        }
        assert!(acknowledged < 5_000, "nothing fails");
    }
}

/// The directory is failed: said everywhere, and everything is refused from now on.
fn expect_failed(broker: &Broker, file: &str) {
    let (status, text) = admin::get(&broker.admin, "/health/ready").expect("an answer");
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("the data directory has failed"), "{text}");
    let (status, _) = admin::get(&broker.admin, "/health/live").expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(broker.metrics().known("ottla_directory_failed"), 1.0);
    let request = DescribeLogDirsRequest {
        topics: None,
        ..DescribeLogDirsRequest::default()
    };
    let told = Connection::open(&broker.address).call(&request, 4).results;
    let codes: Vec<_> = told
        .iter()
        .map(|told| (told.error_code, told.topics.len()))
        .collect();
    assert_eq!(codes, [(ErrorCode::KafkaStorageError.code(), 0)]);
    let line = broker.logged("the data directory failed");
    assert!(line.contains(file), "{line}");
    let mut client = Connection::open(&broker.address);
    for _ in 0..2 {
        assert_eq!(
            client.refused("topic", 0, batch()),
            ErrorCode::KafkaStorageError
        );
    }
    let code = ErrorCode::KafkaStorageError.code();
    assert_eq!(client.fetch("topic", 0, 0).error_code, code);
}

/// The kernel refuses to write beyond a file size that is lowered under the running broker: the journal's next write is
/// an error, as of a bad disk, and the one after it would not be.
#[test]
fn a_failed_journal_write_leaves_the_fate_unknown_and_is_not_tried_again() {
    let mut broker = Broker::start_with("failure_journal", |start| {
        let mut start = small(start);
        // The kernel sends a signal besides, which would end the process.
        let words = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
        start.wrapper = words.map(str::to_owned).to_vec();
        start
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("topic", 1, &[]);
    ring_is_filled(&broker);
    for _ in 0..5 {
        client.produce("topic", 0, batch());
    }
    let limit = |bytes| Rlimit {
        current: bytes,
        maximum: None,
    };
    let pid = Some(broker.pid());
    let before = prlimit(pid, Resource::Fsize, limit(Some(1 << 19))).expect("a child of this test");
    assert_eq!(
        before.current, None,
        "this machine limits file sizes itself"
    );
    let answer = client.try_produce("topic", 0, batch()).expect("an answer");
    let error = ErrorCode::from_code(answer.error_code);
    assert_eq!(error, Some(ErrorCode::RequestTimedOut), "it may be written");
    // The disk is well again: nobody can know what it lost meanwhile.
    prlimit(pid, Resource::Fsize, limit(None)).expect("a child of this test");
    expect_failed(&broker, "journal/0-0");

    broker.signal(Signal::TERM);
    let status = broker.wait();
    assert_eq!(status.code(), Some(1), "{}", broker.log());
    let log = broker.log();
    let last = log.lines().last().expect("a message");
    assert!(last.starts_with("ottla: write of "), "{last}");
    assert!(last.contains("journal/0-0"), "{last}");

    broker.restart();
    let mut client = Connection::open(&broker.address);
    let kept = client.read_all("topic", 0).len();
    assert!(
        (5..=6).contains(&kept),
        "the acknowledged, perhaps the unknown: {kept}"
    );
    assert_eq!(client.produce("topic", 0, batch()), kept as i64);
    broker.stop();
}

/// The file system has promised its blocks, and what lies below it cannot keep the promise: an I/O error, whatever it is
/// called, and no full disk that one could wait out.
#[test]
fn a_disk_that_breaks_its_promise_fails_the_directory() {
    let directory = Directory::new("failure_promise_image");
    let Some(memory) = mount::memory(directory.path(), 128 << 20) else {
        return;
    };
    let image = memory.path().join("image");
    let Some(disk) = mount::ext4_in(directory.path(), image, 512 << 20) else {
        return;
    };
    let data = disk.path().join("data");
    let mut broker = Broker::start_with("failure_promise", |start| small(Start { data, ..start }));
    let mut client = Connection::open(&broker.address);
    client.create_topic("topic", 1, &[]);
    ring_is_filled(&broker);
    let mut filler = File::create(memory.path().join("filler")).expect("room for a name");
    let block = [1; 1 << 16];
    while filler.write_all(&block).is_ok() {}

    let (acknowledged, errors) = produce_until_failure(&broker);
    println!("{acknowledged} acknowledged, then {errors:?}");
    assert_eq!(errors[0], ErrorCode::RequestTimedOut, "it may be written");
    let legal = [ErrorCode::RequestTimedOut, ErrorCode::KafkaStorageError];
    assert!(
        errors.iter().all(|error| legal.contains(error)),
        "{errors:?}"
    );
    expect_failed(&broker, "disk/data/");
    assert!(!broker.log().contains("the disk is full"));
    broker.kill();
}
