//! Ten thousand requests nobody should send, against a broker that serves others meanwhile.

use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::stream::Stream;
use crate::hostile::{Fate, HostileFrame, Judge, World, frames};
use bytes::Bytes;
use ottla::wire::ApiKey;
use ottla::wire::version::APIS;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;

const SEED: u64 = 3;
const PARTITIONS: i32 = 2;
/// Frames for each API and version.
const SENT_MIN: usize = 40;
const ROUNDS_MIN: usize = 100;
const FAULTS_SHOWN: usize = 10;
const GROWN_MAX: u64 = 64 << 20;

#[test]
fn ten_thousand_hostile_frames_end_as_tagged() {
    let mut broker = Broker::start("hostile");
    let mut client = Connection::open(&broker.address);
    let world = World {
        topic: "hostile".into(),
        topic_id: client.create_topic("hostile", PARTITIONS, &[]),
        partitions: PARTITIONS,
    };
    client.find_coordinator("hostile");
    let frames = frames(&world, SEED);
    assert!(frames.len() >= 10_000);
    let stream = Stream::start(&broker.address, "beside");
    let before = broker.memory("VmHWM");

    let judge = Judge::new();
    let mut connection = None;
    let mut faults = Vec::new();
    let mut tags: BTreeMap<String, usize> = BTreeMap::new();
    let mut sent: BTreeMap<(ApiKey, i16), usize> = BTreeMap::new();
    for frame in &frames {
        let answer = ask(&broker.address, &mut connection, frame);
        if let Err(fault) = judge.judge(frame, answer.as_deref()) {
            faults.push(fault);
        }
        *tags.entry(format!("{:?}", frame.fate)).or_default() += 1;
        *sent.entry((frame.api, frame.version)).or_default() += 1;
    }

    assert!(broker.alive(), "it ended\n{}", broker.log());
    let grown = broker.memory("VmHWM").saturating_sub(before);
    let beside = stream.stop();
    println!(
        "seed {SEED}: {tags:?}, peak memory grew by {} KiB, beside: {beside:?}",
        grown / 1024
    );
    let shown = &faults[..faults.len().min(FAULTS_SHOWN)];
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        frames.len(),
        shown.join("\n")
    );
    for api in APIS {
        for version in api.decodable.iter() {
            let count = sent.get(&(api.key, version)).copied().unwrap_or(0);
            assert!(count >= SENT_MIN, "{} {version}: {count}", api.name);
        }
    }
    assert!(beside.count >= ROUNDS_MIN, "{beside:?}");
    assert!(grown < GROWN_MAX, "{grown}");
    assert_eq!(
        broker.metrics().known("ottla_unknown_server_errors_total"),
        0.0
    );
}

/// Sends one frame, on the open connection if there is one; the answer, or none when the broker closed.
fn ask(address: &str, kept: &mut Option<Connection>, frame: &HostileFrame) -> Option<Bytes> {
    let mut connection = kept.take().unwrap_or_else(|| Connection::open(address));
    // It may have been closed before the last byte went out.
    let _ = connection.stream.write_all(&frame.bytes);
    if is_unfinished(&frame.bytes) {
        // The broker rightly waits for the rest; let it see that none comes.
        let _ = connection.stream.shutdown(Shutdown::Write);
    }
    let answer = connection.receive_frame().ok();
    if answer.is_some() && frame.fate != Fate::Close {
        *kept = Some(connection);
    }
    answer
}

/// Whether the length in front claims more than there is.
fn is_unfinished(bytes: &[u8]) -> bool {
    let claimed = bytes
        .first_chunk()
        .map(|prefix| i32::from_be_bytes(*prefix));
    claimed.is_none_or(|claimed| claimed > bytes.len() as i32 - 4)
}
