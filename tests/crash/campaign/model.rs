//! What must be true: a plain list of batches per partition, and what was promised about them.
//!
//! It knows nothing of journals, segments or sequences. A batch is *asked for* when it is handed to the store, and
//! *certain* when its producer was answered, a reader got it, or an earlier start found it.

use super::topics::{Change, Topics};
use bytes::{Bytes, BytesMut};
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::{PartitionId, ProducerId};
use ottla::base::offset::Offset;
use ottla::base::time::Timestamp;
use ottla::log::Note;
use ottla::log::epoch_table::EpochEntry;
use ottla::record::{BatchHeader, StampedBatch};
use std::collections::{BTreeMap, VecDeque};

/// Kafka remembers five batches of a producer.
const WINDOW: usize = 5;

#[derive(Clone, Debug)]
pub struct Written {
    pub header: BatchHeader,
    pub bytes: Bytes,
    pub certain: bool,
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

#[derive(Default)]
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
            Note::Truncate { .. } | Note::Promise(_) => panic!("one replica never notes {note:?}"),
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

    /// The last five batches of each producer, of its newest epoch.
    pub fn producers(&self) -> SeenProducers {
        let mut seen = SeenProducers::new();
        for Written { header, .. } in &self.batches {
            if !header.producer_id.is_some() {
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

    /// The log is what a start found. What was not found is gone for good; the rest stays.
    pub fn settle(
        &mut self,
        log_start: Offset,
        end: Offset,
        epochs: &[EpochEntry],
    ) -> Vec<Written> {
        let kept = self
            .batches
            .partition_point(|batch| batch.header.next_offset() <= end);
        let gone = self.batches.split_off(kept);
        for batch in &mut self.batches {
            batch.certain = true;
        }
        self.log_start = log_start;
        self.log_starts_asked.clear();
        self.epochs = epochs.to_vec();
        gone
    }
}
