//! Reading a partition: the tail answers from memory, what lies before it comes from the segments.

use super::disk::Disk;
use super::errors::ReadError;
use super::quarantine::copy_aside;
use super::reader::{ColdFound, ColdRead, SegmentView};
use super::runtime::{Runtime, TaskClass};
use super::shared::Shared;
use super::store::Store;
use super::tasks::in_class;
use crate::base::ids::PartitionId;
use crate::base::limits::DAMAGED_CHUNKS_TOLD_MAX;
use crate::base::offset::{Offset, Position};
use crate::base::time::Timestamp;
use crate::log::epoch_table::EpochTable;
use crate::log::paths::segment_path;
use crate::log::section::Section;
use crate::log::segment::{Segment, SegmentFileKind, SegmentName};
use crate::record::{BatchHeader, Batches, find_timestamp, max_timestamp_record};
use bytes::Bytes;

/// Whole batches, in order, each with its CRC checked if it came from disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadBytes {
    pub pieces: Vec<Bytes>,
    pub bytes: usize,
}

impl ReadBytes {
    pub(super) fn batches(&self) -> impl Iterator<Item = (BatchHeader, &[u8])> {
        let batches = self.pieces.iter().flat_map(|piece| Batches::new(piece));
        batches.flatten().map(|(_, header, batch)| (header, batch))
    }

    /// The offset after the last batch.
    pub(super) fn end(&self) -> Option<Offset> {
        let last = Batches::new(self.pieces.last()?).flatten().last();
        last.map(|(_, header, _)| header.next_offset())
    }
}

/// Where the next part of a read is.
enum Source {
    Tail(ReadBytes),
    /// And where what it has of the log ends.
    Segment(SegmentView, Offset),
    End,
}

