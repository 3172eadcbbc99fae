//! Closed segments that compaction has written anew, and what may come between.

use super::*;
use crate::base::time::Timestamp;
use crate::log::segment::{LargestTimestamp, SegmentName};

/// Segments 0, 4 and 8 of 8,000 bytes, the first two finished; the last one is written to.
fn rolled() -> PartitionLog {
    let mut log = log();
    for _ in 0..6 {
        append(&mut log, 4000);
    }
    cycle(&mut log);
    log.capture(1, &mut SnapshotBody::default());
    log.lap_synced();
    log
}

fn change(until: i64) -> ReplaceChange {
    ReplaceChange {
        name: SegmentName {
            base: Offset(0),
            rewrite: 1,
        },
        until: Offset(until),
        compacted: Offset(until),
        bytes: 500,
        first_timestamp: Timestamp(5),
        largest: LargestTimestamp::NONE,
        index: SideFile::default(),
    }
}

fn replace(log: &mut PartitionLog, until: i64) -> bool {
    let segments = log.section().segments.iter();
    let expected: Vec<Segment> = segments
        .filter(|s| s.base < Offset(until))
        .copied()
        .collect();
    log.replace(change(until), &expected)
}

/// With a replacement under way up to the last segment, and a cut noted meanwhile.
fn cut_beside_a_replacement(offset: i64) -> (PartitionLog, Vec<PlannedEntry>) {
    let mut log = rolled();
    assert!(replace(&mut log, 8));
    let entries = plan(&mut log);
    log.note(Note::Truncate {
        offset: Offset(offset),
    });
    (log, entries)
}

fn names(log: &PartitionLog) -> Vec<(i64, u32)> {
    let segments = log.section().segments.iter();
    segments
        .map(|segment| (segment.base.0, segment.rewrite))
        .collect()
}

#[test]
fn a_replacement_goes_through_a_cycle_between_batches() {
    let mut log = rolled();
    append(&mut log, 100);
    assert!(replace(&mut log, 8));
    append(&mut log, 100);
    assert!(!replace(&mut log, 4), "one at a time");
    let committed = cycle(&mut log);
    assert_eq!(committed.replaced, Some(Offset(8)));
    assert_eq!(names(&log), [(0, 1), (8, 0)]);
    assert!(!log.is_replacing());
    // Nobody reads the old bytes by their place any more.
    log.forget_replaced(Offset(8));
    assert_eq!(log.tail().start_offset(), Offset(8));
    let mut snapshot = SnapshotBody::default();
    assert!(
        log.capture(2, &mut snapshot)
            .iter()
            .all(|write| write.segment.base == Offset(8))
    );
}

#[test]
fn what_is_no_longer_as_it_was_read_is_not_replaced() {
    let mut log = rolled();
    let expected: Vec<Segment> = log.section().segments[..2].to_vec();
    assert!(replace(&mut log, 8));
    cycle(&mut log);
    assert!(!log.replace(change(8), &expected), "another was faster");
    let mut log = rolled();
    log.note(Note::LogStart(Offset(5)));
    cycle(&mut log);
    assert!(!log.replace(change(8), &expected), "retention was faster");
    let mut log = rolled();
    log.drop_log();
    assert!(!log.replace(change(8), &expected), "the partition goes");
}

#[test]
fn a_cut_gives_up_a_replacement_that_waits() {
    let mut log = rolled();
    assert!(replace(&mut log, 8));
    log.note(Note::Truncate { offset: Offset(2) });
    assert!(!log.is_replacing());
    let committed = cycle(&mut log);
    assert_eq!(
        (committed.replaced, committed.durable),
        (None, Some(Offset(2)))
    );
    assert_eq!(names(&log), [(0, 0)]);
}

#[test]
fn a_cut_into_segments_that_are_being_replaced_waits_for_its_place() {
    let (mut log, entries) = cut_beside_a_replacement(2);
    assert!(log.waits_for_replacement());
    assert_eq!(
        log.unplaced_cut(),
        None,
        "it is not looked for where it no longer is"
    );
    assert!(!log.is_ready() && log.is_pending());
    commit(&mut log, &entries);
    assert_eq!(log.unplaced_cut(), Some(Offset(2)));
    let at = Position {
        segment: Offset(0),
        byte: 100,
    };
    log.place_cut(at);
    cycle(&mut log);
    assert_eq!(log.section().end(), at);
    assert_eq!(names(&log), [(0, 1)]);
}

#[test]
fn a_drop_that_comes_while_a_cut_waits_for_its_place_goes_behind_it() {
    let (mut log, entries) = cut_beside_a_replacement(2);
    log.drop_log();
    commit(&mut log, &entries);
    log.place_cut(Position {
        segment: Offset(0),
        byte: 100,
    });
    let committed = cycle(&mut log);
    assert!(committed.dropped);
    assert_eq!(log.section().next_offset, Offset(2));
}

#[test]
fn a_cut_behind_them_does_not_wait() {
    let (mut log, entries) = cut_beside_a_replacement(10);
    assert!(!log.waits_for_replacement());
    commit(&mut log, &entries);
    cycle(&mut log);
    assert_eq!(names(&log), [(0, 1), (8, 0)]);
    assert_eq!(log.section().next_offset, Offset(10));
}
