//! Produce: offsets, conditions, duplicates, refusals.

use super::*;
use crate::log::producer_table::SequenceError;

#[test]
fn flushed_produce_is_answered_when_its_cycle_is_durable() {
    let mut partition = empty(FLUSHED);
    let dispatched = partition.append(&plain(3), caller(1), at(0));
    assert_eq!(dispatched, Ok(placed(0)));
    assert_eq!(
        actions(&mut partition),
        ["epoch 5 starts at 0", "append 0..3 in epoch 5"]
    );
    partition.append(&plain(2), caller(2), at(1)).unwrap();
    assert_eq!(actions(&mut partition), ["append 3..5 in epoch 5"]);
    assert_eq!(marks(&partition), [0, 0, 0, 0, 5]);

    partition.on_durable(Offset(3), at(0));
    assert_eq!(actions(&mut partition), ["1: appended at 0, log from 0"]);
    assert_eq!(marks(&partition), [0, 3, 3, 3, 5]);

    partition.on_durable(Offset(5), at(0));
    assert_eq!(actions(&mut partition), ["2: appended at 3, log from 0"]);
    assert_eq!(marks(&partition), [0, 5, 5, 5, 5]);
}

fn placed(base_offset: i64) -> Dispatched {
    Dispatched {
        base_offset: Offset(base_offset),
        is_duplicate: false,
    }
}

fn repeated(base_offset: i64) -> Dispatched {
    Dispatched {
        is_duplicate: true,
        ..placed(base_offset)
    }
}

#[test]
fn memory_produce_is_answered_at_once_and_readers_see_it() {
    let mut partition = empty(MEMORY);
    partition.wait_for_data(Ticket(9), Offset(0), Offset(0));
    partition.append(&plain(3), caller(1), at(0)).unwrap();
    assert_eq!(
        actions(&mut partition),
        [
            "epoch 5 starts at 0",
            "append 0..3 in epoch 5",
            "9: read again",
            "1: appended at 0, log from 0"
        ]
    );
    assert_eq!(marks(&partition), [0, 3, 3, 0, 3]);
    partition.on_durable(Offset(3), at(0));
    assert_eq!(actions(&mut partition), NOTHING);
    assert_eq!(marks(&partition), [0, 3, 3, 3, 3]);
}

#[test]
fn cycle_without_new_batches_answers_nobody() {
    let mut partition = empty(FLUSHED);
    partition.append(&plain(3), caller(1), at(0)).unwrap();
    actions(&mut partition);
    partition.on_durable(Offset(0), at(0));
    assert_eq!(actions(&mut partition), NOTHING);
    assert_eq!(marks(&partition), [0, 0, 0, 0, 3]);
}

#[test]
fn epoch_is_noted_before_its_first_batch_and_only_once() {
    let mut partition = filled(FLUSHED, 4);
    let idle = restarted(&partition, FLUSHED, 6);
    assert_eq!(
        idle.epochs(),
        partition.epochs(),
        "epoch 6 wrote nothing and leaves no trace"
    );

    let mut later = restarted(&idle, FLUSHED, 7);
    assert_eq!(actions(&mut later), NOTHING);
    later.append(&plain(1), caller(1), at(0)).unwrap();
    later.append(&plain(1), caller(2), at(0)).unwrap();
    assert_eq!(
        actions(&mut later),
        [
            "epoch 7 starts at 4",
            "append 4..5 in epoch 7",
            "append 5..6 in epoch 7"
        ]
    );
    partition.append(&plain(1), caller(3), at(0)).unwrap();
    assert_eq!(actions(&mut partition), ["append 4..5 in epoch 5"]);
}

#[test]
#[should_panic(expected = "a leader epoch never goes back")]
fn older_epoch_than_the_logs_cannot_lead() {
    restarted(&filled(FLUSHED, 4), FLUSHED, 4);
}

#[test]
fn duplicate_parks_on_its_originals_durability() {
    let mut partition = empty(FLUSHED);
    let batch = from_producer(7, 0, 0, 3);
    partition.append(&batch, caller(1), at(0)).unwrap();
    partition.append(&plain(1), caller(2), at(0)).unwrap();
    actions(&mut partition);
    let dispatched = partition.append(&batch, caller(3), at(1));
    assert_eq!(dispatched, Ok(repeated(0)));
    assert_eq!(
        actions(&mut partition),
        NOTHING,
        "neither appended nor answered"
    );
    assert_eq!(partition.stats().duplicates, 1);

    partition.on_durable(Offset(3), at(0));
    assert_eq!(
        actions(&mut partition),
        [
            "1: appended at 0, log from 0",
            "3: appended at 0, log from 0"
        ]
    );
    // The original is durable: the next copy is answered at once.
    partition.append(&batch, caller(4), at(2)).unwrap();
    assert_eq!(actions(&mut partition), ["4: appended at 0, log from 0"]);
    assert_eq!(marks(&partition), [0, 3, 3, 3, 4]);
}

#[test]
fn stamped_batch_and_its_duplicate_get_the_same_append_time() {
    let mut partition = empty(STAMPED);
    let batch = from_producer(7, 0, 0, 3);
    partition.append(&batch, caller(1), at(20)).unwrap();
    partition.append(&batch, caller(2), at(30)).unwrap();
    partition.on_durable(Offset(3), at(0));
    assert_eq!(
        actions(&mut partition),
        [
            "epoch 5 starts at 0",
            "append 0..3 in epoch 5 +20ms",
            "1: appended at 0 +20ms, log from 0",
            "2: appended at 0 +20ms, log from 0"
        ]
    );
}