impl<D: Disk, R: Runtime> Store<D, R> {
    /// Whole batches from the one that contains `from`, below `below`, up to `bytes_max`; with `at_least_one` the
    /// first batch comes whatever its size.
    pub async fn read(
        &self,
        id: PartitionId,
        from: Offset,
        below: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<ReadBytes, ReadError> {
        let mut found = ReadBytes::default();
        let mut want = ColdRead {
            from,
            below,
            bytes_max,
            at_least_one,
        };
        loop {
            let source = self.shared.source(id, want)?;
            let (found_cold, end) = match source {
                Source::End => return Ok(found),
                Source::Tail(part) => {
                    append(&mut found, part);
                    return Ok(found);
                }
                Source::Segment(view, end) => {
                    let shared = self.shared.clone();
                    let read = async move { shared.read_segment(id, &view, want).await };
                    match in_class(&self.shared.runtime, TaskClass::Read, read).await {
                        Ok(found) => (found, end),
                        // Its batches lie in another file by now.
                        Err(ReadError::Replaced) => continue,
                        // Whoever reads on from there is told.
                        Err(_) if found.bytes > 0 => return Ok(found),
                        Err(error) => return Err(error),
                    }
                }
            };
            // What is left of a compacted segment may end before it does.
            let ColdFound {
                bytes: part,
                is_end,
            } = found_cold;
            let Some(next) = part.end().or(is_end.then_some(end)) else {
                return Ok(found);
            };
            append(&mut found, part);
            // What follows in this segment is not wanted, or does not fit.
            if !is_end || next >= below {
                return Ok(found);
            }
            let left = bytes_max.saturating_sub(found.bytes);
            want = ColdRead {
                from: next,
                below,
                bytes_max: left,
                at_least_one: at_least_one && found.bytes == 0,
            };
        }
    }

    /// About how many bytes lie in `from..below`.
    pub fn available_bytes(&self, id: PartitionId, from: Offset, below: Offset) -> u64 {
        let state = self.shared.state.borrow();
        let Some(partition) = state.partitions.get(&id) else {
            return 0;
        };
        if from >= below {
            return 0;
        }
        let tail = partition.log.tail();
        let cold = if from < tail.start_offset() {
            let section = partition.log.section();
            let after = section
                .segments
                .iter()
                .filter(|segment| segment.base > from);
            // Of the segment that holds `from`, at least one batch.
            after.map(|segment| segment.bytes).sum::<u64>() + 1
        } else {
            0
        };
        cold + tail.bytes_from(from).max(1)
    }

    /// The first record at or above `at_least` in time, below `below` in offset.
    pub async fn offset_for_timestamp(
        &self,
        id: PartitionId,
        at_least: Timestamp,
        below: Offset,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let mut from = self.shared.log_start(id)?;
        while from < below {
            let Some((segment, tail_start)) = self.shared.cold_segment(id, from)? else {
                return self.tail_timestamp(id, from, below, at_least);
            };
            let end = self.shared.segment_end(id, segment.base)?;
            if segment.largest.timestamp >= at_least {
                let view = self.shared.view(id, &segment);
                let _pin = self.shared.pin(id, segment.name());
                let found = self.shared.reader.find_timestamp(&view, at_least).await;
                let found = match self.shared.checked(id, &view, from, found).await {
                    Err(ReadError::Replaced) => continue,
                    found => found?,
                };
                let log_start = self.shared.log_start(id)?;
                if let Some((offset, timestamp)) = found.filter(|found| found.0 < below) {
                    if offset >= log_start {
                        return Ok(Some((offset, timestamp)));
                    }
                    // The first such record is deleted: look again from the log start, batch by batch.
                    return self.walk_timestamp(id, log_start, below, at_least).await;
                }
            }
            from = end.min(tail_start).max(from.next());
        }
        Ok(None)
    }

    /// The record with the largest timestamp below `below`; the first of them when several have it.
    pub async fn max_timestamp(
        &self,
        id: PartitionId,
        below: Offset,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let mut from = self.shared.log_start(id)?;
        let mut largest: Option<(Offset, Timestamp)> = None;
        let (batch, is_known) = self.shared.largest_batch(id, below)?;
        if let Some(batch) = batch.filter(|_| is_known) {
            from = batch;
        }
        while from < below {
            let read = self
                .read(id, from, below, MAX_TIMESTAMP_READ_BYTES, true)
                .await?;
            let Some(next) = read.end() else { break };
            for (_, batch) in read.batches() {
                largest = larger(largest, batch, from);
            }
            if is_known {
                break;
            }
            from = next;
        }
        Ok(largest)
    }

    fn tail_timestamp(
        &self,
        id: PartitionId,
        from: Offset,
        below: Offset,
        at_least: Timestamp,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        let want = ColdRead {
            from,
            below,
            bytes_max: usize::MAX,
            at_least_one: true,
        };
        match self.shared.source(id, want)? {
            Source::Tail(read) => Ok(find_in(&read, from, at_least)),
            Source::Segment(..) | Source::End => Ok(None),
        }
    }

    async fn walk_timestamp(
        &self,
        id: PartitionId,
        mut from: Offset,
        below: Offset,
        at_least: Timestamp,
    ) -> Result<Option<(Offset, Timestamp)>, ReadError> {
        while from < below {
            let read = self
                .read(id, from, below, MAX_TIMESTAMP_READ_BYTES, true)
                .await?;
            let Some(next) = read.end() else { break };
            if let Some(found) = find_in(&read, from, at_least) {
                return Ok(Some(found));
            }
            from = next;
        }
        Ok(None)
    }
}

/// How much of the log a search reads at a time.
const MAX_TIMESTAMP_READ_BYTES: usize = 1024 * 1024;

fn find_in(read: &ReadBytes, from: Offset, at_least: Timestamp) -> Option<(Offset, Timestamp)> {
    for (header, batch) in read.batches() {
        if header.max_timestamp < at_least {
            continue;
        }
        // Nobody looked inside the batch when it was written: one that cannot be read counts as one record.
        let found = find_timestamp(batch, from, at_least);
        let found = found.unwrap_or(Some((header.base_offset, header.max_timestamp)));
        if let Some(found) = found.filter(|found| found.0 >= from) {
            return Some(found);
        }
    }
    None
}

fn larger(
    largest: Option<(Offset, Timestamp)>,
    batch: &[u8],
    from: Offset,
) -> Option<(Offset, Timestamp)> {
    let header = BatchHeader::parse(batch).ok()?;
    if largest.is_some_and(|(_, timestamp)| header.max_timestamp <= timestamp) {
        return largest;
    }
    let found = max_timestamp_record(batch, from);
    let found = found.unwrap_or(Some((header.base_offset, header.max_timestamp)));
    found.filter(|found| found.0 >= from).or(largest)
}

fn append(found: &mut ReadBytes, part: ReadBytes) {
    found.bytes += part.bytes;
    found.pieces.extend(part.pieces);
}

impl<D: Disk, R: Runtime> Shared<D, R> {
    fn source(&self, id: PartitionId, want: ColdRead) -> Result<Source, ReadError> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let partition = state.partitions.get_mut(&id).ok_or(ReadError::Unknown)?;
        if partition.log.is_dropping() {
            return Err(ReadError::Unknown);
        }
        let (log_start, next_offset) = (
            partition.log.section().log_start,
            partition.log.tail().next_offset(),
        );
        if want.from < log_start || want.from > next_offset {
            return Err(ReadError::OutOfRange {
                log_start,
                next_offset,
            });
        }
        if want.from >= want.below.min(next_offset) {
            return Ok(Source::End);
        }
        let held = partition.log.tail().charge();
        let tail = partition.log.tail_mut();
        let read = tail.read(want.from, want.below, want.bytes_max, want.at_least_one);
        state.pool.recharge(held, partition.log.tail().charge());
        match read {
            Some(read) => Ok(Source::Tail(ReadBytes {
                pieces: read.pieces,
                bytes: read.bytes,
            })),
            None => {
                let section = partition.log.section();
                let segment = *section.segment_of(want.from);
                let view = view_of(self, id, &segment, section);
                let end = section.segment_end(segment.base);
                Ok(Source::Segment(
                    view,
                    end.min(partition.log.tail().start_offset()),
                ))
            }
        }
    }

