use super::*;
use crate::base::ids::ProducerId;
use crate::log::offline::{Offline, OfflineReason};
use crate::log::testing::{PARTITION, batch_of};

fn damaged(log_start: i64) -> Section {
    Section {
        offline: Some(Offline {
            reason: OfflineReason::SegmentShort,
            position: Offset(log_start),
        }),
        ..Section::new(PARTITION, Offset(log_start))
    }
}

fn header(base: i64, records: i32, epoch: i32, sequence: i32) -> BatchHeader {
    batch_of(base, records, 100, epoch, ProducerId(4), sequence).header
}

/// Segments 0..10 and 10..15.
fn two_segments(log_start: i64) -> Salvage {
    let mut salvage = Salvage::new(&damaged(log_start), LeaderEpoch(7));
    assert!(salvage.begin_segment(named(0, 0)));
    assert!(salvage.add(&header(0, 10, 0, 0)));
    assert!(salvage.begin_segment(named(10, 0)));
    assert!(salvage.add(&header(10, 5, 3, 10)));
    salvage
}

#[test]
fn what_the_files_hold_is_a_log_again() {
    let section = two_segments(0).finish();
    assert_eq!(section.offline, None);
    assert_eq!(section.next_offset, Offset(15));
    let segments: Vec<(Offset, u64)> = section.segments.iter().map(|s| (s.base, s.bytes)).collect();
    assert_eq!(segments, [(Offset(0), 100), (Offset(10), 100)]);
    let epochs: Vec<(i32, i64)> = section
        .epochs
        .entries()
        .iter()
        .map(|entry| (entry.epoch.0, entry.start.0))
        .collect();
    assert_eq!(epochs, [(0, 0), (3, 10)]);
    let producer = section.producers.get(ProducerId(4)).expect("it wrote");
    assert_eq!(producer.batches().len(), 2);
    let mut bytes = Vec::new();
    section.encode(crate::log::section::Stand::AsIs, &mut bytes);
    assert_eq!(Section::decode(&bytes), Some(section));
}

#[test]
fn what_does_not_continue_the_log_ends_it() {
    let cases = [
        ("a gap", header(16, 1, 3, 15)),
        ("a repetition", header(10, 5, 3, 10)),
        ("an epoch that falls", header(15, 1, 2, 15)),
        ("an epoch that never was", header(15, 1, 8, 15)),
    ];
    for (what, header) in cases {
        let mut salvage = two_segments(0);
        assert!(!salvage.add(&header), "{what}");
        assert_eq!(salvage.finish().next_offset, Offset(15), "{what}");
    }
    assert!(
        !two_segments(0).begin_segment(named(20, 0)),
        "a missing file"
    );
}

#[test]
fn what_was_deleted_stays_deleted() {
    let section = two_segments(12).finish();
    assert_eq!(section.log_start, Offset(12));
    assert_eq!(section.segments.len(), 1);
    let section = two_segments(20).finish();
    assert_eq!(
        (section.log_start, section.next_offset),
        (Offset(20), Offset(20))
    );
}

fn named(base: i64, rewrite: u32) -> SegmentName {
    SegmentName {
        base: Offset(base),
        rewrite,
    }
}

#[test]
fn the_log_begins_with_the_file_of_its_start() {
    let names = [named(0, 0), named(10, 0), named(20, 0)];
    for (log_start, first) in [(0, 0), (15, 1), (20, 2), (99, 2)] {
        let salvage = Salvage::new(&damaged(log_start), LeaderEpoch(0));
        assert_eq!(salvage.order(&names), names[first..], "{log_start}");
    }
    let salvage = Salvage::new(&damaged(5), LeaderEpoch(0));
    assert_eq!(salvage.order(&names[1..]), names[1..]);
    assert_eq!(salvage.order(&[]), []);
}

#[test]
fn of_several_files_that_say_the_same_one_is_read() {
    let found = [
        named(0, 0),
        named(0, 1),
        named(10, 0),
        named(20, 0),
        named(30, 0),
    ];
    let unknown = Salvage::new(&damaged(0), LeaderEpoch(0));
    assert_eq!(
        unknown.order(&found)[..2],
        [named(0, 0), named(10, 0)],
        "the one that is known"
    );
    let mut known = damaged(0);
    known.segments = [named(0, 1), named(20, 0)]
        .map(|name| crate::log::segment::Segment {
            rewrite: name.rewrite,
            ..crate::log::segment::Segment::new(name.base)
        })
        .to_vec();
    let salvage = Salvage::new(&known, LeaderEpoch(0));
    let expected = [named(0, 1), named(20, 0), named(30, 0)];
    assert_eq!(
        salvage.order(&found),
        expected,
        "what compaction replaced is not read"
    );
    let without = [named(0, 0), named(10, 0), named(20, 0)];
    assert_eq!(
        salvage.order(&without),
        without,
        "unless it is all there is"
    );
}

#[test]
fn a_compacted_file_may_have_gaps_and_end_early() {
    let mut salvage = Salvage::new(&damaged(0), LeaderEpoch(7));
    assert!(salvage.begin_segment(named(0, 2)));
    assert!(salvage.add(&header(3, 2, 0, 0)));
    assert!(salvage.add(&header(8, 1, 3, 9)));
    assert!(!salvage.add(&header(6, 1, 3, 10)), "offsets rise");
    assert!(salvage.is_stale(named(5, 0)));
    assert!(!salvage.is_stale(named(20, 0)));
    assert!(salvage.begin_segment(named(20, 0)));
    assert!(
        !salvage.add(&header(21, 1, 3, 10)),
        "what was appended is dense"
    );
    assert!(salvage.add(&header(20, 1, 3, 10)));
    let section = salvage.finish();
    assert_eq!(section.next_offset, Offset(21));
    let names: Vec<SegmentName> = section.segments.iter().map(|s| s.name()).collect();
    assert_eq!(names, [named(0, 2), named(20, 0)]);
}
