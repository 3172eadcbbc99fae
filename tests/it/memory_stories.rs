//! Requests that are small on the wire and large in memory: what they cost is bounded.

use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use ottla::wire::messages::metadata::MetadataRequest;

const MIB: u64 = 1 << 20;

/// A thousand requests of twenty bytes each, whose answers have ninety thousand: they are not all answered at once.
#[test]
fn a_pipeline_of_large_answers_is_answered_in_turn() {
    const REQUESTS: usize = 1_000;
    let broker = Broker::start("memory_pipeline");
    let mut client = Connection::open(&broker.address);
    for number in 0..4 {
        client.create_topic(&format!("wide-{number}"), 1_000, &[]);
    }
    let before = broker.memory("VmHWM");
    let everything = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    let sent: Vec<i32> = (0..REQUESTS)
        .map(|_| client.send(&everything, 1).expect("sent"))
        .collect();
    for correlation in sent {
        let answer = client.receive::<MetadataRequest>(1, correlation);
        assert_eq!(answer.expect("an answer").topics.len(), 4);
    }
    let grown = broker.memory("VmHWM").saturating_sub(before);
    println!("peak memory grew by {} KiB", grown / 1024);
    assert!(grown < 16 * MIB, "{grown}");
}
