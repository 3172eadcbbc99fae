use super::*;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::ProducerId;
use crate::log::index::IndexEntry;
use crate::log::testing::{PARTITION, batch, batch_of};

mod replacement;
mod world;

fn log() -> PartitionLog {
    let config = LogConfig {
        segment_bytes: 10_000,
        ..LogConfig::DEFAULT
    };
    PartitionLog::new(Section::new(PARTITION, Offset(0)), config)
}

fn append(log: &mut PartitionLog, bytes: usize) {
    let batch = batch(log.tail().next_offset().0, 2, bytes);
    log.append(&batch);
}

fn plan(log: &mut PartitionLog) -> Vec<PlannedEntry> {
    let mut entries = Vec::new();
    log.plan(usize::MAX, true, &mut entries);
    entries
}

fn commit(log: &mut PartitionLog, entries: &[PlannedEntry]) -> Committed {
    let mut committed = Committed::default();
    for entry in entries {
        log.commit(entry.number, &entry.change, &mut committed);
    }
    committed
}

fn cycle(log: &mut PartitionLog) -> Committed {
    let entries = plan(log);
    commit(log, &entries)
}

fn lead_ins(entries: &[PlannedEntry]) -> Vec<u32> {
    let data = entries
        .iter()
        .filter(|entry| matches!(entry.change, Change::Data(_)));
    data.map(|entry| entry.lead_in).collect()
}

#[test]
fn data_repeats_its_block_at_the_start_after_a_capture_and_after_a_cut() {
    let mut log = log();
    append(&mut log, 300);
    assert_eq!(lead_ins(&plan(&mut log)), [0], "the first begins the file");
    let mut log = self::log();
    append(&mut log, 300);
    cycle(&mut log);
    append(&mut log, 300);
    let entries = plan(&mut log);
    assert_eq!(
        lead_ins(&entries),
        [0],
        "it continues data of the live journal"
    );
    commit(&mut log, &entries);
    log.capture(2, &mut SnapshotBody::default());
    append(&mut log, 300);
    let entries = plan(&mut log);
    assert_eq!(
        lead_ins(&entries),
        [600],
        "what the lap flushes is freed with the journal before"
    );
    commit(&mut log, &entries);
    log.note(Note::Truncate { offset: Offset(4) });
    assert!(!log.can_append());
    assert!(!log.can_capture());
    cycle(&mut log);
    append(&mut log, 300);
    assert_eq!(
        lead_ins(&plan(&mut log)),
        [600],
        "the cut voided what it would continue"
    );
}

