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
    assert!(salvage.begin_segment(Offset(0)));
    assert!(salvage.add(&header(0, 10, 0, 0)));
    assert!(salvage.begin_segment(Offset(10)));
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
    assert!(!two_segments(0).begin_segment(Offset(20)), "a missing file");
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

#[test]
fn the_log_begins_with_the_file_of_its_start() {
    let bases = [Offset(0), Offset(10), Offset(20)];
    for (log_start, first) in [(0, 0), (15, 10), (20, 20), (99, 20)] {
        let salvage = Salvage::new(&damaged(log_start), LeaderEpoch(0));
        assert_eq!(salvage.first_of(&bases), Some(Offset(first)), "{log_start}");
    }
    let salvage = Salvage::new(&damaged(5), LeaderEpoch(0));
    assert_eq!(salvage.first_of(&bases[1..]), Some(Offset(10)));
    assert_eq!(salvage.first_of(&[]), None);
}
