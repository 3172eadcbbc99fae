//! The part of a segment that a walk over its batches has at hand.

use super::errors::ReadError;
use super::reader::Step;
use crate::base::align::block_floor;
use crate::base::limits::{COLD_READ_BYTES, FRAME_BYTES_MAX};
use crate::base::offset::Offset;
use crate::log::epoch_table::EpochTable;
use crate::record::{BatchHeader, Batches, crc_matches};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// Whether each batch begins with the offset after the last one's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Density {
    Dense,
    /// Compaction has taken batches away.
    Gaps,
}

/// Where a walk ended: the byte and the offset of the next batch, and what of it and behind it was read.
pub(super) struct Rest {
    pub(super) position: u64,
    pub(super) expected: Offset,
    held: BytesMut,
}

impl Rest {
    pub(super) fn bytes(&self) -> usize {
        self.held.len()
    }

    /// Without the bytes: the walk that goes on reads them anew.
    pub(super) fn emptied(self) -> Rest {
        Rest {
            held: BytesMut::new(),
            ..self
        }
    }

    /// Of its own memory: the bytes lie in that of the answer, which is somebody else's to account for. With room for
    /// the read that follows.
    pub(super) fn moved(self) -> Rest {
        let mut held = BytesMut::with_capacity(self.held.len() + COLD_READ_BYTES);
        held.extend_from_slice(&self.held);
        Rest { held, ..self }
    }
}

/// Bytes from a batch's first on, as far as they were read.
pub(super) struct Window<'a> {
    /// Where they begin in the file, and where the file's batches end.
    pub(super) position: u64,
    pub(super) end: u64,
    /// The offset that comes next, at least.
    expected: Offset,
    density: Density,
    epochs: &'a EpochTable,
    held: BytesMut,
    /// Of the bytes at hand: walked over, and to be kept.
    walked: usize,
    kept: Range<usize>,
}

impl<'a> Window<'a> {
    pub(super) fn new(
        (position, expected): (u64, Offset),
        end: u64,
        epochs: &'a EpochTable,
        density: Density,
    ) -> Window<'a> {
        let held = BytesMut::new();
        let start = Rest {
            position,
            expected,
            held,
        };
        Window::go_on(start, end, epochs, density)
    }

    pub(super) fn go_on(
        rest: Rest,
        end: u64,
        epochs: &'a EpochTable,
        density: Density,
    ) -> Window<'a> {
        Window {
            position: rest.position,
            end,
            expected: rest.expected,
            density,
            epochs,
            held: rest.held,
            walked: 0,
            kept: 0..0,
        }
    }

    /// What is left when what was walked over has been given up.
    pub(super) fn into_rest(self) -> Rest {
        Rest {
            position: self.position,
            expected: self.expected,
            held: self.held,
        }
    }

    /// Takes what was read next. Reads are of whole blocks and begin with the one in which the window does.
    pub(super) fn fill(&mut self, read: &[u8]) {
        let at = self.position + self.held.len() as u64;
        let skipped = (at - block_floor(at)) as usize;
        let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
        let bytes = read.get(skipped..).unwrap_or_default();
        self.held.extend_from_slice(&bytes[..bytes.len().min(left)]);
    }

    /// Visits the whole batches at hand, each with its CRC and its place checked. True when nothing more is wanted.
    pub(super) fn walk(
        &mut self,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<bool, ReadError> {
        let mut batches = Batches::new(&self.held);
        for batch in &mut batches {
            let Ok((at, header, batch)) = batch else {
                return Err(self.damaged());
            };
            let epoch = self.epochs.epoch_at(header.base_offset);
            let is_next = match self.density {
                Density::Dense => header.base_offset == self.expected,
                Density::Gaps => header.base_offset >= self.expected,
            };
            let is_in_place = is_next && epoch.is_none_or(|epoch| epoch == header.leader_epoch);
            if !is_in_place || !crc_matches(batch) {
                return Err(self.damaged());
            }
            let step = visit(self.position + at as u64, &header, batch);
            if step == Step::Stop {
                return Ok(true);
            }
            self.expected = header.next_offset();
            self.walked = at + batch.len();
            if step != Step::Skip {
                let start = match self.kept.is_empty() {
                    true => at,
                    false => self.kept.start,
                };
                self.kept = start..self.walked;
            }
            if step == Step::KeepLast {
                return Ok(true);
            }
        }
        match BatchHeader::parse(&self.held[self.walked..]) {
            Ok(header) if !self.can_hold(header.total_bytes()) => Err(self.damaged()),
            _ => Ok(false),
        }
    }

    /// Whether a batch of which only the beginning was read may lie here. More is read then, so it is bounded.
    fn can_hold(&self, batch_bytes: usize) -> bool {
        let left = self.end - self.position - self.walked as u64;
        batch_bytes as u64 <= left && batch_bytes <= FRAME_BYTES_MAX
    }

    /// Gives up what was walked over, and what of it is kept.
    pub(super) fn pass(&mut self) -> (Bytes, Option<Bytes>) {
        let bytes = self.held.split_to(self.walked).freeze();
        self.position += bytes.len() as u64;
        self.walked = 0;
        let kept = std::mem::take(&mut self.kept);
        let piece = match kept.len() {
            0 => None,
            // A small piece shall not hold on to a large buffer.
            len if len < bytes.len() / 2 => Some(Bytes::copy_from_slice(&bytes[kept])),
            _ => Some(bytes.slice(kept)),
        };
        (bytes, piece)
    }

    /// What stands where the next batch has to be is none.
    pub(super) fn damaged(&self) -> ReadError {
        let header = BatchHeader::parse(&self.held[self.walked..]);
        let claimed = header.map_or(0, |header| header.total_bytes());
        let position = self.position + self.walked as u64;
        ReadError::Damaged {
            offset: self.expected,
            position,
            bytes: if self.can_hold(claimed) { claimed } else { 0 },
        }
    }
}
