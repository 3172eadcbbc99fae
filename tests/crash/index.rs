//! When the index of a segment gets its file.

use crate::bench::Bench;
use crate::one_log::{OneLog, ROOT};
use crate::sim::SimDisk;
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::paths::segment_path;
use ottla::log::segment::{SegmentFileKind, SegmentName};
use ottla::storage::disk::{Disk, DiskError, OpenMode};
use std::path::Path;

const QUIET: PartitionId = PartitionId {
    topic: Uuid([8; 16]),
    index: 0,
};
/// One index entry.
const CHUNK: usize = 5_000;

/// Whether the file is there.
async fn has_file(disk: &SimDisk, kind: SegmentFileKind) -> bool {
    let name = SegmentName {
        base: Offset::ZERO,
        rewrite: 0,
    };
    let path = segment_path(Path::new(ROOT), QUIET, name, kind);
    match disk.open(&path, OpenMode::Read).await {
        Ok(_) => true,
        Err(DiskError::NotFound { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// Several times what the memory holds, so that laps write what came before.
async fn let_laps_pass(log: &OneLog) {
    for _ in 0..300 {
        log.append(CHUNK, true).await;
    }
    log.durable().await;
}

#[test]
fn an_index_gets_its_file_with_several_entries_at_once() {
    let ended = Bench::new(12).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.begin(QUIET, "quiet");
        let end = log.append_to(QUIET, Offset::ZERO, CHUNK, true).await;
        let_laps_pass(&log).await;
        assert!(has_file(&disk, SegmentFileKind::Log).await);
        assert!(!has_file(&disk, SegmentFileKind::Index).await, "for one");
        log.append_to(QUIET, end, CHUNK, true).await;
        let_laps_pass(&log).await;
        assert!(has_file(&disk, SegmentFileKind::Index).await, "for two");
    });
    ended.expect("the machine did not halt");
}

#[test]
fn a_log_that_was_cut_goes_on_although_its_index_was_open() {
    let ended = Bench::new(13).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.begin(QUIET, "quiet");
        let mut end = Offset::ZERO;
        for _ in 0..4 {
            end = log.append_to(QUIET, end, CHUNK, true).await;
        }
        let_laps_pass(&log).await;
        assert!(has_file(&disk, SegmentFileKind::Index).await);
        let first = Offset(1);
        log.store.note(QUIET, Note::Truncate { offset: first });
        // There is room again when the cut is durable.
        end = log.append_to(QUIET, first, CHUNK, true).await;
        end = log.append_to(QUIET, end, CHUNK, true).await;
        let_laps_pass(&log).await;
        assert!(!log.store.stats().failed, "after {end}");
    });
    ended.expect("the machine did not halt");
}
