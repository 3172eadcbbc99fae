use super::*;
use crate::base::offset::Position;
use crate::log::segment::LargestTimestamp;
use crate::log::testing::PARTITION;

/// Segments by base, bytes, first and largest timestamp; the last one is written to and ends at offset 1000.
fn section(segments: &[(i64, u64, i64, i64)]) -> Section {
    let mut section = Section::new(PARTITION, Offset(0));
    let last = segments.len() - 1;
    section.segments = segments
        .iter()
        .enumerate()
        .map(|(index, &(base, bytes, first, largest))| Segment {
            bytes,
            first_timestamp: Timestamp(first),
            largest: LargestTimestamp {
                timestamp: Timestamp(largest),
                batch: None,
            },
            finished: index < last,
            ..Segment::new(Offset(base))
        })
        .collect();
    section.next_offset = Offset(1000);
    section.synced = section.end();
    section
}

/// Three closed segments of 100 bytes with records of the times 10, 20 and 30, then one that is written to.
fn log() -> Section {
    section(&[
        (0, 100, 10, 19),
        (10, 100, 20, 29),
        (20, 100, 30, 39),
        (30, 50, 40, 49),
    ])
}

fn config(rules: CompactionConfig) -> LogConfig {
    LogConfig {
        compaction: Some(rules),
        ..LogConfig::DEFAULT
    }
}

#[test]
fn a_log_is_due_by_its_share_of_dirty_bytes_or_by_the_age_of_a_record() {
    let rules = CompactionConfig::DEFAULT;
    let lag = |lag_ms_min, lag_ms_max| CompactionConfig {
        lag_ms_min,
        lag_ms_max,
        ..rules
    };
    let share = |dirty_millionths_min| CompactionConfig {
        dirty_millionths_min,
        ..rules
    };
    // Compacted up to, rules, now; until where, share, late.
    let cases = [
        ("all is dirty", 0, rules, 50, Some((30, 1_000_000, false))),
        ("a third is dirty", 20, rules, 50, None),
        (
            "a third is enough",
            20,
            share(333_332),
            50,
            Some((30, 333_333, false)),
        ),
        (
            "a third is not more than a third",
            20,
            share(333_333),
            50,
            None,
        ),
        (
            "half of a segment counts twice",
            15,
            rules,
            50,
            Some((30, 500_000, false)),
        ),
        ("nothing is dirty", 30, share(0), 50, None),
        (
            "too young from the second on",
            0,
            lag(30, u64::MAX),
            50,
            Some((10, 1_000_000, false)),
        ),
        ("all too young", 0, lag(32, u64::MAX), 50, None),
        (
            "old enough to the millisecond",
            0,
            lag(31, u64::MAX),
            50,
            Some((10, 1_000_000, false)),
        ),
        ("late", 20, lag(0, 19), 50, Some((30, 333_333, true))),
        ("not late yet", 20, lag(0, 20), 50, None),
        ("late and too young", 20, lag(19, 19), 50, None),
    ];
    for (name, compacted, rules, now, expected) in cases {
        let mut log = log();
        log.compacted = Offset(compacted);
        let rules = match name {
            "half of a segment counts twice" => share(499_999),
            _ => rules,
        };
        let found = due(&log, &config(rules), Some(Timestamp(now)));
        let found = found.map(|due| (due.until.0, due.dirty_millionths, due.is_late));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn only_a_compacted_topic_is_due() {
    assert_eq!(due(&log(), &LogConfig::DEFAULT, Some(Timestamp(50))), None);
}

#[test]
fn without_a_clock_to_believe_age_decides_nothing() {
    let rules = CompactionConfig::DEFAULT;
    assert!(due(&log(), &config(rules), None).is_some());
    let lag = CompactionConfig {
        lag_ms_min: 1,
        ..rules
    };
    assert_eq!(due(&log(), &config(lag), None), None);
    let mut log = log();
    log.compacted = Offset(20);
    let late = CompactionConfig {
        lag_ms_max: 1,
        ..rules
    };
    assert_eq!(due(&log, &config(late), None), None);
}

#[test]
fn what_is_written_to_or_not_yet_synced_is_left_and_the_last_record_stays() {
    let rules = config(CompactionConfig::DEFAULT);
    let until = |log: &Section| due(log, &rules, Some(Timestamp(50))).map(|due| due.until.0);
    let mut unfinished = log();
    unfinished.segments[1].finished = false;
    assert_eq!(until(&unfinished), Some(10));
    let waits = |log: &Section| waits_for_lap(log, &rules, Some(Timestamp(50)));
    assert!(!waits(&unfinished), "the rest is taken with the next one");
    unfinished.segments[0].finished = false;
    assert!(until(&unfinished).is_none() && waits(&unfinished));
    let mut unsynced = log();
    unsynced.synced = Position {
        segment: Offset(10),
        byte: 7,
    };
    assert_eq!(until(&unsynced), Some(10));
    let mut rolled = log();
    rolled.segments[3].bytes = 0;
    assert_eq!(
        until(&rolled),
        Some(20),
        "the last record of the log is in the segment before"
    );
    let only = section(&[(0, 100, 1, 1)]);
    assert_eq!(until(&only), None);
    let empty = section(&[(0, 0, -1, -1)]);
    assert_eq!(until(&empty), None);
}

#[test]
fn the_dirty_part_begins_at_the_log_start_at_least() {
    let mut log = log();
    log.segments.remove(0);
    log.log_start = Offset(12);
    let found = due(
        &log,
        &config(CompactionConfig::DEFAULT),
        Some(Timestamp(50)),
    );
    assert_eq!(found.unwrap().from, Offset(12));
}

#[test]
fn neighbours_become_one_segment_as_long_as_it_is_not_too_large() {
    let far = i64::from(i32::MAX);
    let log = section(&[
        (0, 40, 1, 1),
        (10, 60, 1, 1),
        (20, 1, 1, 1),
        (30, 500, 1, 1),
        (40, 0, 1, 1),
        (50, 90, 1, 1),
        (60, 5, 1, 1),
        (60 + far, 5, 1, 1),
        (70 + far, 5, 1, 1),
    ]);
    let bases = |below: i64| -> Vec<Vec<i64>> {
        let groups = groups(&log, 100, Offset(below));
        let bases = |group: Group| group.segments.iter().map(|s| s.base.0).collect();
        groups.into_iter().map(bases).collect()
    };
    assert_eq!(
        bases(70 + far),
        [
            vec![0, 10],
            vec![20],
            vec![30],
            vec![40, 50],
            vec![60],
            vec![60 + far]
        ],
        "by size, then by how far offsets reach"
    );
    assert_eq!(bases(25), [vec![0, 10], vec![20]]);
    assert_eq!(bases(0), Vec::<Vec<i64>>::new());
}
