//! Failure, damage, deletion of the topic: nobody is left waiting, nobody is told a lie.

use super::*;
use crate::log::offline::{Offline, OfflineReason};

const DAMAGE: Offline = Offline {
    reason: OfflineReason::SegmentShort,
    position: Offset(7),
};

/// One of each kind waits: a produce, a duplicate of it, a deletion, a reader.
fn busy() -> Partition {
    let mut partition = filled(FLUSHED, 10);
    let batch = from_producer(7, 0, 0, 1);
    partition.append(&batch, caller(1), at(0)).unwrap();
    partition.append(&batch, caller(2), at(0)).unwrap();
    partition.delete_records(Offset(4), caller(3)).unwrap();
    partition.wait_for_data(Ticket(4), Offset(10), Offset(10));
    actions(&mut partition);
    partition
}

type End = fn(&mut Partition);

const ENDS: [(End, &str, Unavailable); 3] = [
    (Partition::on_failed, "Failed", Unavailable::Failed),
    (Partition::close, "Closed", Unavailable::Closed),
    (
        |partition| partition.on_offline(DAMAGE),
        "Failed",
        Unavailable::Offline(DAMAGE),
    ),
];

#[test]
fn whatever_was_dispatched_ends_unknown() {
    for (end, cause, _) in ENDS {
        let mut partition = busy();
        end(&mut partition);
        assert_eq!(
            actions(&mut partition),
            [
                format!("1: unknown: {cause}"),
                format!("2: unknown: {cause}"),
                format!("3: unknown: {cause}"),
                "4: read again".to_string()
            ]
        );
        assert_eq!(partition.next_deadline(), None);
        assert_eq!(partition.stats().unknown_answers, 3);
        end(&mut partition);
        assert_eq!(actions(&mut partition), NOTHING, "answered once");
    }
}

#[test]
fn writes_that_come_afterwards_are_refused_definitely() {
    for (end, _, unavailable) in ENDS {
        let mut partition = busy();
        end(&mut partition);
        actions(&mut partition);
        let before = marks(&partition);
        // Also a duplicate: whether its original is durable is what nobody knows.
        for batch in [plain(1), from_producer(7, 0, 0, 1)] {
            let refused = partition.append(&batch, caller(5), at(0));
            assert_eq!(refused, Err(AppendError::Unavailable(unavailable)));
        }
        let refused = partition.delete_records(Offset(5), caller(7));
        assert_eq!(refused, Err(DeleteRecordsError::Unavailable(unavailable)));
        assert_eq!(actions(&mut partition), NOTHING);
        assert_eq!(marks(&partition), before);
    }
}

#[test]
fn reads_that_come_afterwards_are_refused() {
    for (end, _, unavailable) in ENDS {
        let mut partition = busy();
        end(&mut partition);
        actions(&mut partition);
        let refused = ReadError::Unavailable(unavailable);
        let none = LeaderEpoch::NONE;
        assert_eq!(partition.read(want(5, -1)), Err(refused));
        assert_eq!(partition.epoch_end(none, EPOCH), Err(refused));
        let latest = partition.offset_for(OffsetQuery::Latest, Isolation::default(), none);
        assert_eq!(latest, Err(refused));
        // A reader learns of it by reading: it does not wait.
        partition.wait_for_data(Ticket(8), Offset(10), Offset(10));
        assert_eq!(actions(&mut partition), ["8: read again"]);
    }
}

#[test]
fn late_events_change_nothing() {
    for (end, _, unavailable) in ENDS {
        let mut partition = busy();
        end(&mut partition);
        actions(&mut partition);
        let before = marks(&partition);
        partition.on_durable(Offset(11), at(0));
        partition.on_log_start_durable(Offset(4));
        partition.on_retention_due(Offset(9));
        partition.on_deadline(at(10_000));
        partition.configure(MEMORY, at(0));
        assert_eq!(actions(&mut partition), NOTHING);
        assert_eq!(marks(&partition), before);
        assert_eq!(partition.unavailable(), Some(unavailable));
    }
}

#[test]
fn deletion_is_final_and_the_first_failure_is_the_reason() {
    let mut partition = busy();
    partition.on_offline(DAMAGE);
    partition.on_failed();
    assert_eq!(partition.unavailable(), Some(Unavailable::Offline(DAMAGE)));
    partition.close();
    partition.on_failed();
    assert_eq!(partition.unavailable(), Some(Unavailable::Closed));
}

#[test]
fn damaged_partition_starts_refusing_wherever_its_log_ends() {
    for (log_start, next_offset) in [(0, 7), (9, 7)] {
        let state = PartitionState {
            log_start: Offset(log_start),
            next_offset: Offset(next_offset),
            offline: Some(DAMAGE),
            ..PartitionState::default()
        };
        let mut partition = Partition::new(state, FLUSHED, EPOCH, at(0));
        let refused = partition.append(&plain(1), caller(1), at(0));
        let unavailable = Unavailable::Offline(DAMAGE);
        assert_eq!(refused, Err(AppendError::Unavailable(unavailable)));
        assert_eq!(actions(&mut partition), NOTHING);
    }
}
