//! Cold reads: batches of synced segment bytes, each checked before it leaves.
//!
//! Reads are direct, aligned, of at most [`COLD_READ_BYTES`](crate::base::limits::COLD_READ_BYTES) each, and few at a time, so that catching up does not
//! disturb the commit cycle; what is wanted for sure is read ahead. They share no memory with the tails.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::errors::ReadError;
use super::read_ahead::ReadAhead;
use super::runtime::{Notify, Runtime};
use super::store::ReadBytes;
use super::window::{Density, Window};
use crate::base::align::AlignedRange;
use crate::base::checksum::crc32c;
use crate::base::limits::{COLD_READERS_MAX, OPEN_SEGMENTS_MAX};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::log::epoch_table::EpochTable;
use crate::log::index::{
    IndexBuilder, IndexEntry, chunk_of_offset, chunk_of_timestamp, decode_index,
};
use crate::log::segment::SegmentName;
use crate::record::{BatchHeader, find_timestamp};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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
    open: RefCell<BTreeMap<PathBuf, Rc<OpenSegment<D::File>>>>,
    /// Counts uses, to find the file that was used longest ago.
    uses: Cell<u64>,
    readers: Cell<usize>,
    buffers: Cell<usize>,
    released: Notify,
    bad_chunks: Cell<u64>,
}

struct OpenSegment<F> {
    file: F,
    index: RefCell<Option<Rc<Vec<IndexEntry>>>>,
    /// The index file contradicts the log: it is not read again.
    is_index_wrong: Cell<bool>,
    last_use: Cell<u64>,
    readers: Cell<usize>,
}

impl<F> OpenSegment<F> {
    fn distrust_index(&self) {
        self.is_index_wrong.set(true);
        *self.index.borrow_mut() = None;
    }
}

impl<D: Disk, R: Runtime> SegmentReader<D, R> {
    pub fn new(disk: D, runtime: R, chunk_bytes: usize) -> SegmentReader<D, R> {
        SegmentReader {
            disk,
            runtime,
            chunk_bytes,
            open: RefCell::default(),
            uses: Cell::new(0),
            readers: Cell::new(0),
            buffers: Cell::new(0),
            released: Notify::default(),
            bad_chunks: Cell::new(0),
        }
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
        let mut found = ReadBytes::default();
        let (mut bytes, mut is_end) = (0, true);
        let from_chunk = |index: &[IndexEntry]| chunk_of_offset(index, want.from);
        let visit = |_: u64, header: &BatchHeader, batch: &[u8]| {
            is_end = true;
            if header.next_offset() <= want.from {
                return Step::Skip;
            }
            let fits = bytes + batch.len() <= want.bytes_max || (bytes == 0 && want.at_least_one);
            if header.last_offset() >= want.below || !fits {
                is_end = false;
                return Step::Stop;
            }
            bytes += batch.len();
            is_end = bytes < want.bytes_max;
            match is_end {
                true => Step::Keep,
                false => Step::KeepLast,
            }
        };
        let kept = &mut found.pieces;
        let sure = want.bytes_max as u64;
        let visited = self.visit(view, from_chunk, sure, kept, visit).await;
        found.bytes = found.pieces.iter().map(Bytes::len).sum();
        let found = |is_end| ColdFound {
            bytes: found,
            is_end,
        };
        match visited {
            Err(ReadError::Damaged { .. }) if bytes > 0 => Ok(found(false)),
            visited => visited.map(|()| found(is_end)),
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
        self.visit(view, from_chunk, 0, kept, visit).await?;
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
        self.walk(&reading, view, way, kept, visit).await
    }

    /// Forgets what is known of a segment: it was cut, or it goes. Waits until nobody reads it.
    pub async fn forget(&self, path: &Path) -> Result<(), DiskError> {
        let Some(segment) = self.open.borrow_mut().remove(path) else {
            return Ok(());
        };
        while segment.readers.get() > 0 {
            self.released.notified().await;
        }
        close(segment).await
    }

    /// Closes all files. Nothing may be read meanwhile.
    pub async fn close(&self) -> Result<(), DiskError> {
        let open = std::mem::take(&mut *self.open.borrow_mut());
        for segment in open.into_values() {
            assert_eq!(
                segment.readers.get(),
                0,
                "a reader is closed when nobody reads"
            );
            close(segment).await?;
        }
        Ok(())
    }

    /// Waits for a place among the bounded number of reads, then opens the file if it is not at hand.
    async fn begin(&self, view: &SegmentView) -> Result<Reading<'_, D, R>, ReadError> {
        while self.readers.get() == COLD_READERS_MAX {
            self.released.notified().await;
        }
        let place = Place::take(self);
        let known = self.open.borrow().get(&view.path).cloned();
        let segment = match known {
            Some(segment) => segment,
            None => self.open(view).await?,
        };
        self.uses.set(self.uses.get() + 1);
        segment.last_use.set(self.uses.get());
        segment.readers.set(segment.readers.get() + 1);
        Ok(Reading {
            segment,
            _place: place,
        })
    }

