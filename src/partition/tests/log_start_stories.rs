//! DeleteRecords and retention.

use super::*;

#[test]
fn deletion_is_answered_when_the_log_start_is_durable() {
    let mut partition = filled(FLUSHED, 10);
    partition.delete_records(Offset(4), caller(1)).unwrap();
    assert_eq!(actions(&mut partition), ["log starts at 4"]);
    assert_eq!(marks(&partition), [4, 10, 10, 10, 10]);
    partition.on_log_start_durable(Offset(4));
    assert_eq!(actions(&mut partition), ["1: deleted up to 4"]);
}

#[test]
fn minus_one_deletes_up_to_the_high_watermark() {
    let mut partition = filled(FLUSHED, 10);
    partition.append(&plain(5), caller(1), at(0)).unwrap();
    actions(&mut partition);
    partition.delete_records(Offset::NONE, caller(2)).unwrap();
    assert_eq!(actions(&mut partition), ["log starts at 10"]);
    partition.on_log_start_durable(Offset(10));
    assert_eq!(actions(&mut partition), ["2: deleted up to 10"]);
    partition.on_durable(Offset(15), at(0));
    assert_eq!(actions(&mut partition), ["1: appended at 10, log from 10"]);
    assert_eq!(marks(&partition), [10, 15, 15, 15, 15]);
}

#[test]
fn offsets_beyond_the_high_watermark_are_out_of_range() {
    let mut partition = filled(FLUSHED, 10);
    partition.append(&plain(5), caller(1), at(0)).unwrap();
    actions(&mut partition);
    let out_of_range = DeleteRecordsError::OffsetOutOfRange {
        high_watermark: Offset(10),
    };
    for before in [11, 15, 16, i64::MAX, -2, i64::MIN] {
        let refused = partition.delete_records(Offset(before), caller(2));
        assert_eq!(refused, Err(out_of_range), "{before}");
        assert_eq!(actions(&mut partition), NOTHING);
    }
    assert_eq!(marks(&partition), [0, 10, 10, 10, 15]);
}

#[test]
fn deleting_what_is_gone_is_answered_when_that_is_durable() {
    let mut partition = filled(FLUSHED, 10);
    partition.delete_records(Offset(0), caller(1)).unwrap();
    assert_eq!(actions(&mut partition), ["1: deleted up to 0"]);
    partition.delete_records(Offset(6), caller(2)).unwrap();
    // Below the new start, yet a crash may still undo that one.
    partition.delete_records(Offset(2), caller(3)).unwrap();
    assert_eq!(actions(&mut partition), ["log starts at 6"]);
    partition.on_log_start_durable(Offset(6));
    assert_eq!(
        actions(&mut partition),
        ["3: deleted up to 6", "2: deleted up to 6"]
    );
    partition.delete_records(Offset(5), caller(4)).unwrap();
    assert_eq!(actions(&mut partition), ["4: deleted up to 6"]);
}

#[test]
fn two_deletions_each_wait_for_their_own_offset() {
    let mut partition = filled(FLUSHED, 10);
    partition.delete_records(Offset(3), caller(1)).unwrap();
    partition.delete_records(Offset(7), caller(2)).unwrap();
    assert_eq!(
        actions(&mut partition),
        ["log starts at 3", "log starts at 7"]
    );
    partition.on_log_start_durable(Offset(3));
    assert_eq!(actions(&mut partition), ["1: deleted up to 7"]);
    partition.on_deadline(at(1_000));
    assert_eq!(actions(&mut partition), ["2: unknown: Deadline"]);
    partition.on_log_start_durable(Offset(7));
    assert_eq!(actions(&mut partition), NOTHING);
}

#[test]
fn retention_raises_the_log_start_up_to_the_high_watermark() {
    let mut partition = filled(FLUSHED, 10);
    partition.append(&plain(5), caller(1), at(0)).unwrap();
    actions(&mut partition);
    for (offered, expected) in [
        (0, NOTHING),
        (4, &["log starts at 4"]),
        (4, NOTHING),
        (2, NOTHING),
        (15, &["log starts at 10"]),
    ] {
        partition.on_retention_due(Offset(offered));
        assert_eq!(actions(&mut partition), expected, "offered {offered}");
    }
    assert_eq!(marks(&partition), [10, 10, 10, 10, 15]);
}

#[test]
fn epochs_below_the_log_start_are_folded() {
    let mut partition = restarted(&filled(FLUSHED, 4), MEMORY, 6);
    partition.append(&plain(4), caller(1), at(0)).unwrap();
    assert_eq!(partition.epochs().entries().len(), 2);
    partition.on_retention_due(Offset(5));
    assert_eq!(partition.epochs().entries().len(), 1);
    assert_eq!(partition.epoch_at(Offset(5)), LeaderEpoch(6));
    assert_eq!(partition.epoch_at(Offset(4)), LeaderEpoch::NONE);
}

#[test]
fn reader_below_the_new_log_start_is_woken() {
    let mut partition = filled(FLUSHED, 10);
    partition.wait_for_data(Ticket(3), Offset(9), Offset(10));
    partition.wait_for_data(Ticket(4), Offset(10), Offset(10));
    assert_eq!(actions(&mut partition), NOTHING);
    partition.delete_records(Offset(10), caller(5)).unwrap();
    assert_eq!(
        actions(&mut partition),
        ["log starts at 10", "3: read again"]
    );
}
