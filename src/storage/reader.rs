//! Cold reads: batches of synced segment bytes, each checked before it leaves.
//!
//! Reads are direct, aligned, of at most [`COLD_READ_BYTES`] each, and few at a time, so that catching up does not
//! disturb the commit cycle. They share no memory with the tails.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use super::errors::ReadError;
use super::runtime::Notify;
use super::store::ReadBytes;
use crate::base::align::AlignedRange;
use crate::base::checksum::crc32c;
use crate::base::limits::{COLD_READ_BYTES, COLD_READS_IN_FLIGHT_MAX, OPEN_SEGMENTS_MAX};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::log::index::{
    IndexBuilder, IndexEntry, chunk_of_offset, chunk_of_timestamp, decode_index,
};
use crate::record::{BatchHeader, Batches, crc_matches, find_timestamp};
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A segment as a reader may see it.
#[derive(Clone, Debug)]
pub struct SegmentView {
    /// The `.log` file; its index is beside it.
    pub path: PathBuf,
    pub base: Offset,
    /// Bytes that are batches and synced.
    pub synced: u64,
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

/// Reads the segments of one shard. Owned by its core; keeps a bounded number of files and indexes at hand.
pub struct SegmentReader<D: Disk> {
    disk: D,
    chunk_bytes: usize,
    open: RefCell<BTreeMap<PathBuf, Rc<OpenSegment<D::File>>>>,
    /// Counts uses, to find the file that was used longest ago.
    uses: Cell<u64>,
    in_flight: Cell<usize>,
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

impl<D: Disk> SegmentReader<D> {
    pub fn new(disk: D, chunk_bytes: usize) -> SegmentReader<D> {
        SegmentReader {
            disk,
            chunk_bytes,
            open: RefCell::default(),
            uses: Cell::new(0),
            in_flight: Cell::new(0),
            released: Notify::default(),
            bad_chunks: Cell::new(0),
        }
    }

    /// Chunks whose checksum disagreed while all their batches were sound.
    pub fn bad_chunks(&self) -> u64 {
        self.bad_chunks.get()
    }

