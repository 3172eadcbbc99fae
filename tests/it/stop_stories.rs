//! Ends: asked for, they are clean; a bug in one shard ends all.

use crate::harness::admin;
use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start, failed_start};
use crate::harness::client::Connection;
use crate::harness::directory::Directory;
use crate::harness::kafka::{FETCH_VERSION, PRODUCE_VERSION, fetch_request, produce_request};
use crate::harness::wait::wait_until;
use ottla::wire::produce::ProduceRequest;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn both_signals_drain_and_leave_nothing_to_replay() {
    let mut broker = Broker::start("stop_signals");
    let mut client = Connection::open(&broker.address);
    client.create_topic("drained", 4, &[]);
    for signal in [Signal::TERM, Signal::INT] {
        for number in 0..50 {
            client.produce_values("drained", number % 4, &["kept"]);
        }
        let before: Vec<_> = (0..4)
            .map(|part| client.read_all("drained", part))
            .collect();
        broker.signal(signal);
        let status = broker.wait();
        assert_eq!(status.code(), Some(0), "{signal:?}\n{}", broker.log());
        broker.restart();
        client = Connection::open(&broker.address);
        let after: Vec<_> = (0..4)
            .map(|part| client.read_all("drained", part))
            .collect();
        assert_eq!(after, before);
        assert_eq!(broker.metrics().known("ottla_recovery_read_bytes"), 0.0);
    }
    // The same count is not zero after an end that left something.
    client.produce_values("drained", 0, &["kept"]);
    broker.kill();
    broker.restart();
    assert!(broker.metrics().known("ottla_recovery_read_bytes") > 0.0);
}

/// What was dispatched before the signal is answered; whoever only waits is let go.
#[test]
fn a_stop_answers_what_is_under_way() {
    let mut broker = Broker::start("stop_in_flight");
    let mut writer = Connection::open(&broker.address);
    let mut reader = Connection::open(&broker.address);
    let _idle = Connection::open(&broker.address);
    writer.create_topic("flight", 1, &[]);
    let mut parked = fetch_request("flight", 0, 0);
    parked.max_wait_ms = 50_000;
    parked.min_bytes = 1 << 20;
    reader.send(&parked, FETCH_VERSION).expect("sent");
    let mut sent = Vec::new();
    for number in 0..200 {
        let batch = batches::batch(&[Record::value(format!("{number}"))]);
        let request = produce_request("flight", 0, batch, -1);
        sent.push(writer.send(&request, PRODUCE_VERSION).expect("sent"));
    }
    // The first answer shows that the broker has begun with them.
    let mut acknowledged = 0;
    let mut sent = sent.into_iter();
    let first = sent.next().expect("one");
    writer
        .receive::<ProduceRequest>(PRODUCE_VERSION, first)
        .expect("an answer");
    acknowledged += 1;
    let started = Instant::now();
    broker.signal(Signal::TERM);
    for correlation in sent {
        match writer.receive::<ProduceRequest>(PRODUCE_VERSION, correlation) {
            Ok(answer) => {
                acknowledged +=
                    usize::from(answer.responses[0].partition_responses[0].error_code == 0)
            }
            Err(_) => break,
        }
    }
    assert_eq!(broker.wait().code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
    broker.restart();
    let kept = Connection::open(&broker.address).values("flight", 0).len();
    assert!(
        kept >= acknowledged,
        "{kept} kept, {acknowledged} acknowledged"
    );
}

/// One shard less would be a broker that answers for some partitions only. What `examples/panicking_shard` runs is the
/// product's own start, with a callback that panics on the first shard's thread.
#[test]
fn a_panicking_shard_ends_the_process() {
    let directory = Directory::new("stop_panic");
    let data = directory.path().join("data");
    let program = Path::new(env!("CARGO_BIN_EXE_ottla")).with_file_name("examples/panicking_shard");
    let (status, text) = failed_start(Command::new(program).arg(&data));
    assert_eq!(
        status.signal(),
        Some(Signal::ABORT.as_raw()),
        "{status}\n{text}"
    );
    assert!(text.contains("thread shard-0 panicked"), "{text}");
    assert!(text.contains("the process ends"), "{text}");

    let broker = Broker::start_with("stop_panic_after", |start| Start { data, ..start });
    Connection::open(&broker.address).create_topic("works", 1, &[]);
}

#[test]
fn health_follows_the_life_of_the_process() {
    let mut broker = Broker::start("stop_health");
    for path in ["/health/live", "/health/ready"] {
        let (status, body) = admin::get(&broker.admin, path).expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (status, _) = admin::get(&broker.admin, "/nowhere").expect("an answer");
    assert_eq!(status, 404);
    let address = broker.admin.clone();
    broker.stop();
    wait_until("the end of the admin plane", || {
        admin::get(&address, "/health/live").is_err()
    });
}

#[test]
fn the_admin_plane_can_be_off() {
    let mut broker = Broker::start_with("stop_admin_off", |mut start| {
        start.admin = "off".into();
        start
    });
    assert!(
        broker.ready_line.contains("admin off"),
        "{}",
        broker.ready_line
    );
    Connection::open(&broker.address).create_topic("works", 1, &[]);
    broker.stop();
}
