//! Results of runs that never were: what the views are tested with. Latencies are drawn, the stalls of a broker are
//! played, so that plots look as those of real runs.

use crate::latency::{Values, encoded, new_histogram, percentile, summary};
use crate::result::{
    FORMAT, Generator, LoopKind, Machine, Process, RunResult, Second, Side, SinkRun, Step, Target,
    Verification,
};
use ottla::base::prng::Prng;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const RECORDS_PER_REQUEST: u64 = 10;
const RECORD_BYTES: u64 = 256;

/// How a broker answers.
#[derive(Clone, Copy)]
struct Broker {
    label: &'static str,
    durability: &'static str,
    median_us: f64,
    /// Of the logarithm.
    spread: f64,
    /// A request in so many waits for something else, so many times longer.
    slow_one_in: u64,
    slow_times: f64,
    /// Stops for so long, each so many seconds.
    stall_ms: u64,
    stall_every: u32,
}

const OTTLA_FLUSHED: Broker = Broker {
    label: "ottla",
    durability: "flushed",
    median_us: 610.0,
    spread: 0.22,
    slow_one_in: 400,
    slow_times: 4.0,
    stall_ms: 9,
    stall_every: 13,
};
const KAFKA_PAGE_CACHE: Broker = Broker {
    label: "Apache Kafka 4.3.1",
    durability: "page cache",
    median_us: 930.0,
    spread: 0.35,
    slow_one_in: 150,
    slow_times: 7.0,
    stall_ms: 60,
    stall_every: 9,
};
const KAFKA_FLUSHED: Broker = Broker {
    label: "Apache Kafka 4.3.1",
    durability: "flushed",
    median_us: 3_900.0,
    spread: 0.4,
    slow_one_in: 60,
    slow_times: 5.0,
    stall_ms: 240,
    stall_every: 11,
};
const SINK: Broker = Broker {
    label: "sink",
    durability: "memory",
    median_us: 38.0,
    spread: 0.25,
    slow_one_in: 2_000,
    slow_times: 9.0,
    stall_ms: 0,
    stall_every: u32::MAX,
};