    pub(super) async fn read_segment(
        &self,
        id: PartitionId,
        view: &SegmentView,
        want: ColdRead,
    ) -> Result<ColdFound, ReadError> {
        let _pin = self.pin(id, view.name);
        let read = self.reader.read(view, want).await;
        let read = self.checked(id, view, want.from, read).await?;
        self.cells.cold_reads.increment();
        self.cells.cold_read_bytes.add(read.bytes.bytes as u64);
        Ok(read)
    }

    /// A read that failed because the log start or compaction has overtaken it is no failure. Damage is put aside, once.
    async fn checked<T>(
        &self,
        id: PartitionId,
        view: &SegmentView,
        from: Offset,
        result: Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let Err(error) = result else { return result };
        let (log_start, next_offset, is_replaced) = {
            let state = self.state.borrow();
            let partition = state.partitions.get(&id).ok_or(ReadError::Unknown)?;
            let section = partition.log.section();
            let is_replaced = section.segment_named(view.name).is_none();
            (
                section.log_start,
                partition.log.tail().next_offset(),
                is_replaced,
            )
        };
        if from < log_start || from > next_offset {
            return Err(ReadError::OutOfRange {
                log_start,
                next_offset,
            });
        }
        if is_replaced {
            return Err(ReadError::Replaced);
        }
        match error {
            ReadError::Damaged {
                offset,
                position,
                bytes,
            } => self.put_aside(id, view, offset, position, bytes).await,
            _ => tracing::error!(partition = %id, %from, ?error, "a read from disk failed"),
        }
        Err(error)
    }

