//! Fetch: limits, positions, waiting, and who may not ask.

use crate::harness::batches::{self, Record};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::{FETCH_VERSION, fetch_request, record_bytes};
use ottla::base::ids::Uuid;
use ottla::wire::ErrorCode;
use ottla::wire::fetch::{FetchRequest, FetchResponse};
use std::thread;
use std::time::{Duration, Instant};

/// Three batches of two records each at offsets 0, 2, 4; returns the bytes of one.
fn three_batches(client: &mut Connection, topic: &str) -> usize {
    let records = [
        Record::value("x".repeat(100)),
        Record::value("y".repeat(100)),
    ];
    let batch = batches::batch(&records);
    for _ in 0..3 {
        client.produce(topic, 0, batch.clone());
    }
    batch.len()
}

fn bases(answer: &FetchResponse, partition: usize) -> Vec<i64> {
    let data = &answer.responses[0].partitions[partition];
    assert_eq!(data.error_code, 0);
    let found = batches::read(&record_bytes(data));
    found.iter().map(|batch| batch.base_offset).collect()
}

#[test]
fn at_least_one_batch_then_limits_hold() {
    let broker = Broker::start("fetch_limits");
    let mut client = Connection::open(&broker.address);
    client.create_topic("limits", 1, &[]);
    let bytes = three_batches(&mut client, "limits") as i32;
    // (max_bytes, partition_max_bytes, base offsets expected)
    let rows: &[(i32, i32, &[i64])] = &[
        (1, 1, &[0]),
        (bytes - 1, i32::MAX, &[0]),
        (i32::MAX, bytes, &[0]),
        (i32::MAX, 2 * bytes - 1, &[0]),
        (2 * bytes, i32::MAX, &[0, 2]),
        (i32::MAX, 2 * bytes, &[0, 2]),
        (i32::MAX, i32::MAX, &[0, 2, 4]),
        (0, 0, &[0]),
    ];
    for &(max_bytes, partition_max_bytes, expected) in rows {
        let mut request = fetch_request("limits", 0, 0);
        request.max_bytes = max_bytes;
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
        let answer = client.call(&request, FETCH_VERSION);
        assert_eq!(
            bases(&answer, 0),
            expected,
            "{max_bytes} {partition_max_bytes}"
        );
    }
}

#[test]
fn the_first_partition_with_data_gets_the_batch() {
    let broker = Broker::start("fetch_first_partition");
    let mut client = Connection::open(&broker.address);
    client.create_topic("first", 4, &[]);
    for partition in [1, 2, 3] {
        client.produce_values("first", partition, &["0123456789"]);
    }
    let mut request = fetch_request("first", 0, 0);
    request.max_bytes = 1;
    for partition in [2, 1, 3] {
        let other = fetch_request("first", partition, 0);
        request.topics[0]
            .partitions
            .extend(other.topics[0].partitions.clone());
    }
    let answer = client.call(&request, FETCH_VERSION);
    let indexes: Vec<i32> = answer.responses[0]
        .partitions
        .iter()
        .map(|part| part.partition_index)
        .collect();
    assert_eq!(indexes, [0, 2, 1, 3], "as asked");
    let counts: Vec<usize> = (0..4).map(|part| bases(&answer, part).len()).collect();
    assert_eq!(counts, [0, 1, 0, 0]);
}

