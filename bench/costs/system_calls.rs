//! System calls of the real broker while it takes batches, counted by the kernel: nothing is slowed down.

use super::harness::broker::{Broker, Start};
use super::harness::client::Connection;
use super::row::Row;
use super::{PARTITIONS, Scale, TOPIC};
use std::collections::BTreeMap;
use std::process::Command;

/// All of them, and those that a request can cause.
const ALL: &str = "raw_syscalls:sys_enter";
const SOME: [&str; 7] = [
    "io_uring_enter",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "write",
    "read",
];

/// Per batch. An error says why they are not counted, and what helps.
pub(crate) fn per_batch(scale: Scale, shards: u16) -> Result<f64, String> {
    let broker = Broker::start_with("bench_costs_calls", |start| Start { shards, ..start });
    Connection::open(&broker.address).create_topic(TOPIC, PARTITIONS, &[]);
    let counts = count(&broker, scale);
    let counts = counts.map_err(|reason| format!("system calls are not counted: {reason}"))?;
    let per_batch = |name: &str| {
        let count = counts.get(name).copied().unwrap_or_default();
        count as f64 / scale.requests as f64
    };
    let mut row = Row::new(
        "system calls per batch, 8 connections, 8 in flight each",
        "calls",
    )
    .with("shards", shards);
    for name in SOME {
        let value = (per_batch(&event(name)) * 1000.0).round() / 1000.0;
        row = row.with(name, value);
    }
    let all = per_batch(ALL);
    row.round(all);
    row.print();
    Ok(all)
}

fn event(name: &str) -> String {
    format!("syscalls:sys_enter_{name}")
}

/// Events of all threads of the broker while the load runs, which is a process of its own.
fn count(broker: &Broker, scale: Scale) -> Result<BTreeMap<String, u64>, String> {
    let output = broker.data().with_extension("perf");
    let events: Vec<String> = SOME.iter().map(|name| event(name)).collect();
    let load = std::env::current_exe().map_err(|error| error.to_string())?;
    let ended = Command::new("perf")
        .args(["stat", "-x", ";", "-o"])
        .arg(&output)
        .args(["-e", &format!("{ALL},{}", events.join(","))])
        .args(["-p", &broker.pid().as_raw_nonzero().to_string(), "--"])
        .arg(load)
        .args(["--load", &broker.address, &scale.requests.to_string()])
        .output()
        .map_err(|error| {
            format!("perf does not start ({error}). Fix: apt-get install linux-perf")
        })?;
    if !ended.status.success() {
        let errors = String::from_utf8_lossy(&ended.stderr);
        return Err(format!(
            "{errors} Fix: as root, sysctl kernel.perf_event_paranoid=-1"
        ));
    }
    let text = std::fs::read_to_string(&output).map_err(|error| error.to_string())?;
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(';');
        let count = fields.next()?.parse().ok()?;
        Some((fields.nth(1)?.to_owned(), count))
    });
    Ok(lines.collect())
}
