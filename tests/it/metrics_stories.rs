//! What operators read: each number held against what the story did.

use crate::harness::admin::{Metrics, get};
use crate::harness::batches::{self, Record, Shape};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::groups::{Member, complete};
use crate::harness::kafka::{fetch_request, produce_request};
use crate::harness::wait::wait_until;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use ottla::metrics::catalog::{self, Kind};
use ottla::wire::messages::api_versions::ApiVersionsRequest;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const REQUESTS: &str = "ottla_requests_total";
const SECONDS_COUNT: &str = "ottla_request_seconds_count";
const SECONDS_SUM: &str = "ottla_request_seconds_sum";

/// `name="value"`, as a scrape writes it.
fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{value}\"")
}

fn requests(metrics: &Metrics, api: &str, error: &str) -> f64 {
    metrics.sum(REQUESTS, &[&label("api", api), &label("error", error)])
}

/// Of one stage of an API, over all shards.
fn stage(metrics: &Metrics, name: &str, api: &str, stage: &str) -> f64 {
    metrics.sum(name, &[&label("api", api), &label("stage", stage)])
}

/// What promtool says about it; `None` without a promtool.
fn promtool_check(text: &str) -> Option<String> {
    let check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut check = check.ok()?;
    let mut input = check.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).expect("written");
    drop(input);
    let output = check.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        output.status.success() || !said.is_empty(),
        "{}",
        output.status
    );
    Some(said)
}

#[test]
fn every_request_and_every_byte_is_counted_once() {
    let broker = Broker::start("metrics_requests");
    let mut client = Connection::open(&broker.address);
    client.create_topic("counted", 2, &[]);
    let before = broker.metrics();
    for _ in 0..7 {
        client.call(&ApiVersionsRequest::default(), 0);
    }
    for partition in [0, 1, 0] {
        client.produce_values("counted", partition, &["four", "four"]);
    }
    // A partition that is not there.
    let absent = produce_request("counted", 9, Vec::new(), -1);
    client.call(&absent, 9);
    let fetched = client.fetch("counted", 0, 0);
    client.fetch("absent", 0, 0);
    let after = broker.metrics();
    let grown = |name: &str| after.known(name) - before.known(name);
    for (api, error, count) in [
        ("other", "none", 7.0),
        ("produce", "none", 3.0),
        ("produce", "not_found", 1.0),
        ("fetch", "none", 1.0),
        ("fetch", "not_found", 1.0),
        ("metadata", "none", 0.0),
    ] {
        let counted = requests(&after, api, error) - requests(&before, api, error);
        assert_eq!(counted, count, "{api} {error}");
    }
    assert_eq!(
        after.known("ottla_received_bytes_total"),
        client.sent as f64
    );
    assert_eq!(
        after.known("ottla_sent_bytes_total"),
        client.received as f64
    );
    let record_bytes = fetched.records.expect("records").len() as f64;
    assert_eq!(grown("ottla_fetched_bytes_total"), record_bytes);
    assert_eq!(grown("ottla_appended_batches_total"), 3.0);
    assert_eq!(grown("ottla_appended_records_total"), 6.0);
    // Two of the three batches are what was fetched.
    assert_eq!(
        grown("ottla_appended_bytes_total"),
        record_bytes / 2.0 * 3.0
    );
    assert_eq!(after.known("ottla_connections_open"), 1.0);
    assert_eq!(after.known("ottla_connections_opened_total"), 1.0);
    assert_eq!(after.known("ottla_requests_in_flight"), 0.0);
    assert_eq!(after.known("ottla_partitions"), 2.0);
    drop(client);
    wait_until("the end of the connection", || {
        let metrics = broker.metrics();
        metrics.known("ottla_connections_open") == 0.0
            && metrics.known("ottla_connections_closed_total") == 1.0
    });
}

