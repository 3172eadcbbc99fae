//! Batches and cuts on their way to their partitions, and the batches that wait for room.

use super::alarms::Alarm;
use super::calls::{CallKind, ItemAnswer, Origin};
use super::core::{Core, ParkedBatch};
use super::request::{CutAt, DeleteRecordsError, ProduceError, ProduceItem, Response};
use crate::base::few::Few;
use crate::base::ids::{PartitionId, Ticket};
use crate::base::limits::ADMISSION_WAIT_MS_MAX;
use crate::base::offset::Offset;
use crate::base::time::Instant;
use crate::partition::{self, AppendError, Caller, SequenceError};
use crate::storage::errors::NoRoom;
use crate::storage::runtime::Runtime;
use std::time::Duration;

impl Core {
    pub(super) fn produce(&self, origin: Origin, items: Few<ProduceItem>, deadline: Instant) {
        if items.is_empty() {
            return self.reply(origin, Response::Produce(Few::new()));
        }
        let tickets = self.open_call(origin, CallKind::Produce, items.len());
        for (item, ProduceItem { partition, batch }) in tickets.zip(items) {
            let batch = ParkedBatch {
                partition,
                batch,
                caller: Caller {
                    ticket: item,
                    deadline,
                },
            };
            // Behind those that wait for room already.
            let waiting = !self.parking.borrow().is_empty();
            let batch = if waiting {
                Some(batch)
            } else {
                self.admit(batch)
            };
            if let Some(batch) = batch {
                self.park(batch);
            }
        }
    }

    pub(super) fn delete_records(
        &self,
        origin: Origin,
        cuts: Few<(PartitionId, CutAt)>,
        deadline: Instant,
    ) {
        if cuts.is_empty() {
            return self.reply(origin, Response::DeleteRecords(Few::new()));
        }
        let tickets = self.open_call(origin, CallKind::DeleteRecords, cuts.len());
        for (ticket, (id, at)) in tickets.zip(cuts) {
            let caller = Caller { ticket, deadline };
            let before = match at {
                CutAt::HighWatermark => Offset::NONE,
                CutAt::Offset(offset) => offset,
            };
            let cut = self.turn(id, |partition, _| partition.delete_records(before, caller));
            let refused = match cut {
                Some(Ok(())) => continue,
                Some(Err(error)) => delete_error(error),
                None => DeleteRecordsError::UnknownPartition,
            };
            self.answer(ticket, ItemAnswer::DeleteRecords(Err(refused)));
        }
    }

    /// The tickets of the call's items.
    fn open_call(
        &self,
        origin: Origin,
        kind: CallKind,
        count: usize,
    ) -> impl Iterator<Item = Ticket> + use<> {
        let call = self.tickets.next_block(1 + count);
        self.calls.borrow_mut().open(call, origin, kind, count);
        (call.0 + 1..).map(Ticket)
    }

    /// Answers one item; with the last one the call.
    pub(super) fn answer(&self, item: Ticket, answer: ItemAnswer) {
        let finished = self.calls.borrow_mut().answer(item, answer);
        if let Some(finished) = finished {
            self.reply(finished.origin, finished.response);
        }
    }

    /// Appends or refuses; gives the batch back when room will come.
    fn admit(&self, parked: ParkedBatch) -> Option<ParkedBatch> {
        let ParkedBatch {
            partition: id,
            batch,
            caller,
        } = &parked;
        let refused = if !self.partitions.borrow().contains_key(id) {
            Some(ProduceError::UnknownPartition)
        } else {
            match self.store.reserve(*id, batch.len()) {
                Ok(room) => {
                    self.reservation.replace(Some(room));
                    let appended =
                        self.turn(*id, |partition, now| partition.append(batch, *caller, now));
                    // A duplicate and a refused batch need no room.
                    self.reservation.take();
                    appended.and_then(Result::err).map(produce_error)
                }
                Err(NoRoom::Busy) => return Some(parked),
                Err(NoRoom::DiskFull | NoRoom::TooLarge) => Some(ProduceError::NoRoom),
                Err(NoRoom::Closed | NoRoom::Unavailable) => Some(ProduceError::Offline),
            }
        };
        if let Some(error) = refused {
            self.refuse(*caller, error);
        }
        None
    }

    fn park(&self, batch: ParkedBatch) {
        let caller = batch.caller;
        let now = self.runtime.now().instant;
        let longest = now.plus(Duration::from_millis(ADMISSION_WAIT_MS_MAX));
        let until = longest.min(caller.deadline);
        self.admission_waits.set(self.admission_waits.get() + 1);
        let refused = self.parking.borrow_mut().push(batch, until);
        match refused {
            Ok(()) => self.alarms.set(until, Alarm::Parking(caller.ticket)),
            Err(_) => self.refuse(caller, ProduceError::NoRoom),
        }
    }

    /// Room came: whoever waited longest goes first.
    pub(super) fn release_parked(&self) {
        loop {
            let first = self.parking.borrow_mut().pop();
            let Some((batch, until)) = first else { return };
            let ticket = batch.caller.ticket;
            if let Some(batch) = self.admit(batch) {
                return self.parking.borrow_mut().put_back(batch, until);
            }
            self.alarms.clear(until, Alarm::Parking(ticket));
        }
    }

    pub(super) fn refuse_expired(&self, now: Instant) {
        let expired = self.parking.borrow_mut().expired(now);
        for batch in expired {
            self.refuse(batch.caller, ProduceError::NoRoom);
        }
    }

    /// The partition is gone.
    pub(super) fn refuse_parked(&self, id: PartitionId) {
        let waiting = self
            .parking
            .borrow_mut()
            .remove(|batch| batch.partition == id);
        for batch in waiting {
            self.refuse(batch.caller, ProduceError::UnknownPartition);
        }
    }

    fn refuse(&self, caller: Caller, error: ProduceError) {
        self.answer(caller.ticket, ItemAnswer::Produce(Err(error)));
    }
}

fn produce_error(error: AppendError) -> ProduceError {
    match error {
        AppendError::Unavailable(_) => ProduceError::Offline,
        AppendError::Sequence(SequenceError::OutOfOrderSequence { .. }) => {
            ProduceError::OutOfOrderSequence
        }
        AppendError::Sequence(SequenceError::InvalidProducerEpoch { .. }) => {
            ProduceError::InvalidProducerEpoch
        }
    }
}

fn delete_error(error: partition::DeleteRecordsError) -> DeleteRecordsError {
    match error {
        partition::DeleteRecordsError::Unavailable(_) => DeleteRecordsError::Offline,
        partition::DeleteRecordsError::OffsetOutOfRange { .. } => {
            DeleteRecordsError::OffsetOutOfRange
        }
    }
}
