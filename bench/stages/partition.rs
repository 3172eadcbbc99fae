//! The decisions of one partition: where a batch goes, what a commit releases, what a reader may see.

use super::batch::{BYTES_100, NOW, batch, batch_in_sequence, valid};
use super::stage::{REQUESTS, Work, each, work};
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::Ticket;
use ottla::base::offset::Offset;
use ottla::base::time::{Instant, Now};
use ottla::partition::{
    Caller, Durability, Isolation, Partition, PartitionSettings, PartitionState, ReadRequest,
};
use ottla::record::{TimestampKind, ValidBatch};
use std::hint::black_box;
use std::time::Duration;

pub(crate) fn append() -> Box<dyn Work> {
    let small = valid(batch(1, BYTES_100));
    appends(move |_| small.clone())
}

pub(crate) fn append_idempotent() -> Box<dyn Work> {
    appends(|sequence| valid(batch_in_sequence(sequence)))
}

/// The batches of a run are committed before the next one.
fn appends(mut batch: impl FnMut(i32) -> ValidBatch + 'static) -> Box<dyn Work> {
    let mut sequence = 0..;
    work(
        (Leader::new(), Vec::new()),
        move |(leader, batches)| {
            leader.commit();
            let next = sequence.by_ref().take(REQUESTS);
            batches.extend(next.map(&mut batch));
        },
        |(leader, batches)| {
            for batch in batches.drain(..) {
                leader.append(&batch);
            }
        },
    )
}

pub(crate) fn commit() -> Box<dyn Work> {
    let small = valid(batch(1, BYTES_100));
    work(
        Leader::new(),
        move |leader| (0..REQUESTS).for_each(|_| leader.append(&small)),
        Leader::commit,
    )
}

pub(crate) fn read() -> Box<dyn Work> {
    let mut leader = Leader::new();
    leader.append(&valid(batch(16, BYTES_100)));
    leader.commit();
    let want = ReadRequest {
        from: Offset(3),
        isolation: Isolation::ReadUncommitted,
        leader_epoch: LeaderEpoch(0),
    };
    each(want, move |want| leader.partition.read(want))
}

/// A partition with its shell: actions are taken and thrown away.
struct Leader {
    partition: Partition,
    now: Now,
    tickets: u64,
}

impl Leader {
    fn new() -> Leader {
        let now = Now {
            instant: Instant(1_000_000_000),
            wall: NOW,
        };
        let settings = PartitionSettings {
            durability: Durability::Flushed,
            timestamps: TimestampKind::CreateTime,
            producer_expiration_ms: 86_400_000,
        };
        let state = PartitionState::default();
        Leader {
            partition: Partition::new(state, settings, LeaderEpoch(0), now),
            now,
            tickets: 0,
        }
    }

    fn append(&mut self, batch: &ValidBatch) {
        self.tickets += 1;
        self.now.instant = self.now.instant.plus(Duration::from_micros(1));
        let caller = Caller {
            ticket: Ticket(self.tickets),
            deadline: self.now.instant.plus(Duration::from_secs(30)),
        };
        let appended = self.partition.append(batch, caller, self.now);
        assert!(appended.is_ok_and(|appended| !appended.is_duplicate));
        self.drain();
    }

    /// Everything appended has become durable.
    fn commit(&mut self) {
        let end = self.partition.watermarks().log_end();
        self.partition.on_durable(end, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.partition.poll_action() {
            black_box(action);
        }
    }
}
