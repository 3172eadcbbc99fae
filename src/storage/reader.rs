//! Cold reads: batches of synced segment bytes, each checked before it leaves.
//!
//! Reads are direct, aligned, of at most [`COLD_READ_BYTES`] each, and few at a time, so that catching up does not
//! disturb the commit cycle. What is wanted for sure is read ahead; for a reader that goes on where it stopped, also what
//! it will want the next time. They share no memory with the tails.

use super::cold_pool::{ColdPool, Place};
use super::cold_read::Answer;
use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::errors::ReadError;
use super::journal_writes::JournalWrites;
use super::open_segments::{InUse, OpenSegments};
use super::read_ahead::{Begun, ReadAhead};
use super::runtime::Runtime;
use super::stopped_readers::{Kept, StoppedReaders};
use super::window::{Density, Rest, Window};
use crate::base::align::{AlignedRange, block_floor};
use crate::base::checksum::crc32c;
use crate::base::limits::COLD_READ_BYTES;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::log::epoch_table::EpochTable;
use crate::log::index::{
    IndexBuilder, IndexEntry, chunk_of_offset, chunk_of_timestamp, decode_index,
};
use crate::log::read_streams::reads_kept;
use crate::log::segment::SegmentName;
use crate::record::{BatchHeader, find_timestamp};
use bytes::Bytes;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use super::cold_read::{ColdFound, ColdRead};

/// A segment as a reader may see it.
#[derive(Clone, Debug)]
pub struct SegmentView {
    /// The `.log` file; its index is beside it.
    pub path: PathBuf,
    pub name: SegmentName,
    /// Bytes that are batches and synced.
    pub synced: u64,
    /// What the batches must say of their epochs, which their own checksums leave out.
    pub epochs: EpochTable,
}

/// What becomes of a batch that was visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Skip,
    /// It is part of the answer. What is kept is contiguous.
    Keep,
    /// The same, and nothing after it is wanted.
    KeepLast,
    /// Neither this batch nor any after it is wanted.
    Stop,
}

/// Where a walk begins, in byte and offset, about how many bytes it is sure to want, and the chunks to check on it.
struct Way<'a> {
    start: (u64, Offset),
    sure: u64,
    index: &'a [IndexEntry],
}

/// Reads the segments of one shard. Owned by its core; keeps a bounded number of files and indexes at hand.
pub struct SegmentReader<D: Disk, R: Runtime> {
    disk: D,
    runtime: R,
    chunk_bytes: usize,
    segments: OpenSegments<D>,
    pool: ColdPool,
    stopped: StoppedReaders<D::Buffer, R>,
    journal_writes: JournalWrites,
    bad_chunks: Cell<u64>,
}

impl<D: Disk, R: Runtime> SegmentReader<D, R> {
    pub fn new(disk: D, runtime: R, chunk_bytes: usize) -> SegmentReader<D, R> {
        SegmentReader {
            segments: OpenSegments::new(disk.clone()),
            stopped: StoppedReaders::new(runtime.clone()),
            disk,
            runtime,
            chunk_bytes,
            pool: ColdPool::default(),
            journal_writes: JournalWrites::default(),
            bad_chunks: Cell::new(0),
        }
    }

    /// Readers give way to them.
    pub(super) fn journal_writes(&self) -> &JournalWrites {
        &self.journal_writes
    }

    /// Chunks with damage: their checksum disagreed, or that of a batch in them.
    pub fn bad_chunks(&self) -> u64 {
        self.bad_chunks.get()
    }

    pub fn count_bad_chunk(&self) {
        self.bad_chunks.set(self.bad_chunks.get() + 1);
    }

    /// Whole batches. Damage behind the first of them is for whoever reads on from there.
    pub async fn read(&self, view: &SegmentView, want: ColdRead) -> Result<ColdFound, ReadError> {
        let reading = self.begin(view).await?;
        let stopped = self.stopped.go_on(&view.path, want.from);
        if let Some(kept) = stopped.filter(|kept| kept.begun.next() <= block_floor(view.synced)) {
            // What was read ahead may have been read wrong, or not at all: what lies there is found out anew.
            if let Ok(found) = self.go_on(&reading, view, want, kept).await {
                return Ok(found);
            }
        }
        let mut answer = Answer::new(want);
        let mut pieces = Vec::new();
        let from_chunk = |index: &[IndexEntry]| chunk_of_offset(index, want.from);
        let sure = want.bytes_max as u64;
        let visit = |_: u64, header: &BatchHeader, batch: &[u8]| answer.visit(header, batch);
        let visited = self.visit(&reading, view, from_chunk, sure, &mut pieces, visit);
        let walked = visited.await.map(|rest| {
            if answer.is_stopped() {
                self.stop(&reading, view, false, Kept::place(rest));
            }
        });
        answer.found(pieces, walked)
    }