    async fn open(&self, view: &SegmentView) -> Result<Rc<OpenSegment<D::File>>, ReadError> {
        self.evict().await?;
        let file = self.disk.open(&view.path, OpenMode::Read).await?;
        let opened = Rc::new(OpenSegment {
            file,
            index: RefCell::new(None),
            is_index_wrong: Cell::new(false),
            last_use: Cell::new(0),
            readers: Cell::new(0),
        });
        // Somebody else may have opened it meanwhile: one of the two is closed again.
        let earlier = self.open.borrow().get(&view.path).cloned();
        if let Some(earlier) = earlier {
            close(opened).await?;
            return Ok(earlier);
        }
        self.open
            .borrow_mut()
            .insert(view.path.clone(), opened.clone());
        Ok(opened)
    }

    async fn evict(&self) -> Result<(), DiskError> {
        while self.open.borrow().len() >= OPEN_SEGMENTS_MAX {
            let oldest = {
                let open = self.open.borrow();
                let idle = open
                    .iter()
                    .filter(|(_, segment)| segment.readers.get() == 0);
                idle.min_by_key(|(_, segment)| segment.last_use.get())
                    .map(|(path, _)| path.clone())
            };
            let Some(path) = oldest else { return Ok(()) };
            let segment = self.open.borrow_mut().remove(&path).expect("it was there");
            close(segment).await?;
        }
        Ok(())
    }

    /// The chunks of the segment up to the last whole one: as known, else from the index file, completed from the log.
    async fn index(
        &self,
        reading: &Reading<'_, D, R>,
        view: &SegmentView,
    ) -> Result<Rc<Vec<IndexEntry>>, ReadError> {
        let known = reading.segment.index.borrow().clone();
        let mut entries = match known {
            Some(entries) if end_of(&entries) <= view.synced => entries,
            _ if reading.segment.is_index_wrong.get() => Rc::default(),
            _ => Rc::new(self.load_index(view).await?),
        };
        if view.synced - end_of(&entries) >= self.chunk_bytes as u64 {
            let completed = self.complete(reading, view, &entries).await?;
            Rc::make_mut(&mut entries).extend(completed);
        }
        *reading.segment.index.borrow_mut() = Some(entries.clone());
        Ok(entries)
    }

