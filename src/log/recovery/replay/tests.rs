use super::*;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{ProducerId, Uuid};
use crate::log::recovery::chain::FoundCycle;
use crate::log::testing::{PARTITION, batch, batch_of, bytes_of};
use crate::record::StampedBatch;

const OTHER: PartitionId = PartitionId {
    topic: Uuid([8; 16]),
    index: 0,
};

fn change(partition: PartitionId, number: u32, change: Change) -> FoundEntry {
    FoundEntry {
        partition,
        number,
        body: FoundBody::Change(change),
    }
}

fn data(number: u32, start: Position, lead_in: &[u8], batches: &[StampedBatch]) -> FoundEntry {
    let mut bytes = lead_in.to_vec();
    batches
        .iter()
        .for_each(|batch| bytes.extend(bytes_of(batch)));
    FoundEntry {
        partition: PARTITION,
        number,
        body: FoundBody::Data {
            start,
            base_offset: batches[0].header.base_offset,
            leader_epoch: batches[0].header.leader_epoch,
            lead_in: lead_in.len() as u32,
            bytes: bytes.into(),
        },
    }
}

fn at(byte: u64) -> Position {
    Position {
        segment: Offset(0),
        byte,
    }
}

fn cycle(sequence: u64, entries: Vec<FoundEntry>) -> FoundCycle {
    FoundCycle { sequence, entries }
}

fn run(cycles: Vec<FoundCycle>) -> Run {
    Run {
        missing: None,
        cycles,
    }
}

fn after(first: u64, last: u64, cycles: Vec<FoundCycle>) -> Run {
    Run {
        missing: Some(MissingRecords { first, last }),
        cycles,
    }
}

/// A section with 0..10 in 200 synced bytes, captured at sequence 5, whose last entry was number 3.
fn section() -> Section {
    let mut section = Section::new(PARTITION, Offset(0));
    let batch = batch(0, 10, 200);
    for (number, change) in [
        (
            1,
            Change::EpochStart {
                epoch: LeaderEpoch(0),
                offset: Offset(0),
            },
        ),
        (
            2,
            Change::Data(DataChange {
                at: at(0),
                bytes: 200,
                batches: vec![batch.header],
            }),
        ),
        (3, Change::Promise(LeaderEpoch(0))),
    ] {
        section.apply(number, &change).unwrap();
    }
    section.sequence = 5;
    section.synced = section.end();
    section
}

fn synced_bytes() -> Vec<u8> {
    bytes_of(&batch(0, 10, 200))
}

/// The first entry after the section, in a lead-in of what is synced.
fn good() -> FoundEntry {
    data(4, at(0), &synced_bytes(), &[batch(10, 1, 100)])
}

fn replay_one(runs: Vec<Run>) -> Replayed {
    replay(vec![section()], runs).remove(&PARTITION).unwrap()
}

fn verdict(replayed: &Replayed) -> Option<(OfflineReason, i64)> {
    replayed
        .section
        .offline
        .map(|offline| (offline.reason, offline.position.0))
}

#[test]
fn data_is_applied_and_its_blocks_are_kept() {
    let first = good();
    let second = data(5, at(300), &[], &[batch(11, 2, 80)]);
    let replayed = replay_one(vec![run(vec![
        cycle(6, vec![first]),
        cycle(7, vec![second]),
    ])]);
    assert_eq!(verdict(&replayed), None);
    assert_eq!(replayed.section.next_offset, Offset(13));
    let image = &replayed.images[&Offset(0)];
    let batches = [batch(0, 10, 200), batch(10, 1, 100), batch(11, 2, 80)];
    assert_eq!(
        (image.start, image.bytes.clone()),
        (0, batches.iter().flat_map(bytes_of).collect())
    );
}

#[test]
fn entries_that_the_section_has_already_are_passed_over() {
    let old = change(PARTITION, 3, Change::Promise(LeaderEpoch(0)));
    let new = change(PARTITION, 4, Change::LogStart(Offset(10)));
    let replayed = replay_one(vec![run(vec![cycle(5, vec![old]), cycle(6, vec![new])])]);
    assert_eq!(verdict(&replayed), None);
    assert_eq!(replayed.section.log_start, Offset(10));
}

#[test]
fn data_older_than_the_cut_that_voids_it_is_ignored() {
    let runs = vec![run(vec![
        cycle(6, vec![good()]),
        cycle(
            7,
            vec![change(
                PARTITION,
                5,
                Change::Truncate {
                    end: Offset(10),
                    at: at(200),
                },
            )],
        ),
        cycle(
            8,
            vec![data(
                6,
                at(0),
                &synced_bytes(),
                &[batch_of(10, 4, 90, 1, ProducerId::NONE, -1)],
            )],
        ),
    ])];
    let replayed = replay_one(runs);
    assert_eq!(verdict(&replayed), None);
    assert_eq!(replayed.section.next_offset, Offset(14));
    assert_eq!(replayed.images[&Offset(0)].bytes.len(), 290);
}

#[test]
fn a_cut_alone_writes_nothing() {
    let cut = change(
        PARTITION,
        4,
        Change::Truncate {
            end: Offset(0),
            at: at(0),
        },
    );
    let replayed = replay_one(vec![run(vec![cycle(6, vec![cut])])]);
    assert!(replayed.images.is_empty());
    assert_eq!(replayed.section.next_offset, Offset(0));
}

