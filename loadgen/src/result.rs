//! What a run leaves behind: one JSON document, which the views, the HTML report and `bench/peers` are made of.
//!
//! Latencies are microseconds, rates are per second, sizes are bytes. A field that was not measured is absent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning; a new optional field does not raise it.
pub(crate) const FORMAT: u32 = 1;

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct RunResult {
    pub(crate) format: u32,
    /// Short, for tables and legends: `--label`, else the preset or kind of the run.
    pub(crate) label: String,
    /// The exact command line.
    pub(crate) command: Vec<String>,
    /// Of the generator, with its commit when it was built with one.
    pub(crate) version: String,
    /// RFC 3339, UTC; of the first measured second.
    pub(crate) started: String,
    /// Every option with the value in force, defaults included, as text.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) machine: Machine,
    pub(crate) target: Target,
    pub(crate) loop_kind: LoopKind,
    /// Without the warm-up.
    pub(crate) measured_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) produce: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) consume: Option<Side>,
    /// From the intended send of a record to its arrival in a consumer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) end_to_end: Option<Latency>,
    /// A connection storm: from the dial to the first answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) connect: Option<Side>,
    pub(crate) timeline: Vec<Second>,
    /// Rates that were tried one after the other (step, ramp, SLO search), in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) steps: Vec<Step>,
    pub(crate) generator: Generator,
    /// Of the process named by `--broker-pid`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) broker: Option<Process>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) verify: Option<Verification>,
    /// Why the figures must not be used, one reason a line: schedule lag, a busy machine, errors.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) void: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoopKind {
    /// Send times are fixed before the run.
    Open,
    /// The next request waits for an answer: for throughput.
    Closed,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Target {
    pub(crate) bootstrap: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cluster_id: Option<String>,
    /// What the broker's acknowledgement means: `memory`, `page cache` or `flushed`, as `--durability` states it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) durability: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    /// What else could be read: governor, clock source, block devices with scheduler, `write_cache`, `fua`, HZ, ...
    pub(crate) facts: BTreeMap<String, String>,
}

/// All producers, or all consumers.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Side {
    /// Produce requests acknowledged, or fetches answered.
    pub(crate) requests: u64,
    pub(crate) records: u64,
    /// Keys and values, before compression.
    pub(crate) payload_bytes: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) records_per_second: f64,
    /// 10^6 bytes.
    pub(crate) megabytes_per_second: f64,
    /// What the schedule asked for; none in a closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) intended_records_per_second: Option<f64>,
    /// From the intended send to the acknowledgement. In a closed loop the intended send is the send.
    pub(crate) latency: Latency,
    /// From the write into the socket to the acknowledgement.
    pub(crate) service_time: Latency,
    /// Name of an error and how often it came.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) errors: BTreeMap<String, u64>,
    /// Requests not answered when the run ended.
    pub(crate) unanswered: u64,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) max: f64,
    /// `p50`, `p90`, `p95`, `p99`, `p99.9`, `p99.99`: those with at least ten samples above them.
    pub(crate) percentiles: BTreeMap<String, f64>,
    /// HdrHistogram V2, compressed, base64; values are nanoseconds.
    pub(crate) histogram: String,
}

/// One second of the measured time; `second` 0 is the first.
///
/// Its latencies are those of the run's first side: of the producers, else of the consumers. A latency belongs to the
/// second in which the answer came.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Second {
    pub(crate) second: u32,
    pub(crate) records: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) consumed_records: u64,
    /// Requests whose time had come and that were not acknowledged when the second ended.
    pub(crate) backlog: u64,
    pub(crate) errors: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) max: Option<f64>,
    /// Latencies acknowledged in this second, as [`Latency::histogram`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) histogram: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Step {
    /// Records a second that were asked for.
    pub(crate) rate: f64,
    pub(crate) records_per_second: f64,
    pub(crate) latency: Latency,
    pub(crate) backlog_grows: bool,
    /// Held the objective; none when there was no objective.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) held: Option<bool>,
}

/// What the generator cost, and what it could have done against a broker that answers at once.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Generator {
    pub(crate) cpu_seconds: f64,
    /// `cpu_seconds` by measured second.
    pub(crate) cores: f64,
    /// Requests that the generator itself took up more than a bound after their intended time, as a share of all.
    /// One that waited for the broker (a full window, a connection that was down) is backlog, not lateness.
    pub(crate) late_share: f64,
    /// The same workload against the sink.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) sink: Option<SinkRun>,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct SinkRun {
    pub(crate) records_per_second: f64,
    pub(crate) megabytes_per_second: f64,
    pub(crate) generator_cores: f64,
    pub(crate) latency: Latency,
}

/// Of the measured time, read from /proc.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_microseconds_per_request: f64,
    pub(crate) cpu_microseconds_per_record: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) resident_bytes_max: u64,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Verification {
    pub(crate) acknowledged: u64,
    pub(crate) read_back: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
    /// Records read that were never acknowledged: their fate was unknown, or nobody sent them.
    pub(crate) unacknowledged_found: u64,
    /// The first few findings, in words: partition, offset, what was wrong.
    pub(crate) findings: Vec<String>,
}