/// Produce has its own stages, and so has a fetch that waits.
#[test]
fn the_stages_of_requests_add_up_to_their_total() {
    let broker = Broker::start("metrics_stages");
    let mut client = Connection::open(&broker.address);
    client.create_topic("staged", 1, &[]);
    for _ in 0..20 {
        client.produce_values("staged", 0, &["value"]);
    }
    let mut waits = fetch_request("staged", 0, 20);
    (waits.min_bytes, waits.max_wait_ms) = (1, 100);
    client.call(&waits, 12);
    // The last byte of an answer may be here before the broker has noted that it left.
    wait_until("the last answer's end", || {
        stage(&broker.metrics(), SECONDS_COUNT, "fetch", "total") == 1.0
    });
    let metrics = broker.metrics();
    for (api, stages, count) in [
        (
            "produce",
            &["receive", "append", "durable", "answer", "send"][..],
            20.0,
        ),
        ("fetch", &["receive", "wait", "answer", "send"], 1.0),
        ("admin", &["receive", "answer", "send"], 1.0),
    ] {
        let mut sum = 0.0;
        for name in stages {
            assert_eq!(
                stage(&metrics, SECONDS_COUNT, api, name),
                count,
                "{api} {name}"
            );
            sum += stage(&metrics, SECONDS_SUM, api, name);
        }
        let total = stage(&metrics, SECONDS_SUM, api, "total");
        assert!((sum - total).abs() < 1e-6, "{api}: {sum} of {total}");
        let all = metrics.sum(SECONDS_COUNT, &[&label("api", api)]);
        assert_eq!(
            all,
            count * (stages.len() + 1) as f64,
            "{api}: no other stage"
        );
    }
    let waited = stage(&metrics, SECONDS_SUM, "fetch", "wait");
    assert!((0.09..10.0).contains(&waited), "{waited}");
    // What is durable has been written: the stage contains at least one flushed write.
    let cycles = metrics.known("ottla_commit_cycles_total");
    assert!(cycles >= 20.0);
    assert_eq!(metrics.known("ottla_commit_cycle_seconds_count"), cycles);
    assert_eq!(metrics.known("ottla_journal_write_seconds_count"), cycles);
    let written = metrics.known("ottla_journal_write_seconds_sum");
    assert!(written > 0.0 && written < metrics.known("ottla_commit_cycle_seconds_sum"));
    assert_eq!(metrics.known("ottla_commit_partitions_total"), 20.0);
    let appended = metrics.known("ottla_appended_bytes_total");
    assert!(metrics.known("ottla_commit_bytes_total") > appended);
    assert_eq!(metrics.known("ottla_tail_dirty_bytes"), appended);
}

fn latencies(broker: &Broker) -> Vec<Value> {
    let (status, body) = get(&broker.admin, "/v1/latency").expect("the admin plane answers");
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["unit"], "seconds");
    assert_eq!(answer["shards_silent"], Value::Array(Vec::new()));
    answer["latencies"].as_array().expect("a list").clone()
}

/// The histograms are whole: they count what the buckets of a scrape count, and other tools can read them.
#[test]
fn latencies_are_there_in_full() {
    let broker = Broker::start("metrics_latency");
    assert_eq!(latencies(&broker), [] as [Value; 0]);
    let mut clients = [(); 4].map(|()| Connection::open(&broker.address));
    clients[0].create_topic("timed", 4, &[]);
    for round in 0..40 {
        clients[round % 4].produce_values("timed", round as i32 % 4, &["value"]);
    }
    let produced = |metrics: &Metrics| stage(metrics, SECONDS_COUNT, "produce", "send");
    wait_until("the last answer's end", || {
        produced(&broker.metrics()) == 40.0
    });
    let rows = latencies(&broker);
    let metrics = broker.metrics();
    for row in &rows {
        let name = row["name"].as_str().expect("a name");
        let labels = row["labels"].as_object().expect("labels");
        let labels = labels.iter();
        let labels = labels.map(|(name, value)| label(name, value.as_str().expect("text")));
        let labels: Vec<String> = labels.collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let number = |field: &str| row[field].as_f64().expect("a number");
        let bytes = STANDARD.decode(row["histogram"].as_str().expect("text"));
        let mut bytes = &*bytes.expect("base64");
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes).expect("V2");
        assert_eq!(histogram.len() as f64, number("count"), "{row}");
        assert_eq!(histogram.max() as f64 / 1e9, number("max"), "{row}");
        let rising = ["min", "p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"].map(number);
        assert!(
            rising.is_sorted() && number("mean") <= number("max"),
            "{row}"
        );
        // Commit cycles go on by themselves.
        if name == "ottla_request_seconds" {
            let counted = metrics.sum(&format!("{name}_count"), &labels);
            let seconds = metrics.sum(&format!("{name}_sum"), &labels);
            assert_eq!(counted, number("count"), "{row}");
            let mean = seconds / counted;
            assert!(
                (number("mean") - mean).abs() <= 128e-9 + mean / 1e3,
                "{row}, {mean}"
            );
        }
    }
    let stages: Vec<&str> = rows
        .iter()
        .filter(|row| row["labels"]["api"] == "produce")
        .map(|row| row["labels"]["stage"].as_str().expect("text"))
        .collect();
    let expected = ["total", "receive", "append", "durable", "answer", "send"];
    assert_eq!(stages, expected);
    for name in ["ottla_commit_cycle_seconds", "ottla_journal_write_seconds"] {
        assert!(rows.iter().any(|row| row["name"] == name), "{name}");
    }
}

