//! Requests that wait, each with the condition that releases it as data.

use std::collections::BTreeMap;

use crate::base::ids::Ticket;
use crate::base::offset::Offset;
use crate::base::time::Instant;

/// Requests that wait until a position reaches an offset. Released in the order of offsets, then of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parked<T> {
    waiting: BTreeMap<(Offset, u64), (Instant, T)>,
    /// The same requests by their deadline.
    deadlines: BTreeMap<(Instant, u64), Offset>,
    next_serial: u64,
}

impl<T> Parked<T> {
    pub(super) fn new() -> Parked<T> {
        Parked {
            waiting: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            next_serial: 0,
        }
    }

    pub(super) fn park(&mut self, until: Offset, deadline: Instant, request: T) {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.waiting.insert((until, serial), (deadline, request));
        self.deadlines.insert((deadline, serial), until);
        self.assert_paired();
    }

    /// The next request whose offset has been reached.
    pub(super) fn release(&mut self, reached: Offset) -> Option<T> {
        let entry = self.waiting.first_entry()?;
        let (until, serial) = *entry.key();
        if until > reached {
            return None;
        }
        let (deadline, request) = entry.remove();
        let known = self.deadlines.remove(&(deadline, serial));
        assert_eq!(known, Some(until), "a deadline for each request");
        self.assert_paired();
        Some(request)
    }

    /// The next request whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Option<T> {
        let entry = self.deadlines.first_entry()?;
        let (deadline, serial) = *entry.key();
        if deadline > now {
            return None;
        }
        let until = entry.remove();
        let (_, request) = self
            .waiting
            .remove(&(until, serial))
            .expect("a request for each deadline");
        self.assert_paired();
        Some(request)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn assert_paired(&self) {
        assert_eq!(self.waiting.len(), self.deadlines.len());
    }
}

/// Readers that wait for something to change, once. Their deadline is their shard's matter: one reader waits for many
/// partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DataWaiters {
    waiting: BTreeMap<Ticket, DataWait>,
}

/// What a reader knew when it decided to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DataWait {
    pub(super) from: Offset,
    pub(super) seen_high_watermark: Offset,
}

impl DataWait {
    /// Whether the reader would now see something else: more records, or that its position is gone.
    pub(super) fn is_over(&self, high_watermark: Offset, log_start: Offset) -> bool {
        high_watermark > self.seen_high_watermark || log_start > self.from
    }
}

impl DataWaiters {
    pub(super) fn new() -> DataWaiters {
        DataWaiters {
            waiting: BTreeMap::new(),
        }
    }

    /// A reader that names one partition twice waits for whichever position changes first.
    pub(super) fn park(&mut self, ticket: Ticket, wait: DataWait) {
        let waiting = self.waiting.entry(ticket).or_insert(wait);
        waiting.from = waiting.from.min(wait.from);
        waiting.seen_high_watermark = waiting.seen_high_watermark.min(wait.seen_high_watermark);
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) -> bool {
        self.waiting.remove(&ticket).is_some()
    }

    /// Takes the readers for whom something changed, by ticket.
    pub(super) fn release(&mut self, high_watermark: Offset, log_start: Offset) -> Vec<Ticket> {
        self.waiting
            .extract_if(.., |_, wait| wait.is_over(high_watermark, log_start))
            .map(|(ticket, _)| ticket)
            .collect()
    }

    /// Takes all, by ticket.
    pub(super) fn drain(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.waiting).into_keys().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
