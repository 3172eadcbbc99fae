//! The read path of the store: the tail's memory, and segments on the disk.

use super::Scale;
use super::executor;
use super::floor::Floor;
use super::harness::directory::Directory;
use super::row::Row;
use super::store::{Shard, partition};
use ottla::base::offset::Offset;
use std::time::Instant;

const RECORDS: (usize, usize) = (16, 1024);
const READ_BYTES_MAX: usize = 1 << 20;
/// Batches that the tail holds for certain.
const RECENT: i64 = 8;

pub(crate) fn tail_and_segments(scale: Scale) {
    let row = |question: &str, unit: &str| Row::new(question, unit).with("payload", "16 x 1 KiB");
    let mut tail = row("read of the last 8 batches, from the tail", "ns");
    let mut segments = row("read from the start, from segments, 1 MiB each", "MB/s");
    for _ in 0..scale.rounds {
        let directory = Directory::new("bench_shard_read");
        let root = directory.path().join("data");
        let (recent, cold) = executor::run(move |runtime| async move {
            let mut shard = Shard::start(&runtime, &root, scale.limits, 1, RECORDS).await;
            let batches = scale.megabytes * 1_000_000 / shard.batch_bytes();
            for _ in 0..batches {
                shard.append(partition(0)).await;
            }
            shard.durable().await;
            let recent = recent(&shard, scale.trips).await;
            let cold = cold(&shard).await;
            shard.stop().await;
            (recent, cold)
        });
        tail.round(recent);
        let mut floor = Floor::in_directory(directory.path());
        segments.round_over(cold, floor.read_rate(scale.megabytes.min(64)));
    }
    tail.print();
    segments.print();
}

/// Nanoseconds of one read.
async fn recent(shard: &Shard, reads: usize) -> f64 {
    let end = shard.end(partition(0));
    let from = Offset(end.0 - RECENT * RECORDS.0 as i64);
    let started = Instant::now();
    for _ in 0..reads {
        let read = shard
            .store
            .read(partition(0), from, end, READ_BYTES_MAX, true);
        let read = read.await.expect("it is there");
        assert_eq!(read.bytes, RECENT as usize * shard.batch_bytes());
    }
    started.elapsed().as_nanos() as f64 / reads as f64
}

/// Megabytes per second of what lies before the tail.
async fn cold(shard: &Shard) -> f64 {
    let end = shard.end(partition(0));
    let (mut next, mut bytes) = (Offset::ZERO, 0);
    let started = Instant::now();
    while next < end {
        let read = shard
            .store
            .read(partition(0), next, end, READ_BYTES_MAX, true);
        let read = read.await.expect("it is there");
        bytes += read.bytes;
        let batches = read.bytes / shard.batch_bytes();
        next = next.plus((batches * RECORDS.0) as i64);
    }
    let rate = bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
    let cold = shard.store.stats().cold_read_bytes;
    assert!(
        cold > bytes as u64 / 4,
        "{cold} of {bytes} bytes came from the disk"
    );
    rate
}
