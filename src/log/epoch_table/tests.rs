use super::*;
use crate::base::prng::Prng;

fn table(entries: &[(i32, i64)]) -> EpochTable {
    let mut table = EpochTable::default();
    for &(epoch, start) in entries {
        table.begin(LeaderEpoch(epoch), Offset(start));
    }
    table
}

fn entries(table: &EpochTable) -> Vec<(i32, i64)> {
    let plain = |entry: &EpochEntry| (entry.epoch.0, entry.start.0);
    table.entries().iter().map(plain).collect()
}

/// The picture of the module's front: the rows of Kafka's OffsetForLeaderEpoch.
#[test]
fn end_of_an_epoch_is_the_start_of_the_next() {
    let table = table(&[(3, 0), (5, 40), (6, 40), (9, 72)]);
    for (wanted, expected) in [
        (-1, None),
        (0, Some((0, 0))),
        (3, Some((3, 40))),
        (4, Some((3, 40))),
        (5, Some((5, 40))),
        (6, Some((6, 72))),
        (8, Some((6, 72))),
        (9, Some((9, 80))),
        (10, None),
    ] {
        let end = table.end_of(LeaderEpoch(wanted), Offset(80));
        let expected = expected.map(|(epoch, end)| (LeaderEpoch(epoch), Offset(end)));
        assert_eq!(end, expected, "epoch {wanted}");
    }
    assert_eq!(
        EpochTable::default().end_of(LeaderEpoch(0), Offset(0)),
        None
    );
}

#[test]
fn epoch_of_a_record_is_the_latest_that_began_at_or_below_it() {
    let table = table(&[(3, 10), (5, 40), (6, 40), (9, 72)]);
    for (offset, epoch) in [
        (9, None),
        (10, Some(3)),
        (39, Some(3)),
        (40, Some(6)),
        (71, Some(6)),
        (72, Some(9)),
        (1_000, Some(9)),
    ] {
        let found = table.epoch_at(Offset(offset));
        assert_eq!(found, epoch.map(LeaderEpoch), "offset {offset}");
    }
}

#[test]
fn cut_forgets_epochs_that_began_at_or_after_it() {
    for (end, left) in [
        (100, &[(3, 0), (5, 40), (6, 40), (9, 72)][..]),
        (73, &[(3, 0), (5, 40), (6, 40), (9, 72)]),
        (72, &[(3, 0), (5, 40), (6, 40)]),
        (41, &[(3, 0), (5, 40), (6, 40)]),
        (40, &[(3, 0)]),
        (0, &[]),
    ] {
        let mut table = table(&[(3, 0), (5, 40), (6, 40), (9, 72)]);
        table.truncate(Offset(end));
        assert_eq!(entries(&table), left, "cut at {end}");
    }
}

#[test]
fn epochs_below_the_log_start_fold_into_its_own() {
    for (log_start, left) in [
        (0, &[(3, 0), (5, 40), (6, 40), (9, 72)][..]),
        (1, &[(3, 1), (5, 40), (6, 40), (9, 72)]),
        (39, &[(3, 39), (5, 40), (6, 40), (9, 72)]),
        (40, &[(6, 40), (9, 72)]),
        (71, &[(6, 71), (9, 72)]),
        (72, &[(9, 72)]),
        (90, &[(9, 90)]),
    ] {
        let mut table = table(&[(3, 0), (5, 40), (6, 40), (9, 72)]);
        table.raise_start(Offset(log_start));
        assert_eq!(entries(&table), left, "log start {log_start}");
    }
    let mut later = table(&[(4, 10)]);
    later.raise_start(Offset(5));
    assert_eq!(entries(&later), [(4, 10)]);
}

#[test]
fn starting_over_leaves_one_epoch() {
    let mut table = table(&[(3, 0), (5, 40)]);
    table.reset(LeaderEpoch(2), Offset(7));
    assert_eq!(entries(&table), [(2, 7)]);
}

#[test]
#[should_panic(expected = "epoch 4 after epoch 4")]
fn epoch_begins_once() {
    table(&[(4, 0), (4, 5)]);
}

#[test]
#[should_panic(expected = "starts below its predecessor")]
fn epoch_begins_after_its_predecessor() {
    table(&[(4, 6), (5, 5)]);
}

#[test]
fn bytes_read_back_and_leave_what_follows() {
    for entries in [&[][..], &[(0, 0)], &[(3, 0), (5, 40), (6, 40), (9, 72)]] {
        let table = table(entries);
        let mut bytes = Vec::new();
        table.encode(&mut bytes);
        assert_eq!(bytes.len(), 4 + 12 * entries.len());
        bytes.extend_from_slice(b"rest");
        let mut rest = &bytes[..];
        assert_eq!(EpochTable::decode(&mut rest), Ok(table));
        assert_eq!(rest, b"rest");
    }
}

#[test]
fn bytes_that_no_table_writes_are_refused() {
    let encoded = |count: u32, entries: &[(i32, i64)]| {
        let mut bytes = count.to_le_bytes().to_vec();
        for (epoch, start) in entries {
            bytes.extend_from_slice(&epoch.to_le_bytes());
            bytes.extend_from_slice(&start.to_le_bytes());
        }
        bytes
    };
    let count = |count| TableError::Count { count };
    for (bytes, error) in [
        (vec![], TableError::Short),
        (vec![1, 0, 0], TableError::Short),
        (encoded(1, &[]), count(1)),
        (encoded(2, &[(1, 1)]), count(2)),
        (encoded(u32::MAX, &[(1, 1)]), count(u32::MAX)),
        (encoded(2, &[(1, 1), (1, 2)]), TableError::Order),
        (encoded(2, &[(2, 1), (1, 2)]), TableError::Order),
        (encoded(2, &[(1, 2), (2, 1)]), TableError::Order),
        (encoded(1, &[(-1, 2)]), TableError::Order),
        (encoded(1, &[(1, -2)]), TableError::Order),
    ] {
        assert_eq!(EpochTable::decode(&mut &bytes[..]), Err(error), "{bytes:?}");
    }
}

/// Against the naive form: every record with its epoch, markers between them.
#[test]
fn table_agrees_with_a_log_that_remembers_every_record() {
    let mut prng = Prng::new(31);
    for _ in 0..200 {
        let (mut table, mut epochs) = (EpochTable::default(), Vec::new());
        let (mut epoch, mut log_start) = (0, 0);
        for _ in 0..30 {
            match prng.below(10) {
                0..3 => {
                    epoch += 1 + prng.below(2) as i32;
                    table.begin(LeaderEpoch(epoch), Offset(epochs.len() as i64));
                }
                3 => {
                    log_start = log_start.max(prng.below(epochs.len() as u64 + 1) as usize);
                    table.raise_start(Offset(log_start as i64));
                }
                4 if log_start < epochs.len() => {
                    let end =
                        log_start + 1 + prng.below((epochs.len() - log_start) as u64) as usize;
                    epochs.truncate(end);
                    table.truncate(Offset(end as i64));
                }
                _ if table.last().is_some_and(|last| last.epoch.0 == epoch) => epochs.push(epoch),
                _ => {}
            }
            for (offset, epoch) in epochs.iter().enumerate().skip(log_start) {
                let found = table.epoch_at(Offset(offset as i64));
                assert_eq!(found, Some(LeaderEpoch(*epoch)), "{table:?} {epochs:?}");
            }
            let mut bytes = Vec::new();
            table.encode(&mut bytes);
            assert_eq!(EpochTable::decode(&mut &bytes[..]).as_ref(), Ok(&table));
        }
    }
}
