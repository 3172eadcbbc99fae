//! The commit cycle through the store: from an append to what makes its answer true.

use super::Scale;
use super::executor;
use super::floor::Floor;
use super::harness::directory::Directory;
use super::row::{Row, percentile};
use super::store::Shard;
use std::time::Instant;

const RECORD: (usize, usize) = (1, 100);
const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// Of one batch, and of one batch for each of many partitions: a cycle costs about the same.
pub(crate) fn cycles(scale: Scale) {
    for partitions in [1, 64] {
        let mut rows: Vec<Row> = PERCENTILES
            .iter()
            .map(|(name, _)| {
                Row::new(
                    "commit cycle of one shard, 1 x 100 B to each partition",
                    "us",
                )
                .with("partitions", partitions)
                .with("percentile", *name)
            })
            .collect();
        for _ in 0..scale.rounds {
            let directory = Directory::new("bench_shard_commit");
            let mut alone = Floor::in_directory(directory.path()).writes(4096, scale.cycles);
            alone.sort_by(f64::total_cmp);
            let root = directory.path().join("data");
            let latencies = executor::run(move |runtime| async move {
                let limits = scale.limits;
                let mut shard = Shard::start(&runtime, &root, limits, partitions, RECORD).await;
                let latencies = measure(&mut shard, scale.cycles).await;
                shard.stop().await;
                latencies
            });
            for ((_, part), row) in PERCENTILES.iter().zip(&mut rows) {
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
}

/// Microseconds, sorted.
async fn measure(shard: &mut Shard, cycles: usize) -> Vec<f64> {
    shard.cycle().await;
    let mut latencies = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        let started = Instant::now();
        shard.cycle().await;
        latencies.push(started.elapsed().as_secs_f64() * 1e6);
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}
