//! The commit cycle: one small request at a time, against one small flushed write at a time.

use super::Scale;
use super::floor::Floor;
use super::harness::broker::Broker;
use super::harness::client::Connection;
use super::load::{Load, Payload};
use super::row::{Row, percentile};

pub(crate) fn cycle(scale: Scale) {
    let broker = Broker::start("bench_commit");
    Connection::open(&broker.address).create_topic("commit", 1, &[]);
    let mut floor = Floor::in_directory(broker.data().parent().expect("below the test's"));
    let parts = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    let mut rows: Vec<Row> = parts
        .iter()
        .map(|(name, _)| {
            Row::new("commit cycle: 1 connection, 1 in flight, 1 x 100 B", "us")
                .with("percentile", *name)
        })
        .collect();
    for _ in 0..scale.rounds {
        let mut alone = floor.writes(4096, scale.requests);
        alone.sort_by(f64::total_cmp);
        let load = Load {
            address: &broker.address,
            topic: "commit",
            partitions: 1,
            payload: Payload::ALL[0],
            connections: 1,
            in_flight: 1,
            requests: scale.requests,
        };
        let latencies = load.run().latencies;
        for ((_, part), row) in parts.iter().zip(&mut rows) {
            if let (Some(value), Some(floor)) =
                (percentile(&latencies, *part), percentile(&alone, *part))
            {
                row.round_over(value, floor);
            }
        }
    }
    rows.into_iter()
        .filter(Row::has_rounds)
        .for_each(Row::print);
}
