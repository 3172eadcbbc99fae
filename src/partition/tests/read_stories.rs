//! Fetch, waiting, ListOffsets, OffsetForLeaderEpoch.

use super::*;

/// Log start 2, high watermark 10, log end 13.
fn partly_committed() -> Partition {
    let mut partition = filled(FLUSHED, 10);
    partition.on_retention_due(Offset(2));
    partition.append(&plain(3), caller(1), at(0)).unwrap();
    actions(&mut partition);
    partition
}

const ISOLATIONS: [Isolation; 2] = [Isolation::ReadUncommitted, Isolation::ReadCommitted];

#[test]
fn readers_see_committed_records_only() {
    let partition = partly_committed();
    let out_of_range = ReadError::OffsetOutOfRange {
        log_start: Offset(2),
        high_watermark: Offset(10),
    };
    for (from, expected) in [
        (-1, Err(out_of_range)),
        (1, Err(out_of_range)),
        (2, Ok(10)),
        (9, Ok(10)),
        (10, Ok(10)),
        // Appended, not committed: nothing yet, but no error either.
        (12, Ok(12)),
        (13, Ok(13)),
        (14, Err(out_of_range)),
    ] {
        for isolation in ISOLATIONS {
            let view = partition.read(ReadRequest {
                isolation,
                ..want(from, -1)
            });
            let expected = expected.map(|below| ReadView {
                from: Offset(from),
                below: Offset(below),
                high_watermark: Offset(10),
                last_stable: Offset(10),
                log_start: Offset(2),
            });
            assert_eq!(view, expected, "from {from}");
        }
    }
}

#[test]
fn reader_of_another_epoch_is_told() {
    let partition = partly_committed();
    let current = EPOCH;
    for (epoch, error) in [
        (-1, None),
        (4, Some(ReadError::FencedLeaderEpoch { current })),
        (5, None),
        (6, Some(ReadError::UnknownLeaderEpoch { current })),
    ] {
        assert_eq!(partition.read(want(5, epoch)).err(), error);
        let epoch = LeaderEpoch(epoch);
        let latest = partition.offset_for(OffsetQuery::Latest, ISOLATIONS[0], epoch);
        assert_eq!(latest.err(), error);
        assert_eq!(partition.epoch_end(epoch, LeaderEpoch(0)).err(), error);
    }
}

#[test]
fn reader_waits_until_the_high_watermark_moves() {
    let mut partition = partly_committed();
    partition.wait_for_data(Ticket(7), Offset(10), Offset(10));
    partition.wait_for_data(Ticket(8), Offset(13), Offset(10));
    partition.on_durable(Offset(10), at(0));
    assert_eq!(actions(&mut partition), NOTHING);
    partition.on_durable(Offset(13), at(0));
    assert_eq!(
        actions(&mut partition),
        [
            "1: appended at 10, log from 2",
            "7: read again",
            "8: read again"
        ]
    );
    partition.append(&plain(1), caller(2), at(0)).unwrap();
    partition.on_durable(Offset(14), at(0));
    assert_eq!(
        actions(&mut partition),
        ["append 13..14 in epoch 5", "2: appended at 13, log from 2"],
        "a waiter is released once"
    );
}

#[test]
fn reader_that_missed_a_change_does_not_wait() {
    let mut partition = partly_committed();
    for (ticket, from, seen) in [(7, 10, 9), (8, 1, 10)] {
        partition.wait_for_data(Ticket(ticket), Offset(from), Offset(seen));
        assert_eq!(actions(&mut partition), [format!("{ticket}: read again")]);
    }
    assert_eq!(partition.stats().parked_reads, 0);
}

#[test]
fn cancelled_reader_hears_nothing() {
    let mut partition = partly_committed();
    partition.wait_for_data(Ticket(7), Offset(10), Offset(10));
    assert!(partition.cancel(Ticket(7)));
    assert!(!partition.cancel(Ticket(7)));
    assert!(!partition.cancel(Ticket(1)), "a produce is not cancelled");
    partition.on_durable(Offset(13), at(0));
    assert_eq!(actions(&mut partition), ["1: appended at 10, log from 2"]);
}

#[test]
fn partition_named_twice_by_one_reader_answers_once() {
    let mut partition = partly_committed();
    partition.wait_for_data(Ticket(7), Offset(12), Offset(10));
    partition.wait_for_data(Ticket(7), Offset(10), Offset(10));
    partition.on_durable(Offset(13), at(0));
    assert_eq!(
        actions(&mut partition),
        ["1: appended at 10, log from 2", "7: read again"]
    );
}

fn known(offset: i64, epoch: i32) -> OffsetAnswer {
    OffsetAnswer::Known(FoundOffset {
        offset: Offset(offset),
        timestamp: Timestamp::NONE,
        leader_epoch: LeaderEpoch(epoch),
    })
}

#[test]
fn special_offsets_are_known_and_times_are_looked_up() {
    let partition = partly_committed();
    let (from, below) = (Offset(2), Offset(10));
    let at_least = Timestamp(77);
    let newest = OffsetAnswer::LookUpMaxTimestamp { from, below };
    let by_time = OffsetAnswer::LookUpTimestamp {
        at_least,
        from,
        below,
    };
    for (query, expected) in [
        (OffsetQuery::Latest, known(10, 5)),
        (OffsetQuery::Earliest, known(2, 5)),
        (OffsetQuery::EarliestLocal, known(2, 5)),
        (OffsetQuery::LastTiered, known(-1, -1)),
        (OffsetQuery::MaxTimestamp, newest),
        (OffsetQuery::AtLeast(at_least), by_time),
    ] {
        for isolation in ISOLATIONS {
            let answer = partition.offset_for(query, isolation, LeaderEpoch::NONE);
            assert_eq!(answer, Ok(expected), "{query:?}");
        }
    }
}

#[test]
fn empty_log_has_two_ends_and_no_times() {
    let partition = empty(FLUSHED);
    for (query, expected) in [
        (OffsetQuery::Latest, known(0, 5)),
        (OffsetQuery::Earliest, known(0, 5)),
        (OffsetQuery::MaxTimestamp, known(-1, -1)),
        (OffsetQuery::AtLeast(Timestamp(0)), known(-1, -1)),
    ] {
        let answer = partition.offset_for(query, ISOLATIONS[0], LeaderEpoch::NONE);
        assert_eq!(answer, Ok(expected), "{query:?}");
    }
}

/// (epoch, end) for each wanted epoch.
fn ends<const N: usize>(partition: &Partition, wanted: [i32; N]) -> [(i32, i64); N] {
    wanted.map(|wanted| {
        let end = partition.epoch_end(LeaderEpoch::NONE, LeaderEpoch(wanted));
        let EpochEnd { epoch, end } = end.unwrap();
        (epoch.0, end.0)
    })
}

#[test]
fn current_epoch_has_begun_before_its_first_batch() {
    // Epoch 5 wrote 0..10, epoch 8 leads and has written nothing yet.
    let mut partition = restarted(&filled(FLUSHED, 10), FLUSHED, 8);
    let (none, five) = ((-1, -1), (5, 10));
    let wanted = [-1, 0, 4, 5, 6, 7, 8, 9];
    let mut expected = [none, (0, 0), (4, 0), five, five, five, (8, 10), none];
    assert_eq!(ends(&partition, wanted), expected);
    partition.append(&plain(2), caller(1), at(0)).unwrap();
    expected[6] = (8, 12);
    assert_eq!(ends(&partition, wanted), expected);
    let empty = empty(FLUSHED);
    assert_eq!(ends(&empty, [0, 5, 6]), [(0, 0), (5, 0), none]);
}
