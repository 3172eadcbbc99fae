//! What a partition remembers of its idempotent producers (KIP-98): enough to recognise each producer's last five
//! batches when they come again, and to refuse a gap.
//!
//! A table is a function of the batches applied to it, so the one of a running partition, the one in a shard's
//! snapshot and the one rebuilt by replay agree.

use std::collections::{BTreeMap, VecDeque};

use super::table_error::{TableError, take, take_count};
use crate::base::epoch::ProducerEpoch;
use crate::base::ids::ProducerId;
use crate::base::limits::{PRODUCER_WINDOW_BATCHES, PRODUCERS_PER_PARTITION_MAX};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::{BatchHeader, sequence_plus};

const BATCH_BYTES: usize = 24;
const PRODUCER_BYTES_MIN: usize = 19 + BATCH_BYTES;

/// One remembered batch: what a duplicate is compared with, and what it is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    pub base_sequence: i32,
    pub last_sequence: i32,
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// Largest timestamp of the batch; its append time under LogAppendTime.
    pub timestamp: Timestamp,
}

impl ProducerBatch {
    fn of(header: &BatchHeader) -> ProducerBatch {
        ProducerBatch {
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
        }
    }
}

/// One producer: its current epoch and up to five batches of that epoch, oldest first; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    epoch: ProducerEpoch,
    last_used: Timestamp,
    batches: VecDeque<ProducerBatch>,
}

impl Producer {
    pub fn epoch(&self) -> ProducerEpoch {
        self.epoch
    }

    pub fn last_used(&self) -> Timestamp {
        self.last_used
    }

    pub fn batches(&self) -> impl ExactSizeIterator<Item = &ProducerBatch> {
        self.batches.iter()
    }

    pub fn last_batch(&self) -> &ProducerBatch {
        self.batches.back().expect("a producer has a batch")
    }
}

/// What to do with a batch of an idempotent producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceVerdict {
    /// The next one: append it.
    New,
    /// Appended before. The answer is that of the original.
    Duplicate(ProducerBatch),
}

/// Why a batch of an idempotent producer is refused. Nothing was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceError {
    /// A batch is missing before this one, or it is a duplicate from before the window.
    OutOfOrderSequence { expected: i32, got: i32 },
    /// A newer session of this producer has written here.
    InvalidProducerEpoch {
        current: ProducerEpoch,
        got: ProducerEpoch,
    },
}

/// The producers of one partition. Bounded: the one whose last batch is oldest goes first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerTable {
    producers: BTreeMap<ProducerId, Producer>,
    /// Last offset of each producer's last batch: least recently used first.
    by_use: BTreeMap<Offset, ProducerId>,
    producers_max: usize,
}

impl Default for ProducerTable {
    fn default() -> ProducerTable {
        ProducerTable::new(PRODUCERS_PER_PARTITION_MAX)
    }
}

impl ProducerTable {
    pub fn new(producers_max: usize) -> ProducerTable {
        assert!(producers_max > 0, "an idempotent producer needs a place");
        ProducerTable {
            producers: BTreeMap::new(),
            by_use: BTreeMap::new(),
            producers_max,
        }
    }

    /// Judges a batch before it gets an offset.
    ///
    /// A duplicate is a batch of the current epoch with the very first and last sequence of a remembered one. A new
    /// epoch starts at sequence 0. A producer without state may start anywhere: its batches may have been deleted.
    pub fn check(&self, header: &BatchHeader) -> Result<SequenceVerdict, SequenceError> {
        let Some(producer) = self.get(header.producer_id) else {
            return Ok(SequenceVerdict::New);
        };
        let (current, got) = (producer.epoch, header.producer_epoch);
        if got < current {
            return Err(SequenceError::InvalidProducerEpoch { current, got });
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let is_same = |b: &&ProducerBatch| (b.base_sequence, b.last_sequence) == (first, last);
        if got == current
            && let Some(original) = producer.batches.iter().find(is_same)
        {
            return Ok(SequenceVerdict::Duplicate(*original));
        }
        let expected = if got == current {
            sequence_plus(producer.last_batch().last_sequence, 1)
        } else {
            0
        };
        if first != expected {
            return Err(SequenceError::OutOfOrderSequence {
                expected,
                got: first,
            });
        }
        Ok(SequenceVerdict::New)
    }

    /// Remembers a batch that has its offset; one without a producer id leaves the table alone. `used` is when the
    /// producer was heard of: wall time where there is a clock, else the batch's own largest timestamp.
    ///
    /// Takes the batch as a fact and checks no sequence. Panics when its offset is not above all remembered ones.
    pub fn apply(&mut self, header: &BatchHeader, used: Timestamp) {
        if !header.producer_id.is_some() {
            return;
        }
        let batch = ProducerBatch::of(header);
        if let Some((&newest, _)) = self.by_use.last_key_value() {
            assert!(newest < batch.base_offset, "batches are applied in order");
        }
        let producer = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(|| Producer {
                epoch: header.producer_epoch,
                last_used: used,
                batches: VecDeque::with_capacity(1),
            });
        if let Some(last) = producer.batches.back() {
            self.by_use.remove(&last.last_offset);
        }
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == PRODUCER_WINDOW_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(batch);
        producer.last_used = producer.last_used.max(used);
        self.by_use.insert(batch.last_offset, header.producer_id);
        if self.producers.len() > self.producers_max {
            self.forget_least_recent();
        }
        self.assert_consistent();
    }

    fn forget_least_recent(&mut self) {
        let (_, producer_id) = self.by_use.pop_first().expect("a full table has an oldest");
        self.producers.remove(&producer_id);
    }

    /// Forgets the batches at or above a cut. Answers with the producers that lost their last one: what they wrote
    /// below the cut is found in the log only.
    pub fn truncate(&mut self, end: Offset) -> Vec<ProducerId> {
        let mut emptied = Vec::new();
        self.producers.retain(|&producer_id, producer| {
            producer.batches.retain(|batch| batch.last_offset < end);
            if producer.batches.is_empty() {
                emptied.push(producer_id);
            }
            !producer.batches.is_empty()
        });
        self.index_by_use();
        emptied
    }

    /// Forgets producers not heard of for `expiration_ms` (`producer.id.expiration.ms`). Answers how many.
    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers
            .retain(|_, producer| now.millis_since(producer.last_used) < expiration_ms);
        let expired = before - self.producers.len();
        if expired > 0 {
            self.index_by_use();
        }
        expired
    }