#[test]
fn refused_batch_takes_no_offset() {
    let mut partition = empty(FLUSHED);
    let first = from_producer(7, 1, 0, 3);
    partition.append(&first, caller(1), at(0)).unwrap();
    actions(&mut partition);
    let gap = |expected, got| SequenceError::OutOfOrderSequence { expected, got };
    let fenced = SequenceError::InvalidProducerEpoch {
        current: ProducerEpoch(1),
        got: ProducerEpoch(0),
    };
    for (batch, error) in [
        (from_producer(7, 1, 4, 1), gap(3, 4)),
        (from_producer(7, 1, 0, 2), gap(3, 0)),
        (from_producer(7, 2, 3, 1), gap(0, 3)),
        (from_producer(7, 0, 3, 1), fenced),
    ] {
        let refused = partition.append(&batch, caller(2), at(0));
        assert_eq!(refused, Err(AppendError::Sequence(error)));
        assert_eq!(actions(&mut partition), NOTHING);
        assert_eq!(marks(&partition), [0, 0, 0, 0, 3]);
    }
    let stats = partition.stats();
    assert_eq!((stats.sequence_gaps, stats.fenced_batches), (3, 1));
    assert_eq!((stats.batches, stats.records), (1, 3));
}

#[test]
fn producers_window_survives_a_restart() {
    let mut partition = empty(MEMORY);
    for sequence in [0, 3, 6] {
        let batch = from_producer(7, 0, sequence, 3);
        partition.append(&batch, caller(1), at(0)).unwrap();
    }
    let mut restarted = restarted(&partition, FLUSHED, 6);
    let again = restarted.append(&from_producer(7, 0, 3, 3), caller(10), at(0));
    assert_eq!(again, Ok(repeated(3)));
    assert_eq!(actions(&mut restarted), ["10: appended at 3, log from 0"]);
    let next = restarted.append(&from_producer(7, 0, 9, 1), caller(11), at(0));
    assert_eq!(next, Ok(placed(9)));
    assert_eq!(
        actions(&mut restarted),
        ["epoch 6 starts at 9", "append 9..10 in epoch 6"]
    );
}

#[test]
fn expired_producers_make_room_when_a_new_one_comes() {
    let mut partition = empty(MEMORY);
    let day = DAY_MS as u64;
    for (producer, ms) in [(1, 0), (2, day / 2)] {
        let batch = from_producer(producer, 0, 0, 1);
        partition.append(&batch, caller(1), at(ms)).unwrap();
    }
    assert_eq!(partition.stats().producers, 2);
    let third = from_producer(3, 0, 0, 1);
    partition.append(&third, caller(3), at(day)).unwrap();
    assert_eq!(partition.stats().producers, 2, "1 is gone, 2 and 3 are not");
    let anywhere = from_producer(1, 0, 50, 1);
    let dispatched = partition.append(&anywhere, caller(4), at(day));
    assert_eq!(dispatched, Ok(placed(3)));
}

#[test]
fn deadline_leaves_the_fate_unknown_and_the_batch_in_the_log() {
    let mut partition = empty(FLUSHED);
    for (ticket, deadline) in [(1, 500), (2, 200), (3, 500)] {
        let caller = patient(ticket, deadline);
        partition.append(&plain(1), caller, at(0)).unwrap();
    }
    actions(&mut partition);
    assert_eq!(partition.next_deadline(), Some(at(200).instant));
    partition.on_deadline(at(199));
    assert_eq!(actions(&mut partition), NOTHING);
    partition.on_deadline(at(200));
    assert_eq!(actions(&mut partition), ["2: unknown: Deadline"]);
    assert_eq!(partition.next_deadline(), Some(at(500).instant));
    partition.on_durable(Offset(1), at(0));
    partition.on_deadline(at(900));
    assert_eq!(
        actions(&mut partition),
        ["1: appended at 0, log from 0", "3: unknown: Deadline"]
    );
    assert_eq!(partition.next_deadline(), None);
    partition.on_durable(Offset(3), at(0));
    assert_eq!(actions(&mut partition), NOTHING, "an answer is given once");
    assert_eq!(marks(&partition), [0, 3, 3, 3, 3]);
    assert_eq!(partition.stats().unknown_answers, 2);
}

#[test]
fn weaker_durability_answers_what_waited_for_the_stronger() {
    let mut partition = empty(FLUSHED);
    partition.append(&plain(2), caller(1), at(0)).unwrap();
    actions(&mut partition);
    partition.configure(MEMORY, at(0));
    assert_eq!(actions(&mut partition), ["1: appended at 0, log from 0"]);
    // And back: what readers have seen stays seen.
    partition.append(&plain(1), caller(2), at(0)).unwrap();
    actions(&mut partition);
    partition.configure(FLUSHED, at(0));
    assert_eq!(marks(&partition), [0, 3, 3, 0, 3]);
    partition.append(&plain(1), caller(3), at(0)).unwrap();
    assert_eq!(actions(&mut partition), ["append 3..4 in epoch 5"]);
    partition.on_durable(Offset(4), at(0));
    assert_eq!(actions(&mut partition), ["3: appended at 3, log from 0"]);
}

#[test]
fn stats_count_what_was_appended_and_what_waits() {
    let mut partition = empty(FLUSHED);
    let batch = plain(3);
    partition.append(&batch, caller(1), at(0)).unwrap();
    partition.append(&batch, caller(2), at(0)).unwrap();
    partition.wait_for_data(Ticket(3), Offset(0), Offset(0));
    let expected = PartitionStats {
        batches: 2,
        records: 6,
        bytes: 2 * batch.len() as u64,
        parked_writes: 2,
        parked_reads: 1,
        ..PartitionStats::default()
    };
    assert_eq!(partition.stats(), expected);
}
