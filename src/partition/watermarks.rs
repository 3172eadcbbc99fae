//! The positions of a partition that only move forward, as one type.
//!
//! ```text
//! log_start <= last_stable <= high_watermark <= log_end        what readers may see
//!                                    durable <= log_end        what a power cut cannot take back
//! ```
//! No order is promised between `durable` and `high_watermark`: in class `memory` the high watermark is ahead.

use crate::base::offset::Offset;

/// A view of one partition, owned by its core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    log_start: Offset,
    last_stable: Offset,
    high_watermark: Offset,
    durable: Offset,
    log_end: Offset,
}

impl Watermarks {
    /// After recovery: everything that is there is durable and was made so before anything is served.
    pub(super) fn recovered(log_start: Offset, log_end: Offset) -> Watermarks {
        let watermarks = Watermarks {
            log_start,
            last_stable: log_end,
            high_watermark: log_end,
            durable: log_end,
            log_end,
        };
        watermarks.assert_chain();
        watermarks
    }

    /// A batch entered the tail.
    pub(super) fn extend(&mut self, log_end: Offset) {
        assert!(self.log_end < log_end, "a batch holds a record");
        self.log_end = log_end;
        self.assert_chain();
    }

    /// Every write that covers this has succeeded.
    pub(super) fn advance_durable(&mut self, durable: Offset) {
        assert!(self.durable <= durable, "what is durable stays durable");
        self.durable = durable;
        self.assert_chain();
    }

    /// Moves what readers see up to `committed`, or leaves it when it is there already. Without transactions, every
    /// committed record is stable.
    pub(super) fn commit(&mut self, committed: Offset) {
        self.high_watermark = self.high_watermark.max(committed);
        self.last_stable = self.high_watermark;
        self.assert_chain();
    }

    pub(super) fn raise_log_start(&mut self, log_start: Offset) {
        assert!(self.log_start < log_start, "a log start only rises");
        self.log_start = log_start;
        self.assert_chain();
    }

    fn assert_chain(&self) {
        assert!(
            Offset::ZERO <= self.log_start
                && self.log_start <= self.last_stable
                && self.last_stable <= self.high_watermark
                && self.high_watermark <= self.log_end
                && self.durable <= self.log_end,
            "broken chain: {self:?}"
        );
    }

    /// Lowest readable offset.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// Where READ_COMMITTED readers stop.
    pub fn last_stable(&self) -> Offset {
        self.last_stable
    }

    /// Where all other readers stop, and what answers wait for.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn durable(&self) -> Offset {
        self.durable
    }

    /// The next record's offset.
    pub fn log_end(&self) -> Offset {
        self.log_end
    }
}

#[cfg(test)]
mod tests;