fn eager(start: Start) -> Start {
    start.set("kafka.group.initial.rebalance.delay.ms", "0")
}

#[test]
fn groups_show_members_and_rebalances() {
    let broker = Broker::start_with("metrics_groups", eager);
    let groups = |state: &str| {
        let state = label("state", state);
        broker.metrics().sum("ottla_groups", &[&state])
    };
    let mut members = [(); 2].map(|()| Member::new(&broker.address, "readers"));
    assert_eq!(broker.metrics().known("ottla_groups_members"), 0.0);
    let [first, second] = &mut members;
    first.start_join();
    complete(&mut [first]);
    assert_eq!((groups("stable"), groups("empty")), (1.0, 0.0));
    second.start_join();
    first.wait_for_rebalance();
    assert_eq!(groups("preparing_rebalance"), 1.0);
    first.start_join();
    complete(&mut [first, second]);
    let metrics = broker.metrics();
    assert_eq!(groups("stable"), 1.0);
    assert_eq!(metrics.known("ottla_groups_members"), 2.0);
    assert_eq!(metrics.known("ottla_groups_rebalances_total"), 2.0);
    assert_eq!(metrics.known("ottla_groups_committed_offsets"), 0.0);
    assert_eq!(metrics.known("ottla_coordinators"), 50.0);
    let serving = [&*label("phase", "serving")];
    assert_eq!(metrics.sum("ottla_coordinators", &serving), 50.0);
    assert!(metrics.known("ottla_groups_state_bytes") > 0.0);
    let detail = Metrics::detail(&broker.admin);
    let in_group = detail.sum("ottla_group_members", &[&label("group", "readers")]);
    assert_eq!(in_group, 2.0);
    first.leave();
    second.leave();
    assert_eq!(broker.metrics().known("ottla_groups_members"), 0.0);
    assert_eq!(groups("empty"), 1.0);
}

#[test]
fn groups_show_what_they_have_before_them() {
    let broker = Broker::start("metrics_lag");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 3, &[]);
    for (partition, count) in [(0, 10), (1, 4), (2, 1)] {
        let values = vec!["value"; count];
        client.produce_values("t", partition, &values);
    }
    let lag = || {
        let metrics = broker.metrics();
        let most = metrics.known("ottla_groups_lag_max_records");
        (metrics.known("ottla_groups_lag_records"), most)
    };
    assert_eq!(lag(), (0.0, 0.0));
    let mut reader = Member::new(&broker.address, "readers");
    for (partition, offset) in [(0, 3), (1, 4)] {
        assert_eq!(reader.commit("t", partition, offset), 0);
    }
    assert_eq!(
        broker.metrics().known("ottla_groups_committed_offsets"),
        2.0
    );
    assert_eq!(lag(), (7.0, 7.0));
    client.produce_values("t", 1, &["a", "b"]);
    assert_eq!(lag(), (9.0, 7.0));
    let detail = Metrics::detail(&broker.admin);
    let of_partition = |partition: &str| {
        let labels = [
            label("group", "readers"),
            label("topic", "t"),
            label("partition", partition),
        ];
        detail.sum(
            "ottla_group_lag_records",
            &labels.each_ref().map(String::as_str),
        )
    };
    assert_eq!((of_partition("0"), of_partition("1")), (7.0, 2.0));
    assert_eq!(detail.sum("ottla_group_lag_records", &[]), 9.0);
    // Another life knows the offsets, and counts from anew what it did.
    let mut broker = broker;
    broker.kill();
    broker.restart();
    wait_until("the groups are read back", || {
        broker.metrics().known("ottla_groups_lag_records") == 9.0
    });
    assert_eq!(broker.metrics().known("ottla_groups_rebalances_total"), 0.0);
}

