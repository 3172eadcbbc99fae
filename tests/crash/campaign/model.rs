//! What must be true: a plain list of batches per partition, and what was promised about them.
//!
//! It knows nothing of journals, segments or sequences. A batch is *asked for* when it is handed to the store, and
//! *certain* when its producer was answered, a reader got it, or an earlier start found it.

use super::topics::{Change, Topics};
use bytes::{Bytes, BytesMut};
use ottla::base::epoch::{LeaderEpoch, ProducerEpoch};
use ottla::base::ids::{PartitionId, ProducerId};
use ottla::base::offset::Offset;
use ottla::base::prng::Prng;
use ottla::base::time::Timestamp;
use ottla::log::Note;
use ottla::log::epoch_table::EpochEntry;
use ottla::record::{BatchHeader, StampedBatch};
use ottla::storage::start::PartitionStart;
use std::collections::{BTreeMap, VecDeque};

/// Kafka remembers five batches of a producer.
const WINDOW: usize = 5;

#[derive(Clone, Debug)]
pub struct Written {
    pub header: BatchHeader,
    pub bytes: Bytes,
    pub certain: bool,
    pub memory: Memory,
}

/// Whether the producer table still knows a batch, as long as its producer has no five later ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    Sure,
    /// Batches that a cut took away may have pushed it out before.
    Perhaps,
    Gone,
}

/// A cut that was asked for, and the promises that were asked for before it.
#[derive(Clone, Copy, Debug)]
struct AskedCut {
    offset: Offset,
    promises: usize,
}

/// One partition. `Default` is a new one.
#[derive(Clone, Default, Debug)]
pub struct LogModel {
    pub batches: Vec<Written>,
    pub epochs: Vec<EpochEntry>,
    /// Epochs that a start has found, or that have a certain batch.
    pub log_start: Offset,
    /// Log starts asked for and not answered yet, in order.
    pub log_starts_asked: Vec<Offset>,
    /// Records that a later one of their key makes void may be gone.
    pub is_compacted: bool,
    cut_asked: Option<AskedCut>,
    /// The largest timestamp of a batch that was cut away: a bound may remember it.
    cut_timestamp: Option<Timestamp>,
    /// The last promise that is durable for certain.
    pub promise: Option<LeaderEpoch>,
    /// Promises that may be, and where the log ended when they were asked for.
    promises_asked: Vec<(LeaderEpoch, Offset)>,
}

/// A batch of the model's own producer table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenBatch {
    pub base_sequence: i32,
    pub last_sequence: i32,
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub timestamp: Timestamp,
}

pub type SeenProducers = BTreeMap<ProducerId, (ProducerEpoch, VecDeque<SeenBatch>)>;

#[derive(Clone, Default)]
pub struct Model {
    pub logs: BTreeMap<PartitionId, LogModel>,
    topics: Topics,
    topic_changes_asked: Vec<Change>,
    /// All its logs are.
    is_compacted: bool,
}

impl Model {
    /// Of logs that are compacted, or not.
    pub fn new(is_compacted: bool) -> Model {
        Model {
            is_compacted,
            ..Model::default()
        }
    }

    pub fn append(&mut self, id: PartitionId, batch: &StampedBatch) {
        let log = self.log(id);
        assert_eq!(
            batch.header.base_offset,
            log.end(),
            "{id}: offsets are dense"
        );
        let mut bytes = BytesMut::from(&batch.head[..]);
        bytes.extend_from_slice(&batch.body);
        log.batches.push(Written {
            header: batch.header,
            bytes: bytes.freeze(),
            certain: false,
            memory: Memory::Sure,
        });
    }

    pub fn note(&mut self, id: PartitionId, note: Note) {
        let log = self.log(id);
        match note {
            Note::EpochStart { epoch, offset } => {
                log.epochs.push(EpochEntry {
                    epoch,
                    start: offset,
                });
            }
            Note::LogStart(offset) => log.log_starts_asked.push(offset),
            Note::Truncate { offset } => {
                assert!(log.cut_asked.is_none(), "{id}: one cut at a time");
                log.cut_asked = Some(AskedCut {
                    offset,
                    promises: log.promises_asked.len(),
                });
            }
            Note::Promise(epoch) => {
                let end = log.end();
                log.promises_asked.push((epoch, end));
            }
        }
    }

    /// A producer was answered, or a reader got it: this batch stays, and all before it.
    pub fn answered(&mut self, id: PartitionId, base_offset: Offset) {
        let log = self.log(id);
        let batch = log
            .batches
            .iter_mut()
            .rfind(|batch| batch.header.base_offset == base_offset);
        batch
            .unwrap_or_else(|| panic!("{id}: an answer for {base_offset}, which nobody wrote"))
            .certain = true;
        // Entries of a partition become durable in order.
        let asked = log.promises_asked.iter();
        let before = asked.take_while(|(_, end)| *end <= base_offset);
        let count = before.count();
        log.promises_kept(count);
    }

