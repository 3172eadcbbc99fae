//! `ottla log verify`: every checksum and chain of a data directory, and what a start would make of it.

use super::directory::{DataDirectory, Names, unreadable};
use super::journal::{Journal, LedgerCopy};
use super::report::Report;
use super::segments;
use super::shard::OldShard;
use super::snapshot::CopyState;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use clap::Args;
use ottla::base::ids::PartitionId;
use ottla::base::offset::Offset;
use ottla::boot::rehearsal::Rehearsed;
use ottla::log::directory_format::SlotError;
use ottla::log::meta_format::{ChainPoint, MetaFormatError, decode_log, decode_snapshot};
use ottla::log::offline::{Offline, OfflineReason};
use ottla::log::paths::{
    MetaFileKind, STATE_COPIES, SUPERBLOCK_NAMES, meta_folder, meta_path, parse_meta_name,
    topics_folder,
};
use ottla::log::recovery::chain::MissingRecords;
use ottla::log::ring_ledger::RingLoss;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Verify {
    /// The data directory of a broker that does not run.
    data: PathBuf,
}

pub(super) fn run(output: &Output, wanted: &Verify) -> Outcome {
    let directory = DataDirectory::open(&wanted.data)?;
    let mut report = Report::default();
    superblock(&directory, &mut report);
    metadata(&directory, &mut report)?;
    let shards = OldShard::read_all(&directory)?;
    for shard in &shards {
        snapshots(&directory, shard, &mut report);
        match &shard.journal {
            Some(journal) => check_journal(&directory, shard, journal, &mut report),
            None => {
                let subject = format!("journal of shard {}", shard.index);
                report.ok(subject, "not needed: the broker stopped cleanly");
            }
        }
    }
    let names = match directory.rehearse() {
        Ok(rehearsal) => {
            let names = Names::of(&rehearsal);
            let verbose = output.verbose;
            let short = segments::check(&directory, &names, &shards, verbose, &mut report)?;
            let count = u16::try_from(shards.len()).expect("shards are counted in 16 bits");
            // A directory that was never served has no shards yet.
            rehearsal
                .recover(count.max(1))
                .map(|rehearsed| (names, short, rehearsed))
                .map_err(|error| Failure::new(error.to_string()))
        }
        Err(refusal) => Err(refusal),
    };
    match names {
        Ok((names, short, rehearsed)) => {
            tell_start(&directory, &names, &shards, &short, &rehearsed, &mut report);
        }
        Err(refusal) => report.problem("start", format!("refused: {}", refusal.text())),
    }
    report.show(output)
}

fn superblock(directory: &DataDirectory, report: &mut Report) {
    for (name, slot) in SUPERBLOCK_NAMES.iter().zip(directory.slots()) {
        match slot {
            Ok(superblock) => report.ok(
                *name,
                format!(
                    "superblock, write {}: cluster {}, node {}, life {}, {} shards, {}",
                    superblock.number,
                    superblock.cluster_id,
                    superblock.node_id,
                    superblock.life,
                    superblock.starts.len(),
                    if superblock.clean {
                        "stopped cleanly"
                    } else {
                        "not stopped cleanly"
                    }
                ),
            ),
            Err(SlotError::UnknownVersion(version)) => {
                report.problem(
                    *name,
                    format!("superblock of format {version}, of a newer ottla"),
                );
            }
            Err(error) => {
                let what = match error {
                    SlotError::Empty => "this slot of the superblock is empty or missing",
                    _ => "this slot of the superblock fails its CRC",
                };
                let then = match directory.chosen() {
                    Some(_) => "a start uses the other one, and writes both anew",
                    None => "the other one is no better",
                };
                report.problem(*name, format!("{what}; {then}"));
            }
        }
    }
}

