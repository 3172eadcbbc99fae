//! `ottla log dump`: the batches and records of a partition, those that only the journal holds among them; or the
//! entries of a shard's journal; or the records of the metadata log.

use super::batches::{Batch, Damage, Flow, Found};
use super::directory::{DataDirectory, Names};
use super::lines::{BatchLine, Lines};
use super::partition::Partition;
use super::shard::OldShard;
use super::snapshot::CopyState;
use crate::failure::{Done, Failure, Outcome};
use crate::json_record::Written;
use crate::output::Output;
use crate::place::{Before, From};
use clap::Args;
use ottla::base::offset::Offset;
use ottla::log::segment::Segment;
use ottla::record::iterate::Payload;
use std::path::PathBuf;
use std::str::FromStr;

mod journal;
mod metadata;

#[derive(Args)]
pub(super) struct Dump {
    /// The data directory of a broker that does not run.
    data: PathBuf,
    /// As orders-3; the topic's id will do too.
    #[arg(value_name = "TOPIC-PARTITION", required_unless_present_any = ["journal", "metadata"])]
    partition: Option<String>,
    /// Offsets, the last one exclusive: 100..200, 100.. or ..200.
    #[arg(long, value_name = "A..B", conflicts_with_all = ["from", "to"])]
    offsets: Option<Offsets>,
    /// beginning, an offset, -N for the last N records, or a time: RFC 3339, or 5m for five minutes ago.
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    from: Option<From>,
    /// Ends before this: an offset, end, or a time.
    #[arg(long, value_name = "PLACE")]
    to: Option<Before>,
    /// The records of each batch, without their values.
    #[arg(long)]
    records: bool,
    /// The records of each batch, with their values.
    #[arg(long)]
    values: bool,
    /// The journal of this shard instead, entry by entry.
    #[arg(long, value_name = "SHARD", conflicts_with_all = ["partition", "metadata"])]
    journal: Option<u16>,
    /// The metadata log instead, record by record.
    #[arg(long, conflicts_with = "partition")]
    metadata: bool,
}

/// `A..B`.
#[derive(Clone, Copy)]
struct Offsets {
    from: Option<i64>,
    to: Option<i64>,
}

impl FromStr for Offsets {
    type Err = String;

    fn from_str(text: &str) -> Result<Offsets, String> {
        let bound = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| ()),
        };
        let bounds = text.split_once("..").ok_or(());
        let bounds = bounds.and_then(|(from, to)| Ok((bound(from)?, bound(to)?)));
        let bounds = bounds
            .ok()
            .filter(|(from, _)| from.is_none_or(|from| from >= 0));
        let (from, to) = bounds.ok_or("write A..B, A.. or ..B, as 100..200")?;
        Ok(Offsets { from, to })
    }
}

pub(super) fn run(output: &Output, wanted: &Dump) -> Outcome {
    let directory = DataDirectory::open(&wanted.data)?;
    directory.superblock()?;
    let mut lines = Lines::new(output);
    let result = match (&wanted.partition, wanted.journal) {
        (Some(name), _) => partition(&directory, name, wanted, &mut lines),
        (None, Some(shard)) => journal::dump(&directory, shard, &mut lines),
        (None, None) => metadata::dump(&directory, &mut lines),
    };
    // What was found before a failure is still worth having.
    let flushed = lines.end();
    let done = result?;
    flushed.map(|()| done)
}

fn partition(
    directory: &DataDirectory,
    name: &str,
    wanted: &Dump,
    lines: &mut Lines,
) -> Result<Done, Failure> {
    let names = Names::of(&directory.rehearse()?);
    let id = names.find(name)?;
    let shards = OldShard::read_all(directory)?;
    let Some(partition) = Partition::find(&names, &shards, id) else {
        return nothing(&shards, &names.name(id));
    };
    let mut dumping = Dumping {
        directory,
        partition: &partition,
        selection: Selection::of(wanted, &partition),
        wanted,
        lines,
        has_damage: false,
    };
    for segment in partition.segments() {
        if dumping.segment(segment)? == Flow::Stop {
            break;
        }
    }
    let has_damage = dumping.has_damage;
    if let Some(offline) = partition.replayed.section.offline {
        lines.offline(offline)?;
        return Ok(Done::Problems);
    }
    Ok(match has_damage {
        true => Done::Problems,
        false => Done::All,
    })
}

/// A partition that no shard speaks of was never written to, unless a shard cannot speak.
fn nothing(shards: &[OldShard], name: &str) -> Result<Done, Failure> {
    let is_mute = |shard: &&OldShard| {
        let mut copies = shard.copies.iter();
        !copies.any(|copy| matches!(copy.state, CopyState::Counts(_)))
    };
    match shards.iter().find(is_mute) {
        None => Ok(Done::All),
        Some(shard) => {
            let failure = Failure::new(format!(
                "no sound snapshot of shard {} is left, so nobody knows which bytes of {name} count",
                shard.index
            ));
            Err(failure.fix("ottla log verify tells what a start would make of it"))
        }
    }
}

/// Which batches are wanted.
struct Selection {
    from: Offset,
    to: Offset,
    /// Nothing before the first batch with a time of at least this.
    since: Option<i64>,
    until: Option<i64>,
}

