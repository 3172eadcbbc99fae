//! The durable state of a partition as of one journal sequence: the unit of a shard's snapshot.
//!
//! `apply` is the only way a section changes. The live commit loop calls it when a cycle has become durable, recovery
//! calls it when it replays the cycle, so a section captured at a sequence is what replay up to there leaves.
//!
//! ```text
//! log start ≤ next offset       synced ≤ end of the last segment       epoch starts ≤ next offset
//! segments: bases rise strictly, each is the end of the one before; the last one is written to
//! ```

use super::cursor::{Cursor, PutFields};
use super::entry::{Change, DataChange, ReplaceChange};
use super::epoch_table::EpochTable;
use super::offline::{Offline, OfflineReason};
use super::producer_table::ProducerTable;
use super::segment::{LargestTimestamp, Segment, SegmentName, SideFile};
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::PartitionId;
use crate::base::offset::{Offset, Position};

/// A partition view; owned by the core that owns the partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    pub id: PartitionId,
    /// The journal sequence this is the state at; 0 at the start of a life.
    pub sequence: u64,
    /// Number of the partition's last entry.
    pub entry_number: u32,
    pub log_start: Offset,
    pub next_offset: Offset,
    pub promise: LeaderEpoch,
    /// Incarnation of this replica, given by `Reset`; 0 for one that was never reset.
    pub replica: u64,
    /// Segments hold everything below, synced.
    pub synced: Position,
    /// The log below has been compacted, once at least; what lies above is looked at first.
    pub compacted: Offset,
    /// Never empty.
    pub segments: Vec<Segment>,
    pub epochs: EpochTable,
    pub producers: ProducerTable,
    pub offline: Option<Offline>,
    pub dropped: bool,
}

/// Which state of a section goes into a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// As it is.
    AsIs,
    /// As it will be when the lap that captures it at this sequence has synced everything it speaks of.
    Captured(u64),
}

/// A change that does not fit the state it is applied to. In a running broker it cannot happen; in a replay it is
/// damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contradiction {
    /// Not the partition's next entry.
    Number { expected: u32, found: u32 },
    /// Data that does not begin where the log ends.
    Gap { end: Position, at: Position },
    /// A batch whose offset is not the next one.
    Offset { expected: Offset, found: Offset },
    /// A batch or an epoch start older than the log's latest epoch.
    EpochFalls {
        latest: LeaderEpoch,
        found: LeaderEpoch,
    },
    /// Batches that do not fill their entry.
    Length { expected: u64, found: u64 },
    /// A cut, a roll, a seal, a replacement or a log start that names a place the log does not have.
    Place,
    /// Anything after the partition was dropped.
    Dropped,
}

impl Section {
    /// An empty partition whose first record will get `start`.
    pub fn new(id: PartitionId, start: Offset) -> Section {
        Section {
            id,
            sequence: 0,
            entry_number: 0,
            log_start: start,
            next_offset: start,
            promise: LeaderEpoch::NONE,
            replica: 0,
            synced: Position {
                segment: start,
                byte: 0,
            },
            compacted: Offset::ZERO,
            segments: vec![Segment::new(start)],
            epochs: EpochTable::default(),
            producers: ProducerTable::default(),
            offline: None,
            dropped: false,
        }
    }

    /// Applies the partition's next entry.
    pub fn apply(&mut self, number: u32, change: &Change) -> Result<(), Contradiction> {
        let expected = self.entry_number.wrapping_add(1);
        if number != expected {
            return Err(Contradiction::Number {
                expected,
                found: number,
            });
        }
        if self.dropped {
            return Err(Contradiction::Dropped);
        }
        match change {
            Change::Data(data) => self.apply_data(data)?,
            Change::Truncate { end, at } => self.apply_truncate(*end, *at)?,
            Change::Roll {
                closed,
                bytes,
                base,
            } => self.apply_roll(*closed, *bytes, *base)?,
            Change::Sealed { base, bytes, index } => self.apply_sealed(*base, *bytes, *index)?,
            Change::EpochStart { epoch, offset } => self.apply_epoch(*epoch, *offset)?,
            Change::Promise(epoch) => self.promise = self.promise.max(*epoch),
            Change::LogStart(offset) => self.apply_log_start(*offset)?,
            Change::Drop => self.dropped = true,
            Change::Reset {
                epoch,
                offset,
                replica,
            } => self.apply_reset(*epoch, *offset, *replica),
            Change::Replace(replace) => self.apply_replace(replace)?,
        }
        self.entry_number = number;
        Ok(())
    }

