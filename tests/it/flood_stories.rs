//! Many topics, many connections, and peers that do not keep pace: nobody else notices.

use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::directory::allocated_bytes;
use crate::harness::kafka::{
    FETCH_VERSION, LATEST, PRODUCE_VERSION, fetch_request, new_topic, produce_request,
};
use crate::harness::stream::Stream;
use crate::harness::wait::{PATIENCE, wait_until};
use ottla::base::limits::Limits;
use ottla::wire::messages::create_topics::CreateTopicsRequest;
use ottla::wire::messages::metadata::MetadataRequest;
use ottla::wire::produce::ProduceRequest;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const MIB: u64 = 1 << 20;

fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit");
}

#[test]
fn a_thousand_topics_take_little_disk() {
    const TOPICS: usize = 1_000;
    const PARTITIONS: i32 = 4;
    let mut broker = Broker::start("flood_topics");
    let mut client = Connection::open(&broker.address);
    let before = grown_bytes(broker.data());
    let names: Vec<String> = (0..TOPICS)
        .map(|number| format!("topic-{number:04}"))
        .collect();
    for some in names.chunks(100) {
        let request = CreateTopicsRequest {
            topics: some
                .iter()
                .map(|name| new_topic(name, PARTITIONS, &[]))
                .collect(),
            timeout_ms: 60_000,
            ..CreateTopicsRequest::default()
        };
        let answer = client.call(&request, 7);
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0));
    }
    let sent: Vec<i32> = names
        .iter()
        .map(|name| {
            client
                .send(&one_record_each(name, PARTITIONS), PRODUCE_VERSION)
                .expect("sent")
        })
        .collect();
    for correlation in sent {
        let answer = client
            .receive::<ProduceRequest>(PRODUCE_VERSION, correlation)
            .expect("an answer");
        let parts = &answer.responses[0].partition_responses;
        assert!(
            parts
                .iter()
                .all(|part| (part.error_code, part.base_offset) == (0, 0))
        );
    }
    assert_eq!(listed(&mut client), (TOPICS, TOPICS * PARTITIONS as usize));
    // Idle now. A stop writes everything to where it stays, and so does the start after a kill.
    let per_partition = |broker: &Broker| {
        let grown = grown_bytes(broker.data()).saturating_sub(before);
        grown / (TOPICS as u64 * PARTITIONS as u64)
    };
    let running = per_partition(&broker);
    broker.kill();
    broker.restart();
    let recovered = per_partition(&broker);
    broker.stop();
    let stopped = per_partition(&broker);
    println!(
        "per idle partition: {running} bytes running, {recovered} recovered, {stopped} stopped"
    );
    assert!(running.max(recovered).max(stopped) <= 64 * 1024);
    assert!(recovered > 0, "they have files now");
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(listed(&mut client), (TOPICS, TOPICS * PARTITIONS as usize));
    for name in names.iter().step_by(97) {
        for partition in 0..PARTITIONS {
            assert_eq!(
                client.values(name, partition),
                [format!("{name}/{partition}")]
            );
        }
    }
}

/// What partitions make grow: not the rings and the reserve, which are as large on the first day.
fn grown_bytes(data: &Path) -> u64 {
    let folders = ["topics", "state", "meta"].map(|folder| data.join(folder));
    let there = folders.iter().filter(|folder| folder.exists());
    there.map(|folder| allocated_bytes(folder)).sum()
}

fn one_record_each(topic: &str, partitions: i32) -> ProduceRequest {
    let part = |partition: i32| {
        let batch = batches::batch(&[Record::value(format!("{topic}/{partition}"))]);
        produce_request(topic, partition, batch, -1)
    };
    let mut request = part(0);
    for partition in 1..partitions {
        let other = part(partition).topic_data.remove(0);
        request.topic_data[0]
            .partition_data
            .extend(other.partition_data);
    }
    request
}

/// Topics and partitions without an error.
fn listed(client: &mut Connection) -> (usize, usize) {
    let request = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    let topics = client.call(&request, 12).topics;
    assert!(topics.iter().all(|topic| topic.error_code == 0));
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    (
        topics.len(),
        partitions
            .filter(|part| part.error_code == 0 && part.leader_id >= 0)
            .count(),
    )
}

#[test]
fn two_thousand_connections_stay_open() {
    raise_open_files();
    let broker = Broker::start("flood_connections");
    let stream = Stream::start(&broker.address, "beside");
    let before = broker.memory("VmRSS");
    let mut connections: Vec<Connection> = Vec::new();
    for _ in 0..2_000 {
        let mut connection = Connection::open(&broker.address);
        connection.call(&MetadataRequest::default(), 12);
        connections.push(connection);
    }
    let each = broker.memory("VmRSS").saturating_sub(before) / 2_000;
    // All of them still speak, the first as well as the last.
    for connection in &mut connections {
        connection.call(&MetadataRequest::default(), 12);
    }
    println!(
        "{each} bytes per connection, beside: {:?}",
        stream.stop_after(ROUNDS)
    );
    wait_until("the count of connections", || {
        broker.metrics().known("ottla_connections_open") >= 2_000.0
    });
    let metrics = broker.metrics();
    assert_eq!(metrics.known("ottla_connections_refused_total"), 0.0);
}

/// The kernel keeps the connections that wait in as many lists as 32 go into the completions a ring can hold, 256 at most,
/// and the runtime has it walk one of them in every turn: with 16 lists, 10,000 connections made p50 a third longer.
#[test]
fn who_waits_for_a_request_is_found_without_a_walk_through_all() {
    let broker = Broker::start_with("flood_rings", |start| Start { shards: 1, ..start });
    let files = fs::read_dir(format!("/proc/{}/fdinfo", broker.pid())).expect("the broker runs");
    // Only a ring has this line.
    let masks: Vec<String> = files
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .filter_map(|info| {
            let mask = info.lines().find(|line| line.starts_with("CqMask:"))?;
            Some(mask.to_owned())
        })
        .collect();
    assert!(!masks.is_empty());
    assert!(
        masks.iter().all(|mask| mask == "CqMask:\t0x1fff"),
        "{masks:?}"
    );
}