impl Selection {
    fn of(wanted: &Dump, partition: &Partition<'_>) -> Selection {
        let section = &partition.replayed.section;
        let end = section.next_offset;
        let mut selection = Selection {
            from: section.segments[0].base,
            to: end,
            since: None,
            until: None,
        };
        if let Some(Offsets { from, to }) = wanted.offsets {
            selection.from = from.map_or(selection.from, Offset);
            selection.to = to.map_or(selection.to, Offset);
        }
        match wanted.from {
            None | Some(From::Beginning) => {}
            Some(From::End) => selection.from = end,
            Some(From::Offset(offset)) => selection.from = Offset(offset),
            Some(From::Last(count)) => selection.from = Offset(end.0.saturating_sub(count).max(0)),
            Some(From::Time(time)) => selection.since = Some(time),
        }
        match wanted.to {
            None | Some(Before::End) => {}
            Some(Before::Offset(offset)) => selection.to = Offset(offset),
            Some(Before::Time(time)) => selection.until = Some(time),
        }
        selection
    }

    /// Whether something of these offsets, the last one exclusive, is wanted.
    fn touches(&self, from: Offset, to: Offset) -> bool {
        from < self.to && to > self.from
    }
}

struct Dumping<'a> {
    directory: &'a DataDirectory,
    partition: &'a Partition<'a>,
    selection: Selection,
    wanted: &'a Dump,
    lines: &'a mut Lines,
    has_damage: bool,
}

impl Dumping<'_> {
    fn segment(&mut self, segment: &Segment) -> Result<Flow, Failure> {
        let (base, end) = self.partition.offsets(segment);
        if base >= self.selection.to {
            return Ok(Flow::Stop);
        }
        if !self.selection.touches(base, end) {
            return Ok(Flow::On);
        }
        let found = self
            .partition
            .segments()
            .iter()
            .find(|found| found.base == base);
        let mut walk = self
            .partition
            .walk(self.directory, found.expect("it is one of these"))?;
        let file = self.directory.name(&walk.log_path);
        let of_file = walk.bytes_of_file();
        let mut flow = Flow::On;
        walk.walk(self.selection.from, |found| {
            flow = match found {
                Found::Batch(batch) => self.batch(&file, segment.base, of_file, &batch)?,
                Found::Damage(damage) => self.damage(&file, &damage)?,
            };
            Ok(flow)
        })?;
        Ok(flow)
    }

    fn damage(&mut self, file: &str, damage: &Damage) -> Result<Flow, Failure> {
        if damage.from >= self.selection.to {
            return Ok(Flow::Stop);
        }
        if self.selection.touches(damage.from, damage.to) {
            self.has_damage = true;
            self.lines.damage(file, damage)?;
        }
        Ok(Flow::On)
    }

    fn batch(
        &mut self,
        file: &str,
        segment: Offset,
        of_file: u64,
        batch: &Batch<'_>,
    ) -> Result<Flow, Failure> {
        let header = &batch.header;
        let time = header.max_timestamp.0;
        if self.selection.since.is_some_and(|since| time < since) {
            return Ok(Flow::On);
        }
        // The first one that is late enough has been found.
        self.selection.since = None;
        let is_late = self.selection.until.is_some_and(|until| time >= until);
        if header.base_offset >= self.selection.to || is_late {
            return Ok(Flow::Stop);
        }
        if header.next_offset() <= self.selection.from {
            return Ok(Flow::On);
        }
        let section = &self.partition.replayed.section;
        let mut line = BatchLine::of(header);
        line.deleted = header.next_offset() <= section.log_start;
        line.file = file.to_owned();
        line.position = batch.position;
        if batch.position + batch.bytes.len() as u64 > of_file {
            line.journal = self.journal_of(segment, batch.position);
        }
        self.lines.batch(&line)?;
        if self.wanted.records || self.wanted.values {
            self.records(batch)?;
        }
        Ok(Flow::On)
    }

    /// Where the record lies that brought this byte of a segment, which the segment may not have.
    fn journal_of(&self, segment: Offset, position: u64) -> Option<String> {
        let shard = self.partition.shard;
        let sequence = shard.record_at(self.partition.id, segment, position)?;
        let journal = shard.journal.as_ref()?;
        let place = journal.places.get(&sequence)?;
        Some(format!("record {sequence}, {}", journal.at(*place)))
    }

    fn records(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let kind = batch.header.attributes.timestamp_kind();
        let unreadable = |error| {
            let offset = batch.header.base_offset;
            Failure::new(format!(
                "the records of the batch at offset {offset} cannot be read: {error:?}"
            ))
        };
        let payload = Payload::open(batch.bytes).map_err(unreadable)?;
        let (topic, index) = self
            .partition
            .name
            .rsplit_once('-')
            .expect("it is named so");
        for record in payload.records() {
            let record = record.map_err(unreadable)?;
            if !self.selection.touches(record.offset, record.offset.next()) {
                continue;
            }
            let written = Written {
                topic,
                partition: index.parse().expect("it is named so"),
                kind,
                record,
            };
            self.lines.record(&written, self.wanted.values)?;
        }
        Ok(())
    }
}
