//! What a partition decided is done here: one match arm per action, one per outcome.

use super::alarms::Alarm;
use super::calls::{CallKind, ItemAnswer};
use super::core::{Core, Owned};
use super::request::{DeleteRecordsError, ProduceError};
use crate::base::ids::{PartitionId, Ticket};
use crate::partition::{Action, Outcome};
use crate::storage::disk::DiskError;

impl Core {
    pub(super) fn perform(&self, id: PartitionId, action: Action) {
        match action {
            Action::Append { batch, awaited } => {
                let room = self.reservation.take();
                let room = room.expect("room is reserved before every append");
                self.store.append(id, room, batch, awaited);
            }
            Action::Note(note) => self.store.note(id, note),
            Action::Complete { ticket, outcome } => self.complete(id, ticket, outcome),
        }
    }

    fn complete(&self, id: PartitionId, ticket: Ticket, outcome: Outcome) {
        match outcome {
            Outcome::Appended(appended) => {
                self.answer(ticket, ItemAnswer::Produce(Ok(appended)));
            }
            Outcome::RecordsDeleted { log_start } => {
                self.answer(ticket, ItemAnswer::DeleteRecords(Ok(log_start)));
            }
            Outcome::DataReady => self.on_data(id, ticket),
            Outcome::Unknown(_) => self.answer_unknown(ticket),
        }
    }

    fn answer_unknown(&self, item: Ticket) {
        let kind = self.calls.borrow().kind_of(item);
        let answer = match kind.expect("what is parked belongs to a call") {
            CallKind::Produce => ItemAnswer::Produce(Err(ProduceError::FateUnknown)),
            CallKind::DeleteRecords => {
                ItemAnswer::DeleteRecords(Err(DeleteRecordsError::FateUnknown))
            }
        };
        self.answer(item, answer);
    }

    /// Has the partition woken in time. An alarm that became too early is left: deadlines mostly pass unneeded.
    pub(super) fn set_alarm(&self, id: PartitionId, owned: &mut Owned) {
        let Some(at) = owned.partition.next_deadline() else {
            return;
        };
        if owned.alarm.is_some_and(|set| set <= at) {
            return;
        }
        if let Some(later) = owned.alarm.replace(at) {
            self.alarms.clear(later, Alarm::Partition(id));
        }
        self.alarms.set(at, Alarm::Partition(id));
    }

    pub(super) fn on_partition_alarm(&self, id: PartitionId) {
        if let Some(owned) = self.partitions.borrow_mut().get_mut(&id) {
            owned.alarm = None;
        }
        self.turn(id, |partition, now| partition.on_deadline(now));
    }

    /// Nothing is written any more. What was appended and is not yet durable is unknown, the rest is refused.
    pub(super) fn on_failed(&self, error: &DiskError) {
        tracing::error!(?error, shard = %self.id, "the data directory has failed: nothing is written until a restart");
        self.failed.set(true);
        let all: Vec<PartitionId> = self.partitions.borrow().keys().copied().collect();
        for id in all {
            self.turn(id, |partition, _| partition.on_failed());
        }
        self.release_parked();
    }
}
