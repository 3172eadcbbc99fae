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
