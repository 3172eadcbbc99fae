//! Walking over the batches of a segment: the bytes of its file, and behind them those that only the journal holds.
//!
//! Whatever the size of the log, one read and one batch are held.

use super::directory::{DataDirectory, read_at_most, unreadable};
use crate::failure::Failure;
use ottla::base::limits::{FRAME_BYTES_MAX, Limits, TOOL_SEGMENT_READ_BYTES};
use ottla::base::offset::Offset;
use ottla::log::index::{IndexEnd, IndexEntry, chunk_of_offset, judge_index};
use ottla::log::paths::segment_path;
use ottla::log::recovery::replay::{Image, Replayed};
use ottla::log::section::Section;
use ottla::log::segment::{Segment, SegmentFileKind};
use ottla::record::{BATCH_HEADER_BYTES, BatchHeader, crc_matches};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Log bytes per entry of an index.
pub(super) const CHUNK_BYTES: usize = Limits::DEFAULT.index_chunk_bytes;

/// A segment, its index beside it.
pub(super) struct SegmentWalk<'a> {
    section: &'a Section,
    segment: &'a Segment,
    bytes: SegmentBytes<'a>,
    pub(super) log_path: PathBuf,
    pub(super) index_path: PathBuf,
    /// The index file as it is.
    pub(super) index_bytes: Vec<u8>,
    pub(super) index: Vec<IndexEntry>,
    pub(super) index_end: IndexEnd,
}

/// What comes next in a segment.
pub(super) enum Found<'a> {
    Batch(Batch<'a>),
    Damage(Damage),
}

/// A batch that is sound and in its place.
pub(super) struct Batch<'a> {
    pub(super) header: BatchHeader,
    pub(super) bytes: &'a [u8],
    /// Where it begins in the segment.
    pub(super) position: u64,
}

/// Offsets that cannot be served: what stands where they have to be is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Damage {
    pub(super) position: u64,
    pub(super) from: Offset,
    /// Exclusive: where the log goes on.
    pub(super) to: Offset,
    pub(super) why: String,
}

/// Whether the walk goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    On,
    Stop,
}

/// Why no batch is taken, and how far one would go that stands there.
struct Fault {
    why: String,
    claimed: Option<u64>,
}

