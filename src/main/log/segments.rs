//! Checking the segments of every partition: each batch against its checksum and its place, each index against the log.

use super::batches::{Batch, Damage, Flow, Found, SegmentWalk};
use super::directory::{DataDirectory, Names};
use super::index::{ChunkCheck, judge_end};
use super::partition::Partition;
use super::report::Report;
use super::shard::OldShard;
use crate::failure::Failure;
use ottla::base::checksum::crc32c;
use ottla::base::ids::PartitionId;
use ottla::base::limits::TOOL_FAULTS_TOLD_MAX;
use ottla::base::offset::Offset;
use ottla::log::segment::Segment;
use std::collections::BTreeMap;

/// What was read.
#[derive(Default)]
struct Totals {
    partitions: u64,
    segments: u64,
    batches: u64,
    bytes: u64,
    /// Of the bytes, those that no segment has yet.
    bytes_of_journal: u64,
}

/// Faults of one partition, as many as are told.
struct Faults<'a> {
    report: &'a mut Report,
    told: usize,
    untold: usize,
}

/// Answers the partitions of which a file is short of what it has to hold, and the segment where that is.
pub(super) fn check(
    directory: &DataDirectory,
    names: &Names,
    shards: &[OldShard],
    verbose: bool,
    report: &mut Report,
) -> Result<BTreeMap<PartitionId, Offset>, Failure> {
    let mut totals = Totals::default();
    let mut short = BTreeMap::new();
    let ids = shards.iter().flat_map(|shard| shard.partitions.keys());
    for id in ids.copied().filter(|id| names.is_known(*id)) {
        let partition = Partition::find(names, shards, id).expect("it is of one of the shards");
        let mut faults = Faults {
            report,
            told: 0,
            untold: 0,
        };
        let batches = totals.batches;
        totals.partitions += 1;
        for segment in partition.segments() {
            let is_short = check_segment(directory, &partition, segment, &mut totals, &mut faults)?;
            if is_short {
                short.entry(id).or_insert(segment.base);
            }
        }
        faults.tell_rest(&partition.name);
        if verbose {
            let section = &partition.replayed.section;
            report.ok(
                &partition.name,
                format!(
                    "offsets {}..{}, {} batches in {} segments, shard {}, topic {}",
                    section.log_start,
                    section.next_offset,
                    totals.batches - batches,
                    section.segments.len(),
                    partition.shard.index,
                    id.topic
                ),
            );
        }
    }
    let Totals {
        partitions,
        segments,
        batches,
        bytes,
        bytes_of_journal,
    } = totals;
    report.ok(
        "segments",
        format!(
            "{batches} sound batches, {bytes} bytes in {segments} segments of {partitions} partitions; \
             {bytes_of_journal} of the bytes only the journal holds"
        ),
    );
    Ok(short)
}

fn check_segment(
    directory: &DataDirectory,
    partition: &Partition<'_>,
    segment: &Segment,
    totals: &mut Totals,
    faults: &mut Faults<'_>,
) -> Result<bool, Failure> {
    let mut walk = partition.walk(directory, segment)?;
    let subject = format!("{} {}", partition.name, directory.name(&walk.log_path));
    let is_short = walk.file_bytes().unwrap_or(0) < walk.bytes_of_file();
    if is_short {
        let (has, wanted) = (walk.file_bytes(), walk.bytes_of_file());
        faults.add(
            &subject,
            match has {
                None => "the segment is missing".to_owned(),
                Some(has) => format!("the segment has {has} bytes, not {wanted}"),
            },
        );
    }
    totals.segments += u64::from(segment.bytes > 0);
    totals.bytes_of_journal += segment.bytes - walk.bytes_of_file();
    let index = walk.index.clone();
    let mut chunks = ChunkCheck::new(&index);
    let mut chunk_fault = None;
    walk.walk(segment.base, |found| {
        match found {
            Found::Batch(batch) => {
                totals.batches += 1;
                totals.bytes += batch.bytes.len() as u64;
                let Batch {
                    header,
                    bytes,
                    position,
                } = batch;
                let fault = chunks.add(position, &header, bytes);
                chunk_fault = chunk_fault.take().or(fault);
            }
            Found::Damage(damage) => {
                chunks.interrupt();
                faults.add(&subject, tell_damage(&damage));
            }
        }
        Ok(Flow::On)
    })?;
    let subject = format!("{} {}", partition.name, directory.name(&walk.index_path));
    check_index(&walk, segment, &subject, chunk_fault, faults);
    Ok(is_short)
}

fn tell_damage(damage: &Damage) -> String {
    let Damage {
        position,
        from,
        to,
        why,
    } = damage;
    format!(
        "at byte {position}: {why}; offsets {from}..{to} are never served: whoever reads them gets KAFKA_STORAGE_ERROR, \
         and the batch a copy in quarantine"
    )
}

fn check_index(
    walk: &SegmentWalk<'_>,
    segment: &Segment,
    subject: &str,
    chunk_fault: Option<String>,
    faults: &mut Faults<'_>,
) {
    if let Some(fault) = judge_end(&walk.index, walk.index_end) {
        return faults.add(subject, format!("{fault}; {REBUILT}"));
    }
    if let Some(fault) = chunk_fault {
        return faults.add(subject, format!("{fault}; {REBUILT}"));
    }
    let Some(sealed) = segment.index.filter(|sealed| sealed.bytes > 0) else {
        return;
    };
    let found = (walk.index_bytes.len() as u64, crc32c(&walk.index_bytes));
    if found != (sealed.bytes, sealed.crc) {
        let (has, wanted) = (found.0, sealed.bytes);
        let fault = format!("not the {wanted} bytes that were sealed, but {has} others");
        faults.add(subject, format!("{fault}; {REBUILT}"));
    }
}

/// What becomes of an index that is wrong.
const REBUILT: &str = "a reader does without, from the log";

impl Faults<'_> {
    fn add(&mut self, subject: &str, what: String) {
        if self.told < TOOL_FAULTS_TOLD_MAX {
            self.told += 1;
            self.report.problem(subject, what);
        } else {
            self.untold += 1;
        }
    }

    fn tell_rest(&mut self, name: &str) {
        if self.untold > 0 {
            let what = format!("{} more like these", self.untold);
            self.report.problem(name, what);
        }
    }
}
