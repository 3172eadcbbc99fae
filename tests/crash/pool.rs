//! What the memory of a shard keeps when it gets short.

use crate::batch::{batch, valid};
use crate::bench::Bench;
use crate::one_log::{EPOCH, OneLog};
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::log_config::LogConfig;
use ottla::storage::runtime::Runtime;
use std::time::Duration;

const QUIET: PartitionId = PartitionId {
    topic: Uuid([8; 16]),
    index: 0,
};

#[test]
fn the_last_block_of_a_quiet_partition_outlives_the_old_bytes_of_a_busy_one() {
    let ended = Bench::new(11).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.store
            .create_partition(QUIET, "quiet", LogConfig::DEFAULT);
        let begin = Note::EpochStart {
            epoch: EPOCH,
            offset: Offset::ZERO,
        };
        log.store.note(QUIET, begin);
        let quiet = |offset| {
            let valid = valid(batch(1, 100));
            let room = log.store.reserve(QUIET, valid.len()).expect("room");
            let stamped = valid.stamp(Offset(offset), EPOCH, None);
            log.store.append(QUIET, room, stamped, true);
        };
        quiet(0);
        // Several times what the memory holds, so that laps write it and the oldest goes.
        for _ in 0..300 {
            log.append(5_000, true).await;
        }
        log.durable().await;
        let before = disk.read_bytes();
        quiet(1);
        log.runtime.sleep(Duration::from_secs(1)).await;
        assert_eq!(disk.read_bytes() - before, 0, "nothing is read back");
    });
    ended.expect("the machine did not halt");
}