/// Entries that may not follow the good one.
fn contradictions() -> [(&'static str, FoundEntry); 6] {
    let mut other_lead_in = synced_bytes();
    other_lead_in.extend(bytes_of(&batch(10, 1, 100)));
    other_lead_in[250] ^= 1;
    let old = batch_of(11, 1, 100, -1, ProducerId::NONE, -1);
    let next = || [batch(11, 1, 100)];
    let no_batch = FoundBody::Data {
        start: at(300),
        base_offset: Offset(11),
        leader_epoch: LeaderEpoch(0),
        lead_in: 0,
        bytes: vec![0; 100].into(),
    };
    [
        ("a gap in bytes", data(5, at(4096), &[], &next())),
        (
            "a gap in offsets",
            data(5, at(300), &[], &[batch(12, 1, 100)]),
        ),
        (
            "differs from what it repeats",
            data(5, at(0), &other_lead_in, &next()),
        ),
        (
            "no lead-in and nothing to continue",
            data(5, at(301), &[], &next()),
        ),
        ("falls in epoch", data(5, at(300), &[], &[old])),
        (
            "no batch",
            FoundEntry {
                partition: PARTITION,
                number: 5,
                body: no_batch,
            },
        ),
    ]
}

#[test]
fn data_that_contradicts_takes_its_partition_offline_and_keeps_the_prefix() {
    let cases = contradictions();
    for (case, entry) in cases {
        let after = change(PARTITION, 6, Change::LogStart(Offset(5)));
        let cycles = vec![
            cycle(6, vec![good()]),
            cycle(7, vec![entry]),
            cycle(8, vec![after]),
        ];
        let replayed = replay_one(vec![run(cycles)]);
        assert_eq!(
            verdict(&replayed),
            Some((OfflineReason::EntryContradicts, 11)),
            "{case}"
        );
        assert_eq!(
            replayed.section.next_offset,
            Offset(11),
            "{case}: the prefix is kept"
        );
        assert_eq!(
            replayed.section.log_start,
            Offset(0),
            "{case}: nothing later is applied"
        );
        assert_eq!(replayed.images[&Offset(0)].bytes.len(), 300, "{case}");
    }
}

#[test]
fn after_a_damaged_record_only_a_next_entry_number_proves_a_partition_whole() {
    let next = || {
        vec![cycle(
            9,
            vec![change(PARTITION, 4, Change::LogStart(Offset(3)))],
        )]
    };
    let skipped = vec![cycle(
        9,
        vec![change(PARTITION, 5, Change::LogStart(Offset(3)))],
    )];
    let idle = vec![cycle(9, Vec::new())];
    let damaged = Some((OfflineReason::JournalDamaged, 10));
    let cases = [
        ("its next entry follows", after(8, 8, next()), None),
        ("an entry is missing", after(8, 8, skipped), damaged),
        (
            "nothing later speaks of it",
            after(8, 8, idle.clone()),
            damaged,
        ),
        (
            "its section is younger than the damage",
            after(4, 5, idle),
            None,
        ),
    ];
    for (case, damage, expected) in cases {
        let replayed = replay_one(vec![Run::default(), damage]);
        assert_eq!(verdict(&replayed), expected, "{case}");
    }
}

#[test]
fn a_partition_first_heard_of_after_damage_must_begin_with_its_first_entry() {
    for (number, expected) in [(1, None), (2, Some(OfflineReason::JournalDamaged))] {
        let entry = change(OTHER, number, Change::Promise(LeaderEpoch(1)));
        let replayed = replay(
            Vec::new(),
            vec![Run::default(), after(1, 1, vec![cycle(2, vec![entry])])],
        );
        let offline = replayed[&OTHER]
            .section
            .offline
            .map(|offline| offline.reason);
        assert_eq!(offline, expected, "number {number}");
    }
}

#[test]
fn a_verdict_stays_and_nothing_is_applied_to_it() {
    let mut section = section();
    let offline = Offline {
        reason: OfflineReason::SegmentShort,
        position: Offset(4),
    };
    section.offline = Some(offline);
    let entry = change(PARTITION, 4, Change::LogStart(Offset(10)));
    let replayed = replay(vec![section], vec![run(vec![cycle(6, vec![entry])])]);
    assert_eq!(replayed[&PARTITION].section.offline, Some(offline));
    assert_eq!(replayed[&PARTITION].section.log_start, Offset(0));
    assert!(!replayed[&PARTITION].is_newly_offline());
}

#[test]
fn bytes_of_segments_that_are_gone_are_not_kept() {
    let runs = vec![run(vec![
        cycle(6, vec![good()]),
        cycle(
            7,
            vec![change(
                PARTITION,
                5,
                Change::Roll {
                    closed: Offset(0),
                    bytes: 300,
                    base: Offset(11),
                },
            )],
        ),
        cycle(
            8,
            vec![data(
                6,
                Position {
                    segment: Offset(11),
                    byte: 0,
                },
                &[],
                &[batch(11, 1, 100)],
            )],
        ),
        cycle(9, vec![change(PARTITION, 7, Change::LogStart(Offset(11)))]),
    ])];
    let replayed = replay_one(runs);
    assert_eq!(
        replayed.images.keys().copied().collect::<Vec<_>>(),
        [Offset(11)]
    );
    let start = replayed.into_start();
    assert_eq!(start.segments.len(), 1);
    assert_eq!((start.synced, start.sequence), (start.end(), 0));
}
