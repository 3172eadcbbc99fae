//! The end of a partition's log in memory: what is not yet in segments, and as much before it as the pool has room for.
//!
//! ```text
//!      block_floor(start)   start                              frozen    end
//!      ├── fill ────────────┤├─ piece ─┤├─ piece ─┤├─ piece ────┤├─ open ─┤
//! ```
//! Bytes are copied once, into an open chunk of ordinary memory. A cycle freezes what it takes; frozen pieces are
//! immutable and shared without a copy by the journal, the lap and readers of every core. `fill` completes the first
//! block, so that any range of the tail can be written block-aligned.

use crate::base::align::block_floor;
use crate::base::offset::{Offset, Position};
use crate::record::{BatchHeader, Batches};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

const CHUNK_BYTES_MIN: usize = 4 * 1024;
const CHUNK_BYTES_MAX: usize = 64 * 1024;
const CHUNK_GROWTH: usize = 4;
/// What a piece costs besides its bytes.
const PIECE_OVERHEAD_BYTES: usize = 96;

/// Whole batches, back to back in one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    pub position: Position,
    pub base: Offset,
    pub next: Offset,
    pub bytes: Bytes,
    /// `Tail::pass_time` of its last batch.
    appended: u64,
    /// Memory of the chunk that nothing uses, charged to the piece that was last in it.
    waste: usize,
}

impl Piece {
    pub fn end(&self) -> Position {
        Position {
            segment: self.position.segment,
            byte: self.position.byte + self.bytes.len() as u64,
        }
    }

    fn charge(&self) -> usize {
        self.bytes.len() + self.waste + PIECE_OVERHEAD_BYTES
    }
}

/// What a read of the tail found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TailRead {
    pub pieces: Vec<Bytes>,
    pub bytes: usize,
}

/// A partition view; owned by the core that owns the partition.
#[derive(Debug)]
pub struct Tail {
    pieces: VecDeque<Piece>,
    chunk: BytesMut,
    chunk_bytes: usize,
    chunk_bytes_max: usize,
    /// Where the batches in `chunk` begin.
    open: (Position, Offset),
    end: Position,
    next_offset: Offset,
    /// Where the first piece begins; the end of the log when there is none.
    start: (Position, Offset),
    /// `None` until somebody reads it back from the segment.
    fill: Option<Vec<u8>>,
    charge: usize,
    now: u64,
}

impl Tail {
    /// The empty tail of a log that ends here.
    pub fn new(end: Position, next_offset: Offset) -> Tail {
        let is_aligned = block_floor(end.byte) == end.byte;
        Tail {
            pieces: VecDeque::new(),
            chunk: BytesMut::new(),
            chunk_bytes: CHUNK_BYTES_MIN,
            chunk_bytes_max: CHUNK_BYTES_MAX,
            open: (end, next_offset),
            end,
            next_offset,
            start: (end, next_offset),
            fill: is_aligned.then(Vec::new),
            charge: 0,
            now: 0,
        }
    }

    /// The time, by any clock that never goes back, of what is appended from now on.
    pub fn pass_time(&mut self, now: u64) {
        self.now = now;
    }

