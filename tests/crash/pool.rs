//! What the memory of a shard keeps when it gets short.

use crate::bench::Bench;
use crate::one_log::{OneLog, QUIET};
use ottla::base::offset::Offset;
use ottla::storage::runtime::Runtime;
use std::time::Duration;

#[test]
fn the_last_block_of_a_quiet_partition_outlives_the_old_bytes_of_a_busy_one() {
    let ended = Bench::new(11).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.begin(QUIET, "quiet");
        let end = log.append_to(QUIET, Offset::ZERO, 100, true).await;
        log.let_laps_pass().await;
        let before = disk.read_bytes();
        log.append_to(QUIET, end, 100, true).await;
        log.runtime.sleep(Duration::from_secs(1)).await;
        assert_eq!(disk.read_bytes() - before, 0, "nothing is read back");
    });
    ended.expect("the machine did not halt");
}

#[test]
fn what_came_last_stays_in_memory_whichever_partition_it_is_of() {
    let ended = Bench::new(11).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.begin(QUIET, "recent");
        log.let_laps_pass().await;
        let mut end = Offset::ZERO;
        for _ in 0..30 {
            end = log.append_to(QUIET, end, 4_000, true).await;
            // Time for laps, so that nothing has to stay.
            log.runtime.sleep(Duration::from_millis(10)).await;
        }
        let before = disk.read_bytes();
        let read = log.store.read(QUIET, Offset::ZERO, end, usize::MAX, true);
        let read = read.await.expect("the partition is here");
        let bytes: usize = read.pieces.iter().map(|piece| piece.len()).sum();
        assert!(bytes > 30 * 4_000, "{bytes}");
        assert_eq!(disk.read_bytes(), before, "all of it was in memory");
    });
    ended.expect("the machine did not halt");
}
