//! One partition's log in a running broker: durable section, tail, and what waits for the next commit cycle.
//!
//! ```text
//! synced ≤ end of the section (durable) ≤ planned ≤ end of the tail
//! ```
//! Positions are given when a batch is appended, so a roll is decided there. Nothing here performs I/O: the commit loop
//! asks for a plan and reports its end, a lap asks for a capture and reports its end.

use super::entry::{Change, DATA_OVERHEAD_BYTES, DataChange, PlannedEntry, ReplaceChange};
use super::log_config::LogConfig;
use super::note::Note;
use super::section::{Section, Stand};
use super::segment::{Segment, SideFile};
use super::snapshot_format::SnapshotBody;
use super::tail::Tail;
use crate::base::align::{BLOCK, block_floor};
use crate::base::offset::{Offset, Position};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, StampedBatch};
use bytes::Bytes;
use std::collections::VecDeque;

/// What of a journal cycle an entry without bytes takes, at most.
const CHANGE_BYTES_MAX: usize = 128;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pending {
    Batch { header: BatchHeader, at: Position },
    Change(Change),
}

/// A cut on its way: nothing is appended or captured until it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    None,
    /// Its place lies below the tail and is being looked for in the segments.
    Unplaced(Offset),
    /// Waits for, or is in, a commit cycle.
    Placed,
}

/// What a partition's part of a cycle has made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    pub durable: Option<Offset>,
    pub log_start: Option<Offset>,
    /// Base of the segment that a cut has made the last one.
    pub truncated: Option<Offset>,
    /// Closed segments below this one are read from other files.
    pub replaced: Option<Offset>,
    pub dropped: bool,
}

/// A range of one segment that a lap writes: its last block is padded by the writer.
#[derive(Clone, Debug)]
pub struct SegmentWrite {
    /// The segment as it stands at the capture.
    pub segment: Segment,
    /// A later segment exists: cut this one to its length.
    pub finish: bool,
    /// Block-aligned.
    pub start: u64,
    /// From here on the bytes are new.
    pub synced: u64,
    pub slices: Vec<Bytes>,
}

/// A partition view; owned by the core that owns the partition.
#[derive(Debug)]
pub struct PartitionLog {
    section: Section,
    tail: Tail,
    config: LogConfig,
    /// The last segment as it will be when everything pending is durable.
    head: Segment,
    pending: VecDeque<Pending>,
    /// Number of the last planned entry.
    planned_number: u32,
    /// The next `Data` repeats what precedes it in its block.
    needs_lead_in: bool,
    cut: Cut,
    /// A lap has captured this end and not yet finished.
    captured: Option<Position>,
    /// The lowest cut since that capture.
    cut_since: Option<Position>,
    replacing: Replacing,
    dropping: bool,
}

/// Closed segments on their way to other files. A cut waits until the place that it looks for stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Replacing {
    None,
    /// Waits for a cycle.
    Pending,
    /// Is in one, and leaves what lies from there on where it is.
    Planned(Offset),
}

impl PartitionLog {
    /// Everything in `section` is durable and synced.
    pub fn new(section: Section, config: LogConfig) -> PartitionLog {
        PartitionLog {
            tail: Tail::new(section.end(), section.next_offset),
            config,
            head: *section.active(),
            pending: VecDeque::new(),
            planned_number: section.entry_number,
            needs_lead_in: true,
            cut: Cut::None,
            captured: None,
            cut_since: None,
            replacing: Replacing::None,
            dropping: section.dropped,
            section,
        }
    }

