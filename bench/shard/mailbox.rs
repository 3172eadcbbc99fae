//! The way to another shard and back, with a question that costs nothing there.

use super::Scale;
use super::executor;
use super::harness::directory::Directory;
use super::row::{Row, percentile};
use super::store::open_settings;
use ottla::base::ids::{ShardId, Ticket};
use ottla::config::{Entry, Settings, Sources};
use ottla::control::controller::{Controller, Start};
use ottla::shard::clock::Clock;
use ottla::shard::request::{Request, Response};
use ottla::shard::runtime::ShardRuntime;
use ottla::shard::{Mesh, RecoveredShards, Seed, ShardHandle, routing};
use ottla::storage::dma::DmaDisk;
use ottla::storage::open::lock_directory;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

const SHARDS: u16 = 2;
const IN_FLIGHT: [usize; 2] = [1, 64];
const TARGET: ShardId = ShardId(1);
/// Nobody waits under it.
const NOBODY: Ticket = Ticket(0);

pub(crate) fn round_trips(scale: Scale) {
    let mut rows = IN_FLIGHT.map(|in_flight| {
        Row::of_code("request to another shard and back", "us").with("in_flight", in_flight)
    });
    for _ in 0..scale.rounds {
        let medians = round(scale);
        for (row, median) in rows.iter_mut().zip(medians) {
            row.round(median);
        }
    }
    rows.into_iter().for_each(Row::print);
}

/// Microseconds of the median trip, for each number of them in flight.
fn round(scale: Scale) -> [f64; IN_FLIGHT.len()] {
    let directory = Directory::new("bench_shard_mailbox");
    let root = directory.path().join("data");
    let clock = Clock::start();
    let (seeds, seed) = flume::bounded::<Seed>(1);
    let (ends, end) = flume::bounded::<()>(1);
    // The executor that is made first is shard 0.
    let asking = executor::start(0, clock, move |runtime| async move {
        let first = grow(&runtime, &root, scale).await;
        seeds
            .send_async(first.clone())
            .await
            .expect("the other shard");
        let handle = ShardHandle::start(runtime, DmaDisk::new(), first).await;
        let handle = handle.expect("a shard");
        let mut medians = [0.0; IN_FLIGHT.len()];
        for (median, in_flight) in medians.iter_mut().zip(IN_FLIGHT) {
            *median = ask(&handle, in_flight, scale.trips).await;
        }
        handle.stop().await.expect("stopped");
        ends.send_async(()).await.expect("the other shard");
        medians
    });
    let other = available_parallelism().map_or(0, |cpus| 1 % cpus.get());
    let answering = executor::start(other, clock, move |runtime| async move {
        let seed = seed.recv_async().await.expect("shard 0");
        let handle = ShardHandle::start(runtime, DmaDisk::new(), seed).await;
        let handle = handle.expect("a shard");
        end.recv_async().await.expect("shard 0");
        handle.stop().await.expect("stopped");
    });
    let medians = asking.join().expect("no panic");
    answering.join().expect("no panic");
    medians
}

/// A fresh directory of two shards, without a topic.
async fn grow(runtime: &ShardRuntime, root: &Path, scale: Scale) -> Seed {
    let data = format!("node.data_dir={}", root.display());
    let settings = Settings::load(Sources {
        arguments: vec![Entry::set(&data).expect("a setting")],
        ..Sources::default()
    });
    let settings = Settings {
        limits: scale.limits,
        ..settings.expect("valid settings")
    };
    let open = open_settings(root, scale.limits);
    let locked = lock_directory(DmaDisk::new(), runtime.clone(), &open);
    let locked = locked.await.expect("a fresh directory");
    let start = Start {
        cluster_id: locked.identity().cluster_id,
        node_id: open.node_id,
        fixed: settings.fixed().into(),
        rules: settings.topic_rules(),
    };
    let controller = Controller::recover(start, None, Vec::new()).expect("nothing to read");
    let known = Default::default();
    let recovered = locked.recover(&known, SHARDS, routing::owner).await;
    Seed {
        mesh: Mesh::new(SHARDS),
        settings: Arc::new(settings),
        image: controller.image().clone(),
        recovered: RecoveredShards::new(recovered.expect("a fresh directory").shards),
    }
}

async fn ask(handle: &ShardHandle, in_flight: usize, trips: usize) -> f64 {
    let mut latencies = Vec::with_capacity(trips);
    for _ in 0..trips.div_ceil(in_flight) {
        let started = Instant::now();
        let send = |_| handle.send(TARGET, Request::Cancel(NOBODY));
        let answers: Vec<_> = (0..in_flight).map(send).collect();
        for answer in answers {
            assert!(matches!(answer.await, Response::Done));
            latencies.push(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    latencies.sort_by(f64::total_cmp);
    percentile(&latencies, 0.5).expect("a median")
}
