//! `ottla log index`: the sparse index of a partition's segments, held against the log.

use super::batches::{CHUNK_BYTES, Flow, Found, SegmentWalk};
use super::directory::{DataDirectory, Names};
use super::partition::Partition;
use super::shard::OldShard;
use crate::failure::{Done, Failure, Outcome};
use crate::moment;
use crate::output::{Column, Output, Table, or_dash};
use clap::Args;
use ottla::base::checksum::Crc32c;
use ottla::base::offset::Offset;
use ottla::base::time::Timestamp;
use ottla::log::index::{IndexEnd, IndexEntry};
use ottla::record::BatchHeader;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Index {
    /// The data directory of a broker that does not run.
    data: PathBuf,
    /// As orders-3; the topic's id will do too.
    #[arg(value_name = "TOPIC-PARTITION")]
    partition: String,
    /// Reads the log and compares every chunk with its checksum.
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SegmentIndex {
    file: String,
    base_offset: i64,
    /// Exclusive.
    end_offset: i64,
    /// Up to here entries answer look-ups; behind it the batches of the log are gone through.
    indexed_bytes: u64,
    segment_bytes: u64,
    entries: Vec<Entry>,
    /// In order, or why not, and what becomes of it.
    state: String,
    problem: bool,
}

/// A chunk, and the look-ups that begin in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    first_offset: i64,
    /// Exclusive.
    end_offset: i64,
    position: u64,
    bytes: u32,
    /// Of everything up to the end of the chunk: times above that of the entry before are looked for here.
    max_timestamp: Option<String>,
    crc: String,
}

pub(super) fn run(output: &Output, wanted: &Index) -> Outcome {
    let directory = DataDirectory::open(&wanted.data)?;
    directory.superblock()?;
    let names = Names::of(&directory.rehearse()?);
    let id = names.find(&wanted.partition)?;
    let shards = OldShard::read_all(&directory)?;
    let mut segments = Vec::new();
    if let Some(partition) = Partition::find(&names, &shards, id) {
        for segment in partition.segments() {
            let mut walk = partition.walk(&directory, segment)?;
            let fault = match wanted.check {
                true => check(&mut walk, segment.base)?,
                false => None,
            };
            let offsets = partition.offsets(segment);
            let name = directory.name(&walk.index_path);
            segments.push(describe(&walk, name, offsets, segment.bytes, fault));
        }
    }
    output.show(&crate::output::Document("segments", &segments), || {
        segments.iter().flat_map(tables).collect()
    })?;
    Ok(match segments.iter().any(|segment| segment.problem) {
        true => Done::Problems,
        false => Done::All,
    })
}

fn describe(
    walk: &SegmentWalk<'_>,
    file: String,
    (base, end): (Offset, Offset),
    segment_bytes: u64,
    chunk_fault: Option<String>,
) -> SegmentIndex {
    let indexed = walk.index.last().map_or(0, IndexEntry::end);
    let ends = walk.index.iter().skip(1).map(|entry| entry.first);
    // Where the last chunk ends the log alone knows: what lies behind it is looked for from there on, too.
    let ends = ends.chain([end]);
    let entries = walk.index.iter().zip(ends).map(|(entry, end)| Entry {
        first_offset: entry.first.0,
        end_offset: end.0,
        position: entry.position,
        bytes: entry.bytes,
        max_timestamp: moment::render(entry.largest.0),
        crc: format!("{:08x}", entry.crc),
    });
    let entries = entries.collect();
    let fault = judge_end(&walk.index, walk.index_end).or(chunk_fault);
    let state = match (&fault, walk.index_end) {
        (Some(fault), _) => format!("{fault}; a reader does without, from the log"),
        (None, IndexEnd::Beyond { entry }) => format!(
            "entries from {entry} on speak of more than the segment holds for sure: the next flush writes them anew"
        ),
        (None, _) if segment_bytes - indexed >= CHUNK_BYTES as u64 => {
            let missing = segment_bytes - indexed;
            format!("the last {missing} bytes have no entries yet: they are read through")
        }
        (None, _) => "in order".to_owned(),
    };
    SegmentIndex {
        file,
        base_offset: base.0,
        end_offset: end.0,
        indexed_bytes: indexed,
        segment_bytes,
        entries,
        state,
        problem: fault.is_some(),
    }
}

