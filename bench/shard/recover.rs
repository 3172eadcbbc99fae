//! What a start does with the journal of a life that ended without a word.

use super::Scale;
use super::executor;
use super::floor::Floor;
use super::harness::directory::Directory;
use super::row::Row;
use super::store::{Shard, partition, recover};
use ottla::shard::ShardStore;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

const RECORDS: (usize, usize) = (16, 1024);
const PARTITIONS: u32 = 16;

/// From a copy of the directory as it stood with everything durable and nothing said of a stop.
pub(crate) fn after_a_crash(scale: Scale) {
    let mut row = Row::new("recovery of a directory that was not stopped", "ms")
        .with("megabytes", scale.megabytes)
        .with("partitions", PARTITIONS);
    for _ in 0..scale.rounds {
        let directory = Directory::new("bench_shard_recover");
        let (root, crashed) = (
            directory.path().join("data"),
            directory.path().join("crashed"),
        );
        let copy = crashed.clone();
        let replayed = executor::run(move |runtime| async move {
            let limits = scale.limits;
            let mut shard = Shard::start(&runtime, &root, limits, PARTITIONS, RECORDS).await;
            let batches = scale.megabytes * 1_000_000 / shard.batch_bytes();
            for number in 0..batches {
                shard.append(partition(number as u32 % PARTITIONS)).await;
            }
            shard.durable().await;
            copy_tree(shard.root(), &copy);
            // Else the recovery's syncs would write the copy.
            rustix::fs::syncfs(File::open(&copy).expect("just made")).expect("room");
            let dirty = dirty_bytes(&shard.store);
            shard.stop().await;
            dirty
        });
        let took = executor::run(move |runtime| async move {
            let started = Instant::now();
            let recovered = recover(&runtime, &crashed, scale.limits, PARTITIONS).await;
            let took = started.elapsed().as_secs_f64() * 1e3;
            recovered.directory.close().await.expect("closed");
            took
        });
        let bytes = 1 << 20;
        let read = Floor::in_directory(directory.path()).read_rate(scale.megabytes.min(64));
        // What the disk alone needs to read what was replayed.
        row.round_over(took, replayed.max(bytes) as f64 / 1e3 / read);
    }
    row.print();
}

fn dirty_bytes(store: &ShardStore) -> u64 {
    store.stats().dirty_bytes
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("room");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("the tree stands still");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("room");
        }
    }
}