    pub async fn read(&self, view: &SegmentView, want: ColdRead) -> Result<ReadBytes, ReadError> {
        let mut collected = BytesMut::new();
        let from_chunk = |index: &[IndexEntry]| chunk_of_offset(index, want.from);
        self.visit(view, from_chunk, |_, header, batch| {
            if header.next_offset() <= want.from {
                return ControlFlow::Continue(());
            }
            let fits = collected.len() + batch.len() <= want.bytes_max
                || (collected.is_empty() && want.at_least_one);
            if header.last_offset() >= want.below || !fits {
                return ControlFlow::Break(());
            }
            collected.extend_from_slice(batch);
            if collected.len() < want.bytes_max {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
        .await?;
        let bytes = collected.len();
        let pieces = if bytes == 0 {
            Vec::new()
        } else {
            vec![collected.freeze()]
        };
        Ok(ReadBytes { pieces, bytes })
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
        self.visit(view, from_chunk, |_, header, batch| {
            if header.max_timestamp < at_least {
                return ControlFlow::Continue(());
            }
            found = find_timestamp(batch, at_least)
                .unwrap_or(Some((header.base_offset, header.max_timestamp)));
            if found.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .await?;
        Ok(found)
    }

    /// Where the batch that holds `offset` begins; `None` when the segment ends before.
    pub async fn position_of(
        &self,
        view: &SegmentView,
        offset: Offset,
    ) -> Result<Option<(u64, BatchHeader)>, ReadError> {
        let mut found = None;
        let from_chunk = |index: &[IndexEntry]| chunk_of_offset(index, offset);
        self.visit(view, from_chunk, |position, header, _| {
            if header.next_offset() <= offset {
                return ControlFlow::Continue(());
            }
            found = Some((position, *header));
            ControlFlow::Break(())
        })
        .await?;
        Ok(found)
    }

    /// Visits every batch of a segment from its first byte on, without the help of an index.
    pub async fn visit_all(
        &self,
        view: &SegmentView,
        visit: impl FnMut(u64, &BatchHeader, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let reading = self.begin(view).await?;
        self.walk(&reading, view, &[], (0, view.base), visit).await
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
    async fn begin(&self, view: &SegmentView) -> Result<Reading<'_, D>, ReadError> {
        while self.in_flight.get() == COLD_READS_IN_FLIGHT_MAX {
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
        reading: &Reading<'_, D>,
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
        reading: &Reading<'_, D>,
        view: &SegmentView,
        known: &[IndexEntry],
    ) -> Result<Vec<IndexEntry>, ReadError> {
        let mut builder = IndexBuilder::after(known, self.chunk_bytes);
        let mut completed = Vec::new();
        // The last chunk says which offset follows it.
        let start = known.last().map_or((0, view.base), start_of);
        let walked = self.walk(reading, view, &[], start, |position, header, batch| {
            if position >= end_of(known) {
                completed.extend(builder.add(header, batch));
            }
            ControlFlow::Continue(())
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
            let buffer = file.read_at(range.start(), range.len()).await?;
            entries = decode_index(buffer.as_bytes(), view.base, self.chunk_bytes, view.synced);
        }
        file.close().await?;
        Ok(entries)
    }

    /// Visits batches, with their positions, from the chunk that `from_chunk` picks; from the first without one.
    async fn visit(
        &self,
        view: &SegmentView,
        from_chunk: impl Fn(&[IndexEntry]) -> Option<IndexEntry>,
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let reading = self.begin(view).await?;
        loop {
            let index = self.index(&reading, view).await?;
            let start = from_chunk(&index).as_ref().map_or((0, view.base), start_of);
            let mut visited = false;
            let walked = self.walk(&reading, view, &index, start, |position, header, batch| {
                visited = true;
                visit(position, header, batch)
            });
            match walked.await {
                // No batch where the index said: the index is no authority, the log is read without it.
                Err(ReadError::Damaged { .. }) if !visited && start.0 > 0 => {
                    tracing::warn!(path = %view.path.display(), "the index is wrong, and made anew");
                    reading.segment.distrust_index();
                }
                result => return result,
            }
        }
    }

    /// Visits batches from a byte whose offset is known, each with its CRC and its place checked.
    async fn walk(
        &self,
        reading: &Reading<'_, D>,
        view: &SegmentView,
        index: &[IndexEntry],
        (mut position, mut expected): (u64, Offset),
        mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut read_bytes = COLD_READ_BYTES as u64;
        while position < view.synced {
            let end = view.synced.min(position + read_bytes);
            let range = AlignedRange::covering(position, end);
            let buffer = reading
                .segment
                .file
                .read_at(range.start(), range.len())
                .await?;
            let bytes = buffer
                .as_bytes()
                .get((position - range.start()) as usize..(end - range.start()) as usize)
                .ok_or(ReadError::Damaged { offset: expected })?;
            let mut batches = Batches::new(bytes);
            for batch in &mut batches {
                let (at, header, batch) =
                    batch.map_err(|_| ReadError::Damaged { offset: expected })?;
                if header.base_offset != expected || !crc_matches(batch) {
                    return Err(ReadError::Damaged { offset: expected });
                }
                expected = header.next_offset();
                if visit(position + at as u64, &header, batch).is_break() {
                    return Ok(());
                }
            }
            let whole = batches.position() as u64;
            self.check_chunks(reading, index, position, &bytes[..whole as usize]);
            read_bytes = if whole > 0 {
                COLD_READ_BYTES as u64
            } else {
                first_batch_bytes(bytes, expected)?
            };
            if whole == 0 && position + read_bytes > view.synced {
                return Err(ReadError::Damaged { offset: expected });
            }
            position += whole;
        }
        Ok(())
    }

    /// Sound batches under a wrong chunk checksum: a byte outside their own CRC, or the index, is damaged. One copy
    /// cannot tell which; it is reported, and the index built anew.
    fn check_chunks(
        &self,
        reading: &Reading<'_, D>,
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
                self.bad_chunks.set(self.bad_chunks.get() + 1);
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

/// How much must be read for a batch that a first read did not hold.
fn first_batch_bytes(bytes: &[u8], offset: Offset) -> Result<u64, ReadError> {
    match BatchHeader::parse(bytes) {
        Ok(header) if header.total_bytes() > bytes.len() => Ok(header.total_bytes() as u64),
        _ => Err(ReadError::Damaged { offset }),
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
struct Place<'a, D: Disk>(&'a SegmentReader<D>);

impl<'a, D: Disk> Place<'a, D> {
    fn take(reader: &'a SegmentReader<D>) -> Place<'a, D> {
        reader.in_flight.set(reader.in_flight.get() + 1);
        Place(reader)
    }
}

impl<D: Disk> Drop for Place<'_, D> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.released.notify();
    }
}

/// A read under way in one segment.
struct Reading<'a, D: Disk> {
    segment: Rc<OpenSegment<D::File>>,
    _place: Place<'a, D>,
}

impl<D: Disk> Drop for Reading<'_, D> {
    fn drop(&mut self) {
        self.segment.readers.set(self.segment.readers.get() - 1);
    }
}
