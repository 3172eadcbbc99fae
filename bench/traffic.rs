//! Produce and fetch: rates and percentiles by payload and number of partitions. What was written is read back.

use super::Scale;
use super::floor::Floor;
use super::harness::broker::Broker;
use super::harness::client::Connection;
use super::harness::kafka::{FETCH_VERSION, LATEST, fetch_request, record_bytes};
use super::harness::wait::wait_until;
use super::load::{Load, Outcome, Payload};
use super::row::{Row, percentile};
use std::fs::read_dir;
use std::time::Instant;

const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 4;
const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
/// Small payloads would take minutes to reach the megabytes of the large ones.
const REQUESTS_MAX: usize = 100_000;

pub(crate) fn all(scale: Scale) {
    let mut broker = Broker::start("bench_traffic");
    for &partitions in scale.partitions {
        for payload in Payload::ALL {
            one(&mut broker, scale, payload, partitions);
        }
    }
}

struct Rows {
    produce: Row,
    latency: Vec<Row>,
    fetch: Row,
    fetch_latency: Vec<Row>,
}

impl Rows {
    fn new(payload: Payload, partitions: i32) -> Rows {
        let row = |question: &str, unit: &str| {
            let row = Row::new(question, unit).with("payload", payload.name);
            row.with("partitions", partitions)
        };
        let produce = |unit: &str| row("produce, 4 connections, 4 in flight each", unit);
        let fetch = |unit: &str| row("fetch, 1 connection, up to 1 MiB each", unit);
        let percentiles = |of: &dyn Fn(&str) -> Row| {
            let rows = PERCENTILES
                .iter()
                .map(|(name, _)| of("us").with("percentile", *name));
            rows.collect()
        };
        Rows {
            produce: produce("MB/s"),
            latency: percentiles(&produce),
            fetch: fetch("MB/s"),
            fetch_latency: percentiles(&fetch),
        }
    }

    fn print(self) {
        let produce = [self.produce].into_iter().chain(self.latency);
        let fetch = [self.fetch].into_iter().chain(self.fetch_latency);
        produce
            .chain(fetch)
            .filter(Row::has_rounds)
            .for_each(Row::print);
    }
}

fn one(broker: &mut Broker, scale: Scale, payload: Payload, partitions: i32) {
    let mut client = Connection::open(&broker.address);
    let mut floor = Floor::in_directory(broker.data().parent().expect("below the test's"));
    let mut rows = Rows::new(payload, partitions);
    let requests = (scale.megabytes * 1_000_000 / payload.bytes()).clamp(IN_FLIGHT, REQUESTS_MAX);
    let requests = requests.next_multiple_of(CONNECTIONS);
    for round in 0..scale.rounds {
        let topic = format!("traffic-{}-{partitions}-{round}", payload.bytes());
        client.create_topic(&topic, partitions, &[]);
        let flushed = floor.write_rate(1 << 20, scale.megabytes.min(64));
        let load = Load {
            address: &broker.address,
            topic: &topic,
            partitions,
            payload,
            connections: CONNECTIONS,
            in_flight: IN_FLIGHT,
            requests,
        };
        let written = load.run();
        rows.produce
            .round_over(rate(&written, payload, requests), flushed);
        let mut alone = floor.writes(payload.bytes(), 1_000.min(scale.requests));
        alone.sort_by(f64::total_cmp);
        add(&mut rows.latency, &written.latencies, &alone);

        let read = read_back(&mut client, &topic, partitions, requests * payload.records);
        rows.fetch.round_over(
            rate(&read, payload, requests),
            floor.read_rate(scale.megabytes.min(64)),
        );
        add(&mut rows.fetch_latency, &read.latencies, &[]);
        // The next round has the same room, and the disk to itself.
        client.delete_topic(&topic);
        let topics = broker.data().join("topics");
        wait_until("the end of the topic's files", || {
            read_dir(&topics).is_ok_and(|mut left| left.next().is_none())
        });
    }
    rows.print();
}

fn add(rows: &mut [Row], latencies: &[f64], alone: &[f64]) {
    for ((_, part), row) in PERCENTILES.iter().zip(rows) {
        match (percentile(latencies, *part), alone.is_empty()) {
            (Some(value), true) => row.round(value),
            (Some(value), false) => {
                if let Some(floor) = percentile(alone, *part) {
                    row.round_over(value, floor);
                }
            }
            (None, _) => {}
        }
    }
}

fn rate(outcome: &Outcome, payload: Payload, requests: usize) -> f64 {
    (payload.bytes() * requests) as f64 / 1e6 / outcome.elapsed.as_secs_f64()
}

/// Reads all partitions from the start, one fetch after the other, and counts what it gets.
fn read_back(client: &mut Connection, topic: &str, partitions: i32, records: usize) -> Outcome {
    let ends: Vec<i64> = (0..partitions)
        .map(|partition| client.offset(topic, partition, LATEST))
        .collect();
    assert_eq!(
        ends.iter().sum::<i64>() as usize,
        records,
        "every acknowledged record"
    );
    let started = Instant::now();
    let mut latencies = Vec::new();
    for (partition, end) in ends.into_iter().enumerate() {
        let mut next = 0;
        while next < end {
            let mut request = fetch_request(topic, partition as i32, next);
            request.max_bytes = 1 << 20;
            let asked = Instant::now();
            let mut answer = client.call(&request, FETCH_VERSION);
            latencies.push(asked.elapsed().as_secs_f64() * 1e6);
            let data = answer.responses[0].partitions.remove(0);
            next = end_of(&record_bytes(&data), next);
        }
    }
    let elapsed = started.elapsed();
    latencies.sort_by(f64::total_cmp);
    Outcome { latencies, elapsed }
}

/// The offset after the last batch; batches must follow on `next` without a gap.
fn end_of(mut records: &[u8], mut next: i64) -> i64 {
    assert!(!records.is_empty(), "nothing at {next}");
    while records.len() >= 61 {
        let number =
            |at: usize| i32::from_be_bytes(records[at..at + 4].try_into().expect("four bytes"));
        let base = (i64::from(number(0)) << 32) | i64::from(number(4) as u32);
        assert_eq!(base, next, "dense");
        next = base + i64::from(number(23)) + 1;
        let total = 12 + number(8) as usize;
        records = &records[total.min(records.len())..];
    }
    next
}