    /// The chunks behind the known ones.
    async fn complete(
        &self,
        reading: &Reading<'_, D, R>,
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
            Ok(()) | Err(ReadError::Damaged { .. }) => Ok(completed),
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
        view: &SegmentView,
        from_chunk: impl Fn(&[IndexEntry]) -> Option<IndexEntry>,
        sure: u64,
        kept: &mut Vec<Bytes>,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<(), ReadError> {
        let reading = self.begin(view).await?;
        loop {
            let index = self.index(&reading, view).await?;
            let way = Way {
                start: from_chunk(&index)
                    .as_ref()
                    .map_or((0, view.name.base), start_of),
                sure: sure.saturating_add(self.chunk_bytes as u64),
                index: &index,
            };
            let (mut visited, position) = (false, way.start.0);
            let walked = self.walk(&reading, view, way, kept, |position, header, batch| {
                visited = true;
                visit(position, header, batch)
            });
            let walked = walked.await;
            let is_astray = matches!(walked, Err(ReadError::Damaged { .. })) && !visited;
            if !is_astray || self.confirms(&reading, view, &index, position).await? {
                return walked;
            }
            // No batch where the index said: the index is no authority, the log is read without it.
            tracing::warn!(path = %view.path.display(), "the index is wrong, and made anew");
            reading.segment.distrust_index();
        }
    }

    /// Whether the log around this place, where a chunk begins, has its batches where the index says: then it is the log
    /// that is damaged here, and the index still leads behind the damage.
    async fn confirms(
        &self,
        reading: &Reading<'_, D, R>,
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
        reading: &Reading<'_, D, R>,
        view: &SegmentView,
        way: Way<'_>,
        kept: &mut Vec<Bytes>,
        visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<(), ReadError> {
        if way.start.0 >= view.synced {
            return Ok(());
        }
        let mut ahead = ReadAhead::new(
            &self.runtime,
            &reading.segment.file,
            &self.buffers,
            way.start.0..view.synced,
            way.sure,
        );
        let density = match view.name.is_rewritten() {
            true => Density::Gaps,
            false => Density::Dense,
        };
        let mut window = Window::new(way.start, view.synced, &view.epochs, density);
        let walked = self.walk_ahead(&mut ahead, reading, way.index, &mut window, kept, visit);
        let walked = walked.await;
        ahead.finish().await;
        walked
    }

    async fn walk_ahead(
        &self,
        ahead: &mut ReadAhead<'_, D, R>,
        reading: &Reading<'_, D, R>,
        index: &[IndexEntry],
        window: &mut Window<'_>,
        kept: &mut Vec<Bytes>,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> Step,
    ) -> Result<(), ReadError> {
        while window.position < window.end {
            match ahead.take().await? {
                Some(buffer) => window.fill(buffer.as_bytes()),
                None => return Err(window.damaged()),
            }
            let start = window.position;
            let walked = window.walk(&mut visit);
            let (bytes, piece) = window.pass();
            kept.extend(piece);
            if walked? {
                return Ok(());
            }
            self.check_chunks(reading, index, start, &bytes);
        }
        Ok(())
    }

    /// Sound batches under a wrong chunk checksum: a byte outside their own CRC, or the index, is damaged. One copy
    /// cannot tell which; it is reported, and the index built anew.
    fn check_chunks(
        &self,
        reading: &Reading<'_, D, R>,
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
                reading.segment.distrust_index();
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
fn undamaged(walked: Result<(), ReadError>) -> Result<(), ReadError> {
    match walked {
        Err(ReadError::Damaged { .. }) => Ok(()),
        walked => walked,
    }
}

async fn close<F: DiskFile>(segment: Rc<OpenSegment<F>>) -> Result<(), DiskError> {
    match Rc::try_unwrap(segment) {
        Ok(segment) => segment.file.close().await,
        // A read that has just begun holds it; the last one lets the descriptor go.
        Err(_) => Ok(()),
    }
}

/// One of the bounded number of reads.
struct Place<'a, D: Disk, R: Runtime>(&'a SegmentReader<D, R>);

impl<'a, D: Disk, R: Runtime> Place<'a, D, R> {
    fn take(reader: &'a SegmentReader<D, R>) -> Place<'a, D, R> {
        reader.readers.set(reader.readers.get() + 1);
        Place(reader)
    }
}

impl<D: Disk, R: Runtime> Drop for Place<'_, D, R> {
    fn drop(&mut self) {
        self.0.readers.set(self.0.readers.get() - 1);
        self.0.released.notify();
    }
}

/// A read under way in one segment.
struct Reading<'a, D: Disk, R: Runtime> {
    segment: Rc<OpenSegment<D::File>>,
    _place: Place<'a, D, R>,
}

impl<D: Disk, R: Runtime> Drop for Reading<'_, D, R> {
    fn drop(&mut self) {
        self.segment.readers.set(self.segment.readers.get() - 1);
    }
}