    pub fn configure(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Puts a batch at the end of the log.
    ///
    /// Panics while `can_append` is false.
    pub fn append(&mut self, batch: &StampedBatch) {
        assert!(
            self.can_append(),
            "nothing is appended across a cut or to a dropped log"
        );
        let header = &batch.header;
        if self.head.rolls_before(header, &self.config) {
            self.roll();
        }
        let at = self.tail.end();
        self.tail.append(header, [&batch.head, &batch.body]);
        self.head.include(header);
        self.pending.push_back(Pending::Batch {
            header: *header,
            at,
        });
    }

    /// Closes the last segment, unless it is empty. The next batch begins a new one.
    pub fn roll(&mut self) {
        if self.head.bytes == 0 {
            return;
        }
        let base = self.tail.next_offset();
        self.pending.push_back(Pending::Change(Change::Roll {
            closed: self.head.base,
            bytes: self.head.bytes,
            base,
        }));
        self.tail.roll(base);
        self.head = Segment::new(base);
    }

    /// Takes a small change. Answers the sizes of batches that a cut has voided before they went into a cycle.
    pub fn note(&mut self, note: Note) -> Vec<usize> {
        let change = match note {
            Note::EpochStart { epoch, offset } => Change::EpochStart { epoch, offset },
            Note::LogStart(offset) => Change::LogStart(offset),
            Note::Promise(epoch) => Change::Promise(epoch),
            Note::Truncate { offset } => return self.cut(offset),
        };
        self.pending.push_back(Pending::Change(change));
        Vec::new()
    }

    /// A lap has finished a closed segment: its side files may be relied on.
    pub fn seal(&mut self, base: Offset, bytes: u64, index: SideFile) {
        let is_there =
            |s: &&Segment| s.base == base && s.bytes == bytes && s.base != self.head.base;
        if self
            .section
            .segments
            .iter()
            .any(|segment| is_there(&segment))
            && self.can_append()
        {
            self.pending
                .push_back(Pending::Change(Change::Sealed { base, bytes, index }));
        }
    }

    /// Has closed segments be read from what compaction has made of them. False when they are no longer what it read.
    pub fn replace(&mut self, replace: ReplaceChange, expected: &[Segment]) -> bool {
        let (base, until) = (replace.name.base, replace.until);
        let is_in = |segment: &&Segment| (base..until).contains(&segment.base);
        let found = self.section.segments.iter().filter(is_in);
        let is_same = found
            .map(Segment::name)
            .eq(expected.iter().map(Segment::name));
        if !is_same || !self.can_append() || self.replacing != Replacing::None {
            return false;
        }
        let is_closed = expected.iter().all(|segment| segment.finished);
        assert!(
            is_closed && until <= self.section.active().base,
            "what a lap may write is not replaced"
        );
        self.replacing = Replacing::Pending;
        self.pending
            .push_back(Pending::Change(Change::Replace(replace)));
        true
    }

    /// A replacement is neither durable nor given up.
    pub fn is_replacing(&self) -> bool {
        self.replacing != Replacing::None
    }

    /// Lets go of what the tail holds of replaced segments: it lies elsewhere now.
    pub fn forget_replaced(&mut self, until: Offset) {
        let end = Position {
            segment: until,
            byte: 0,
        };
        while self.tail.evict(end) {}
    }

    /// The partition goes. What was appended before is still committed.
    pub fn drop_log(&mut self) {
        if !self.dropping {
            self.dropping = true;
            self.pending.push_back(Pending::Change(Change::Drop));
        }
    }

    /// Voids everything from `offset` on.
    fn cut(&mut self, offset: Offset) -> Vec<usize> {
        assert!(self.cut == Cut::None && !self.dropping, "one cut at a time");
        assert!(offset <= self.tail.next_offset(), "a cut lies in the log");
        self.cut = Cut::Unplaced(offset);
        if self.replacing == Replacing::Pending {
            let is_replace = |p: &Pending| matches!(p, Pending::Change(Change::Replace(_)));
            self.pending.retain(|pending| !is_replace(pending));
            self.replacing = Replacing::None;
        }
        match (self.tail.position_of(offset), self.replacing) {
            (Some(at), Replacing::Planned(until)) if at.segment < until => Vec::new(),
            (Some(at), _) => self.place_cut(at),
            (None, _) => Vec::new(),
        }
    }

    /// The offset of a cut whose place must be found in the segments.
    pub fn unplaced_cut(&self) -> Option<Offset> {
        match self.cut {
            Cut::Unplaced(offset) if !self.is_replacing() => Some(offset),
            Cut::Unplaced(_) | Cut::None | Cut::Placed => None,
        }
    }

    /// A cut waits for the end of a replacement.
    pub fn waits_for_replacement(&self) -> bool {
        self.is_replacing() && matches!(self.cut, Cut::Unplaced(_))
    }

    /// The cut lies here. Answers like `note`.
    pub fn place_cut(&mut self, at: Position) -> Vec<usize> {
        let Cut::Unplaced(end) = self.cut else {
            return Vec::new();
        };
        let voided = self.pending.iter().filter_map(|pending| match pending {
            Pending::Batch { header, at: batch } if *batch >= at => Some(header.total_bytes()),
            _ => None,
        });
        let voided = voided.collect();
        self.pending.retain(|pending| match pending {
            Pending::Batch { at: batch, .. } => *batch < at,
            Pending::Change(Change::Roll { base, .. }) => *base <= at.segment,
            Pending::Change(Change::Sealed { base, .. }) => *base < at.segment,
            Pending::Change(Change::EpochStart { offset, .. }) => *offset < end,
            Pending::Change(_) => true,
        });
        // Nothing follows a drop, and one may have come while the place was looked for.
        let is_drop = |pending: &Pending| matches!(pending, Pending::Change(Change::Drop));
        let last = self.pending.iter().position(is_drop);
        let truncate = Pending::Change(Change::Truncate { end, at });
        self.pending
            .insert(last.unwrap_or(self.pending.len()), truncate);
        self.tail.truncate(end, at);
        self.head = self.head_at(end, at);
        self.cut = Cut::Placed;
        voided
    }

    /// The last segment after a cut.
    fn head_at(&self, end: Offset, at: Position) -> Segment {
        let mut head = match self.section.segment_at(at.segment) {
            _ if self.head.base == at.segment => self.head,
            Some(segment) => *segment,
            None => Segment::new(at.segment),
        };
        if at.byte == 0 {
            head.clear();
        }
        head.largest.truncate(end);
        head.bytes = at.byte;
        head
    }

    /// Whether a batch may be appended.
    pub fn can_append(&self) -> bool {
        self.cut == Cut::None && !self.dropping && self.section.offline.is_none()
    }

    /// Something waits for a cycle, and everything it needs is in memory.
    pub fn is_ready(&self) -> bool {
        !self.pending.is_empty() && self.has_lead_in() && !matches!(self.cut, Cut::Unplaced(_))
    }

    /// Something waits for a cycle.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty() || matches!(self.cut, Cut::Unplaced(_))
    }