    /// The cut that was asked for is durable.
    pub fn cut_done(&mut self, id: PartitionId) {
        let log = self.log(id);
        let cut = log.cut_asked.expect("a cut that was asked for");
        log.promises_kept(cut.promises);
        *log = log.after_cut().expect("asked for above");
    }

    pub fn log_start_answered(&mut self, id: PartitionId, offset: Offset) {
        let log = self.log(id);
        log.log_start = log.log_start.max(offset);
        let certain = log.log_start;
        log.log_starts_asked.retain(|&asked| asked > certain);
    }

    pub fn topic_change_asked(&mut self, change: &Change) {
        self.topic_changes_asked.push(change.clone());
    }

    pub fn topic_changes_answered(&mut self) {
        for change in self.topic_changes_asked.drain(..) {
            self.topics.apply(&change);
        }
    }

    /// A start has found these topics: all that was answered, and of what was asked the first few changes or none.
    pub fn settle_topics(&mut self, found: &Topics) {
        let mut possible = self.topics.clone();
        let mut asked = self.topic_changes_asked.drain(..);
        while possible != *found {
            let next = asked.next();
            let next = next.unwrap_or_else(|| panic!("topics {found:?}, not {possible:?}"));
            possible.apply(&next);
        }
        drop(asked);
        self.topics = possible;
    }

    pub fn log(&mut self, id: PartitionId) -> &mut LogModel {
        let new = LogModel {
            is_compacted: self.is_compacted,
            ..LogModel::default()
        };
        self.logs.entry(id).or_insert(new)
    }
}

impl LogModel {
    pub fn end(&self) -> Offset {
        let last = self.batches.last();
        last.map_or(Offset::ZERO, |batch| batch.header.next_offset())
    }

    /// Where the log ends at least.
    pub fn certain_end(&self) -> Offset {
        let last = self.batches.iter().rfind(|batch| batch.certain);
        last.map_or(Offset::ZERO, |batch| batch.header.next_offset())
    }

    /// The batches in `from..below`, beginning with the one that holds `from`.
    pub fn bytes(&self, from: Offset, below: Offset) -> Vec<u8> {
        let mut bytes = Vec::new();
        let first = self
            .batches
            .partition_point(|batch| batch.header.next_offset() <= from);
        for batch in &self.batches[first..] {
            if batch.header.base_offset >= below {
                break;
            }
            bytes.extend_from_slice(&batch.bytes);
        }
        bytes
    }

    /// Where the last batch below `end` begins.
    pub fn last_base_offset(&self, end: Offset) -> Offset {
        let after = self
            .batches
            .partition_point(|batch| batch.header.base_offset < end);
        self.batches[after - 1].header.base_offset
    }

    pub fn is_boundary(&self, offset: Offset) -> bool {
        offset == Offset::ZERO
            || self
                .batches
                .binary_search_by_key(&offset, |batch| batch.header.next_offset())
                .is_ok()
    }

    /// The last five batches of each producer, of its newest epoch, of those that the table knows for certain; or of
    /// those it may know.
    pub fn producers(&self, at_most: bool) -> SeenProducers {
        let mut seen = SeenProducers::new();
        for Written { header, memory, .. } in &self.batches {
            let is_known = *memory == Memory::Sure || (at_most && *memory == Memory::Perhaps);
            if !header.producer_id.is_some() || !is_known {
                continue;
            }
            let (epoch, batches) = seen.entry(header.producer_id).or_default();
            if *epoch != header.producer_epoch {
                *epoch = header.producer_epoch;
                batches.clear();
            }
            if batches.len() == WINDOW {
                batches.pop_front();
            }
            batches.push_back(SeenBatch {
                base_sequence: header.base_sequence,
                last_sequence: header.base_sequence + header.last_offset_delta,
                base_offset: header.base_offset,
                last_offset: Offset(header.base_offset.0 + i64::from(header.last_offset_delta)),
                timestamp: header.max_timestamp,
            });
        }
        seen
    }

    /// The last sequence of the producer in this log, remembered or not.
    pub fn last_sequence(&self, producer: ProducerId) -> Option<i32> {
        let last = self
            .batches
            .iter()
            .rfind(|batch| batch.header.producer_id == producer)?;
        Some(last.header.base_sequence + last.header.last_offset_delta)
    }

    /// Somewhere a cut may be: a little from the end mostly, never below a log start that was asked for.
    pub fn any_cut(&self, prng: &mut Prng) -> Offset {
        let from = self.asked_log_start();
        let ends = self.batches.iter().map(|batch| batch.header.next_offset());
        let mut places: Vec<Offset> = ends.filter(|&end| end >= from).collect();
        places.reverse();
        let scale = (places.len() as u64) >> prng.below(5);
        let place = places.get(prng.below(scale.max(1)) as usize);
        place.copied().unwrap_or(from.max(self.end()))
    }

