//! What was acknowledged is there after any end of the process.

use crate::harness::batches::{self, Record, Stored};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::EARLIEST;
use crate::harness::operator::TOPIC;
use crate::harness::wait::wait_until;

fn fill(client: &mut Connection, topic: &str, partitions: i32, batches: usize, bytes: usize) {
    for number in 0..batches {
        for partition in 0..partitions {
            let value = format!("{partition}/{number}/{}", "x".repeat(bytes));
            client.produce(topic, partition, batches::batch(&[Record::value(value)]));
        }
    }
}

fn everything(client: &mut Connection, topic: &str, partitions: i32) -> Vec<Vec<Stored>> {
    (0..partitions)
        .map(|partition| client.read_all(topic, partition))
        .collect()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill() {
    let mut broker = Broker::start("durable_kill");
    let mut client = Connection::open(&broker.address);
    client.create_topic("kept", 6, &[]);
    for life in 0..4 {
        fill(&mut client, "kept", 6, 20, 500);
        let before = everything(&mut client, "kept", 6);
        broker.kill();
        broker.restart();
        client = Connection::open(&broker.address);
        assert_eq!(everything(&mut client, "kept", 6), before, "life {life}");
    }
}

/// Partitions live on shards by a rule over their number; another number moves them, not their records.
#[test]
fn the_number_of_shards_may_change() {
    let mut broker = Broker::start("durable_shards");
    let mut client = Connection::open(&broker.address);
    client.create_topic("moved", 8, &[]);
    for shards in [1, 3, 2] {
        fill(&mut client, "moved", 8, 5, 100);
        let before = everything(&mut client, "moved", 8);
        broker.kill();
        broker.restart_with(|mut start| {
            start.shards = shards;
            start
        });
        assert!(
            broker.ready_line.contains(&format!("{shards} shards")) || shards == 1,
            "{}",
            broker.ready_line
        );
        client = Connection::open(&broker.address);
        assert_eq!(
            everything(&mut client, "moved", 8),
            before,
            "{shards} shards"
        );
    }
}

#[test]
fn segments_roll_and_old_ones_go_by_size() {
    let mut broker = Broker::start_with("durable_roll", |start| {
        start.set("kafka.log.retention.check.interval.ms", "100")
    });
    let mut client = Connection::open(&broker.address);
    let configs = [
        ("segment.bytes", "1048576"),
        ("max.message.bytes", "200000"),
        // These records are of 1970.
        ("retention.ms", "-1"),
    ];
    client.create_topic("rolling", 1, &configs);
    fill(&mut client, "rolling", 1, 60, 100_000);
    let before = everything(&mut client, "rolling", 1);
    assert_eq!(before[0].len(), 60);
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(everything(&mut client, "rolling", 1), before);
    client.set_config(TOPIC, "rolling", "retention.bytes", "2000000");
    wait_until("retention by size", || {
        client.offset("rolling", 0, EARLIEST) > 30
    });
    let kept = client.read_all("rolling", 0);
    assert_eq!(kept, before[0][60 - kept.len()..]);
    let start = client.offset("rolling", 0, EARLIEST);
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert!(
        client.offset("rolling", 0, EARLIEST) >= start,
        "what retention took stays gone"
    );
}
