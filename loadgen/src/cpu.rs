//! What a process cost, from /proc.

use crate::clock::process_cpu_ns;
use crate::result::Process;
use std::fs;

/// `/proc/PID/stat` counts in these (`USER_HZ`, the same on every Linux architecture that Rust builds for).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of this process and of the broker, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) own: f64,
    pub(crate) broker: Option<f64>,
}

pub(crate) fn read(broker_pid: Option<u32>) -> Reading {
    Reading {
        own: process_cpu_ns() as f64 / 1e9,
        broker: broker_pid.and_then(cpu_seconds),
    }
}

/// None when there is no such process.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything: fields are counted behind it, the state being the third.
    let fields = stat.rsplit_once(')')?.1;
    let mut numbers = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

/// Over the measured time.
pub(crate) fn process(pid: u32, cpu_seconds: f64, requests: u64, records: u64) -> Option<Process> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kibibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let name = status.lines().find_map(|line| line.strip_prefix("Name:"));
    Some(Process {
        pid,
        name: name.unwrap_or_default().trim().to_owned(),
        cpu_seconds,
        cpu_microseconds_per_request: cpu_seconds * 1e6 / requests.max(1) as f64,
        cpu_microseconds_per_record: cpu_seconds * 1e6 / records.max(1) as f64,
        resident_bytes: kibibytes("VmRSS:").unwrap_or(0) * 1024,
        resident_bytes_max: kibibytes("VmHWM:").unwrap_or(0) * 1024,
    })
}
