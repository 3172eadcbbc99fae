//! What readers may see: ranges, special offsets, ends of epochs, and waiting for more.

use super::action::{Outcome, Unavailable};
use super::partition::Partition;
use super::waiters::DataWait;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::Ticket;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// Whether a reader sees records of transactions that have not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    pub from: Offset,
    pub isolation: Isolation,
    /// The reader's idea of the leader epoch, or `NONE`.
    pub leader_epoch: LeaderEpoch,
}

/// What may be read now: the batches in `from..below`, which may be none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadView {
    pub from: Offset,
    pub below: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
    pub log_start: Offset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    Unavailable(Unavailable),
    /// Below the log start or beyond the log end.
    OffsetOutOfRange {
        log_start: Offset,
        high_watermark: Offset,
    },
    /// The reader knows an older epoch: it must refresh its metadata and check its position.
    FencedLeaderEpoch {
        current: LeaderEpoch,
    },
    /// The reader knows a newer epoch than this leader.
    UnknownLeaderEpoch {
        current: LeaderEpoch,
    },
}

/// What ListOffsets can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetQuery {
    Latest,
    Earliest,
    MaxTimestamp,
    EarliestLocal,
    LastTiered,
    /// The first record stamped at or after this time.
    AtLeast(Timestamp),
}

/// `NONE` in all fields: there is no such record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: LeaderEpoch,
}

impl FoundOffset {
    const NONE: FoundOffset = FoundOffset {
        offset: Offset::NONE,
        timestamp: Timestamp::NONE,
        leader_epoch: LeaderEpoch::NONE,
    };
}

/// Known from the watermarks, or to be looked up in the log among the records in `from..below`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetAnswer {
    Known(FoundOffset),
    LookUpTimestamp {
        at_least: Timestamp,
        from: Offset,
        below: Offset,
    },
    LookUpMaxTimestamp {
        from: Offset,
        below: Offset,
    },
}

/// The largest epoch not above the wanted one, and where it ends; `NONE` in both: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    pub epoch: LeaderEpoch,
    pub end: Offset,
}

impl Partition {
    /// What a fetch from this offset may return. Nothing, not an error, between the end for readers and the log end:
    /// the records there exist but are not committed.
    pub fn read(&self, want: ReadRequest) -> Result<ReadView, ReadError> {
        self.check_reader(want.leader_epoch)?;
        let marks = &self.watermarks;
        if want.from < marks.log_start() || want.from > marks.log_end() {
            return Err(ReadError::OffsetOutOfRange {
                log_start: marks.log_start(),
                high_watermark: marks.high_watermark(),
            });
        }
        Ok(ReadView {
            from: want.from,
            below: self.readable_end(want.isolation).max(want.from),
            high_watermark: marks.high_watermark(),
            last_stable: marks.last_stable(),
            log_start: marks.log_start(),
        })
    }

    /// Completes with `DataReady` as soon as a reader at `from`, which has seen this high watermark, would see
    /// something else: at once, if that has happened between its read and now.
    pub fn wait_for_data(&mut self, ticket: Ticket, from: Offset, seen_high_watermark: Offset) {
        let wait = DataWait {
            from,
            seen_high_watermark,
        };
        let marks = &self.watermarks;
        if self.unavailable.is_some() || wait.is_over(marks.high_watermark(), marks.log_start()) {
            self.complete(ticket, Outcome::DataReady);
        } else {
            self.readers.park(ticket, wait);
        }
    }

    /// The reader of this ticket does not wait any more and gets no answer. False when it did not wait here.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        self.readers.cancel(ticket)
    }

    /// ListOffsets. Times are looked up in the log by whoever can read it.
    pub fn offset_for(
        &self,
        query: OffsetQuery,
        isolation: Isolation,
        leader_epoch: LeaderEpoch,
    ) -> Result<OffsetAnswer, ReadError> {
        self.check_reader(leader_epoch)?;
        let (from, below) = (self.watermarks.log_start(), self.readable_end(isolation));
        Ok(match query {
            OffsetQuery::Latest => OffsetAnswer::Known(FoundOffset {
                offset: below,
                timestamp: Timestamp::NONE,
                leader_epoch: self.leader_epoch,
            }),
            OffsetQuery::Earliest | OffsetQuery::EarliestLocal => {
                OffsetAnswer::Known(FoundOffset {
                    offset: from,
                    timestamp: Timestamp::NONE,
                    leader_epoch: self.epoch_of_start(),
                })
            }
            OffsetQuery::LastTiered => OffsetAnswer::Known(FoundOffset::NONE),
            _ if from == below => OffsetAnswer::Known(FoundOffset::NONE),
            OffsetQuery::MaxTimestamp => OffsetAnswer::LookUpMaxTimestamp { from, below },
            OffsetQuery::AtLeast(at_least) => OffsetAnswer::LookUpTimestamp {
                at_least,
                from,
                below,
            },
        })
    }

    /// The epoch in which the record at `offset` was written, `NONE` when nobody knows.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.epoch_at(offset).unwrap_or(LeaderEpoch::NONE)
    }

    /// A log without a batch begins in the current epoch.
    fn epoch_of_start(&self) -> LeaderEpoch {
        match self.epochs.last() {
            None => self.leader_epoch,
            Some(_) => self.epoch_at(self.watermarks.log_start()),
        }
    }

    /// OffsetForLeaderEpoch. The current epoch counts as begun even before its first batch.
    pub fn epoch_end(
        &self,
        current: LeaderEpoch,
        wanted: LeaderEpoch,
    ) -> Result<EpochEnd, ReadError> {
        self.check_reader(current)?;
        let log_end = self.watermarks.log_end();
        let last = self.epochs.last().map(|entry| entry.epoch);
        let found = if wanted < LeaderEpoch(0) || wanted > self.leader_epoch {
            None
        } else if wanted == self.leader_epoch {
            Some((wanted, log_end))
        } else {
            // Between the last epoch that wrote and the current one, nothing was written.
            match last {
                None => Some((wanted, log_end)),
                Some(last) => self.epochs.end_of(wanted.min(last), log_end),
            }
        };
        Ok(match found {
            Some((epoch, end)) => EpochEnd { epoch, end },
            None => EpochEnd {
                epoch: LeaderEpoch::NONE,
                end: Offset::NONE,
            },
        })
    }

    fn readable_end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => self.watermarks.high_watermark(),
            Isolation::ReadCommitted => self.watermarks.last_stable(),
        }
    }

    fn check_reader(&self, leader_epoch: LeaderEpoch) -> Result<(), ReadError> {
        self.check_available().map_err(ReadError::Unavailable)?;
        let current = self.leader_epoch;
        if leader_epoch == LeaderEpoch::NONE || leader_epoch == current {
            Ok(())
        } else if leader_epoch < current {
            Err(ReadError::FencedLeaderEpoch { current })
        } else {
            Err(ReadError::UnknownLeaderEpoch { current })
        }
    }
}
