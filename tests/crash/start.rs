//! What a start reads and writes: as much as was dirty, however much was written before.

use crate::bench::Bench;
use crate::one_log::{OneLog, QUIET, ROOT, recover};
use ottla::base::ids::PartitionId;
use ottla::base::limits::Limits;
use ottla::base::offset::Offset;
use ottla::log::log_config::LogConfig;
use ottla::log::paths::segment_path;
use ottla::log::segment::{SegmentFileKind, SegmentName};
use ottla::storage::runtime::Runtime;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const LONG_BYTES: u64 = 2 << 20;
const RECORD_BYTES: usize = 4_000;
const KIB: u64 = 1 << 10;
/// Snapshots, ledgers, superblock, metadata and an index, whatever the size of the log.
const BESIDE_BYTES: u64 = 256 * KIB;

/// Of one start.
struct Traffic {
    dirty: u64,
    read: u64,
    written: u64,
}

/// Writes so many bytes, goes on until so many or more are dirty, dies, and starts again.
fn start_after(log_bytes: u64, dirty_bytes: u64) -> Traffic {
    let mut bench = Bench::new(7);
    let dirty = bench.run(async move |disk, runtime| {
        let log = OneLog::start(disk, runtime).await;
        loop {
            log.append(RECORD_BYTES, true).await;
            log.durable().await;
            let stats = log.store.stats();
            if stats.segment_bytes >= log_bytes && stats.dirty_bytes >= dirty_bytes {
                return stats.dirty_bytes;
            }
        }
    });
    let (disk, read_before) = (bench.disk.clone(), bench.disk.read_bytes());
    let written = Rc::new(Cell::new(0));
    let seen = written.clone();
    disk.watch_writes(move |_, bytes| seen.set(seen.get() + bytes.len() as u64));
    let recovered = bench.run(async |disk, runtime| drop(recover(&disk, &runtime, false, 1).await));
    recovered.expect("the machine did not halt");
    Traffic {
        dirty: dirty.expect("the machine did not halt"),
        read: disk.read_bytes() - read_before,
        written: written.get(),
    }
}

#[test]
fn a_start_reads_the_journal_and_not_the_log() {
    let limits = Limits::TINY;
    let ring_bytes = (limits.journal_files * limits.journal_file_bytes) as u64;
    let short = start_after(256 * KIB, 64 * KIB);
    let long = start_after(LONG_BYTES, 64 * KIB);
    assert!(
        long.read <= ring_bytes + BESIDE_BYTES,
        "{} bytes read, {ring_bytes} of them may be of the journal",
        long.read
    );
    let (long, short) = (long.read, short.read);
    assert!(
        long <= short + BESIDE_BYTES,
        "{long} bytes read, {short} after less"
    );
    assert!(
        short >= limits.journal_file_bytes as u64,
        "the journal was read"
    );
}

#[test]
fn a_start_writes_what_was_dirty_and_not_the_log() {
    for dirty_bytes in [0, 48 * KIB] {
        let start = start_after(LONG_BYTES, dirty_bytes);
        assert!(
            start.written >= start.dirty,
            "what was dirty is in segments"
        );
        let (written, dirty) = (start.written, start.dirty);
        assert!(
            written <= dirty + BESIDE_BYTES,
            "{written} bytes written, {dirty} were dirty"
        );
    }
}

#[test]
fn many_new_partitions_have_their_files_before_anybody_writes_to_them() {
    let mut bench = Bench::new(7);
    let began = bench.run(async move |disk, runtime| {
        let log = OneLog::start(disk.clone(), runtime).await;
        // Nothing else goes on that would make a lap.
        log.runtime.sleep(Duration::from_secs(1)).await;
        let new = |index| PartitionId { index, ..QUIET };
        let count = 3 * Limits::TINY.files_ahead_max as u32;
        for index in 0..count {
            let config = LogConfig::DEFAULT;
            log.store.create_partition(new(index), "quotes", config);
        }
        log.runtime.sleep(Duration::from_secs(1)).await;
        let has_file = |index: &u32| {
            let name = SegmentName::appended(Offset::ZERO);
            let path = segment_path(Path::new(ROOT), new(*index), name, SegmentFileKind::Log);
            disk.files().contains(&path)
        };
        let made = (0..count).filter(has_file).count();
        let lacking = count as usize - made;
        assert!(
            lacking < Limits::TINY.files_ahead_min,
            "{lacking} of {count}"
        );
        log.append_to(new(0), Offset::ZERO, RECORD_BYTES, true)
            .await;
        log.let_laps_pass().await;
    });
    began.expect("the machine did not halt");
    let recovered = bench.run(async |disk, runtime| drop(recover(&disk, &runtime, false, 1).await));
    recovered.expect("the machine did not halt");
}