    /// Counts every producer as heard of now, so that a restart expires nobody early.
    pub fn renew(&mut self, now: Timestamp) {
        for producer in self.producers.values_mut() {
            producer.last_used = producer.last_used.max(now);
        }
    }

    fn index_by_use(&mut self) {
        self.by_use = self
            .producers
            .iter()
            .map(|(&producer_id, producer)| (producer.last_batch().last_offset, producer_id))
            .collect();
        self.assert_consistent();
    }

    fn assert_consistent(&self) {
        assert_eq!(self.producers.len(), self.by_use.len());
        assert!(self.producers.len() <= self.producers_max);
    }

    pub fn get(&self, producer_id: ProducerId) -> Option<&Producer> {
        self.producers.get(&producer_id)
    }

    /// By producer id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ProducerId, &Producer)> {
        self.producers.iter().map(|(&id, producer)| (id, producer))
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Little-endian: `count u32`, then per producer `id i64, epoch i16, last used i64, batches u8` and per batch
    /// `base sequence i32, records - 1 i32, base offset i64, timestamp i64`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let count = u32::try_from(self.producers.len()).expect("the table is bounded");
        out.extend_from_slice(&count.to_le_bytes());
        for (producer_id, producer) in &self.producers {
            out.extend_from_slice(&producer_id.0.to_le_bytes());
            out.extend_from_slice(&producer.epoch.0.to_le_bytes());
            out.extend_from_slice(&producer.last_used.0.to_le_bytes());
            out.push(u8::try_from(producer.batches.len()).expect("the window is small"));
            for batch in &producer.batches {
                encode_batch(batch, out);
            }
        }
    }

    /// Reads what `encode` wrote and moves `bytes` past it. Allocates no more than the bytes can fill.
    pub fn decode(bytes: &mut &[u8]) -> Result<ProducerTable, TableError> {
        let count = take_count(bytes, PRODUCER_BYTES_MIN, PRODUCERS_PER_PARTITION_MAX)?;
        let mut table = ProducerTable::default();
        let mut previous = ProducerId::NONE;
        for _ in 0..count {
            let producer_id = ProducerId(i64::from_le_bytes(take(bytes)?));
            if producer_id <= previous {
                return Err(TableError::Order);
            }
            previous = producer_id;
            let producer = decode_producer(bytes)?;
            let last_offset = producer.last_batch().last_offset;
            if table.by_use.insert(last_offset, producer_id).is_some() {
                return Err(TableError::Order);
            }
            table.producers.insert(producer_id, producer);
        }
        table.assert_consistent();
        Ok(table)
    }
}

const _: () = assert!(PRODUCER_WINDOW_BATCHES <= u8::MAX as usize);

fn encode_batch(batch: &ProducerBatch, out: &mut Vec<u8>) {
    let delta = i32::try_from(batch.last_offset.since(batch.base_offset))
        .expect("a batch counts its records in 31 bits");
    out.extend_from_slice(&batch.base_sequence.to_le_bytes());
    out.extend_from_slice(&delta.to_le_bytes());
    out.extend_from_slice(&batch.base_offset.0.to_le_bytes());
    out.extend_from_slice(&batch.timestamp.0.to_le_bytes());
}

fn decode_producer(bytes: &mut &[u8]) -> Result<Producer, TableError> {
    let epoch = ProducerEpoch(i16::from_le_bytes(take(bytes)?));
    let last_used = Timestamp(i64::from_le_bytes(take(bytes)?));
    let [count] = take(bytes)?;
    if count == 0 || usize::from(count) > PRODUCER_WINDOW_BATCHES {
        return Err(TableError::Count {
            count: u32::from(count),
        });
    }
    let mut batches: VecDeque<ProducerBatch> = VecDeque::with_capacity(usize::from(count));
    for _ in 0..count {
        let batch = decode_batch(bytes)?;
        if batches
            .back()
            .is_some_and(|earlier| earlier.last_offset >= batch.base_offset)
        {
            return Err(TableError::Order);
        }
        batches.push_back(batch);
    }
    Ok(Producer {
        epoch,
        last_used,
        batches,
    })
}

fn decode_batch(bytes: &mut &[u8]) -> Result<ProducerBatch, TableError> {
    let base_sequence = i32::from_le_bytes(take(bytes)?);
    let delta = i32::from_le_bytes(take(bytes)?);
    let base_offset = Offset(i64::from_le_bytes(take(bytes)?));
    let timestamp = Timestamp(i64::from_le_bytes(take(bytes)?));
    let end = base_offset.0.checked_add(i64::from(delta));
    let (Some(last_offset), true) = (end, base_offset.0 >= 0 && delta >= 0) else {
        return Err(TableError::Order);
    };
    Ok(ProducerBatch {
        base_sequence,
        last_sequence: sequence_plus(base_sequence, delta),
        base_offset,
        last_offset: Offset(last_offset),
        timestamp,
    })
}

#[cfg(test)]
mod tests;
