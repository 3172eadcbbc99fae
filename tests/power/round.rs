//! A broker at work on a recorded disk until it is killed: everything the disk did, everything that was promised.

use super::clerk::{Clerk, Minutes};
use super::history::{self, History};
use super::writer::{Clock, Writer};
use super::{PARTITIONS, TOPIC};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::wait::wait_until;
use crate::image::Image;
use crate::machine::{Machine, Mounted};
use crate::power_cut::Recording;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const CONNECTIONS: usize = 4;
/// Of the shortest value: batches are 2 to 36 KiB.
const VALUE_BYTES: usize = 2048;
const RECORDED_BYTES_MAX: u64 = 1 << 30;

/// How a broker of these tests is started: rings of 4 MiB, which a round laps several times.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) shards: u16,
    pub(crate) durability: &'static str,
}

impl Settings {
    pub(crate) fn start(&self, machine: &Machine, mounted: &Mounted<'_>) -> Broker {
        let name = format!("{}_broker", machine.name);
        let data = mounted.path().join("data");
        Broker::start_with(&name, |start| {
            let start = Start {
                data,
                shards: self.shards,
                ..start
            };
            let start = start.set("shards.pool", "2MiB");
            let start = start.set("storage.journal_file", "512KiB");
            let start = start.set("storage.journal_files", "8");
            start.argument("--durability").argument(self.durability)
        })
    }
}

/// What a broker has promised, by positions of the recording.
pub(crate) struct Promises {
    histories: Vec<History>,
    minutes: Minutes,
    topic_asked_at: usize,
    pub(crate) topic_made_at: usize,
}

/// A broker's answer to all of it.
pub(crate) struct Answer {
    pub(crate) logs: Vec<Vec<String>>,
    /// Batches and small promises that had to be there.
    pub(crate) kept: usize,
    pub(crate) anomalies: Vec<String>,
}

/// From an empty file system to a kill after so many acknowledged batches.
pub(crate) fn record(
    machine: &Machine,
    formatted: Image,
    settings: &Settings,
    batches: usize,
) -> (Recording, Promises) {
    let mounted = machine.switch_on(formatted);
    let mut broker = settings.start(machine, &mounted);
    let device = machine.device.clone();
    let clock: Clock = Arc::new(move || device.position());
    let topic_asked_at = clock();
    // These records are of 1970.
    let configs = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    Connection::open(&broker.address).create_topic(TOPIC, PARTITIONS, &configs);
    let topic_made_at = clock();

    let stopping = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..CONNECTIONS)
        .map(|name| {
            let (stopping, acknowledged) = (stopping.clone(), acknowledged.clone());
            let writer = Writer::new(name, &broker.address, stopping, acknowledged);
            let writer = writer.by_clock(clock.clone()).of_bytes(VALUE_BYTES);
            thread::spawn(move || writer.run())
        })
        .collect();
    let clerk = Clerk::new(&broker.address, stopping.clone(), clock.clone());
    let clerk = thread::spawn(move || clerk.run());
    wait_until("enough to lose", || {
        acknowledged.load(Ordering::Relaxed) >= batches
            || machine.device.recorded_bytes() >= RECORDED_BYTES_MAX
    });
    broker.kill();
    let recording = machine.device.take_recording();
    stopping.store(true, Ordering::Relaxed);
    let histories = writers
        .into_iter()
        .map(|writer| writer.join().expect("a writer"));
    let promises = Promises {
        histories: histories.collect(),
        minutes: clerk.join().expect("the clerk"),
        topic_asked_at,
        topic_made_at,
    };
    (recording, promises)
}

impl Promises {
    /// Holds a broker that recovered from a cut at `instant` to what was promised then.
    pub(crate) fn check(&self, broker: &Broker, instant: usize) -> Answer {
        let mut client = Connection::open(&broker.address);
        let mut anomalies = Vec::new();
        for metric in ["ottla_partitions_offline", "ottla_damaged_chunks_total"] {
            let value = broker.metrics().sum(metric, &[]);
            if value != 0.0 {
                anomalies.push(format!("{metric} {value}"));
            }
        }
        let is_there = client.metadata_of(TOPIC).error_code == 0;
        if !is_there && self.topic_made_at <= instant {
            anomalies.push(format!("topic {TOPIC} is lost"));
        }
        if is_there && self.topic_asked_at >= instant {
            anomalies.push(format!("topic {TOPIC} is invented"));
        }
        let partitions = if is_there { 0..PARTITIONS } else { 0..0 };
        let logs: Vec<Vec<String>> = partitions
            .map(|partition| client.values(TOPIC, partition))
            .collect();
        let histories = self.histories.iter();
        let histories: Vec<History> = histories.map(|history| history.as_of(instant)).collect();
        let verdict = history::check(&histories, &logs);
        if verdict.anomaly_count() > 0 {
            anomalies.push(verdict.to_string());
        }
        anomalies.extend(self.minutes.contradicted(&mut client, instant));
        Answer {
            logs,
            kept: verdict.acknowledged + self.minutes.kept(instant),
            anomalies,
        }
    }
}