    fn apply_data(&mut self, data: &DataChange) -> Result<(), Contradiction> {
        let end = self.end();
        if data.at != end {
            return Err(Contradiction::Gap { end, at: data.at });
        }
        let bytes: u64 = data
            .batches
            .iter()
            .map(|header| header.total_bytes() as u64)
            .sum();
        if bytes != data.bytes || bytes == 0 {
            return Err(Contradiction::Length {
                expected: data.bytes,
                found: bytes,
            });
        }
        self.check_batches(data)?;
        let active = self.segments.last_mut().expect("there is always a segment");
        for header in &data.batches {
            active.include(header);
            self.producers.apply(header, header.max_timestamp);
        }
        let last = &data.batches[data.batches.len() - 1];
        self.next_offset = last.next_offset();
        Ok(())
    }

    fn check_batches(&self, data: &DataChange) -> Result<(), Contradiction> {
        let mut expected = self.next_offset;
        let mut latest = self
            .epochs
            .last()
            .map_or(LeaderEpoch::NONE, |entry| entry.epoch);
        for header in &data.batches {
            if header.base_offset != expected {
                return Err(Contradiction::Offset {
                    expected,
                    found: header.base_offset,
                });
            }
            if header.leader_epoch < latest {
                return Err(Contradiction::EpochFalls {
                    latest,
                    found: header.leader_epoch,
                });
            }
            expected = header.next_offset();
            latest = header.leader_epoch;
        }
        Ok(())
    }

    fn apply_truncate(&mut self, end: Offset, at: Position) -> Result<(), Contradiction> {
        let kept = self
            .segments
            .partition_point(|segment| segment.base <= at.segment);
        let place = kept.checked_sub(1).map(|index| self.segments[index]);
        let is_there = place.is_some_and(|s| s.base == at.segment && at.byte <= s.bytes);
        if !is_there || end > self.next_offset || end < self.log_start {
            return Err(Contradiction::Place);
        }
        self.segments.truncate(kept);
        let active = self.segments.last_mut().expect("checked above");
        active.bytes = at.byte;
        active.finished = false;
        active.index = None;
        active.largest.truncate(end);
        if at.byte == 0 {
            active.clear();
        }
        self.next_offset = end;
        self.compacted = self.compacted.min(end);
        self.epochs.truncate(end);
        // A producer that loses all its remembered batches is forgotten: its next batch is taken as its first.
        self.producers.truncate(end);
        self.synced = self.synced.min(at);
        Ok(())
    }

    fn apply_roll(
        &mut self,
        closed: Offset,
        bytes: u64,
        base: Offset,
    ) -> Result<(), Contradiction> {
        let active = self.active();
        if active.base != closed
            || active.bytes != bytes
            || base != self.next_offset
            || base == closed
        {
            return Err(Contradiction::Place);
        }
        self.segments.push(Segment::new(base));
        Ok(())
    }

    fn apply_sealed(
        &mut self,
        base: Offset,
        bytes: u64,
        index: SideFile,
    ) -> Result<(), Contradiction> {
        let last = self.active().base;
        match self
            .segments
            .iter_mut()
            .find(|segment| segment.base == base)
        {
            // Retention was faster than the lap that finished it, or compaction was.
            None if base < last => Ok(()),
            Some(segment) if segment.name().is_rewritten() && base < last => Ok(()),
            Some(segment) if segment.bytes == bytes && base < last => {
                segment.index = Some(index);
                Ok(())
            }
            _ => Err(Contradiction::Place),
        }
    }

    fn apply_epoch(&mut self, epoch: LeaderEpoch, offset: Offset) -> Result<(), Contradiction> {
        if let Some(last) = self.epochs.last()
            && epoch <= last.epoch
        {
            return Err(Contradiction::EpochFalls {
                latest: last.epoch,
                found: epoch,
            });
        }
        if offset != self.next_offset || epoch < LeaderEpoch(0) {
            return Err(Contradiction::Place);
        }
        self.epochs.begin(epoch, offset);
        Ok(())
    }

    fn apply_log_start(&mut self, offset: Offset) -> Result<(), Contradiction> {
        if offset > self.next_offset {
            return Err(Contradiction::Place);
        }
        if offset <= self.log_start {
            return Ok(());
        }
        self.log_start = offset;
        self.epochs.raise_start(offset);
        let below = self
            .segments
            .partition_point(|segment| segment.base <= offset);
        self.segments.drain(..below.saturating_sub(1));
        let first = Position {
            segment: self.segments[0].base,
            byte: 0,
        };
        self.synced = self.synced.max(first);
        Ok(())
    }

