use super::*;
use crate::base::ids::ProducerId;
use crate::base::time::Timestamp;
use crate::log::segment::SegmentName;
use crate::log::testing::{PARTITION, batch_of};
use crate::record::StampedBatch;

fn data(section: &Section, batches: &[StampedBatch]) -> Change {
    Change::Data(DataChange {
        at: section.end(),
        bytes: batches.iter().map(|batch| batch.len() as u64).sum(),
        batches: batches.iter().map(|batch| batch.header).collect(),
    })
}

fn apply(section: &mut Section, change: Change) {
    section.apply(section.entry_number + 1, &change).unwrap();
}

fn append(section: &mut Section, batch: StampedBatch) {
    let change = data(section, &[batch]);
    apply(section, change);
}

fn roll(section: &mut Section) {
    let (active, base) = (*section.active(), section.next_offset);
    apply(
        section,
        Change::Roll {
            closed: active.base,
            bytes: active.bytes,
            base,
        },
    );
}

/// Three segments: 0..10 (200 bytes), 10..30 (150), 30..31 (100).
fn story() -> Section {
    let mut section = Section::new(PARTITION, Offset(0));
    apply(
        &mut section,
        Change::EpochStart {
            epoch: LeaderEpoch(0),
            offset: Offset(0),
        },
    );
    append(&mut section, batch_of(0, 5, 100, 0, ProducerId(4), 0));
    append(&mut section, batch_of(5, 5, 100, 0, ProducerId(4), 5));
    roll(&mut section);
    apply(
        &mut section,
        Change::EpochStart {
            epoch: LeaderEpoch(2),
            offset: Offset(10),
        },
    );
    append(&mut section, batch_of(10, 20, 150, 2, ProducerId(4), 10));
    roll(&mut section);
    append(&mut section, batch_of(30, 1, 100, 2, ProducerId(5), 0));
    section
}

fn shape(section: &Section) -> Vec<(i64, u64)> {
    section
        .segments
        .iter()
        .map(|segment| (segment.base.0, segment.bytes))
        .collect()
}

#[test]
fn a_section_reads_back_and_its_captured_form_claims_its_end() {
    let mut section = story();
    section.offline = Some(Offline {
        reason: OfflineReason::SegmentShort,
        position: Offset(3),
    });
    let mut bytes = Vec::new();
    section.encode(Stand::AsIs, &mut bytes);
    assert_eq!(Section::decode(&bytes), Some(section.clone()));
    for len in 0..bytes.len() {
        assert_eq!(Section::decode(&bytes[..len]), None, "{len}");
    }

    let mut captured = Vec::new();
    section.encode(Stand::Captured(77), &mut captured);
    let captured = Section::decode(&captured).unwrap();
    assert_eq!(captured.sequence, 77);
    assert_eq!(captured.synced, section.end());
    let finished: Vec<bool> = captured
        .segments
        .iter()
        .map(|segment| segment.finished)
        .collect();
    assert_eq!(finished, [true, true, false]);
}

#[test]
fn a_cut_reopens_the_segment_it_falls_into() {
    let mut section = story();
    let at = Position {
        segment: Offset(0),
        byte: 100,
    };
    apply(&mut section, Change::Truncate { end: Offset(5), at });
    assert_eq!(shape(&section), [(0, 100)]);
    assert_eq!(section.next_offset, Offset(5));
    assert_eq!(section.epochs.last().unwrap().epoch, LeaderEpoch(0));
    assert_eq!(section.largest().timestamp, Timestamp(55));
    assert_eq!(
        section.largest().batch,
        None,
        "that batch is gone, so the time is a bound only"
    );
    let producer = section.producers.get(ProducerId(4)).unwrap();
    assert_eq!(producer.batches().count(), 1);
    assert!(section.producers.get(ProducerId(5)).is_none());
    append(&mut section, batch_of(5, 1, 80, 3, ProducerId::NONE, -1));
}

#[test]
fn the_log_start_takes_whole_segments_with_it() {
    for (offset, segments) in [
        (9, vec![(0, 200), (10, 150), (30, 100)]),
        (10, vec![(10, 150), (30, 100)]),
        (29, vec![(10, 150), (30, 100)]),
        (31, vec![(30, 100)]),
    ] {
        let mut section = story();
        apply(&mut section, Change::LogStart(Offset(offset)));
        assert_eq!(shape(&section), segments, "log start {offset}");
        assert_eq!(section.log_start, Offset(offset));
    }
    let mut section = story();
    apply(&mut section, Change::LogStart(Offset(20)));
    apply(&mut section, Change::LogStart(Offset(15)));
    assert_eq!(section.log_start, Offset(20), "it never falls");
}

/// Data at the end of the story, but for what the case changes.
fn wrong_data(end: Position) -> Vec<Change> {
    let of = |base, epoch| vec![batch_of(base, 1, 100, epoch, ProducerId::NONE, -1).header];
    let gap = Position {
        byte: end.byte + 1,
        ..end
    };
    [
        (gap, 100, of(31, 2)),
        (end, 100, of(32, 2)),
        (end, 100, of(31, 0)),
        (end, 99, of(31, 2)),
        (end, 0, Vec::new()),
    ]
    .into_iter()
    .map(|(at, bytes, batches)| Change::Data(DataChange { at, bytes, batches }))
    .collect()
}

