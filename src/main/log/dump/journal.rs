//! The journal of a shard, entry by entry: all that lies there of the life that counts, also what nobody needs any more.

use crate::failure::{Done, Failure};
use crate::log::directory::{DataDirectory, Names};
use crate::log::journal::{Journal, RecordPlace};
use crate::log::lines::Lines;
use bytes::Bytes;
use ottla::log::entry::{FoundBody, FoundEntry, decode_entries};
use ottla::log::journal_format::{RecordHeader, StoredRecord};
use ottla::record::Batches;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordLine {
    sequence: u64,
    file: String,
    position: u64,
    bytes: u64,
    /// The cycle began in an earlier record, and goes on in the next.
    continued: bool,
    continues: bool,
    /// Of the cycle, which are shown with its last record.
    entry_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryLine {
    sequence: u64,
    /// None: of the shard.
    partition: Option<String>,
    number: u32,
    entry: String,
}

pub(super) fn dump(
    directory: &DataDirectory,
    shard: u16,
    lines: &mut Lines,
) -> Result<Done, Failure> {
    let shards = directory.superblock()?.starts.len();
    if usize::from(shard) >= shards {
        return Err(Failure::usage(format!(
            "there is no shard {shard}: the last life had {shards}, from 0 on"
        )));
    }
    // Names are a help; a directory whose metadata is damaged has ids.
    let names = directory
        .rehearse()
        .map_or_else(|_| Names::default(), |found| Names::of(&found));
    let journal = Journal::read(directory, directory.owner(shard))?;
    let mut cycle: Vec<u8> = Vec::new();
    let mut expected = None;
    for (&sequence, &place) in &journal.places {
        let bytes = journal.read_record(directory, place)?;
        let Some((header, body)) =
            StoredRecord::read(&bytes).and_then(|record| Some((record.header, record.body?)))
        else {
            continue;
        };
        lines.put(&line(&journal, sequence, place, &header), || {
            let (bytes, count) = (place.bytes, header.entry_count);
            format!(
                "record {sequence}  {bytes} bytes, {count} entries  {}",
                journal.at(place)
            )
        })?;
        // A cycle of which a record is missing means nothing.
        let goes_on = header.continued && expected == Some(sequence);
        if !goes_on {
            cycle.clear();
        }
        expected = (goes_on || !header.continued).then_some(sequence + 1);
        cycle.extend_from_slice(body);
        if header.continues || expected.is_none() {
            continue;
        }
        let body = Bytes::from(std::mem::take(&mut cycle));
        match decode_entries(&body) {
            Ok(entries) => {
                for entry in &entries {
                    put_entry(lines, &names, sequence, entry)?;
                }
            }
            Err(unknown) => {
                let kind = unknown.kind;
                return Err(Failure::new(format!(
                    "record {sequence} has an entry of kind {kind}, which only a newer ottla knows"
                )));
            }
        }
    }
    Ok(Done::All)
}

fn line(journal: &Journal, sequence: u64, place: RecordPlace, header: &RecordHeader) -> RecordLine {
    RecordLine {
        sequence,
        file: format!("journal/{}-{}", journal.owner.shard, place.file),
        position: place.position,
        bytes: place.bytes,
        continued: header.continued,
        continues: header.continues,
        entry_count: header.entry_count,
    }
}

fn put_entry(
    lines: &mut Lines,
    names: &Names,
    sequence: u64,
    entry: &FoundEntry,
) -> Result<(), Failure> {
    let is_of_shard = matches!(entry.body, FoundBody::Snapshot(_));
    let line = EntryLine {
        sequence,
        partition: (!is_of_shard).then(|| names.name(entry.partition)),
        number: entry.number,
        entry: describe(&entry.body),
    };
    lines.put(&line, || match &line.partition {
        Some(name) => format!("    {name} entry {}  {}", line.number, line.entry),
        None => format!("    {}", line.entry),
    })
}

fn describe(body: &FoundBody) -> String {
    match body {
        FoundBody::Data {
            start,
            base_offset,
            lead_in,
            bytes,
            ..
        } => {
            let batches = &bytes[*lead_in as usize..];
            let headers = Batches::new(batches).map_while(Result::ok);
            let (mut count, mut next) = (0, *base_offset);
            for (_, header, _) in headers {
                count += 1;
                next = header.next_offset();
            }
            format!(
                "Data: offsets {base_offset}..{next}, {count} batches, {} bytes at byte {} of segment {}, behind {lead_in} \
                 that are there already",
                batches.len(),
                start.byte + u64::from(*lead_in),
                start.segment,
            )
        }
        FoundBody::Change(change) => format!("{change:?}"),
        FoundBody::Snapshot(snapshot) => format!("{snapshot:?}"),
        FoundBody::Skipped => "of a kind that may be passed over".to_owned(),
    }
}