/// A group's name may be anything, and its offsets may lie behind the end.
#[test]
fn a_strange_group_does_not_spoil_a_scrape() {
    let broker = Broker::start("metrics_strange");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 1, &[]);
    client.produce_values("t", 0, &["value"]);
    let mut member = Member::new(&broker.address, "a \"group\" \\ of\ntwo lines");
    assert_eq!(member.commit("t", 0, 1_000), 0);
    let detail = Metrics::detail(&broker.admin);
    let line = "ottla_group_lag_records{group=\"a \\\"group\\\" \\\\ of\\ntwo lines\",topic=\"t\",partition=\"0\"} 0";
    assert!(
        detail.text().lines().any(|found| found == line),
        "{}",
        detail.text()
    );
    assert_eq!(broker.metrics().known("ottla_groups_lag_records"), 0.0);
}

/// `/metrics` has as many series for a thousand partitions as for one; `/metrics/detail` as many as it may.
#[test]
fn topics_do_not_make_a_scrape_grow() {
    let broker = Broker::start_with("metrics_bounded", |start| {
        start.set("admin.detail_series_max", "50")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("one", 1, &[]);
    client.produce_values("one", 0, &["value"]);
    let per_partition = {
        let detail = Metrics::detail(&broker.admin);
        assert_eq!(detail.known("ottla_metrics_dropped_series"), 0.0);
        assert_eq!(detail.known("ottla_partition_high_watermark_offset"), 1.0);
        assert_eq!(detail.known("ottla_partition_appended_records_total"), 1.0);
        let size = detail.known("ottla_partition_size_bytes");
        assert_eq!(detail.known("ottla_partition_appended_bytes_total"), size);
        detail.series_count() - 1
    };
    let series = broker.metrics().series_count();
    client.create_topic("many", 200, &[]);
    client.produce_values("many", 199, &["value"]);
    let metrics = broker.metrics();
    assert_eq!(metrics.known("ottla_partitions"), 201.0);
    assert_eq!(metrics.series_count(), series);
    let detail = Metrics::detail(&broker.admin);
    assert_eq!(detail.series_count(), 50 + 1);
    let dropped = detail.known("ottla_metrics_dropped_series");
    assert_eq!(dropped, (201 * per_partition - 50) as f64);
}

/// The text of a scrape is what Prometheus calls clean, and says of each metric what the catalogue says.
#[test]
fn scrapes_are_clean_and_as_the_catalogue_says() {
    let broker = Broker::start("metrics_clean");
    let mut member = Member::new(&broker.address, "readers");
    member.client.create_topic("t", 2, &[]);
    member.client.produce_values("t", 0, &["x"]);
    member.client.values("t", 0);
    assert_eq!(member.commit("t", 0, 1), 0);
    for (page, list) in [
        (broker.metrics(), catalog::CATALOG),
        (Metrics::detail(&broker.admin), catalog::DETAIL),
    ] {
        for metric in list {
            let kind = format!("# TYPE {} {}", metric.name, metric.kind.name());
            assert!(page.text().lines().any(|line| line == kind), "{kind}");
            let help = format!("# HELP {} {}", metric.name, metric.help);
            assert!(page.text().lines().any(|line| line == help), "{help}");
            let series = match metric.kind {
                Kind::Histogram => format!("{}_sum", metric.name),
                Kind::Counter | Kind::Gauge => metric.name.to_owned(),
            };
            for label in metric.labels {
                let label = format!("{label}=\"");
                let labelled = page.text().lines().filter(|line| line.contains(&label));
                assert!(
                    labelled.clone().any(|line| line.starts_with(&series)),
                    "{series} {label}"
                );
            }
            page.known(&series);
        }
        match promtool_check(page.text()) {
            Some(said) => assert_eq!(said, ""),
            None => println!("skipped: no promtool"),
        }
    }
}

#[test]
fn the_shards_and_their_disk_show_what_they_do() {
    let broker = Broker::start_with("metrics_shard", |start| {
        let start = start.set("shards.pool", "1MiB");
        let start = start.set("storage.journal_file", "512KiB");
        start.set("storage.journal_files", "8")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("written", 2, &[]);
    let value = "v".repeat(20_000);
    let mut appended = 0.0;
    for round in 0..200 {
        client.produce_values("written", round % 2, &[&value]);
        appended += value.len() as f64;
    }
    wait_until("a lap", || broker.metrics().known("ottla_laps_total") > 0.0);
    // From the beginning, which memory no longer has.
    assert_eq!(client.read_all("written", 0).len(), 100);
    let metrics = broker.metrics();
    assert!(metrics.known("ottla_appended_bytes_total") > appended);
    let segments = metrics.known("ottla_segment_written_bytes_total");
    let dirty = metrics.known("ottla_tail_dirty_bytes");
    assert!(
        segments > 0.0 && segments + dirty >= appended,
        "{segments} + {dirty}"
    );
    assert!(metrics.known("ottla_cold_reads_total") > 0.0);
    assert!(metrics.known("ottla_cold_read_bytes_total") > appended / 8.0);
    assert!(metrics.known("ottla_snapshot_bytes") > 0.0);
    assert!(metrics.known("ottla_lap_seconds_count") >= 1.0);
    let free = metrics.known("ottla_journal_free_ratio");
    assert!(free > 0.0 && free < 2.0, "of two shards: {free}");
    assert_eq!(metrics.known("ottla_disk_full"), 0.0);
    let reserve = metrics.known("ottla_disk_reserve_bytes");
    assert!(reserve >= metrics.known("ottla_disk_reserve_needed_bytes"));
    let (free, size) = (
        metrics.known("ottla_disk_free_bytes"),
        metrics.known("ottla_disk_size_bytes"),
    );
    assert!(0.0 < free && free < size);
    // Both partitions were written over one connection; one of them, or neither, is its shard's.
    let by_shard = |shard: &str| {
        let shard = label("shard", shard);
        (
            metrics.sum("ottla_partitions", &[&shard]),
            metrics.sum("ottla_hops_total", &[&shard]),
        )
    };
    let (zero, one) = (by_shard("0"), by_shard("1"));
    assert_eq!(zero.0 + one.0, 2.0);
    if zero.0 == one.0 {
        assert!(zero.1 + one.1 >= 100.0, "{zero:?} {one:?}");
    }
    for shard in ["0", "1"] {
        let shard = label("shard", shard);
        let busy = metrics.sum("ottla_shard_busy_seconds_total", &[&shard]);
        let tasks = metrics.sum("ottla_shard_task_seconds_total", &[&shard]);
        assert!(0.0 < tasks && tasks < busy, "{tasks} of {busy}");
        assert_eq!(metrics.sum("ottla_shard_up", &[&shard]), 1.0);
        assert!(metrics.sum("ottla_shard_delay_seconds_count", &[&shard]) > 0.0);
    }
}

#[test]
fn producers_and_their_faults_are_counted() {
    let broker = Broker::start("metrics_producers");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 1, &[]);
    let batch = |epoch, sequence| {
        let shape = Shape::idempotent(4_711, epoch, sequence);
        batches::shaped(&[Record::value("value")], shape)
    };
    client.produce("t", 0, batch(1, 0));
    client.produce("t", 0, batch(1, 0));
    client.refused("t", 0, batch(1, 5));
    client.refused("t", 0, batch(0, 1));
    let metrics = broker.metrics();
    for (name, count) in [
        ("ottla_appended_batches_total", 1.0),
        ("ottla_produce_duplicates_total", 1.0),
        ("ottla_produce_sequence_gaps_total", 1.0),
        ("ottla_produce_fenced_total", 1.0),
        ("ottla_writes_unknown_total", 0.0),
        ("ottla_producers", 1.0),
    ] {
        assert_eq!(metrics.known(name), count, "{name}");
    }
    let conflicts = requests(&metrics, "produce", "conflict");
    assert_eq!(
        (requests(&metrics, "produce", "none"), conflicts),
        (2.0, 2.0)
    );
    // What was counted stays when the partition goes.
    client.delete_topic("t");
    let left = || {
        let metrics = broker.metrics();
        let names = [
            "ottla_appended_batches_total",
            "ottla_produce_fenced_total",
            "ottla_producers",
        ];
        names.map(|name| metrics.known(name))
    };
    assert_eq!(left(), [1.0, 1.0, 0.0]);
}