fn wrong_places(end: Position) -> Vec<Change> {
    let at = |segment, byte| Position {
        segment: Offset(segment),
        byte,
    };
    let index = SideFile::default();
    let epoch = |epoch, offset| Change::EpochStart {
        epoch: LeaderEpoch(epoch),
        offset: Offset(offset),
    };
    let cut = |end, at| Change::Truncate {
        end: Offset(end),
        at,
    };
    let roll = |closed, bytes| Change::Roll {
        closed: Offset(closed),
        bytes,
        base: Offset(31),
    };
    let seal = |base, bytes| Change::Sealed {
        base: Offset(base),
        bytes,
        index,
    };
    vec![
        epoch(2, 31),
        epoch(3, 32),
        cut(32, end),
        cut(31, at(12, 0)),
        cut(10, at(0, 201)),
        Change::LogStart(Offset(32)),
        roll(30, 99),
        roll(10, 150),
        seal(30, 100),
        seal(10, 149),
        replaced(0, 31, 1),
        replaced(0, 20, 1),
        replaced(5, 30, 1),
        replaced(10, 10, 1),
        replaced(30, 31, 1),
    ]
}

#[test]
fn a_change_that_does_not_follow_is_refused_and_changes_nothing() {
    let section = story();
    let cases = [wrong_data(section.end()), wrong_places(section.end())].concat();
    for change in cases {
        let mut tried = section.clone();
        assert!(
            tried.apply(section.entry_number + 1, &change).is_err(),
            "{change:?}"
        );
        assert_eq!(tried, section, "{change:?}");
    }
    let mut tried = section.clone();
    let number = Contradiction::Number {
        expected: section.entry_number + 1,
        found: section.entry_number,
    };
    assert_eq!(
        tried.apply(section.entry_number, &Change::Drop),
        Err(number)
    );
}

#[test]
fn a_reset_starts_empty_and_keeps_the_promise() {
    let mut section = story();
    apply(&mut section, Change::Promise(LeaderEpoch(9)));
    apply(&mut section, Change::Promise(LeaderEpoch(5)));
    apply(
        &mut section,
        Change::Reset {
            epoch: LeaderEpoch(9),
            offset: Offset(500),
            replica: 2,
        },
    );
    assert_eq!(shape(&section), [(500, 0)]);
    assert_eq!(
        (section.log_start, section.next_offset),
        (Offset(500), Offset(500))
    );
    assert_eq!((section.promise, section.replica), (LeaderEpoch(9), 2));
    assert_eq!(section.entry_number, 11);
}

#[test]
fn a_segment_that_retention_took_may_still_be_sealed() {
    let mut section = story();
    apply(&mut section, Change::LogStart(Offset(12)));
    let index = SideFile { bytes: 64, crc: 1 };
    apply(
        &mut section,
        Change::Sealed {
            base: Offset(0),
            bytes: 200,
            index,
        },
    );
    apply(
        &mut section,
        Change::Sealed {
            base: Offset(10),
            bytes: 150,
            index,
        },
    );
    assert_eq!(section.segments[0].index, Some(index));
}

fn replaced(base: i64, until: i64, rewrite: u32) -> Change {
    Change::Replace(ReplaceChange {
        name: SegmentName {
            base: Offset(base),
            rewrite,
        },
        until: Offset(until),
        compacted: Offset(until - 1),
        bytes: 70,
        first_timestamp: Timestamp(5),
        largest: LargestTimestamp {
            timestamp: Timestamp(9),
            batch: Some(Offset(base + 1)),
        },
        index: SideFile { bytes: 64, crc: 1 },
    })
}

#[test]
fn closed_segments_become_one_and_the_rest_stays() {
    let mut section = story();
    apply(&mut section, replaced(0, 30, 1));
    assert_eq!(shape(&section), [(0, 70), (30, 100)]);
    let segment = section.segments[0];
    assert!(segment.finished && segment.name().is_rewritten());
    assert_eq!(segment.largest.batch, Some(Offset(1)));
    assert_eq!(section.compacted, Offset(29));
    let behind = Position {
        segment: Offset(30),
        byte: 0,
    };
    assert_eq!(section.synced, behind, "what is read from a file is synced");
    assert_eq!(
        (section.log_start, section.next_offset),
        (Offset(0), Offset(31))
    );
    let mut bytes = Vec::new();
    section.encode(Stand::AsIs, &mut bytes);
    assert_eq!(Section::decode(&bytes), Some(section.clone()));
    for len in 0..bytes.len() {
        assert_eq!(Section::decode(&bytes[..len]), None, "{len}");
    }
    // The seal of a segment that compaction took, and of one that it wrote anew, comes too late.
    for base in [0, 10] {
        let index = SideFile { bytes: 96, crc: 7 };
        let (base, bytes) = (Offset(base), 150);
        apply(&mut section, Change::Sealed { base, bytes, index });
    }
    assert_eq!(section.segments[0].index, segment.index);
    append(&mut section, batch_of(31, 1, 80, 3, ProducerId::NONE, -1));
}

#[test]
fn retention_may_be_faster_than_compaction() {
    let mut section = story();
    apply(&mut section, Change::LogStart(Offset(12)));
    apply(&mut section, replaced(0, 30, 1));
    assert_eq!(
        shape(&section),
        [(0, 70), (30, 100)],
        "the first that went is in it too"
    );
    assert_eq!(section.log_start, Offset(12));
    let mut section = story();
    apply(&mut section, Change::LogStart(Offset(30)));
    let before = section.clone();
    apply(&mut section, replaced(0, 30, 1));
    assert_eq!(
        shape(&section),
        shape(&before),
        "nothing was left to replace"
    );
}

#[test]
fn a_cut_into_a_rewritten_segment_goes_on_in_its_file() {
    for (end, byte) in [(2, 40), (0, 0)] {
        let mut section = story();
        apply(&mut section, replaced(0, 10, 4));
        let at = Position {
            segment: Offset(0),
            byte,
        };
        let end = Offset(end);
        apply(&mut section, Change::Truncate { end, at });
        assert_eq!(section.active().name().rewrite, 4);
        assert_eq!(section.compacted, end);
        assert!(!section.active().finished);
    }
}