    fn has_lead_in(&self) -> bool {
        self.tail.is_filled() || self.tail.start_offset() == self.tail.next_offset()
    }

    /// Takes what fits into `budget` bytes of a cycle, in order. With `at_least_one` the first entry is taken whatever
    /// its size. Answers the bytes taken.
    pub fn plan(
        &mut self,
        budget: usize,
        mut at_least_one: bool,
        out: &mut Vec<PlannedEntry>,
    ) -> usize {
        self.tail.freeze();
        let batches_max = self.pending.len().min(1 + budget / BATCH_HEADER_BYTES);
        let mut used = 0;
        let mut run: Option<DataChange> = None;
        while let Some(front) = self.pending.front() {
            let continues = matches!((front, &run), (Pending::Batch { at, .. }, Some(run)) if run.at.segment == at.segment);
            let cost = match front {
                Pending::Batch { header, .. } if continues => header.total_bytes(),
                Pending::Batch { header, .. } => header.total_bytes() + DATA_OVERHEAD_BYTES + BLOCK,
                Pending::Change(_) => CHANGE_BYTES_MAX,
            };
            if used + cost > budget && !at_least_one {
                break;
            }
            at_least_one = false;
            used += cost;
            match self.pending.pop_front().expect("looked at above") {
                Pending::Batch { header, at } => {
                    let run = run.get_or_insert_with(|| empty_run(at, batches_max));
                    run.bytes += header.total_bytes() as u64;
                    run.batches.push(header);
                }
                Pending::Change(change) => {
                    self.finish_run(run.take(), out);
                    self.plan_change(change, out);
                }
            }
        }
        self.finish_run(run, out);
        used
    }

    fn plan_change(&mut self, change: Change, out: &mut Vec<PlannedEntry>) {
        if matches!(change, Change::Truncate { .. }) {
            self.needs_lead_in = true;
        }
        if let Change::Replace(replace) = &change {
            self.replacing = Replacing::Planned(replace.until);
        }
        let number = self.next_number();
        out.push(PlannedEntry::change(self.section.id, number, change));
    }

    fn finish_run(&mut self, run: Option<DataChange>, out: &mut Vec<PlannedEntry>) {
        let Some(run) = run else { return };
        let from = if self.needs_lead_in {
            block_floor(run.at.byte)
        } else {
            run.at.byte
        };
        self.needs_lead_in = false;
        let start = Position {
            byte: from,
            ..run.at
        };
        out.push(PlannedEntry {
            partition: self.section.id,
            number: self.next_number(),
            lead_in: u32::try_from(run.at.byte - from).expect("less than a block"),
            pieces: self.tail.slices(start, run.at.byte + run.bytes),
            change: Change::Data(run),
        });
    }

    fn next_number(&mut self) -> u32 {
        self.planned_number = self.planned_number.wrapping_add(1);
        self.planned_number
    }