impl<'a> SegmentWalk<'a> {
    pub(super) fn open(
        directory: &DataDirectory,
        replayed: &'a Replayed,
        segment: &'a Segment,
    ) -> Result<SegmentWalk<'a>, Failure> {
        let (section, id) = (&replayed.section, replayed.section.id);
        let path = |kind| segment_path(directory.root(), id, segment.name(), kind);
        let (log_path, index_path) = (path(SegmentFileKind::Log), path(SegmentFileKind::Index));
        let file = match File::open(&log_path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&log_path, &error)),
        };
        let index_bytes = match fs::read(&index_path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(&index_path, &error)),
        };
        let image = replayed.images.get(&segment.base);
        let of_file = image.map_or(segment.bytes, |image| image.start.min(segment.bytes));
        let (index, index_end) = judge_index(&index_bytes, segment.base, CHUNK_BYTES, of_file);
        Ok(SegmentWalk {
            section,
            segment,
            bytes: SegmentBytes {
                file,
                image,
                of_file,
                end: segment.bytes,
                window: Vec::new(),
                window_at: 0,
            },
            log_path,
            index_path,
            index_bytes,
            index,
            index_end,
        })
    }

    /// Bytes that the file has to hold; what lies behind them the journal brings.
    pub(super) fn bytes_of_file(&self) -> u64 {
        self.bytes.of_file
    }

    /// The length of the file; `None` when there is none.
    pub(super) fn file_bytes(&self) -> Option<u64> {
        let metadata = self.bytes.file.as_ref()?.metadata().ok()?;
        Some(metadata.len())
    }

    /// Visits what lies between the batch that holds `from` and the end.
    pub(super) fn walk(
        &mut self,
        from: Offset,
        mut visit: impl FnMut(Found<'_>) -> Result<Flow, Failure>,
    ) -> Result<(), Failure> {
        let (mut at, mut expected) = match chunk_of_offset(&self.index, from) {
            Some(chunk) => (chunk.position, chunk.first),
            None => (0, self.segment.base),
        };
        let mut damage: Option<Damage> = None;
        while at < self.bytes.end {
            match self.look(at, expected, damage.is_some()) {
                Ok(header) => {
                    let closed = damage.take().map(|damage| Damage {
                        to: header.base_offset,
                        ..damage
                    });
                    if let Some(damage) = closed
                        && visit(Found::Damage(damage))? == Flow::Stop
                    {
                        return Ok(());
                    }
                    let bytes = self.bytes.at(at, header.total_bytes());
                    let batch = Batch {
                        header,
                        bytes: bytes.map_err(|error| unreadable(&self.log_path, &error))?,
                        position: at,
                    };
                    at += header.total_bytes() as u64;
                    expected = header.next_offset();
                    if visit(Found::Batch(batch))? == Flow::Stop {
                        return Ok(());
                    }
                }
                Err(fault) => {
                    let next = self.next_after(at, &fault);
                    damage.get_or_insert(Damage {
                        position: at,
                        from: expected,
                        to: expected,
                        why: fault.why,
                    });
                    let Some(next) = next else { break };
                    at = next;
                }
            }
        }
        let end = self.section.segment_end(self.segment.base);
        if damage.is_none() && expected != end && !self.has_gaps() {
            damage = Some(Damage {
                position: at,
                from: expected,
                to: end,
                why: format!("the batches end at offset {expected}"),
            });
        }
        if let Some(damage) = damage {
            visit(Found::Damage(Damage { to: end, ..damage }))?;
        }
        Ok(())
    }

    /// Where a batch may begin behind one that is none: where that claims to end, else at the next chunk of the index.
    fn next_after(&self, at: u64, fault: &Fault) -> Option<u64> {
        let chunk = self.index.iter().find(|chunk| chunk.position > at);
        fault.claimed.or(chunk.map(|chunk| chunk.position))
    }

    /// Compaction has taken batches away: the others need not be dense.
    fn has_gaps(&self) -> bool {
        self.segment.name().is_rewritten()
    }

    /// The batch at this place, which has to be that of this offset; behind damage, or where compaction was, of any that is
    /// not below.
    fn look(
        &mut self,
        at: u64,
        expected: Offset,
        is_behind_damage: bool,
    ) -> Result<BatchHeader, Fault> {
        let fault = |why: String| Fault { why, claimed: None };
        let (end, segment_end) = (self.bytes.end, self.section.segment_end(self.segment.base));
        let is_whole = |found: usize, wanted: usize| match found < wanted {
            true => Err(fault(format!(
                "the file ends at byte {}, before the batch does",
                at + found as u64
            ))),
            false => Ok(()),
        };
        let read = |error: io::Error| fault(format!("it cannot be read: {error}"));
        let head = self.bytes.at(at, BATCH_HEADER_BYTES).map_err(read)?;
        is_whole(head.len(), BATCH_HEADER_BYTES)?;
        let header = BatchHeader::parse(head);
        let header = header.map_err(|error| fault(format!("no batch begins there: {error}")))?;
        let total = header.total_bytes();
        if total as u64 > end - at || total > FRAME_BYTES_MAX {
            return Err(fault(format!(
                "the batch claims {total} bytes, more than there are"
            )));
        }
        let batch = self.bytes.at(at, total).map_err(read)?;
        is_whole(batch.len(), total)?;
        let fault = |why: String| Fault {
            why,
            claimed: Some(at + total as u64),
        };
        if !crc_matches(batch) {
            return Err(fault("the batch fails its CRC".into()));
        }
        let offset = header.base_offset;
        let is_in_place = match is_behind_damage || self.has_gaps() {
            true => offset >= expected && header.next_offset() <= segment_end,
            false => offset == expected,
        };
        if !is_in_place {
            return Err(fault(format!(
                "the batch says offset {offset}, not {expected}"
            )));
        }
        let epoch = self.section.epochs.epoch_at(offset);
        match epoch.filter(|epoch| *epoch != header.leader_epoch) {
            None => Ok(header),
            Some(epoch) => Err(fault(format!(
                "the batch says leader epoch {}, not {}",
                header.leader_epoch.0, epoch.0
            ))),
        }
    }
}

struct SegmentBytes<'a> {
    file: Option<File>,
    image: Option<&'a Image>,
    /// The file's bytes count up to here, then the image's.
    of_file: u64,
    end: u64,
    /// What was read last, and where it lies.
    window: Vec<u8>,
    window_at: u64,
}

impl SegmentBytes<'_> {
    /// So many bytes from here on; fewer where there are no more.
    fn at(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let has = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + len as u64 > has {
            self.fill(at, len.max(TOOL_SEGMENT_READ_BYTES))?;
        }
        let from = (at - self.window_at) as usize;
        let rest = self.window.get(from..).unwrap_or_default();
        Ok(&rest[..len.min(rest.len())])
    }

    fn fill(&mut self, at: u64, len: usize) -> io::Result<()> {
        let end = (at + len as u64).min(self.end);
        self.window_at = at;
        self.window.clear();
        let of_file = self.of_file.min(end).saturating_sub(at) as usize;
        if of_file > 0 {
            self.window.resize(of_file, 0);
            let read = match &self.file {
                Some(file) => read_at_most(file, &mut self.window, at),
                None => Ok(0),
            };
            let read = read.inspect_err(|_| self.window.clear())?;
            self.window.truncate(read);
            if read < of_file {
                return Ok(());
            }
        }
        if let Some(image) = self.image {
            let from = (at.max(self.of_file) - image.start) as usize;
            let to = end.saturating_sub(image.start) as usize;
            let bytes = image.bytes.get(from..to.max(from)).unwrap_or_default();
            self.window.extend_from_slice(bytes);
        }
        Ok(())
    }
}