/// A hundred thousand MiB are claimed and never sent; then as much as a frame may have, a thousand times.
#[test]
fn claims_of_huge_frames_take_no_memory() {
    raise_open_files();
    let broker = Broker::start("flood_claims");
    let stream = Stream::start(&broker.address, "beside");
    let before = broker.memory("VmHWM");
    let mut too_many = claims(&broker.address, 100 * MIB);
    for socket in &mut too_many {
        let ended = socket.read(&mut [0; 1]);
        assert!(!matches!(ended, Ok(1)), "more than all memory for requests");
    }
    let largest = Limits::DEFAULT.request_bytes_max() as u64;
    let claims = claims(&broker.address, largest);
    // Others are served as if nothing was claimed.
    let mut client = Connection::open(&broker.address);
    client.create_topic("others", 4, &[]);
    for number in 0..200 {
        client.produce_values("others", number % 4, &["served"]);
    }
    let grown = broker.memory("VmHWM").saturating_sub(before);
    println!(
        "peak memory grew by {} KiB, beside: {:?}",
        grown / 1024,
        stream.stop()
    );
    assert!(grown < 64 * MIB, "{grown}");
    drop(claims);
    assert_eq!(
        broker.metrics().known("ottla_unknown_server_errors_total"),
        0.0
    );
}

/// A thousand connections, each with a length and the begin of a Produce of version 9, its body still to come.
fn claims(address: &str, bytes: u64) -> Vec<TcpStream> {
    let claim = |_| {
        let mut socket = TcpStream::connect(address).expect("accepted");
        let mut head = (bytes as i32).to_be_bytes().to_vec();
        head.extend(b"\0\0\0\x09\0\0\0\x01\0\x02it\0");
        socket.write_all(&head).expect("sent");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    };
    (0..1_000).map(claim).collect()
}

/// Rounds of a stream beside whose median means something.
const ROUNDS: usize = 200;

/// Asks for megabytes again and again and takes none of them.
#[test]
fn a_reader_that_never_reads_harms_only_itself() {
    let broker = Broker::start("flood_never_reads");
    let mut client = Connection::open(&broker.address);
    client.create_topic("large", 1, &[]);
    let mebibyte = batches::batch(&[Record::value("x".repeat(1_000_000))]);
    for _ in 0..32 {
        client.produce("large", 0, mebibyte.clone());
    }
    let alone = Stream::start(&broker.address, "alone").stop_after(ROUNDS);
    let before = broker.memory("VmHWM");
    let mut greedy: Vec<Connection> = (0..8).map(|_| Connection::open(&broker.address)).collect();
    for connection in &mut greedy {
        connection
            .stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .expect("a timeout");
        for _ in 0..200 {
            if connection
                .send(&fetch_request("large", 0, 0), FETCH_VERSION)
                .is_err()
            {
                break;
            }
        }
    }
    wait_until("answers that nobody takes", || {
        broker.metrics().known("ottla_answer_memory_used_bytes") >= MIB as f64
    });
    let beside = Stream::start(&broker.address, "beside").stop_after(ROUNDS);
    let grown = broker.memory("VmHWM").saturating_sub(before);
    let held = broker.metrics().known("ottla_answer_memory_used_bytes");
    assert!(held >= MIB as f64, "they still hold it");
    println!(
        "alone {alone:?}, beside {beside:?}, peak memory grew by {} KiB",
        grown / 1024
    );
    assert!(beside.median < 10 * alone.median + Duration::from_millis(20));
    assert!(beside.longest < Duration::from_secs(5));
    assert!(
        grown < 128 * MIB,
        "answers nobody takes are bounded: {grown}"
    );
}

#[test]
fn half_a_request_harms_only_its_sender() {
    let broker = Broker::start("flood_half_sent");
    let mut client = Connection::open(&broker.address);
    client.create_topic("half", 1, &[]);
    let batch = batches::batch(&[Record::value("x".repeat(900_000))]);
    let mut halves: Vec<TcpStream> = Vec::new();
    let frame = whole_frame(&produce_request("half", 0, batch.clone(), -1));
    for _ in 0..200 {
        let mut socket = TcpStream::connect(&broker.address).expect("accepted");
        socket.write_all(&frame[..1_000]).expect("sent");
        halves.push(socket);
    }
    let stream = Stream::start(&broker.address, "beside");
    for _ in 0..20 {
        client.produce("half", 0, batch.clone());
    }
    let beside = stream.stop_after(ROUNDS);
    println!("beside 200 half requests: {beside:?}");
    assert!(beside.longest < Duration::from_secs(5));
    // The other half is still welcome.
    let last = halves.last_mut().expect("some");
    last.write_all(&frame[1_000..]).expect("sent");
    last.set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    last.read_exact(&mut [0; 8]).expect("an answer");
    assert_eq!(client.offset("half", 0, LATEST), 21);
}

fn whole_frame(request: &ProduceRequest) -> Vec<u8> {
    use ottla::wire::ApiKey;
    use ottla::wire::header::RequestHeader;
    let header = RequestHeader {
        api_key: ApiKey::Produce,
        api_version: PRODUCE_VERSION,
        correlation_id: 1,
        client_id: None,
        unknown_tagged_fields: Vec::new(),
    };
    ottla::wire::frame::request_frame(&header, request).to_vec()
}