    fn apply_replace(&mut self, replace: &ReplaceChange) -> Result<(), Contradiction> {
        let (base, until) = (replace.name.base, replace.until);
        let first = self.segments.partition_point(|s| s.base < base);
        let end = self.segments.partition_point(|s| s.base < until);
        if end == 0 && base < until {
            // Retention was faster.
            return Ok(());
        }
        // Of the segments that go, retention may have taken the first.
        let begins = first == 0 || self.segments.get(first).is_some_and(|s| s.base == base);
        let ends = self.segments.get(end).is_some_and(|s| s.base == until);
        if !begins || !ends || first >= end {
            return Err(Contradiction::Place);
        }
        let segment = Segment {
            bytes: replace.bytes,
            first_timestamp: replace.first_timestamp,
            largest: replace.largest,
            finished: true,
            index: Some(replace.index),
            rewrite: replace.name.rewrite,
            ..Segment::new(base)
        };
        self.segments.splice(first..end, [segment]);
        let behind = Position {
            segment: until,
            byte: 0,
        };
        self.synced = self.synced.max(behind);
        self.compacted = self.compacted.max(replace.compacted);
        Ok(())
    }

    fn apply_reset(&mut self, epoch: LeaderEpoch, offset: Offset, replica: u64) {
        *self = Section {
            sequence: self.sequence,
            entry_number: self.entry_number,
            promise: self.promise,
            replica,
            ..Section::new(self.id, offset)
        };
        self.epochs.reset(epoch, offset);
    }

    /// Where the next byte goes.
    pub fn end(&self) -> Position {
        let active = self.active();
        Position {
            segment: active.base,
            byte: active.bytes,
        }
    }

    /// The segment that is written to.
    pub fn active(&self) -> &Segment {
        self.segments.last().expect("there is always a segment")
    }

    /// The segment that holds `offset`, which lies in the log.
    pub fn segment_of(&self, offset: Offset) -> &Segment {
        let after = self
            .segments
            .partition_point(|segment| segment.base <= offset);
        &self.segments[after.saturating_sub(1)]
    }

    /// The segment that begins there.
    pub fn segment_at(&self, base: Offset) -> Option<&Segment> {
        let found = self.segments.binary_search_by_key(&base, |s| s.base);
        found.ok().map(|at| &self.segments[at])
    }

    /// The segment that lies in the files of this name.
    pub fn segment_named(&self, name: SegmentName) -> Option<&Segment> {
        self.segment_at(name.base)
            .filter(|segment| segment.name() == name)
    }

    /// The offset after the last record of this segment.
    pub fn segment_end(&self, base: Offset) -> Offset {
        let after = self
            .segments
            .partition_point(|segment| segment.base <= base);
        self.segments
            .get(after)
            .map_or(self.next_offset, |next| next.base)
    }

