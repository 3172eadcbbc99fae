//! What a read of one segment wants, and the answer to it as it grows.

use super::errors::ReadError;
use super::reader::Step;
use super::store::ReadBytes;
use crate::base::offset::Offset;
use crate::record::BatchHeader;
use bytes::Bytes;

/// What a cold read wants: whole batches from the one that holds `from`, below `below`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColdRead {
    pub from: Offset,
    pub below: Offset,
    pub bytes_max: usize,
    /// The first batch comes whatever its size.
    pub at_least_one: bool,
}

/// What a cold read found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColdFound {
    pub bytes: ReadBytes,
    /// Nothing that is wanted follows in this segment.
    pub is_end: bool,
}

/// What a cold read has found so far.
pub(super) struct Answer {
    want: ColdRead,
    bytes: usize,
    /// Nothing that is wanted follows in the segment, as far as is known.
    is_end: bool,
}

impl Answer {
    pub(super) fn new(want: ColdRead) -> Answer {
        Answer {
            want,
            bytes: 0,
            is_end: true,
        }
    }

    pub(super) fn visit(&mut self, header: &BatchHeader, batch: &[u8]) -> Step {
        let want = &self.want;
        self.is_end = true;
        if header.next_offset() <= want.from {
            return Step::Skip;
        }
        let is_first = self.bytes == 0 && want.at_least_one;
        let fits = self.bytes + batch.len() <= want.bytes_max || is_first;
        if header.last_offset() >= want.below || !fits {
            self.is_end = false;
            return Step::Stop;
        }
        self.bytes += batch.len();
        self.is_end = self.bytes < want.bytes_max;
        match self.is_end {
            true => Step::Keep,
            false => Step::KeepLast,
        }
    }

    /// It has something, and there is more.
    pub(super) fn is_stopped(&self) -> bool {
        self.bytes > 0 && !self.is_end
    }

    /// `pieces` are what was kept of the batches visited, until `walked` ended. Damage behind the first is for whoever
    /// reads on from there.
    pub(super) fn found(
        self,
        pieces: Vec<Bytes>,
        walked: Result<(), ReadError>,
    ) -> Result<ColdFound, ReadError> {
        let is_end = match walked {
            Ok(()) => self.is_end,
            Err(ReadError::Damaged { .. }) if self.bytes > 0 => false,
            Err(error) => return Err(error),
        };
        let bytes = pieces.iter().map(Bytes::len).sum();
        Ok(ColdFound {
            bytes: ReadBytes { pieces, bytes },
            is_end,
        })
    }
}
