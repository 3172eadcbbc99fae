//! When the index of a segment gets its file.

use crate::bench::Bench;
use crate::one_log::{OneLog, QUIET, ROOT};
use crate::sim::SimDisk;
use ottla::base::offset::Offset;
use ottla::log::Note;
use ottla::log::paths::segment_path;
use ottla::log::segment::{SegmentFileKind, SegmentName};
use std::path::Path;

/// One index entry.
const CHUNK: usize = 5_000;

fn has_file(disk: &SimDisk, kind: SegmentFileKind) -> bool {
    let name = SegmentName {
        base: Offset::ZERO,
        rewrite: 0,
    };
    let path = segment_path(Path::new(ROOT), QUIET, name, kind);
    disk.bytes_of(&path).is_some()
}

#[test]
fn an_index_gets_its_file_with_several_entries_at_once() {
    let ended = Bench::new(12).run(|disk, runtime| async move {
        let log = OneLog::start(disk.clone(), runtime).await;
        log.begin(QUIET, "quiet");
        let end = log.append_to(QUIET, Offset::ZERO, CHUNK, true).await;
        log.let_laps_pass().await;
        assert!(has_file(&disk, SegmentFileKind::Log));
        assert!(!has_file(&disk, SegmentFileKind::Index), "for one");
        log.append_to(QUIET, end, CHUNK, true).await;
        log.let_laps_pass().await;
        assert!(has_file(&disk, SegmentFileKind::Index), "for two");
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
        log.let_laps_pass().await;
        assert!(has_file(&disk, SegmentFileKind::Index));
        let first = Offset(1);
        log.store.note(QUIET, Note::Truncate { offset: first });
        // There is room again when the cut is durable.
        end = log.append_to(QUIET, first, CHUNK, true).await;
        end = log.append_to(QUIET, end, CHUNK, true).await;
        log.let_laps_pass().await;
        assert!(!log.store.stats().failed, "after {end}");
    });
    ended.expect("the machine did not halt");
}
