//! Idle memory, the time from the start of the process to its first answer, empty and after much was written.

use super::Scale;
use super::floor::Floor;
use super::harness::broker::Broker;
use super::harness::client::Connection;
use super::load::{Load, Payload};
use super::row::Row;
use ottla::wire::messages::metadata::MetadataRequest;
use std::time::{Duration, Instant};

const MIB: f64 = 1_048_576.0;

pub(crate) fn start(scale: Scale) {
    let mut first = Row::new(
        "first start in an empty directory to the first answer",
        "ms",
    )
    .with("shards", 2);
    let mut next = Row::new("start to the first answer", "ms")
        .with("shards", 2)
        .with("goal", 100);
    let mut memory = Row::new("resident memory, idle", "MiB")
        .with("shards", 2)
        .with("goal", 100);
    for _ in 0..scale.rounds {
        let started = Instant::now();
        let mut broker = Broker::start("bench_start");
        first.round(answered(&broker, started));
        memory.round(broker.memory("VmRSS") as f64 / MIB);
        broker.stop();
        let started = Instant::now();
        broker.restart();
        next.round(answered(&broker, started));
    }
    [first, next, memory].into_iter().for_each(Row::print);
}

/// Milliseconds from `started` until a client has an answer.
fn answered(broker: &Broker, started: Instant) -> f64 {
    Connection::open(&broker.address).call(&MetadataRequest::default(), 12);
    millis(started.elapsed())
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}

/// Killed under what was just written, so that the journal is full.
pub(crate) fn restart(scale: Scale) {
    let mut broker = Broker::start("bench_restart");
    Connection::open(&broker.address).create_topic("much", 4, &[]);
    let payload = Payload::ALL[3];
    let megabytes = scale.restart_megabytes;
    let mut killed =
        Row::new("restart after kill -9 to the first answer", "ms").with("megabytes", megabytes);
    let mut stopped =
        Row::new("restart after SIGTERM to the first answer", "ms").with("megabytes", megabytes);
    fill(&broker, payload, megabytes);
    for _ in 0..scale.rounds {
        // Each life leaves something to replay.
        fill(&broker, payload, megabytes / 20);
        broker.kill();
        let mut floor = Floor::in_directory(broker.data().parent().expect("below the test's"));
        let started = Instant::now();
        broker.restart();
        let value = answered(&broker, started);
        let replayed = broker.metrics().sum("ottla_recovery_read_bytes", &[]) / 1e6;
        // The disk alone would take this long to read what was replayed.
        killed.round_over(value, (replayed / floor.read_rate(64) * 1e3).max(0.01));
        broker.stop();
        let started = Instant::now();
        broker.restart();
        stopped.round(answered(&broker, started));
    }
    [killed, stopped].into_iter().for_each(Row::print);
}

fn fill(broker: &Broker, payload: Payload, megabytes: usize) {
    let load = Load {
        address: &broker.address,
        topic: "much",
        partitions: 4,
        payload,
        connections: 4,
        in_flight: 8,
        requests: (megabytes * 1_000_000 / payload.bytes()).max(8),
    };
    load.run();
}
