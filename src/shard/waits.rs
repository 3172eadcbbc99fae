//! Fetches that wait for data: one-shot, under a ticket of the shard that asked. Nobody polls; the partition's own
//! commit wakes them.

use super::alarms::Alarm;
use super::calls::Origin;
use super::core::Core;
use super::request::{AwaitPart, Isolation, Response};
use crate::base::ids::{PartitionId, Ticket};
use crate::base::time::Instant;
use std::collections::BTreeMap;

pub(super) struct Wait {
    pub(super) origin: Origin,
    pub(super) parts: Vec<AwaitPart>,
    pub(super) isolation: Isolation,
    pub(super) bytes_needed: usize,
    pub(super) deadline: Instant,
}

pub(super) type Waits = BTreeMap<Ticket, Wait>;

impl Core {
    pub(super) fn await_data(&self, ticket: Ticket, wait: Wait) {
        if self.stopping.get() {
            return self.reply(wait.origin, Response::DataReady);
        }
        self.alarms.set(wait.deadline, Alarm::Wait(ticket));
        let parts = wait.parts.clone();
        let before = self.waits.borrow_mut().insert(ticket, wait);
        assert!(before.is_none(), "a ticket waits once on each shard");
        for part in parts {
            self.watch(ticket, part);
        }
    }

    /// Has the partition tell of the next change after `part.seen_high_watermark`.
    fn watch(&self, ticket: Ticket, part: AwaitPart) {
        if !self.waits.borrow().contains_key(&ticket) {
            return;
        }
        let (from, seen) = (part.from, part.seen_high_watermark);
        let watched = self.turn(part.partition, |partition, _| {
            partition.wait_for_data(ticket, from, seen);
        });
        if watched.is_none() {
            // The reader learns from its next read that the partition is gone.
            self.end_wait(ticket);
        }
    }

    /// A partition changed. Not enough yet: the wait goes on from here.
    pub(super) fn on_data(&self, id: PartitionId, ticket: Ticket) {
        let enough = match self.waits.borrow().get(&ticket) {
            Some(wait) => self.has_enough(wait),
            None => return,
        };
        if enough {
            return self.end_wait(ticket);
        }
        for part in self.note_seen(id, ticket) {
            self.watch(ticket, part);
        }
    }

    /// The parts of this wait that read the partition, with its high watermark of now.
    fn note_seen(&self, id: PartitionId, ticket: Ticket) -> Vec<AwaitPart> {
        let partitions = self.partitions.borrow();
        let mut waits = self.waits.borrow_mut();
        let (Some(owned), Some(wait)) = (partitions.get(&id), waits.get_mut(&ticket)) else {
            return Vec::new();
        };
        let parts = wait.parts.iter_mut().filter(|part| part.partition == id);
        let seen = parts.map(|part| {
            part.seen_high_watermark = owned.partition.watermarks().high_watermark();
            *part
        });
        seen.collect()
    }

    fn has_enough(&self, wait: &Wait) -> bool {
        let mut readable: u64 = 0;
        for part in &wait.parts {
            match self.readable_bytes(part, wait.isolation) {
                Some(bytes) => readable = readable.saturating_add(bytes),
                None => return true,
            }
        }
        readable >= wait.bytes_needed as u64
    }

    /// `None`: reading on is an error, which the reader should see now.
    fn readable_bytes(&self, part: &AwaitPart, isolation: Isolation) -> Option<u64> {
        let partitions = self.partitions.borrow();
        let partition = &partitions.get(&part.partition)?.partition;
        let marks = partition.watermarks();
        if partition.unavailable().is_some() || part.from < marks.log_start() {
            return None;
        }
        let below = match isolation {
            Isolation::ReadUncommitted => marks.high_watermark(),
            Isolation::ReadCommitted => marks.last_stable(),
        };
        if part.from >= below {
            return Some(0);
        }
        let available = self.store.available_bytes(part.partition, part.from, below);
        // There is a record, whatever the estimate says.
        Some(available.max(1))
    }

    /// Answers the wait, if it still is one, and forgets it everywhere.
    pub(super) fn end_wait(&self, ticket: Ticket) {
        let Some(wait) = self.waits.borrow_mut().remove(&ticket) else {
            return;
        };
        self.alarms.clear(wait.deadline, Alarm::Wait(ticket));
        for part in &wait.parts {
            self.turn(part.partition, |partition, _| partition.cancel(ticket));
        }
        self.reply(wait.origin, Response::DataReady);
    }

    pub(super) fn end_all_waits(&self) {
        let all: Vec<Ticket> = self.waits.borrow().keys().copied().collect();
        for ticket in all {
            self.end_wait(ticket);
        }
    }
}