    /// Reads on where a reader stopped, and begins what it wants the next time.
    async fn go_on(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        want: ColdRead,
        kept: Kept<D::Buffer>,
    ) -> Result<ColdFound, ReadError> {
        let index = self.index(reading, view).await?;
        let readers = self.stopped.sequential() + self.pool.readers();
        let next = (reads_kept(readers) * COLD_READ_BYTES) as u64;
        // What is read for the next time are whole blocks, which do not change any more.
        let last = block_floor(view.synced);
        let begun = kept.begun.next();
        let sure = kept.rest.position.saturating_add(want.bytes_max as u64);
        let more = sure.saturating_add(next).saturating_sub(begun);
        let whole_reads = more.next_multiple_of(COLD_READ_BYTES as u64);
        let ahead_until = begun.saturating_add(whole_reads).min(last).max(sure);
        let mut track = Track {
            ahead: self.ahead(reading, view, kept.begun, ahead_until),
            window: Window::go_on(kept.rest, view.synced, &view.epochs, density(view)),
        };
        let mut answer = Answer::new(want);
        let mut pieces = Vec::new();
        let visit = |_: u64, header: &BatchHeader, batch: &[u8]| answer.visit(header, batch);
        let walked = self.walk_track(&mut track, reading, &index, &mut pieces, visit);
        let walked = walked.await;
        if walked.is_ok() && answer.is_stopped() {
            let (rest, begun) = (track.window.into_rest(), track.ahead.begun);
            let kept = match next > 0 && begun.next() <= last {
                true => Kept::with_bytes(rest, begun, &self.pool),
                false => Kept::place(rest),
            };
            self.stop(reading, view, true, kept);
        }
        answer.found(pieces, walked)
    }

    fn stop(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        is_sequential: bool,
        kept: Kept<D::Buffer>,
    ) {
        // What was read of a segment that was cut meanwhile may be wrong by now.
        if self.segments.has(&view.path, &reading.segment) {
            self.stopped.stop(&view.path, is_sequential, kept);
        }
    }

    /// The first record at or after `at_least`, exact to the record.
    ///
    /// A batch whose records cannot be read (nobody looked inside it when it was written) counts as one record: its
    /// first offset, its largest timestamp.
    pub async fn find_timestamp(
        &self,
        view: &SegmentView,
        at_least: Timestamp,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let mut found = None;
        let from_chunk =
            |index: &[IndexEntry]| chunk_of_timestamp(index, at_least).or(index.last().copied());
        let visit = |_: u64, header: &BatchHeader, batch: &[u8]| {
            if header.max_timestamp < at_least {
                return Step::Skip;
            }
            found = find_timestamp(batch, Offset(0), at_least)
                .unwrap_or(Some((header.base_offset, header.max_timestamp)));
            match found {
                Some(_) => Step::Stop,
                None => Step::Skip,
            }
        };
        let kept = &mut Vec::new();
        let reading = self.begin(view).await?;
        self.visit(&reading, view, from_chunk, 0, kept, visit)
            .await?;
        Ok(found)
    }