    /// Where the log starts when everything is durable that was asked for.
    fn asked_log_start(&self) -> Offset {
        let asked = self.log_starts_asked.iter().max().copied();
        asked.unwrap_or(Offset::ZERO).max(self.log_start)
    }

    /// The batches that end there or before.
    pub fn up_to(&self, end: Offset) -> LogModel {
        let mut kept = self.clone();
        kept.batches
            .retain(|batch| batch.header.next_offset() <= end);
        kept
    }

    /// What a cut leaves that was asked for and is not known to have happened.
    pub fn after_cut(&self) -> Option<LogModel> {
        let cut = self.cut_asked?.offset;
        let mut left = self.clone();
        left.cut_asked = None;
        left.epochs.retain(|entry| entry.start < cut);
        if cut <= self.asked_log_start() {
            // The epoch of the log start began there, and nothing is left that was written in it.
            left.epochs.clear();
        }
        let kept = left
            .batches
            .partition_point(|batch| batch.header.next_offset() <= cut);
        let voided = left.batches.split_off(kept);
        let stamps = voided.iter().map(|batch| batch.header.max_timestamp);
        left.cut_timestamp = left.cut_timestamp.max(stamps.max());
        left.forget_pushed_out(&voided);
        Some(left)
    }

    /// A cut takes batches out of the producer table; those that they had pushed out do not come back.
    fn forget_pushed_out(&mut self, voided: &[Written]) {
        let mut later: BTreeMap<ProducerId, (usize, usize)> = BTreeMap::new();
        for batch in voided {
            later.entry(batch.header.producer_id).or_default().0 += 1;
        }
        for batch in self.batches.iter_mut().rev() {
            let (voided, kept) = later.entry(batch.header.producer_id).or_default();
            batch.memory = match batch.memory {
                known if *voided + *kept < WINDOW => known,
                Memory::Gone => Memory::Gone,
                _ if *kept < WINDOW => Memory::Perhaps,
                _ => Memory::Gone,
            };
            *kept += 1;
        }
    }

    fn promises_kept(&mut self, count: usize) {
        let kept = self.promises_asked.drain(..count).map(|(epoch, _)| epoch);
        self.promise = self.promise.max(kept.max());
    }

    /// Whether a start may find this promise.
    pub fn may_promise(&self, found: LeaderEpoch) -> bool {
        let found = (found != LeaderEpoch::NONE).then_some(found);
        let mut asked = self.promises_asked.iter();
        found == self.promise
            || (found > self.promise && asked.any(|(epoch, _)| Some(*epoch) == found))
    }

    /// Of the batches that reach above `from`.
    pub fn max_timestamp(&self, from: Offset) -> Timestamp {
        let first = self
            .batches
            .partition_point(|batch| batch.header.next_offset() <= from);
        let stamps = self.batches[first..]
            .iter()
            .map(|batch| batch.header.max_timestamp);
        stamps.max().unwrap_or(Timestamp::NONE)
    }

    /// What a bound may remember of all that was ever written.
    pub fn timestamp_bound(&self) -> Timestamp {
        let cut = self.cut_timestamp.unwrap_or(Timestamp::NONE);
        self.max_timestamp(Offset::ZERO).max(cut)
    }

    /// A log that ends where a cut was asked for was cut there; else it was not.
    pub fn settle_cut(&mut self, end: Offset) {
        if self.cut_asked.is_some_and(|cut| cut.offset == end) {
            *self = self.after_cut().expect("asked for above");
        }
        self.cut_asked = None;
    }

    /// The log is what a start found. What was not found is gone for good; the rest stays.
    pub fn settle(&mut self, found: &PartitionStart) -> Vec<Written> {
        let end = found.next_offset;
        let kept = self
            .batches
            .partition_point(|batch| batch.header.next_offset() <= end);
        let gone = self.batches.split_off(kept);
        for batch in &mut self.batches {
            batch.certain = true;
            let remembered = found.producers.get(batch.header.producer_id);
            let is_known = remembered.is_some_and(|producer| {
                let mut batches = producer.batches();
                batches.any(|seen| seen.base_offset == batch.header.base_offset)
            });
            batch.memory = match is_known {
                true => Memory::Sure,
                false => Memory::Gone,
            };
        }
        self.log_start = found.log_start;
        self.log_starts_asked.clear();
        self.epochs = found.epochs.entries().to_vec();
        self.promise = (found.promise != LeaderEpoch::NONE).then_some(found.promise);
        self.promises_asked.clear();
        gone
    }
}
