//! The producer table of a running partition: it holds batches that are not yet durable too, and it forgets by time.

use crate::base::epoch::ProducerEpoch;
use crate::base::ids::ProducerId;
use crate::base::limits::PRODUCER_EXPIRY_CHECK_MS;
use crate::base::time::Timestamp;
use crate::log::producer_table::{ProducerTable, SequenceError, SequenceVerdict};
use crate::record::BatchHeader;

/// What is told of a producer that may write again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveProducer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_sequence: i32,
    pub last_timestamp: Timestamp,
}

/// A view of one partition, owned by its core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ProducerState {
    table: ProducerTable,
    expiry_checked: Timestamp,
}

impl ProducerState {
    /// A restart counts every producer as heard of now: the snapshot knows their batches' times, not the clock's.
    pub(super) fn recovered(mut table: ProducerTable, now: Timestamp) -> ProducerState {
        table.renew(now);
        ProducerState {
            table,
            expiry_checked: now,
        }
    }

    pub(super) fn check(&self, header: &BatchHeader) -> Result<SequenceVerdict, SequenceError> {
        if !header.producer_id.is_some() {
            return Ok(SequenceVerdict::New);
        }
        self.table.check(header)
    }

    /// Remembers an appended batch. When it is a new producer's, those that have expired make room first: no timer is
    /// needed, because only a new producer makes the table grow.
    pub(super) fn apply(&mut self, header: &BatchHeader, now: Timestamp, expiration_ms: i64) {
        if self.is_new(header.producer_id)
            && now.millis_since(self.expiry_checked) >= PRODUCER_EXPIRY_CHECK_MS
        {
            self.table.expire(now, expiration_ms);
            self.expiry_checked = now;
        }
        self.table.apply(header, now);
    }

    fn is_new(&self, producer_id: ProducerId) -> bool {
        producer_id.is_some() && self.table.get(producer_id).is_none()
    }

    /// Those that have not expired.
    pub(super) fn active(
        &self,
        now: Timestamp,
        expiration_ms: i64,
    ) -> impl Iterator<Item = ActiveProducer> {
        let heard = self.table.iter();
        heard
            .filter(move |(_, producer)| now.millis_since(producer.last_used()) < expiration_ms)
            .map(|(id, producer)| {
                let last = producer.last_batch();
                ActiveProducer {
                    id,
                    epoch: producer.epoch(),
                    last_sequence: last.last_sequence,
                    last_timestamp: last.timestamp,
                }
            })
    }

    pub(super) fn table(&self) -> &ProducerTable {
        &self.table
    }
}