/// File names and what is in them. Drawn once.
pub(crate) fn samples() -> Vec<(&'static str, RunResult)> {
    static SAMPLES: OnceLock<Vec<(&'static str, RunResult)>> = OnceLock::new();
    SAMPLES.get_or_init(drawn).clone()
}

fn drawn() -> Vec<(&'static str, RunResult)> {
    vec![
        ("ottla", run(OTTLA_FLUSHED, 60, 1_000, 1)),
        ("kafka-page-cache", run(KAFKA_PAGE_CACHE, 60, 1_000, 2)),
        ("kafka-flushed", run(KAFKA_FLUSHED, 60, 1_000, 3)),
        ("slo", slo_search()),
        ("void", void()),
        ("ottla-2", run(OTTLA_FLUSHED, 60, 1_000, 4)),
        ("kafka-2", run(KAFKA_PAGE_CACHE, 60, 1_000, 5)),
    ]
}

/// The objective fails at the highest rates.
pub(crate) fn slo_search() -> RunResult {
    let mut result = run(OTTLA_FLUSHED, 20, 2_000, 7);
    result.label = "SLO p99 < 5 ms".into();
    result.consume = None;
    result.end_to_end = None;
    let rates = [10_000u64, 20_000, 40_000, 80_000, 60_000, 70_000, 65_000];
    for (index, rate) in rates.into_iter().enumerate() {
        let load = rate as f64 / 72_000.0;
        let mut broker = OTTLA_FLUSHED;
        broker.median_us *= 1.0 + load * load;
        broker.stall_ms = if load > 0.95 { 180 } else { 4 };
        broker.stall_every = 3;
        let mut drawn = Drawn::new(index as u64 + 20);
        drawn.play(broker, 10, rate / RECORDS_PER_REQUEST / 4);
        let latency = summary(&drawn.latency);
        let held = latency.percentiles["p99"] < 5_000.0 && load < 1.0;
        result.steps.push(Step {
            rate: rate as f64,
            records_per_second: if load > 1.0 {
                71_310.0
            } else {
                rate as f64 * 0.9998
            },
            latency,
            backlog_grows: load > 1.0,
            held: Some(held),
        });
    }
    result
}

/// Everything that can be wrong is, and the label is hostile.
pub(crate) fn void() -> RunResult {
    let mut result = run(KAFKA_FLUSHED, 30, 400, 6);
    result.label = "</script><script>document.title='owned'</script>&\"'\u{1b}[2J".into();
    result.void = vec![
        "schedule lag: 4.1 % of the requests were written more than 1 ms late (1 % allowed)".into(),
        "a busy machine: other processes used 37 % of a core".into(),
    ];
    result.generator.late_share = 0.041;
    result.target.durability = None;
    let produce = result.produce.as_mut().expect("it produced");
    produce.errors = BTreeMap::from([
        ("NOT_ENOUGH_REPLICAS".into(), 1_204),
        ("<b>disconnected</b>".into(), 12),
    ]);
    produce.unanswered = 31;
    for second in &mut result.timeline[14..19] {
        second.errors = 243;
        second.backlog = u64::from(second.second - 13) * 380;
        second.records /= 3;
    }
    let verify = result.verify.as_mut().expect("it verified");
    (verify.lost, verify.duplicated) = (3, 1);
    verify.findings = vec![
        "partition 2: offset 48,211 acknowledged, not found <img src=x onerror=alert(1)>".into(),
        "partition 0: record 31,007 found twice, at 31,007 and 31,019".into(),
    ];
    result
}

fn run(broker: Broker, seconds: u32, requests_per_second: u64, seed: u64) -> RunResult {
    let mut produced = Drawn::new(seed);
    produced.play(broker, seconds, requests_per_second);
    let mut consumed = Drawn::new(seed + 100);
    let mut fetches = broker;
    fetches.median_us *= 1.4;
    consumed.play(fetches, seconds, requests_per_second / 2);
    let mut sink = Drawn::new(seed + 200);
    sink.play(SINK, seconds, requests_per_second);
    let records = u64::from(seconds) * requests_per_second * RECORDS_PER_REQUEST;
    let asked = (requests_per_second * RECORDS_PER_REQUEST) as f64;
    RunResult {
        format: FORMAT,
        label: broker.label.into(),
        command: command(broker, requests_per_second),
        version: "0.1.0 (5f2c9d1a7e40)".into(),
        started: format!("2026-03-14T09:{:02}:11Z", 20 + seed),
        options: options(broker, requests_per_second),
        machine: machine(),
        target: Target {
            bootstrap: "localhost:9092".into(),
            cluster_id: Some("q7ZkT1uRQm2y0X3fVbWc5A".into()),
            durability: Some(broker.durability.into()),
        },
        loop_kind: LoopKind::Open,
        measured_seconds: f64::from(seconds),
        end_to_end: Some(summary(&consumed.latency)),
        produce: Some(side(&produced, records, seconds, Some(asked))),
        consume: Some(side(&consumed, records, seconds, None)),
        connect: None,
        timeline: produced.timeline,
        steps: Vec::new(),
        generator: Generator {
            cpu_seconds: f64::from(seconds) * 0.113,
            cores: 0.113,
            late_share: 0.00004,
            sink: Some(SinkRun {
                records_per_second: 1_184_000.0,
                megabytes_per_second: 303.1,
                generator_cores: 0.98,
                latency: summary(&sink.latency),
            }),
        },
        broker: Some(Process {
            pid: 4_211,
            name: broker
                .label
                .split(' ')
                .next_back()
                .unwrap_or("broker")
                .into(),
            cpu_seconds: broker.median_us / 60.0,
            cpu_microseconds_per_request: broker.median_us / 14.0,
            cpu_microseconds_per_record: broker.median_us / 140.0,
            resident_bytes: (broker.median_us * 250_000.0) as u64,
            resident_bytes_max: (broker.median_us * 281_000.0) as u64,
        }),
        verify: Some(Verification {
            acknowledged: records,
            read_back: records,
            lost: 0,
            duplicated: 0,
            reordered: 0,
            corrupted: 0,
            unacknowledged_found: 0,
            findings: Vec::new(),
        }),
        void: Vec::new(),
    }
}

fn command(broker: Broker, requests_per_second: u64) -> Vec<String> {
    let rate = (requests_per_second * RECORDS_PER_REQUEST).to_string();
    let words = [
        "ottla-loadgen",
        "--bootstrap",
        "localhost:9092",
        "--rate",
        &rate,
        "--verify",
    ];
    let words =
        words
            .into_iter()
            .chain(["--label", broker.label, "--durability", broker.durability]);
    words.map(String::from).collect()
}

fn options(broker: Broker, requests_per_second: u64) -> BTreeMap<String, String> {
    let rate = (requests_per_second * RECORDS_PER_REQUEST).to_string();
    let rows = [
        ("acks", "all"),
        ("bootstrap", "localhost:9092"),
        ("codec", "none"),
        ("connections", "4"),
        ("duration", "60s"),
        ("durability", broker.durability),
        ("in-flight", "5"),
        ("keys", "uniform:10000"),
        ("partitions", "12"),
        ("rate", &rate),
        ("records-per-batch", "10"),
        ("topic", "loadgen"),
        ("value-size", "256"),
        ("warmup", "5s"),
    ];
    rows.iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn machine() -> Machine {
    let facts = [
        ("clock source", "kvm-clock"),
        ("cpu governor", "not readable"),
        (
            "disk vda",
            "scheduler none, write_cache write back, fua 0, not rotational",
        ),
        ("load average", "0.08 0.11 0.06"),
        ("timer frequency", "250 Hz"),
        ("transparent huge pages", "madvise"),
    ];
    Machine {
        kernel: "Linux 6.12.9-amd64".into(),
        cpu: "AMD EPYC 9454P 48-Core Processor".into(),
        cores: 4,
        memory_bytes: 16 << 30,
        facts: facts
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
    }
}

fn side(drawn: &Drawn, records: u64, seconds: u32, intended: Option<f64>) -> Side {
    let requests = drawn.latency.len();
    let by_second = 1.0 / f64::from(seconds);
    Side {
        requests,
        records,
        payload_bytes: records * RECORD_BYTES,
        requests_per_second: requests as f64 * by_second,
        records_per_second: records as f64 * by_second,
        megabytes_per_second: (records * RECORD_BYTES) as f64 * by_second / 1e6,
        intended_records_per_second: intended,
        latency: summary(&drawn.latency),
        service_time: summary(&drawn.service_time),
        errors: BTreeMap::new(),
        unanswered: 0,
    }
}

struct Drawn {
    prng: Prng,
    latency: Values,
    service_time: Values,
    timeline: Vec<Second>,
}

impl Drawn {
    fn new(seed: u64) -> Drawn {
        Drawn {
            prng: Prng::new(seed),
            latency: new_histogram(),
            service_time: new_histogram(),
            timeline: Vec::new(),
        }
    }

    fn play(&mut self, broker: Broker, seconds: u32, requests_per_second: u64) {
        for second in 0..seconds {
            let stalls = second % broker.stall_every == broker.stall_every - 1;
            let stall_us = if stalls {
                broker.stall_ms as f64 * 1e3
            } else {
                0.0
            };
            let values = self.second(broker, requests_per_second, stall_us);
            let records = requests_per_second * RECORDS_PER_REQUEST;
            let wobble = self.prng.below(records / 50 + 1);
            self.timeline.push(Second {
                second,
                records: records - records / 100 + wobble,
                payload_bytes: (records - records / 100 + wobble) * RECORD_BYTES,
                consumed_records: records - records / 80 + self.prng.below(records / 40 + 1),
                backlog: self.prng.below(3) + if stalls { broker.stall_ms / 4 } else { 0 },
                errors: 0,
                p50: percentile(&values, 50.0),
                p99: percentile(&values, 99.0),
                max: Some(values.max() as f64 / 1_000.0),
                histogram: Some(encoded(&values)),
            });
        }
    }

    fn second(&mut self, broker: Broker, requests: u64, stall_us: f64) -> Values {
        let mut values = new_histogram();
        for request in 0..requests {
            let mut service_us = broker.median_us * (self.normal() * broker.spread).exp();
            if self.prng.below(broker.slow_one_in) == 0 {
                service_us *= 1.0 + broker.slow_times * self.unit();
            }
            let since_stall_us = request as f64 * 1e6 / requests as f64 - 300_000.0;
            let waits = (0.0..stall_us).contains(&since_stall_us);
            let wait_us = if waits {
                stall_us - since_stall_us
            } else {
                0.0
            };
            // Five in flight are with the broker when it stops.
            let in_flight = waits && since_stall_us < 5e6 / requests as f64;
            let sent_us = if in_flight { wait_us } else { 0.0 };
            values.saturating_record(((service_us + wait_us) * 1e3) as u64);
            self.service_time
                .saturating_record(((service_us + sent_us) * 1e3) as u64);
        }
        self.latency.add(&values).expect("histograms of one shape");
        values
    }

    /// The sum of twelve uniform numbers is nearly normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn unit(&mut self) -> f64 {
        (self.prng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