    /// A cycle with this entry is durable.
    ///
    /// Panics when the entry contradicts the section: what this type plans, it must be able to apply.
    pub fn commit(&mut self, number: u32, change: &Change, committed: &mut Committed) {
        if let Err(contradiction) = self.section.apply(number, change) {
            panic!(
                "{}: {change:?} does not follow: {contradiction:?}",
                self.section.id
            );
        }
        match change {
            Change::Data(_) => committed.durable = Some(self.section.next_offset),
            Change::LogStart(_) => committed.log_start = Some(self.section.log_start),
            Change::Truncate { end, at } => {
                self.cut = Cut::None;
                self.cut_since = Some(self.cut_since.map_or(*at, |cut| cut.min(*at)));
                committed.truncated = Some(at.segment);
                committed.durable = Some(*end);
            }
            Change::Replace(replace) => {
                self.replacing = Replacing::None;
                committed.replaced = Some(replace.until);
            }
            Change::Drop => committed.dropped = true,
            _ => {}
        }
    }

    /// Whether a lap may capture now, between two cycles.
    pub fn can_capture(&self) -> bool {
        self.cut == Cut::None
    }

    /// Fixes what a lap will flush and claim. No cycle is in flight; `sequence` is the last durable one.
    pub fn capture(&mut self, sequence: u64, snapshot: &mut SnapshotBody) -> Vec<SegmentWrite> {
        assert!(self.can_capture(), "a section never stands inside a cut");
        self.needs_lead_in = true;
        self.captured = Some(self.section.end());
        self.cut_since = None;
        snapshot.push(&self.section, Stand::Captured(sequence));
        self.writes()
    }

    /// What makes the file of a partition that has nothing.
    pub fn first_write(&self) -> SegmentWrite {
        SegmentWrite {
            segment: *self.section.active(),
            finish: false,
            start: 0,
            synced: 0,
            slices: Vec::new(),
        }
    }

    /// What lies between the synced and the durable end, and closed segments nobody finished.
    fn writes(&self) -> Vec<SegmentWrite> {
        let synced = self.section.synced;
        let last = self.section.active().base;
        let mut writes = Vec::new();
        for segment in &self.section.segments {
            let finish = segment.base != last && !segment.finished;
            let from = match segment.base.cmp(&synced.segment) {
                std::cmp::Ordering::Less => segment.bytes,
                std::cmp::Ordering::Equal => synced.byte,
                std::cmp::Ordering::Greater => 0,
            };
            if from >= segment.bytes && !finish {
                continue;
            }
            let start = block_floor(from.min(segment.bytes));
            let position = Position {
                segment: segment.base,
                byte: start,
            };
            let slices = if from < segment.bytes {
                self.tail.slices(position, segment.bytes)
            } else {
                Vec::new()
            };
            writes.push(SegmentWrite {
                segment: *segment,
                finish,
                start,
                synced: from,
                slices,
            });
        }
        writes
    }

    /// The lap has synced what it captured.
    pub fn lap_synced(&mut self) {
        let Some(captured) = self.captured.take() else {
            return;
        };
        let claimed = self
            .cut_since
            .take()
            .map_or(captured, |cut| cut.min(captured));
        self.section.synced = self.section.synced.max(claimed).min(self.section.end());
        for segment in &mut self.section.segments {
            segment.finished |= segment.base < claimed.segment;
        }
    }

    /// The lap has ended without syncing.
    pub fn lap_failed(&mut self) {
        self.captured = None;
        self.cut_since = None;
    }

    pub fn section(&self) -> &Section {
        &self.section
    }

    pub fn section_mut(&mut self) -> &mut Section {
        &mut self.section
    }

    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    pub fn tail_mut(&mut self) -> &mut Tail {
        &mut self.tail
    }

    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    pub fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Bytes that are not in synced segments.
    pub fn dirty_bytes(&self) -> u64 {
        let from = self.section.synced;
        let pending = self.tail.bytes_from(self.section.next_offset);
        let durable: u64 = self
            .section
            .segments
            .iter()
            .map(|segment| segment_dirty(segment, from))
            .sum();
        durable + pending
    }

    /// The lap in progress has something of this partition, or there is something for the next one.
    pub fn is_dirty(&self) -> bool {
        self.section.synced < self.section.end()
            || self
                .section
                .segments
                .iter()
                .rev()
                .skip(1)
                .any(|segment| !segment.finished)
    }
}

fn segment_dirty(segment: &Segment, synced: Position) -> u64 {
    match segment.base.cmp(&synced.segment) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => segment.bytes.saturating_sub(synced.byte),
        std::cmp::Ordering::Greater => segment.bytes,
    }
}

fn empty_run(at: Position, batches_max: usize) -> DataChange {
    DataChange {
        at,
        bytes: 0,
        batches: Vec::with_capacity(batches_max),
    }
}

#[cfg(test)]
mod tests;