    /// Largest timestamp of all segments; an upper bound when its batch is unknown.
    pub fn largest(&self) -> LargestTimestamp {
        let mut largest = LargestTimestamp::NONE;
        for segment in &self.segments {
            if segment.largest.timestamp > largest.timestamp {
                largest = segment.largest;
            }
        }
        largest
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

const FLAG_DROPPED: u32 = 1;
const FLAG_OFFLINE: u32 = 2;
const FLAG_COMPACTED: u32 = 4;
const SEGMENT_FINISHED: u32 = 1;
const SEGMENT_HAS_INDEX: u32 = 2;
const SEGMENT_HAS_LARGEST: u32 = 4;
const SEGMENT_IS_REWRITTEN: u32 = 8;

impl Section {
    /// Little-endian: `topic, index u32, flags u32, sequence u64, entry number u32, promise i32, log start i64, next
    /// offset i64, replica u64, synced (i64, u64)`, when offline `reason u32, zeros, position i64`, when compacted `up
    /// to i64`; `count u32` of segments `base i64, bytes u64, first timestamp i64, largest timestamp i64, its batch i64,
    /// flags u32, index CRC u32, index length u64`, when rewritten `number u32, zeros`; the epoch table; the producer
    /// table.
    pub fn encode(&self, stand: Stand, out: &mut Vec<u8>) {
        let (sequence, synced) = match stand {
            Stand::AsIs => (self.sequence, self.synced),
            Stand::Captured(sequence) => (sequence, self.end()),
        };
        out.put_partition(self.id);
        let offline = u32::from(self.offline.is_some()) * FLAG_OFFLINE;
        let compacted = u32::from(self.compacted != Offset::ZERO) * FLAG_COMPACTED;
        out.put_u32((u32::from(self.dropped) * FLAG_DROPPED) | offline | compacted);
        out.put_u64(sequence);
        out.put_u32(self.entry_number);
        out.put_epoch(self.promise);
        out.put_i64(self.log_start.0);
        out.put_i64(self.next_offset.0);
        out.put_u64(self.replica);
        out.put_position(synced);
        if let Some(offline) = self.offline {
            out.put_u32(u32::from(offline.reason.code()));
            out.put_u32(0);
            out.put_i64(offline.position.0);
        }
        if compacted != 0 {
            out.put_i64(self.compacted.0);
        }
        out.put_u32(u32::try_from(self.segments.len()).expect("files are counted in 32 bits"));
        let last = self.segments.len() - 1;
        for (index, segment) in self.segments.iter().enumerate() {
            let finished = segment.finished || (stand != Stand::AsIs && index < last);
            encode_segment(segment, finished, out);
        }
        self.epochs.encode(out);
        self.producers.encode(out);
    }

    /// Reads what `encode` wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Section> {
        let mut cursor = Cursor::new(bytes);
        let id = cursor.partition()?;
        let flags = cursor.u32()?;
        let mut section = Section {
            sequence: cursor.u64()?,
            entry_number: cursor.u32()?,
            promise: cursor.epoch()?,
            log_start: cursor.offset()?,
            next_offset: cursor.offset()?,
            replica: cursor.u64()?,
            synced: cursor.position()?,
            dropped: flags & FLAG_DROPPED != 0,
            ..Section::new(id, Offset::ZERO)
        };
        if flags & FLAG_OFFLINE != 0 {
            section.offline = Some(decode_offline(&mut cursor)?);
        }
        if flags & FLAG_COMPACTED != 0 {
            section.compacted = cursor.offset()?;
        }
        let count = cursor.u32()?;
        section.segments.clear();
        for _ in 0..count {
            section.segments.push(decode_segment(&mut cursor)?);
        }
        section.epochs = EpochTable::decode(cursor.rest()).ok()?;
        section.producers = ProducerTable::decode(cursor.rest()).ok()?;
        (cursor.is_empty() && section.is_coherent()).then_some(section)
    }

    fn is_coherent(&self) -> bool {
        let rise = self
            .segments
            .windows(2)
            .all(|pair| pair[0].base < pair[1].base);
        rise && !self.segments.is_empty()
            && self.active().base <= self.next_offset
            && self.log_start <= self.next_offset
            && self.synced <= self.end()
    }
}

fn encode_segment(segment: &Segment, finished: bool, out: &mut Vec<u8>) {
    out.put_i64(segment.base.0);
    out.put_u64(segment.bytes);
    out.put_i64(segment.first_timestamp.0);
    out.put_i64(segment.largest.timestamp.0);
    out.put_i64(segment.largest.batch.unwrap_or(Offset::NONE).0);
    let finished = u32::from(finished) * SEGMENT_FINISHED;
    let has_index = u32::from(segment.index.is_some()) * SEGMENT_HAS_INDEX;
    let has_largest = u32::from(segment.largest.batch.is_some()) * SEGMENT_HAS_LARGEST;
    let is_rewritten = u32::from(segment.name().is_rewritten()) * SEGMENT_IS_REWRITTEN;
    out.put_u32(finished | has_index | has_largest | is_rewritten);
    let index = segment.index.unwrap_or_default();
    out.put_u32(index.crc);
    out.put_u64(index.bytes);
    if is_rewritten != 0 {
        out.put_u32(segment.rewrite);
        out.put_u32(0);
    }
}

fn decode_segment(cursor: &mut Cursor) -> Option<Segment> {
    let base = cursor.offset()?;
    let bytes = cursor.u64()?;
    let first_timestamp = cursor.timestamp()?;
    let timestamp = cursor.timestamp()?;
    let batch = cursor.offset()?;
    let flags = cursor.u32()?;
    let index = SideFile {
        crc: cursor.u32()?,
        bytes: cursor.u64()?,
    };
    let mut rewrite = 0;
    if flags & SEGMENT_IS_REWRITTEN != 0 {
        rewrite = cursor.u32()?;
        cursor.u32()?;
    }
    Some(Segment {
        base,
        bytes,
        first_timestamp,
        largest: LargestTimestamp {
            timestamp,
            batch: (flags & SEGMENT_HAS_LARGEST != 0).then_some(batch),
        },
        finished: flags & SEGMENT_FINISHED != 0,
        index: (flags & SEGMENT_HAS_INDEX != 0).then_some(index),
        rewrite,
    })
}

fn decode_offline(cursor: &mut Cursor) -> Option<Offline> {
    let code = u8::try_from(cursor.u32()?).ok()?;
    cursor.u32()?;
    Some(Offline {
        reason: OfflineReason::from_code(code)?,
        position: cursor.offset()?,
    })
}

#[cfg(test)]
mod tests;
