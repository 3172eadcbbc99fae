//! Many commits of many groups: how fast, what they leave in memory and on disk, and how long a start takes after them.

use super::Scale;
use super::harness::broker::Broker;
use super::harness::client::Connection;
use super::harness::groups::commit_request;
use super::load::Pipeline;
use super::row::Row;
use ottla::wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const MIB: f64 = 1_048_576.0;
/// 10,000 offsets are two MiB; tails of the coordinators' logs, requests and code are the rest.
const RESIDENT_MIB_MAX: f64 = 256.0;
const TOPIC: &str = "consumed";
const PARTITIONS: i32 = 10;
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 32;
const COMMIT_VERSION: i16 = 9;

pub(crate) fn commits(scale: Scale) {
    let row = |question: &str, unit: &str| {
        Row::new(question, unit)
            .with("commits", scale.commits)
            .with("groups", scale.groups)
            .with("offsets", scale.groups * PARTITIONS as usize)
    };
    let mut rate = row("offset commits, one offset each", "commits/s")
        .with("connections", CONNECTIONS)
        .with("in_flight", IN_FLIGHT);
    let mut memory = row("resident memory after the commits", "MiB");
    let mut disk = row("log of the groups on disk", "MiB");
    let mut killed = row("kill -9 to the offsets of all groups, answered", "ms");
    let mut memory_again = row("resident memory after the restart", "MiB");
    // Each takes long.
    for _ in 0..scale.rounds.min(3) {
        let mut broker = Broker::start("bench_groups");
        let mut client = Connection::open(&broker.address);
        client.create_topic(TOPIC, PARTITIONS, &[]);
        client.find_coordinator("any");
        let started = Instant::now();
        commit_all(&broker.address, scale);
        rate.round(scale.commits as f64 / started.elapsed().as_secs_f64());
        memory.round(resident(&broker));
        broker.kill();
        let started = Instant::now();
        broker.restart();
        check_all(&broker.address, scale);
        killed.round(started.elapsed().as_secs_f64() * 1e3);
        // By now it is in segments.
        disk.round(bytes_below(&broker.data().join("topics")) as f64 / MIB);
        memory_again.round(resident(&broker));
    }
    [rate, memory, disk, killed, memory_again]
        .into_iter()
        .for_each(Row::print);
}

/// Bounded, whatever was committed.
fn resident(broker: &Broker) -> f64 {
    let mebibytes = broker.memory("VmRSS") as f64 / MIB;
    assert!(mebibytes <= RESIDENT_MIB_MAX, "{mebibytes:.0} MiB");
    mebibytes
}

/// Commit n is of group n % groups; the offset committed is n.
fn commit_of(number: usize, scale: Scale) -> OffsetCommitRequest {
    let partition = partition_of(number, scale);
    commit_request(
        &group_name(number % scale.groups),
        TOPIC,
        &[(partition, number as i64)],
    )
}

fn partition_of(number: usize, scale: Scale) -> i32 {
    (number / scale.groups) as i32 % PARTITIONS
}

fn group_name(number: usize) -> String {
    format!("group-{number}")
}

/// All commits of one group go through one connection, so that the last one counts.
fn commit_all(address: &str, scale: Scale) {
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut pipeline = Pipeline::open(address, IN_FLIGHT, COMMIT_VERSION);
                let mine = |number: &usize| number % scale.groups % CONNECTIONS == connection;
                for number in (0..scale.commits).filter(mine) {
                    check(pipeline.send(&commit_of(number, scale)));
                }
                while check(pipeline.receive()) {}
            });
        }
    });
}

fn check(answered: Option<(OffsetCommitResponse, Duration)>) -> bool {
    let Some((answer, _)) = answered else {
        return false;
    };
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    true
}

/// Every group has its last commit of every partition.
fn check_all(address: &str, scale: Scale) {
    let mut client = Connection::open(address);
    let turns = scale.commits / scale.groups;
    for group in 0..scale.groups {
        let last = (turns.saturating_sub(PARTITIONS as usize)..turns)
            .map(|turn| turn * scale.groups + group);
        let mut expected: Vec<(i32, i64)> = last
            .map(|number| (partition_of(number, scale), number as i64))
            .collect();
        expected.sort_unstable();
        let found = client.committed(&group_name(group), TOPIC);
        let found: Vec<_> = found.iter().map(|(index, at, _)| (*index, *at)).collect();
        assert_eq!(found, expected, "group {group}");
    }
}

/// Blocks that files below this directory have.
fn bytes_below(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("a directory").flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}