fn tables(segment: &SegmentIndex) -> [Table; 2] {
    let mut head = Table::new(&[
        Column::Text("INDEX"),
        Column::Number("FROM"),
        Column::Number("TO"),
        Column::Number("INDEXED"),
        Column::Number("BYTES"),
        Column::Text("STATE"),
    ]);
    head.row([
        segment.file.clone(),
        segment.base_offset.to_string(),
        segment.end_offset.to_string(),
        segment.indexed_bytes.to_string(),
        segment.segment_bytes.to_string(),
        segment.state.clone(),
    ]);
    let mut table = Table::new(&[
        Column::Number("OFFSETS FROM"),
        Column::Number("TO"),
        Column::Number("POSITION"),
        Column::Number("BYTES"),
        Column::Text("TIMES UP TO"),
        Column::Text("CRC"),
    ]);
    for entry in &segment.entries {
        table.row([
            entry.first_offset.to_string(),
            entry.end_offset.to_string(),
            entry.position.to_string(),
            entry.bytes.to_string(),
            or_dash(entry.max_timestamp.clone()),
            entry.crc.clone(),
        ]);
    }
    [head, table]
}

/// Why the entries end where they do, when something is wrong.
pub(super) fn judge_end(entries: &[IndexEntry], end: IndexEnd) -> Option<String> {
    let at = |entry: usize| {
        let position = entries.last().map_or(0, IndexEntry::end);
        format!("entry {entry}, which should be of byte {position} of the log,")
    };
    match end {
        // What a flush left that did not count is cut away by the next.
        IndexEnd::Whole | IndexEnd::Beyond { .. } => None,
        IndexEnd::Header => Some("the header of the index is not that of this segment".into()),
        IndexEnd::Checksum { entry } => Some(format!("{} fails its CRC", at(entry))),
        IndexEnd::Gap { entry } => Some(format!("{} leaves a gap", at(entry))),
    }
}

/// The first chunk that is not what its entry says.
fn check(walk: &mut SegmentWalk<'_>, base: Offset) -> Result<Option<String>, Failure> {
    let index = walk.index.clone();
    let mut chunks = ChunkCheck::new(&index);
    let mut fault = None;
    walk.walk(base, |found| {
        let found = match found {
            Found::Batch(batch) => chunks.add(batch.position, &batch.header, batch.bytes),
            Found::Damage(damage) => {
                chunks.interrupt();
                Some(format!(
                    "the log at byte {}: {}",
                    damage.position, damage.why
                ))
            }
        };
        fault = fault.take().or(found);
        Ok(Flow::On)
    })?;
    Ok(fault)
}

/// Holds the entries of an index against the batches of a walk from the beginning.
pub(super) struct ChunkCheck<'a> {
    entries: &'a [IndexEntry],
    next: usize,
    /// Of the chunk that is walked over; `None` when its beginning was not seen.
    crc: Option<Crc32c>,
    /// Of everything so far; `None` when not all of it was seen.
    largest: Option<Timestamp>,
}

impl<'a> ChunkCheck<'a> {
    pub(super) fn new(entries: &'a [IndexEntry]) -> ChunkCheck<'a> {
        ChunkCheck {
            entries,
            next: 0,
            crc: None,
            largest: Some(Timestamp::NONE),
        }
    }

    /// Batches are left out that are damaged, and their chunks are not judged.
    pub(super) fn interrupt(&mut self) {
        self.crc = None;
        self.largest = None;
    }

    /// Takes the next batch. Answers what is wrong with the chunk that it ends; after that nothing more is compared.
    pub(super) fn add(
        &mut self,
        position: u64,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Option<String> {
        self.largest = self
            .largest
            .map(|largest| largest.max(header.max_timestamp));
        while self
            .entries
            .get(self.next)
            .is_some_and(|entry| entry.end() <= position)
        {
            self.next += 1;
            self.crc = None;
        }
        let number = self.next;
        let entry = self.entries.get(number)?;
        if position == entry.position {
            self.crc = Some(Crc32c::new());
            if entry.first != header.base_offset {
                let (says, is) = (entry.first, header.base_offset);
                return self.fault(format!("entry {number} says offset {says}, the log {is}"));
            }
        }
        let crc = self.crc.as_mut()?;
        crc.update(batch);
        let end = position + batch.len() as u64;
        if end < entry.end() {
            return None;
        }
        if end > entry.end() {
            return self.fault(format!(
                "entry {number} ends within the batch at byte {position}"
            ));
        }
        let found = self.crc.take().map(Crc32c::finish);
        self.next += 1;
        if found != Some(entry.crc) {
            return self.fault(format!("the chunk of entry {number} fails its CRC"));
        }
        match self.largest.filter(|largest| *largest != entry.largest) {
            None => None,
            Some(_) => self.fault(format!(
                "entry {number} says another largest time than the log"
            )),
        }
    }

    fn fault(&mut self, what: String) -> Option<String> {
        self.entries = &[];
        Some(what)
    }
}