fn metadata(directory: &DataDirectory, report: &mut Report) -> Result<(), Failure> {
    let folder = meta_folder(directory.root());
    let mut files = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|error| unreadable(&folder, &error))?;
                files.extend(entry.file_name().to_str().and_then(parse_meta_name));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(&folder, &error)),
    }
    files.sort_by_key(|(kind, generation)| (*generation, *kind));
    // Where the log of the generation before ends.
    let mut end: Option<(u64, ChainPoint)> = None;
    for (kind, generation) in files {
        let path = meta_path(&folder, kind, generation);
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        let subject = directory.name(&path);
        let wrong = |error: MetaFormatError| match error {
            MetaFormatError::Header => "its header fails its CRC".to_owned(),
            MetaFormatError::State => "its state fails its CRC".to_owned(),
            MetaFormatError::UnknownVersion(version) => {
                format!("its format {version} is of a newer ottla")
            }
            MetaFormatError::Record { position } => format!(
                "the record at byte {position} is damaged: a later one is sound, so it was written whole"
            ),
        };
        match kind {
            MetaFileKind::Log => match decode_log(&bytes.into()) {
                Ok(contents) => {
                    let follows = end.filter(|(before, _)| before + 1 == generation);
                    if follows.is_some_and(|(_, end)| end != contents.header.next) {
                        report.problem(&subject, "it does not go on where the log before it ends");
                    }
                    end = Some((generation, contents.next));
                    let (count, sequence) = (contents.entries.len(), contents.next.sequence);
                    let what =
                        format!("metadata log: {count} records, the next has number {sequence}");
                    report.ok(subject, what);
                }
                Err(error) => report.problem(subject, format!("metadata log: {}", wrong(error))),
            },
            MetaFileKind::Snapshot => match decode_snapshot(&bytes) {
                Ok((header, state)) => {
                    let (bytes, sequence) = (state.len(), header.next.sequence);
                    let what = format!("metadata snapshot before record {sequence}, {bytes} bytes");
                    report.ok(subject, what);
                }
                Err(error) => {
                    report.problem(subject, format!("metadata snapshot: {}", wrong(error)));
                }
            },
        }
    }
    Ok(())
}

fn snapshots(directory: &DataDirectory, shard: &OldShard, report: &mut Report) {
    let slots = shard.copies.chunks(STATE_COPIES);
    let counts = |copies: &[super::snapshot::Copy]| {
        let mut states = copies.iter().map(|copy| &copy.state);
        states.any(|state| {
            matches!(
                state,
                CopyState::Counts(_) | CopyState::BodyDamaged { counts: true, .. }
            )
        })
    };
    let counting = slots.clone().position(counts);
    let generation = shard.generation;
    let named = match shard.named_by {
        Some(entry) => format!(
            "named by the journal, covers records up to {}",
            entry.covered
        ),
        None => "with which the life began".to_owned(),
    };
    let has_sound = !shard
        .copies
        .iter()
        .all(|copy| !matches!(copy.state, CopyState::Counts(_)));
    for (slot, copies) in slots.enumerate() {
        for copy in copies {
            let subject = directory.name(&copy.path);
            let is_counting = Some(slot) == counting;
            let then = match has_sound {
                true => "a start uses the other copy",
                false => "there is no other, so every partition of the shard goes offline",
            };
            match &copy.state {
                CopyState::Counts(sections) => report.ok(
                    subject,
                    format!(
                        "snapshot of generation {generation}, {named}: {} partitions",
                        sections.len()
                    ),
                ),
                CopyState::BodyDamaged { .. } if is_counting => {
                    let what = format!("snapshot of generation {generation} fails its CRC; {then}");
                    report.problem(subject, what);
                }
                CopyState::LeftOver { .. } | CopyState::Empty | CopyState::HeaderDamaged
                    if is_counting =>
                {
                    let what = format!("not the snapshot of generation {generation}; {then}");
                    report.problem(subject, what);
                }
                CopyState::LeftOver { generation } => {
                    report.note(subject, format!("left over: generation {generation}"));
                }
                CopyState::Empty => report.note(subject, "never written"),
                CopyState::BodyDamaged { generation, .. } => {
                    let what = format!("left over: generation {generation}, not all of it");
                    report.note(subject, what);
                }
                CopyState::HeaderDamaged => report.note(subject, "left over, and unreadable"),
            }
        }
    }
    if !has_sound {
        let subject = format!("snapshot of shard {}", shard.index);
        let what = format!(
            "no copy of generation {generation} is sound: every partition of the shard goes offline"
        );
        report.problem(subject, what);
    }
}

fn check_journal(
    directory: &DataDirectory,
    shard: &OldShard,
    journal: &Journal,
    report: &mut Report,
) {
    let subject = format!("journal of shard {}", shard.index);
    for LedgerCopy { path, ledger } in &journal.ledgers {
        let name = directory.name(path);
        match ledger.filter(|ledger| ledger.owner == journal.owner) {
            Some(ledger) => report.ok(
                name,
                format!("ledger: {} ring files of {} bytes", ledger.files, ledger.file_bytes),
            ),
            None => report.problem(
                name,
                "ledger: this copy does not tell how many ring files there are; a start uses the other copy",
            ),
        }
    }
    match journal.loss {
        None => {}
        Some(RingLoss::Ledger) => report.problem(
            &subject,
            "no copy of its ledger is sound: files may be gone, with answered records in them",
        ),
        Some(RingLoss::File(file)) => report.problem(
            format!("journal/{}-{file}", shard.index),
            "missing or shorter than it was made: answered records may be gone with it",
        ),
    }
    if let Some(later) = journal.later_life {
        let what = format!("a record of life {later}, which no superblock knows");
        report.problem(&subject, what);
    }
    let verdict = match &journal.verdict {
        Ok(verdict) => verdict,
        Err(kind) => {
            let what = format!("an entry of kind {kind}, which only a newer ottla knows");
            return report.problem(&subject, what);
        }
    };
    for missing in verdict.runs.iter().filter_map(|run| run.missing) {
        // What is not there at all has been told.
        if missing.last != u64::MAX {
            report.problem(&subject, tell_missing(journal, missing));
        }
    }
    report.ok(subject, tell_replay(shard, journal));
}