    /// Visits every batch of a segment from its first byte on, without the help of an index.
    pub async fn visit_all(
        &self,
        view: &SegmentView,
        visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<(), ReadError> {
        let reading = self.begin(view).await?;
        let way = Way {
            start: (0, view.name.base),
            sure: view.synced,
            index: &[],
        };
        let kept = &mut Vec::new();
        self.walk(&reading, view, way, kept, visit).await?;
        Ok(())
    }

    /// Forgets what is known of a segment: it was cut, or it goes. Waits until nobody reads it.
    pub async fn forget(&self, path: &Path) -> Result<(), DiskError> {
        self.stopped.forget(path);
        self.segments.forget(path).await
    }

    /// Closes all files.
    pub async fn close(&self) -> Result<(), DiskError> {
        self.stopped.clear();
        self.segments.close().await
    }

    /// Waits for a place among the bounded number of reads, then opens the file if it is not at hand.
    async fn begin(&self, view: &SegmentView) -> Result<Reading<D>, ReadError> {
        let place = self.pool.enter().await;
        Ok(Reading {
            segment: self.segments.take_up(&view.path).await?,
            _place: place,
        })
    }

    /// The chunks of the segment up to the last whole one: as known, else from the index file, completed from the log.
    async fn index(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
    ) -> Result<Rc<Vec<IndexEntry>>, ReadError> {
        let known = reading.segment.segment.index.borrow().clone();
        let mut entries = match known {
            Some(entries) if end_of(&entries) <= view.synced => entries,
            _ if reading.segment.segment.is_index_wrong.get() => Rc::default(),
            _ => Rc::new(self.load_index(view).await?),
        };
        if view.synced - end_of(&entries) >= self.chunk_bytes as u64 {
            let completed = self.complete(reading, view, &entries).await?;
            Rc::make_mut(&mut entries).extend(completed);
        }
        *reading.segment.segment.index.borrow_mut() = Some(entries.clone());
        Ok(entries)
    }

    /// The chunks behind the known ones.
    async fn complete(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        known: &[IndexEntry],
    ) -> Result<Vec<IndexEntry>, ReadError> {
        let mut builder = IndexBuilder::after(known, self.chunk_bytes);
        let mut completed = Vec::new();
        // The last chunk says which offset follows it.
        let start = known.last().map_or((0, view.name.base), start_of);
        let way = Way {
            start,
            sure: view.synced,
            index: &[],
        };
        let kept = &mut Vec::new();
        let walked = self.walk(reading, view, way, kept, |position, header, batch| {
            if position >= end_of(known) {
                completed.extend(builder.add(header, batch));
            }
            Step::Skip
        });
        match walked.await {
            // Whoever reads that far is told; what lies before can still be read.
            Ok(_) | Err(ReadError::Damaged { .. }) => Ok(completed),
            Err(error) => Err(error),
        }
    }

    async fn load_index(&self, view: &SegmentView) -> Result<Vec<IndexEntry>, ReadError> {
        let path = view.path.with_extension("idx");
        let file = match self.disk.open(&path, OpenMode::Read).await {
            Ok(file) => file,
            Err(DiskError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let len = file.len().await?;
        let mut entries = Vec::new();
        if len > 0 {
            let range = AlignedRange::covering(0, len);
            let read = if_readable(file.read_at(range.start(), range.len()).await)?;
            entries = read.map_or(Vec::new(), |read| {
                decode_index(
                    read.as_bytes(),
                    view.name.base,
                    self.chunk_bytes,
                    view.synced,
                )
            });
        }
        file.close().await?;
        Ok(entries)
    }

    /// Visits batches, with their positions, from the chunk that `from_chunk` picks; from the first without one. About
    /// `sure` bytes from there are wanted. What is kept goes to `kept`.
    async fn visit(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        from_chunk: impl Fn(&[IndexEntry]) -> Option<IndexEntry>,
        sure: u64,
        kept: &mut Vec<Bytes>,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<Rest, ReadError> {
        loop {
            let index = self.index(reading, view).await?;
            let way = Way {
                start: from_chunk(&index)
                    .as_ref()
                    .map_or((0, view.name.base), start_of),
                sure: sure.saturating_add(self.chunk_bytes as u64),
                index: &index,
            };
            let (mut visited, position) = (false, way.start.0);
            let walked = self.walk(reading, view, way, kept, |position, header, batch| {
                visited = true;
                visit(position, header, batch)
            });
            let walked = walked.await;
            let is_astray = matches!(walked, Err(ReadError::Damaged { .. })) && !visited;
            if !is_astray || self.confirms(reading, view, &index, position).await? {
                return walked;
            }
            // No batch where the index said: the index is no authority, the log is read without it.
            tracing::warn!(path = %view.path.display(), "the index is wrong, and made anew");
            reading.segment.segment.distrust_index();
        }
    }

    /// Whether the log around this place, where a chunk begins, has its batches where the index says: then it is the log
    /// that is damaged here, and the index still leads behind the damage.
    async fn confirms(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        index: &[IndexEntry],
        position: u64,
    ) -> Result<bool, ReadError> {
        let at = index.partition_point(|chunk| chunk.position < position);
        let Some(before) = at.checked_sub(1).map(|before| &index[before]) else {
            return Ok(true);
        };
        let way = Way {
            start: start_of(before),
            sure: u64::from(before.bytes),
            index: &[],
        };
        let mut end = (0, Offset::NONE);
        let visit = |start: u64, header: &BatchHeader, batch: &[u8]| {
            if start >= position {
                return Step::Stop;
            }
            end = (start + batch.len() as u64, header.next_offset());
            Step::Skip
        };
        undamaged(self.walk(reading, view, way, &mut Vec::new(), visit).await)?;
        let follows = |chunk: &IndexEntry| match view.name.is_rewritten() {
            true => end.0 == chunk.position && end.1 <= chunk.first,
            false => end == start_of(chunk),
        };
        if index.get(at).is_some_and(follows) {
            return Ok(true);
        }
        let Some(after) = index.get(at + 1) else {
            return Ok(false);
        };
        let way = Way {
            start: start_of(after),
            sure: u64::from(after.bytes),
            index: &[],
        };
        let mut is_there = false;
        let visit = |_: u64, _: &BatchHeader, _: &[u8]| {
            is_there = true;
            Step::Stop
        };
        undamaged(self.walk(reading, view, way, &mut Vec::new(), visit).await)?;
        Ok(is_there)
    }

    /// Visits batches from a byte whose offset is known, each with its CRC and its place checked.
    async fn walk(
        &self,
        reading: &Reading<D>,
        view: &SegmentView,
        way: Way<'_>,
        kept: &mut Vec<Bytes>,
        visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<Rest, ReadError> {
        let (position, _) = way.start;
        let sure = position.saturating_add(way.sure);
        let mut track = Track {
            ahead: self.ahead(reading, view, Begun::at(position), sure),
            window: Window::new(way.start, view.synced, &view.epochs, density(view)),
        };
        self.walk_track(&mut track, reading, way.index, kept, visit)
            .await?;
        Ok(track.window.into_rest())
    }

    fn ahead<'a>(
        &'a self,
        reading: &'a Reading<D>,
        view: &SegmentView,
        begun: Begun<D::Buffer>,
        ahead_until: u64,
    ) -> ReadAhead<'a, D, R> {
        ReadAhead {
            runtime: &self.runtime,
            segment: &reading.segment,
            pool: &self.pool,
            journal_writes: &self.journal_writes,
            begun,
            end: view.synced,
            ahead_until: ahead_until.min(view.synced),
        }
    }

    async fn walk_track(
        &self,
        track: &mut Track<'_, D, R>,
        reading: &Reading<D>,
        index: &[IndexEntry],
        kept: &mut Vec<Bytes>,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<(), ReadError> {
        let Track { window, ahead } = track;
        while window.position < window.end {
            self.runtime.yield_now().await;
            let start = window.position;
            let walked = window.walk(&mut visit);
            let (bytes, piece) = window.pass();
            kept.extend(piece);
            if walked? {
                return Ok(());
            }
            self.check_chunks(reading, index, start, &bytes);
            if window.position < window.end {
                match ahead.take().await? {
                    Some(buffer) => window.fill(buffer.as_bytes()),
                    None => return Err(window.damaged()),
                }
            }
        }
        Ok(())
    }

    /// Sound batches under a wrong chunk checksum: a byte outside their own CRC, or the index, is damaged. One copy
    /// cannot tell which; it is reported, and the index built anew.
    fn check_chunks(
        &self,
        reading: &Reading<D>,
        index: &[IndexEntry],
        position: u64,
        bytes: &[u8],
    ) {
        let first = index.partition_point(|chunk| chunk.position < position);
        let end = position + bytes.len() as u64;
        for chunk in index[first..].iter().take_while(|chunk| chunk.end() <= end) {
            let start = (chunk.position - position) as usize;
            if crc32c(&bytes[start..start + chunk.bytes as usize]) != chunk.crc {
                tracing::error!(
                    base_offset = chunk.first.0,
                    "a chunk disagrees with its checksum"
                );
                self.count_bad_chunk();
                reading.segment.segment.distrust_index();
            }
        }
    }
}

fn start_of(chunk: &IndexEntry) -> (u64, Offset) {
    (chunk.position, chunk.first)
}

/// The first byte that no chunk covers.
fn end_of(index: &[IndexEntry]) -> u64 {
    index.last().map_or(0, IndexEntry::end)
}

/// Damage is no failure of the look at it.
fn undamaged(walked: Result<Rest, ReadError>) -> Result<(), ReadError> {
    match walked {
        Ok(_) | Err(ReadError::Damaged { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A read under way in one segment.
struct Reading<D: Disk> {
    segment: InUse<D::File>,
    _place: Place,
}

/// A walk under way, and the reads ahead of it.
struct Track<'a, D: Disk, R: Runtime> {
    window: Window<'a>,
    ahead: ReadAhead<'a, D, R>,
}

fn density(view: &SegmentView) -> Density {
    match view.name.is_rewritten() {
        true => Density::Gaps,
        false => Density::Dense,
    }
}
