//! The log start rises: clients delete records, retention lets segments go.

use super::action::{Action, Caller, Outcome, Unavailable};
use super::partition::Partition;
use crate::base::offset::Offset;
use crate::log::Note;

/// Nothing was deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteRecordsError {
    Unavailable(Unavailable),
    /// Beyond the high watermark, or no offset at all.
    OffsetOutOfRange {
        high_watermark: Offset,
    },
}

impl Partition {
    /// Kafka's DeleteRecords: nothing below `before` is read again. `Offset::NONE` (-1) stands for the high watermark.
    /// Answered with the log start once that is durable; readers stop seeing the records at once.
    pub fn delete_records(
        &mut self,
        before: Offset,
        caller: Caller,
    ) -> Result<(), DeleteRecordsError> {
        self.check_available()
            .map_err(DeleteRecordsError::Unavailable)?;
        let high_watermark = self.watermarks.high_watermark();
        let before = if before == Offset::NONE {
            high_watermark
        } else {
            before
        };
        if before < Offset::ZERO || before > high_watermark {
            return Err(DeleteRecordsError::OffsetOutOfRange { high_watermark });
        }
        self.raise_log_start(before);
        if before <= self.durable_log_start {
            let log_start = self.watermarks.log_start();
            self.complete(caller.ticket, Outcome::RecordsDeleted { log_start });
        } else {
            self.deletions.park(before, caller.deadline, caller.ticket);
        }
        Ok(())
    }

    /// Segments wholly below `log_start` are older or more than the topic wants. Readers keep everything that is not
    /// committed yet.
    pub fn on_retention_due(&mut self, log_start: Offset) {
        if self.unavailable.is_some() {
            return;
        }
        self.raise_log_start(log_start.min(self.watermarks.high_watermark()));
    }

    fn raise_log_start(&mut self, log_start: Offset) {
        if log_start <= self.watermarks.log_start() {
            return;
        }
        self.watermarks.raise_log_start(log_start);
        self.epochs.raise_start(log_start);
        self.act(Action::Note(Note::LogStart(log_start)));
        self.release_readers();
    }
}