    /// When the oldest piece was appended.
    pub fn oldest(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.appended)
    }

    /// From now on a chunk takes about `share` at most: each tail has one that is open, however little comes.
    pub fn limit_chunks(&mut self, share: usize) {
        self.chunk_bytes_max = share.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
    }

    /// Appends one batch, given in two slices.
    pub fn append(&mut self, header: &BatchHeader, slices: [&[u8]; 2]) {
        let len = header.total_bytes();
        assert_eq!(
            slices[0].len() + slices[1].len(),
            len,
            "a batch has the length it says"
        );
        assert_eq!(header.base_offset, self.next_offset, "offsets are dense");
        if self.chunk.capacity() - self.chunk.len() < len {
            self.open_chunk(len);
        }
        self.chunk.extend_from_slice(slices[0]);
        self.chunk.extend_from_slice(slices[1]);
        self.end.byte += len as u64;
        self.next_offset = header.next_offset();
    }

    /// The next batch begins the segment `base`.
    pub fn roll(&mut self, base: Offset) {
        assert_eq!(
            base, self.next_offset,
            "a segment begins where the log ends"
        );
        self.freeze();
        self.end = Position {
            segment: base,
            byte: 0,
        };
        self.open = (self.end, base);
        if self.pieces.is_empty() {
            self.start = (self.end, base);
            self.charge -= self.fill.replace(Vec::new()).map_or(0, |fill| fill.len());
        }
    }

    /// Makes what was appended immutable, and thereby readable.
    pub fn freeze(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        let bytes = self.chunk.split().freeze();
        let (position, base) = self.open;
        self.charge += PIECE_OVERHEAD_BYTES;
        self.pieces.push_back(Piece {
            position,
            base,
            next: self.next_offset,
            bytes,
            appended: self.now,
            waste: 0,
        });
        self.open = (self.end, self.next_offset);
    }

    fn open_chunk(&mut self, len: usize) {
        let filled = self.chunk.capacity() > 0;
        self.freeze();
        self.retire_chunk();
        if filled {
            self.chunk_bytes *= CHUNK_GROWTH;
        }
        self.chunk_bytes = self.chunk_bytes.min(self.chunk_bytes_max);
        self.chunk = BytesMut::with_capacity(self.chunk_bytes.max(len));
        self.charge += self.chunk.capacity();
    }

    /// Gives the unused rest of the chunk up. Its memory lives as long as the last piece in it.
    fn retire_chunk(&mut self) {
        let rest = std::mem::take(&mut self.chunk).capacity();
        match self.pieces.back_mut() {
            Some(last) => last.waste += rest,
            None => self.charge -= rest,
        }
    }

    /// Whether lead-in bytes are at hand for whatever is appended or flushed next.
    pub fn is_filled(&self) -> bool {
        self.fill.is_some()
    }

    /// The range of the segment that `set_fill` wants: from a block boundary to the start of the tail.
    pub fn missing_fill(&self) -> Option<(Position, usize)> {
        let from = block_floor(self.start.0.byte);
        let position = Position {
            byte: from,
            ..self.start.0
        };
        (!self.is_filled()).then_some((position, (self.start.0.byte - from) as usize))
    }

    /// Brings the beginning of the first block back from the segment.
    pub fn set_fill(&mut self, start: Position, fill: Vec<u8>) {
        if start == self.start.0 && self.fill.is_none() {
            assert_eq!(block_floor(start.byte) + fill.len() as u64, start.byte);
            self.charge += fill.len();
            self.fill = Some(fill);
        }
    }

    /// The bytes `from..to` of one segment; `from` may lie in the fill.
    pub fn slices(&self, from: Position, to: u64) -> Vec<Bytes> {
        let mut slices = Vec::new();
        let mut at = from;
        let start = self.start.0;
        if at.segment == start.segment && at.byte < start.byte {
            let fill = self
                .fill
                .as_ref()
                .expect("lead-in bytes were loaded before");
            let skipped = (at.byte - block_floor(start.byte)) as usize;
            let end = fill.len().min((to - block_floor(start.byte)) as usize);
            slices.push(Bytes::copy_from_slice(&fill[skipped..end]));
            at.byte = start.byte.min(to);
        }
        let first = self.pieces.partition_point(|piece| piece.end() <= at);
        for piece in self.pieces.iter().skip(first) {
            if at.byte >= to || piece.position.segment != at.segment {
                break;
            }
            let skipped = (at.byte - piece.position.byte) as usize;
            let len = piece.bytes.len().min((to - piece.position.byte) as usize);
            slices.push(piece.bytes.slice(skipped..len));
            at.byte = piece.position.byte + len as u64;
        }
        assert_eq!(at.byte, to, "the tail holds the whole range");
        slices
    }

    /// Frozen pieces from `from` on, in order.
    pub fn pieces_from(&self, from: Position) -> impl Iterator<Item = &Piece> {
        let first = self.pieces.partition_point(|piece| piece.end() <= from);
        self.pieces.iter().skip(first)
    }

    /// Whole batches from the one that holds `from`, below `below`. `None` when the tail begins later.
    pub fn read(
        &mut self,
        from: Offset,
        below: Offset,
        max: usize,
        at_least_one: bool,
    ) -> Option<TailRead> {
        if from < self.start.1 {
            return None;
        }
        self.freeze();
        let mut found = TailRead::default();
        let first = self.pieces.partition_point(|piece| piece.next <= from);
        for piece in self.pieces.iter().skip(first) {
            let wants_first = at_least_one && found.bytes == 0;
            if piece.base >= below || (found.bytes >= max && !wants_first) {
                break;
            }
            let skip = if piece.base < from {
                skipped_bytes(piece, from)
            } else {
                0
            };
            let rest = piece.bytes.slice(skip..);
            let len = batches_within(
                &rest,
                below,
                piece.next <= below,
                max.saturating_sub(found.bytes),
                wants_first,
            );
            if len > 0 {
                found.pieces.push(rest.slice(..len));
                found.bytes += len;
            }
            if len < rest.len() {
                break;
            }
        }
        Some(found)
    }

    /// Bytes in the tail from `from` on, roughly.
    pub fn bytes_from(&self, from: Offset) -> u64 {
        let first = self.pieces.partition_point(|piece| piece.next <= from);
        let frozen: usize = self
            .pieces
            .iter()
            .skip(first)
            .map(|piece| piece.bytes.len())
            .sum();
        (frozen + self.chunk.len()) as u64
    }

    /// Lets the oldest piece go if it lies below `synced`. Answers whether one went.
    pub fn evict(&mut self, synced: Position) -> bool {
        if self.pieces.front().is_none_or(|piece| piece.end() > synced) {
            return false;
        }
        let piece = self.pieces.pop_front().expect("looked at above");
        self.charge -= piece.charge();
        let next = self
            .pieces
            .front()
            .map_or(self.open, |next| (next.position, next.base));
        self.refill(&piece, next.0);
        self.start = next;
        true
    }

    /// Keeps what the first block of the new start lacks.
    fn refill(&mut self, evicted: &Piece, start: Position) {
        let mut fill = self.fill.take();
        self.charge -= fill.as_ref().map_or(0, Vec::len);
        if evicted.position.segment != start.segment {
            fill = Some(Vec::new());
        } else if evicted.position.byte <= block_floor(start.byte) {
            let kept = (start.byte - block_floor(start.byte)) as usize;
            fill = Some(evicted.bytes[evicted.bytes.len() - kept..].to_vec());
        } else if let Some(fill) = &mut fill {
            fill.extend_from_slice(&evicted.bytes);
        }
        self.charge += fill.as_ref().map_or(0, Vec::len);
        self.fill = fill;
    }

    /// Lets go of what an idle partition does not need. Its first block is read back when it is.
    pub fn rest(&mut self) {
        if self.pieces.is_empty() && self.chunk.is_empty() {
            self.retire_chunk();
            self.chunk_bytes = CHUNK_BYTES_MIN;
            self.charge -= self.fill.take().map_or(0, |fill| fill.len());
            if block_floor(self.start.0.byte) == self.start.0.byte {
                self.fill = Some(Vec::new());
            }
            assert_eq!(self.charge, 0, "an idle tail holds nothing");
        }
    }

    /// Where `offset` lies, if the tail holds it: the start of a batch, or the end.
    pub fn position_of(&mut self, offset: Offset) -> Option<Position> {
        self.freeze();
        if offset == self.next_offset {
            return Some(self.end);
        }
        if offset < self.start.1 {
            return None;
        }
        let index = self.pieces.partition_point(|piece| piece.next <= offset);
        let piece = self.pieces.get(index)?;
        let skipped = skipped_bytes(piece, offset) as u64;
        Some(Position {
            byte: piece.position.byte + skipped,
            ..piece.position
        })
    }

    /// Cuts everything from `end` on, which lies at `at`.
    pub fn truncate(&mut self, end: Offset, at: Position) {
        self.freeze();
        if at < self.start.0 {
            *self = Tail {
                chunk_bytes: self.chunk_bytes,
                ..Tail::new(at, end)
            };
            return;
        }
        while let Some(last) = self.pieces.back() {
            if last.end() <= at {
                break;
            }
            let mut last = self.pieces.pop_back().expect("looked at above");
            self.charge -= last.charge();
            if last.position < at {
                last.bytes.truncate((at.byte - last.position.byte) as usize);
                last.next = end;
                self.charge += last.charge();
                self.pieces.push_back(last);
            }
        }
        self.end = at;
        self.next_offset = end;
        self.open = (at, end);
        if self.pieces.is_empty() {
            self.retire_chunk();
            self.start = (at, end);
        }
    }

    pub fn end(&self) -> Position {
        self.end
    }

    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The first offset that the tail holds.
    pub fn start_offset(&self) -> Offset {
        self.start.1
    }

    /// Memory held.
    pub fn charge(&self) -> usize {
        self.charge
    }
}

/// Bytes before the batch that holds `offset`.
fn skipped_bytes(piece: &Piece, offset: Offset) -> usize {
    for batch in Batches::new(&piece.bytes) {
        let (position, header, _) = batch.expect("the tail holds valid batches");
        if header.next_offset() > offset {
            return position;
        }
    }
    piece.bytes.len()
}

/// Bytes of the whole batches below `below` that fit; the first one fits always if it must.
fn batches_within(bytes: &[u8], below: Offset, all_below: bool, max: usize, one: bool) -> usize {
    if all_below && bytes.len() <= max {
        return bytes.len();
    }
    let mut end = 0;
    for batch in Batches::new(bytes) {
        let (position, header, batch) = batch.expect("the tail holds valid batches");
        let must = one && position == 0;
        if header.next_offset() > below || (position + batch.len() > max && !must) {
            break;
        }
        end = position + batch.len();
    }
    end
}

#[cfg(test)]
mod tests;
