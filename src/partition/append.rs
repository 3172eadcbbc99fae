//! A batch gets its offset, or is refused. From here on it is only ever a success or "unknown".

use super::action::{Action, Caller, Unavailable};
use super::partition::{ParkedProduce, Partition};
use crate::base::offset::Offset;
use crate::base::time::{Now, Timestamp};
use crate::config::topic::Durability;
use crate::log::Note;
use crate::log::producer_table::{ProducerBatch, SequenceError, SequenceVerdict};
use crate::record::{TimestampKind, ValidBatch};

/// The batch has its place; its answer comes as `Complete`. The next request of the connection may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dispatched {
    pub base_offset: Offset,
    /// Appended before: no `Append` action follows.
    pub is_duplicate: bool,
}

/// Not appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    Unavailable(Unavailable),
    Sequence(SequenceError),
}

impl Partition {
    /// Appends one batch. Room for it has been reserved before, because what has an offset must be written.
    ///
    /// A batch that is one of its producer's last five is not appended again: it gets the answer of the original as
    /// soon as that one is committed.
    pub fn append(
        &mut self,
        batch: &ValidBatch,
        caller: Caller,
        now: Now,
    ) -> Result<Dispatched, AppendError> {
        self.check_available().map_err(AppendError::Unavailable)?;
        match self.producers.check(batch.header()) {
            Ok(SequenceVerdict::New) => Ok(self.append_new(batch, caller, now)),
            Ok(SequenceVerdict::Duplicate(original)) => {
                Ok(self.answer_again(&original, caller, now))
            }
            Err(error) => {
                self.count_refusal(&error);
                Err(AppendError::Sequence(error))
            }
        }
    }

    fn append_new(&mut self, batch: &ValidBatch, caller: Caller, now: Now) -> Dispatched {
        self.begin_epoch();
        let base_offset = self.watermarks.log_end();
        let append_time = match self.settings.timestamps {
            TimestampKind::CreateTime => None,
            TimestampKind::LogAppendTime => Some(now.wall),
        };
        let batch = batch.stamp(base_offset, self.leader_epoch, append_time);
        let end = batch.header.next_offset();
        self.watermarks.extend(end);
        self.producers.apply(
            &batch.header,
            now.wall,
            self.settings.producer_expiration_ms,
        );
        self.stats.batches += 1;
        self.stats.records += end.since(base_offset) as u64;
        self.stats.bytes += batch.len() as u64;
        let awaited = self.settings.durability == Durability::Flushed;
        self.act(Action::Append { batch, awaited });
        self.commit(now);
        let produce = ParkedProduce {
            ticket: caller.ticket,
            base_offset,
            log_append_time: append_time.unwrap_or(Timestamp::NONE),
            appended_at: now.instant,
        };
        self.answer_when_committed(end, produce, caller, now);
        Dispatched {
            base_offset,
            is_duplicate: false,
        }
    }

    /// The first batch of a leader epoch is preceded by the epoch's start.
    fn begin_epoch(&mut self) {
        let (epoch, offset) = (self.leader_epoch, self.watermarks.log_end());
        if self.epochs.last().is_some_and(|last| last.epoch == epoch) {
            return;
        }
        self.epochs.begin(epoch, offset);
        self.act(Action::Note(Note::EpochStart { epoch, offset }));
    }

    fn answer_again(&mut self, original: &ProducerBatch, caller: Caller, now: Now) -> Dispatched {
        self.stats.duplicates += 1;
        let base_offset = original.base_offset;
        let log_append_time = match self.settings.timestamps {
            TimestampKind::CreateTime => Timestamp::NONE,
            TimestampKind::LogAppendTime => original.timestamp,
        };
        let produce = ParkedProduce {
            ticket: caller.ticket,
            base_offset,
            log_append_time,
            appended_at: now.instant,
        };
        self.answer_when_committed(original.last_offset.next(), produce, caller, now);
        Dispatched {
            base_offset,
            is_duplicate: true,
        }
    }

    fn count_refusal(&mut self, error: &SequenceError) {
        match error {
            SequenceError::OutOfOrderSequence { .. } => self.stats.sequence_gaps += 1,
            SequenceError::InvalidProducerEpoch { .. } => self.stats.fenced_batches += 1,
        }
    }
}