#[test]
fn positions_inside_outside_and_at_the_end() {
    let broker = Broker::start("fetch_positions");
    let mut client = Connection::open(&broker.address);
    client.create_topic("positions", 1, &[]);
    three_batches(&mut client, "positions");
    let answer = client.call(&fetch_request("positions", 0, 3), FETCH_VERSION);
    assert_eq!(
        bases(&answer, 0),
        [2, 4],
        "the whole batch around the offset"
    );
    let data = client.fetch("positions", 0, 6);
    assert_eq!((data.error_code, data.high_watermark), (0, 6));
    assert_eq!((data.last_stable_offset, data.log_start_offset), (6, 0));
    assert!(record_bytes(&data).is_empty(), "nothing yet");
    for offset in [7, 1 << 40, -1] {
        let data = client.fetch("positions", 0, offset);
        assert_eq!(
            data.error_code,
            ErrorCode::OffsetOutOfRange.code(),
            "{offset}"
        );
    }
    client.delete_records("positions", 0, 3);
    let data = client.fetch("positions", 0, 2);
    assert_eq!(data.error_code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(data.log_start_offset, 3);
    for (topic, partition) in [("positions", 1), ("nowhere", 0)] {
        let data = client.fetch(topic, partition, 0);
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(data.error_code, unknown);
        // librdkafka takes null for a malformed answer (KAFKA-18646).
        assert!(data.records.is_some_and(|records| records.is_empty()));
    }
}

#[test]
fn a_partition_named_twice_is_answered_once() {
    let broker = Broker::start("fetch_twice");
    let mut client = Connection::open(&broker.address);
    client.create_topic("twice", 1, &[]);
    three_batches(&mut client, "twice");
    let mut request = fetch_request("twice", 0, 2);
    let again = fetch_request("twice", 0, 0).topics.remove(0);
    request.topics[0]
        .partitions
        .extend(again.partitions.clone());
    request.topics.push(again);
    let answer = client.call(&request, FETCH_VERSION);
    let counts: Vec<usize> = answer
        .responses
        .iter()
        .map(|topic| topic.partitions.len())
        .collect();
    assert_eq!(counts, [1, 0]);
    assert_eq!(bases(&answer, 0), [2, 4]);
}

#[test]
fn topics_by_id_and_strangers() {
    let broker = Broker::start("fetch_ids");
    let mut client = Connection::open(&broker.address);
    let id = client.create_topic("by-id", 1, &[]);
    client.produce_values("by-id", 0, &["found"]);
    for version in [13, 18] {
        for (id, code) in [
            (id, ErrorCode::None),
            (Uuid([3; 16]), ErrorCode::UnknownTopicId),
        ] {
            let mut request = fetch_request("", 0, 0);
            request.topics[0].topic_id = id;
            let answer = client.call(&request, version);
            assert_eq!(
                answer.responses[0].partitions[0].error_code,
                code.code(),
                "{version}"
            );
        }
    }
    // Whoever claims to be a replica on a client's port learns nothing and moves nothing (CVE-2018-1288).
    let mut forged = fetch_request("by-id", 0, 0);
    forged.replica_id = 1;
    match client.try_call(&forged, 11) {
        Err(_) => {}
        Ok(answer) => {
            let part = answer
                .responses
                .first()
                .and_then(|topic| topic.partitions.first());
            let code = part.map_or(answer.error_code, |part| part.error_code);
            assert!(code != 0 || answer.error_code != 0);
            assert!(part.is_none_or(|part| record_bytes(part).is_empty()));
        }
    }
}

#[test]
fn leader_epochs_are_checked() {
    let mut broker = Broker::start("fetch_epochs");
    let mut client = Connection::open(&broker.address);
    client.create_topic("epochs", 1, &[]);
    client.produce_values("epochs", 0, &["first life"]);
    let before = client.metadata_of("epochs").partitions[0].leader_epoch;
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    let after = client.metadata_of("epochs").partitions[0].leader_epoch;
    assert!(after > before, "{before} {after}");
    let rows = [
        (-1, ErrorCode::None),
        (after, ErrorCode::None),
        (before, ErrorCode::FencedLeaderEpoch),
        (after + 1, ErrorCode::UnknownLeaderEpoch),
    ];
    for (epoch, code) in rows {
        let mut request = fetch_request("epochs", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = client.call(&request, FETCH_VERSION);
        assert_eq!(
            answer.responses[0].partitions[0].error_code,
            code.code(),
            "{epoch}"
        );
    }
}

fn parked(topic: &str, partitions: std::ops::Range<i32>, wait: Duration) -> FetchRequest {
    let mut request = fetch_request(topic, partitions.start, 0);
    request.max_wait_ms = wait.as_millis() as i32;
    for partition in partitions.skip(1) {
        let other = fetch_request(topic, partition, 0);
        request.topics[0]
            .partitions
            .extend(other.topics[0].partitions.clone());
    }
    request
}

/// A fetch over partitions of all shards sleeps until any of them gets a record.
#[test]
fn a_waiting_fetch_wakes_with_the_commit() {
    let broker = Broker::start("fetch_wakes");
    let mut reader = Connection::open(&broker.address);
    let mut writer = Connection::open(&broker.address);
    for partition in 0..8 {
        let topic = format!("wakes-{partition}");
        reader.create_topic(&topic, 8, &[]);
        let request = parked(&topic, 0..8, Duration::from_secs(50));
        let started = Instant::now();
        let correlation = reader.send(&request, FETCH_VERSION).expect("sent");
        writer.produce_values(&topic, partition, &["news"]);
        let answer = reader
            .receive::<FetchRequest>(FETCH_VERSION, correlation)
            .expect("an answer");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        let counts: Vec<usize> = (0..8).map(|part| bases(&answer, part).len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 1);
        assert_eq!(counts[partition as usize], 1);
    }
}

#[test]
fn a_waiting_fetch_gives_up_in_time() {
    let broker = Broker::start("fetch_gives_up");
    let mut client = Connection::open(&broker.address);
    client.create_topic("quiet", 4, &[]);
    let wait = Duration::from_millis(300);
    let started = Instant::now();
    let answer = client.call(&parked("quiet", 0..4, wait), FETCH_VERSION);
    assert!(started.elapsed() >= wait, "{:?}", started.elapsed());
    assert!((0..4).all(|part| bases(&answer, part).is_empty()));
    // Nothing to wait for: at once.
    let started = Instant::now();
    let mut impatient = parked("quiet", 0..4, Duration::from_secs(50));
    impatient.min_bytes = 0;
    client.call(&impatient, FETCH_VERSION);
    assert!(started.elapsed() < Duration::from_secs(10));
    // Where there is nothing to wait on, an error is the answer; beside others it waits with them, as in Kafka.
    let started = Instant::now();
    client.call(
        &parked("quiet", 4..5, Duration::from_secs(50)),
        FETCH_VERSION,
    );
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn min_bytes_gathers_several_commits() {
    let broker = Broker::start("fetch_min_bytes");
    let mut reader = Connection::open(&broker.address);
    let mut writer = Connection::open(&broker.address);
    reader.create_topic("gather", 2, &[]);
    let mut request = parked("gather", 0..2, Duration::from_secs(50));
    request.min_bytes = 4 * 1024;
    let correlation = reader.send(&request, FETCH_VERSION).expect("sent");
    let thread = thread::spawn(move || {
        let answer = reader
            .receive::<FetchRequest>(FETCH_VERSION, correlation)
            .expect("an answer");
        bases(&answer, 0).len() + bases(&answer, 1).len()
    });
    let kibibyte = "x".repeat(1024);
    for partition in [0, 1, 0, 1] {
        writer.produce_values("gather", partition, &[&kibibyte]);
    }
    assert_eq!(thread.join().expect("the reader"), 4);
}

#[test]
fn both_isolation_levels_see_plain_records() {
    let broker = Broker::start("fetch_isolation");
    let mut client = Connection::open(&broker.address);
    client.create_topic("isolation", 1, &[]);
    client.produce_values("isolation", 0, &["x"]);
    for isolation in [0, 1] {
        let mut request = fetch_request("isolation", 0, 0);
        request.isolation_level = isolation;
        let answer = client.call(&request, FETCH_VERSION);
        assert_eq!(bases(&answer, 0), [0]);
        let aborted = &answer.responses[0].partitions[0].aborted_transactions;
        assert!(aborted.as_ref().is_none_or(Vec::is_empty));
    }
}