    /// Keeps a copy of bytes that contradict their checksum, for an operator to look at. Clients come back for them again
    /// and again; only the first time is told.
    async fn put_aside(
        &self,
        id: PartitionId,
        view: &SegmentView,
        offset: Offset,
        position: u64,
        bytes: usize,
    ) {
        let is_new = {
            let mut damaged = self.damaged.borrow_mut();
            damaged.len() < DAMAGED_CHUNKS_TOLD_MAX && damaged.insert((id, offset))
        };
        if !is_new {
            return;
        }
        self.reader.count_bad_chunk();
        let bytes = bytes.max(self.settings.limits.index_chunk_bytes) as u64;
        let range = position..view.synced.min(position + bytes);
        let (disk, root, life) = (&self.disk, &self.settings.root, self.owner.life);
        let copied = copy_aside(disk, root, life, &view.path, range).await;
        tracing::error!(
            partition = %id,
            path = %view.path.display(),
            %position,
            copy = ?copied,
            "the batch at offset {offset} is damaged on disk, and answered with KAFKA_STORAGE_ERROR",
        );
    }

    fn log_start(&self, id: PartitionId) -> Result<Offset, ReadError> {
        let state = self.state.borrow();
        let partition = state.partitions.get(&id).ok_or(ReadError::Unknown)?;
        Ok(partition.log.section().log_start)
    }

    /// The segment on disk that holds `from`, unless the tail has it.
    fn cold_segment(
        &self,
        id: PartitionId,
        from: Offset,
    ) -> Result<Option<(Segment, Offset)>, ReadError> {
        let state = self.state.borrow();
        let partition = state.partitions.get(&id).ok_or(ReadError::Unknown)?;
        let tail_start = partition.log.tail().start_offset();
        let segment = *partition.log.section().segment_of(from);
        Ok((from < tail_start).then_some((segment, tail_start)))
    }

    fn segment_end(&self, id: PartitionId, base: Offset) -> Result<Offset, ReadError> {
        let state = self.state.borrow();
        let partition = state.partitions.get(&id).ok_or(ReadError::Unknown)?;
        Ok(partition.log.section().segment_end(base))
    }

    fn view(&self, id: PartitionId, segment: &Segment) -> SegmentView {
        let state = self.state.borrow();
        match state.partitions.get(&id) {
            Some(partition) => view_of(self, id, segment, partition.log.section()),
            None => SegmentView {
                path: self.log_path(id, segment.name()),
                name: segment.name(),
                synced: 0,
                epochs: EpochTable::default(),
            },
        }
    }

    /// The batch that has the largest timestamp of the log, if it is known and lies in the range asked for.
    fn largest_batch(
        &self,
        id: PartitionId,
        below: Offset,
    ) -> Result<(Option<Offset>, bool), ReadError> {
        let state = self.state.borrow();
        let partition = state.partitions.get(&id).ok_or(ReadError::Unknown)?;
        let section = partition.log.section();
        let batch = section.largest().batch;
        let is_in_range = batch.is_some_and(|batch| batch >= section.log_start && batch < below);
        Ok((batch, is_in_range && below <= section.next_offset))
    }

    pub(super) fn log_path(&self, id: PartitionId, name: SegmentName) -> std::path::PathBuf {
        segment_path(&self.settings.root, id, name, SegmentFileKind::Log)
    }

    /// The file of the segment that begins there; `None` when the section has none.
    pub(super) fn path_of(&self, id: PartitionId, base: Offset) -> Option<std::path::PathBuf> {
        let state = self.state.borrow();
        let section = state.partitions.get(&id)?.log.section();
        Some(self.log_path(id, section.segment_at(base)?.name()))
    }

    /// A segment as it can be read now; `None` when the section does not have it any more.
    pub(super) fn view_named(&self, id: PartitionId, name: SegmentName) -> Option<SegmentView> {
        let state = self.state.borrow();
        let section = state.partitions.get(&id)?.log.section();
        Some(view_of(self, id, section.segment_named(name)?, section))
    }
}

/// What of a segment a reader may see: its synced bytes.
fn view_of<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    segment: &Segment,
    section: &Section,
) -> SegmentView {
    let end = Position {
        segment: segment.base,
        byte: segment.bytes,
    };
    let synced = if end <= section.synced {
        segment.bytes
    } else {
        section.synced.byte
    };
    SegmentView {
        path: shared.log_path(id, segment.name()),
        name: segment.name(),
        synced,
        epochs: section.epochs.clone(),
    }
}