fn tell_missing(journal: &Journal, missing: MissingRecords) -> String {
    let MissingRecords { first, last } = missing;
    let torn = journal.torn.iter().find(|(sequence, _)| *sequence == first);
    let place = torn.map(|(_, place)| *place);
    let place = place.or_else(|| journal.after(first - 1));
    let place = place.map_or_else(String::new, |place| format!(", {},", journal.at(place)));
    let what = match first == last {
        true => format!("record {first}{place} is damaged"),
        false => format!("records {first} to {last}{place} are damaged"),
    };
    format!(
        "{what}: a later one is sound, so it was written whole; partitions that cannot show that they had no entry in it \
         go offline"
    )
}

fn tell_replay(shard: &OldShard, journal: &Journal) -> String {
    let count = shard.replayed;
    let replay = match count.entries {
        0 => "nothing to replay".to_owned(),
        entries => format!(
            "replays {entries} entries into {} partitions, {} bytes",
            count.partitions, count.bytes
        ),
    };
    let Some((last, place)) = journal.places.last_key_value() else {
        return format!("no record of this life; {replay}");
    };
    let records = journal.places.len();
    let torn = journal
        .torn
        .iter()
        .find(|(sequence, _)| *sequence == last + 1);
    let end = match torn {
        Some((_, place)) => format!(
            "torn tail, {}: normal after a power cut, and never answered",
            journal.at(*place)
        ),
        None => format!("ends with record {last}, {}", journal.at(*place)),
    };
    format!("{records} sound records, {end}; {replay}")
}

/// What the recovery of a start comes to.
fn tell_start(
    directory: &DataDirectory,
    names: &Names,
    shards: &[OldShard],
    short: &BTreeMap<PartitionId, Offset>,
    rehearsed: &Rehearsed,
    report: &mut Report,
) {
    let mut offline = 0;
    for partition in &rehearsed.partitions {
        let id = partition.section.id;
        // A file that recovery has no need of is looked at as soon as the broker serves.
        let found = partition.section.offline.or_else(|| {
            short.get(&id).map(|base| Offline {
                reason: OfflineReason::SegmentShort,
                position: *base,
            })
        });
        if let Some(found) = found {
            offline += 1;
            let name = format!("{}-{}", partition.topic, id.index);
            report.problem(&name, tell_offline(&name, found));
        }
    }
    let topics = topics_folder(directory.root());
    let mut put_aside = Vec::new();
    for (from, _) in &rehearsed.moved {
        match from.parent() == Some(topics.as_path()) {
            true => report.problem(
                directory.name(from),
                "nobody knows this topic; a start moves its folder to quarantine",
            ),
            false => put_aside.push(directory.name(from)),
        }
    }
    if !put_aside.is_empty() {
        let what = format!(
            "moves to quarantine what the verdicts are from: {}",
            put_aside.join(", ")
        );
        report.note("start", what);
    }
    if !rehearsed.removed.is_empty() {
        let removed = rehearsed.removed.iter().map(|path| directory.name(path));
        let removed: Vec<String> = removed.collect();
        report.note(
            "start",
            format!("removes what is left over: {}", removed.join(", ")),
        );
    }
    let of_topics = rehearsed.written.iter();
    let written: Vec<u64> = of_topics
        .filter(|(path, _)| path.starts_with(&topics) && path.extension().is_some())
        .map(|(_, bytes)| *bytes)
        .collect();
    let replayed: u64 = shards.iter().map(|shard| shard.replayed.entries).sum();
    report.ok(
        "start",
        format!(
            "serves {} of {} partitions; replays {replayed} entries, writes {} bytes to {} segments",
            rehearsed.partitions.len() - offline,
            names.partition_count(),
            written.iter().sum::<u64>(),
            written.len(),
        ),
    );
}

fn tell_offline(name: &str, offline: Offline) -> String {
    format!(
        "a start leaves it offline: {}; its log is known to be whole below offset {}. Fix: restore the data directory from \
         a copy, or start with --accept-loss {name} to go on with what is left",
        offline.reason, offline.position
    )
}