#[test]
fn a_batch_that_does_not_fit_begins_a_segment() {
    let mut log = log();
    for _ in 0..3 {
        append(&mut log, 4000);
    }
    let entries = plan(&mut log);
    let kinds: Vec<&Change> = entries.iter().map(|entry| &entry.change).collect();
    assert!(matches!(
        kinds[..],
        [
            Change::Data(DataChange { bytes: 8000, .. }),
            Change::Roll {
                closed: Offset(0),
                bytes: 8000,
                base: Offset(4)
            },
            Change::Data(DataChange { bytes: 4000, .. }),
        ]
    ));
    assert_eq!(
        entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(commit(&mut log, &entries).durable, Some(Offset(6)));
}

#[test]
fn a_plan_takes_whole_batches_up_to_its_budget() {
    let mut log = log();
    for _ in 0..4 {
        append(&mut log, 1000);
    }
    let mut entries = Vec::new();
    let first = 1000 + DATA_OVERHEAD_BYTES + BLOCK;
    assert_eq!(log.plan(first - 1, false, &mut entries), 0);
    assert!(entries.is_empty());
    assert_eq!(log.plan(first + 1999, false, &mut entries), first + 1000);
    assert!(matches!(&entries[0].change, Change::Data(data) if data.batches.len() == 2));
    log.plan(1, true, &mut entries);
    assert!(matches!(&entries[1].change, Change::Data(data) if data.batches.len() == 1));
    assert!(log.is_ready());
}

#[test]
fn a_lap_claims_what_it_captured_and_no_more_than_a_cut_left() {
    let mut log = log();
    append(&mut log, 5000);
    append(&mut log, 3000);
    cycle(&mut log);
    append(&mut log, 100);
    let writes = log.capture(1, &mut SnapshotBody::default());
    assert_eq!(writes.len(), 1);
    assert_eq!(
        (writes[0].start, writes[0].synced, writes[0].finish),
        (0, 0, false)
    );
    assert_eq!(
        writes[0].slices.iter().map(Bytes::len).sum::<usize>(),
        8000,
        "not what is pending"
    );
    cycle(&mut log);
    log.note(Note::Truncate { offset: Offset(2) });
    cycle(&mut log);
    log.lap_synced();
    assert_eq!(log.section().synced.byte, 5000);
    assert!(!log.is_dirty());
}

#[test]
fn a_lap_finishes_a_closed_segment_once() {
    let mut log = log();
    for _ in 0..3 {
        append(&mut log, 4000);
    }
    cycle(&mut log);
    let writes = log.capture(1, &mut SnapshotBody::default());
    let shape = |writes: &[SegmentWrite]| -> Vec<(i64, u64, bool)> {
        writes
            .iter()
            .map(|write| (write.segment.base.0, write.start, write.finish))
            .collect()
    };
    assert_eq!(shape(&writes), [(0, 0, true), (4, 0, false)]);
    log.lap_synced();
    assert!(log.capture(1, &mut SnapshotBody::default()).is_empty());
    log.lap_synced();
    log.seal(Offset(0), 8000, SideFile { bytes: 64, crc: 1 });
    cycle(&mut log);
    assert!(log.section().segments[0].index.is_some());
}

#[test]
fn a_snapshot_knows_no_producer_of_what_is_not_durable() {
    let mut log = log();
    let producer = ProducerId(4);
    log.append(&batch_of(0, 5, 100, 0, producer, 0));
    let entries = plan(&mut log);
    assert!(log.section().producers.get(producer).is_none());
    commit(&mut log, &entries);
    assert!(log.section().producers.get(producer).is_some());
}

#[test]
fn a_failed_lap_leaves_everything_dirty() {
    let mut log = log();
    append(&mut log, 5000);
    cycle(&mut log);
    let first = log.capture(1, &mut SnapshotBody::default());
    log.lap_failed();
    assert!(log.is_dirty());
    let again = log.capture(1, &mut SnapshotBody::default());
    assert_eq!(first[0].slices.concat(), again[0].slices.concat());
}

#[test]
fn an_idle_log_asks_for_its_block_before_a_batch_and_not_before_a_note() {
    let mut section = Section::new(PARTITION, Offset(0));
    let first = batch(0, 1, 300);
    let data = DataChange {
        at: section.end(),
        bytes: 300,
        batches: vec![first.header],
    };
    section.apply(1, &Change::Data(data)).unwrap();
    section.synced = section.end();
    let mut log = PartitionLog::new(section, LogConfig::DEFAULT);
    log.note(Note::EpochStart {
        epoch: LeaderEpoch(1),
        offset: Offset(1),
    });
    assert!(log.is_ready());
    log.append(&batch_of(1, 1, 100, 1, ProducerId::NONE, -1));
    assert!(!log.is_ready());
    assert_eq!(log.tail().missing_fill(), Some((Position::default(), 300)));
    log.tail_mut().set_fill(
        Position {
            segment: Offset(0),
            byte: 300,
        },
        vec![1; 300],
    );
    assert!(log.is_ready());
    assert_eq!(lead_ins(&plan(&mut log)), [300]);
}

#[test]
fn a_dropped_log_takes_nothing_more() {
    let mut log = log();
    append(&mut log, 100);
    log.drop_log();
    log.drop_log();
    assert!(!log.can_append());
    let committed = cycle(&mut log);
    assert!(committed.dropped);
    assert_eq!(committed.durable, Some(Offset(2)));
}

#[test]
fn a_crash_at_any_moment_leaves_what_was_durable() {
    for seed in 0..400 {
        world::run(seed);
    }
}

/// What the index of a segment may claim is checked where the segment is written; here only that it fits.
const _: fn(&IndexEntry) -> u64 = IndexEntry::end;
