//! One flipped bit anywhere in a data directory: the start is refused and says what is damaged, or a partition is, or
//! nothing of it is needed. What is served is what was written.

use crate::harness::batches::{self, Record};
use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::data::{self, files, flip_a_bit};
use crate::harness::kafka::{EARLIEST, LATEST, record_bytes};
use crate::harness::operator::TOPIC;
use ottla::base::prng::Prng;
use ottla::wire::ErrorCode;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Of each kind of file. `OTTLA_FLIPS` and `OTTLA_SEED` lengthen or repeat a run.
const FLIPS: u64 = 3;
/// Of two lives: in segments, and in the journal alone.
const WELL: [&str; 4] = ["early", "flushed", "late", "in the journal"];
const HURT_IN_JOURNAL: i64 = 5;

/// Everything a directory of an ordinary broker consists of, by the name of a kind.
fn kind(path: &Path, data: &Path) -> String {
    let below = path.strip_prefix(data).expect("below the directory");
    let mut parts = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let folder = parts.next().expect("a name");
    let name = below.file_name().expect("a name").to_string_lossy();
    match (folder.as_ref(), below.extension()) {
        ("topics", Some(extension)) => format!("topics/*.{}", extension.to_string_lossy()),
        ("topics", None) => format!("topics/{name}"),
        ("meta", _) => {
            let (prefix, _) = name.split_once('-').unwrap_or((&name, ""));
            format!("meta/{prefix}")
        }
        ("state", _) if name.contains("ring") => "state/ring".into(),
        (folder, _) if folder.starts_with("node.") => "node".into(),
        (folder, _) => folder.into(),
    }
}

/// Killed with its last records in the journal alone.
fn killed_broker() -> (Broker, String) {
    let mut broker = Broker::start_with("flip", |start| {
        let start = Start { shards: 1, ..start };
        let start = start.set("shards.pool", "4MiB");
        let start = start.set("storage.journal_file", "1MiB");
        start.set("storage.journal_files", "8")
    });
    let mut client = Connection::open(&broker.address);
    data::fill_hurt_and_well(&mut client);
    client.create_topic("last", 1, &[]);
    client.delete_records("well", 0, 1);
    client.produce_values("well", 0, &WELL[..2]);
    let retention = fill_metadata_log(&broker, &mut client);
    client.find_coordinator("group");
    client.commit_offsets("group", "well", &[(0, 2)]);
    broker.stop();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    client.produce_values("well", 0, &WELL[2..]);
    for number in 0..HURT_IN_JOURNAL {
        let value = vec![(data::HURT_BATCHES + number) as u8; 1_000];
        client.produce("hurt", 0, batches::batch(&[Record::value(value)]));
    }
    // Damage of the very last record cannot be told from a write that the kill cut short.
    client.produce_values("last", 0, &["not looked at"]);
    broker.kill();
    (broker, retention)
}

/// Until there is a snapshot of it, by changes of a topic's retention: the last of them.
fn fill_metadata_log(broker: &Broker, client: &mut Connection) -> String {
    const CHANGES_MAX: usize = 2_000;
    let has_snapshot = || {
        let files = files(&broker.data().join("meta")).into_iter();
        let mut kinds = files.map(|path| kind(&path, broker.data()));
        kinds.any(|kind| kind == "meta/snapshot")
    };
    for change in 0..CHANGES_MAX {
        let value = ((1 << 30) + change).to_string();
        client.set_config(TOPIC, "last", "retention.ms", &value);
        if has_snapshot() {
            return value;
        }
    }
    panic!("no snapshot after {CHANGES_MAX} changes");
}

#[derive(Default)]
struct Counts {
    whole: u64,
    refused_start: u64,
    refused_read: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            whole,
            refused_start,
            refused_read,
        } = self;
        write!(
            f,
            "({whole} not needed, {refused_start} refused at the start, {refused_read} refused to readers)"
        )
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_not_served() {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let number = |variable: &str, default| {
        std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
    };
    let seed = number("OTTLA_SEED", time.expect("after 1970").as_secs());
    let flips = number("OTTLA_FLIPS", FLIPS);
    println!("OTTLA_SEED={seed} OTTLA_FLIPS={flips}");
    let mut random = Prng::new(seed);
    let (mut broker, retention) = killed_broker();
    let original = broker.data().with_extension("original");
    fs::rename(broker.data(), &original).expect("the broker has ended");
    let kinds = files_by_kind(&original);
    let known: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(known, KINDS);
    let mut told = Vec::new();
    for (kind, paths) in &kinds {
        let mut counts = Counts::default();
        for _ in 0..flips {
            copy(&original, broker.data());
            let path = some_file(paths, &mut random);
            let position = some_position(path, &mut random);
            let below = path.strip_prefix(&original).expect("below it");
            flip_a_bit(&broker.data().join(below), position);
            println!("{} at {position}", below.display());
            try_to_serve(&mut broker, &retention, &mut counts);
        }
        told.push(format!("{kind} {counts}"));
    }
    println!(
        "ledger: {flips} flips in each kind of file, seed {seed}, 0 served: {}",
        told.join(", ")
    );
}

const KINDS: [&str; 10] = [
    "ballast",
    "journal",
    "meta/log",
    "meta/snapshot",
    "node",
    "state",
    "state/ring",
    "topics/*.idx",
    "topics/*.log",
    "topics/name",
];

fn try_to_serve(broker: &mut Broker, retention: &str, counts: &mut Counts) {
    match broker.try_restart() {
        Ok(()) => {
            let mut client = Connection::open(&broker.address);
            assert_eq!(
                client.config_value(TOPIC, "last", "retention.ms"),
                retention
            );
            match read_all(broker) {
                Ok(()) => counts.whole += 1,
                Err(()) => counts.refused_read += 1,
            }
            broker.kill();
        }
        Err((status, text)) => {
            assert_eq!(status.code(), Some(1), "{text}");
            assert!(text.contains("is damaged: "), "{text}");
            counts.refused_start += 1;
        }
    }
}

/// Everything is there, or what is not is refused and named.
fn read_all(broker: &Broker) -> Result<(), ()> {
    let mut client = Connection::open(&broker.address);
    let end = data::HURT_BATCHES + HURT_IN_JOURNAL;
    let hurt = |offset: i64| match offset < data::HURT_BATCHES {
        true => vec![offset as u8; 100_000],
        false => vec![offset as u8; 1_000],
    };
    let well = |offset: i64| WELL[offset as usize - 1].as_bytes().to_vec();
    let hurt = read(&mut client, "hurt", 0..end, hurt);
    let well = read(&mut client, "well", 1..5, well);
    if hurt.and(well).is_err() {
        broker.logged("damaged");
    }
    hurt.and(well)
}

fn read(
    client: &mut Connection,
    topic: &str,
    offsets: std::ops::Range<i64>,
    expected: impl Fn(i64) -> Vec<u8>,
) -> Result<(), ()> {
    let refused = ErrorCode::KafkaStorageError.code();
    let ends = [EARLIEST, LATEST].map(|place| client.list_offset(topic, 0, place));
    if ends.iter().all(|end| end.error_code == refused) {
        return Err(());
    }
    assert_eq!(
        ends.map(|end| end.offset),
        [offsets.start, offsets.end],
        "{topic}"
    );
    let mut result = Ok(());
    for offset in offsets {
        let data = client.fetch(topic, 0, offset);
        if data.error_code != 0 {
            assert_eq!(data.error_code, refused, "{topic} at {offset}");
            result = Err(());
            continue;
        }
        let batches = batches::read(&record_bytes(&data));
        let records = batches.iter().flat_map(|batch| &batch.records);
        let records: Vec<_> = records.filter(|record| record.offset >= offset).collect();
        assert!(!records.is_empty(), "{topic}: nothing at {offset}");
        for (record, offset) in records.iter().zip(offset..) {
            assert_eq!(record.offset, offset, "{topic}");
            assert!(
                record.value == Some(expected(offset)),
                "{topic} at {offset}"
            );
        }
    }
    result
}

fn files_by_kind(data: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut kinds: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut left = vec![data.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(files(&path));
        } else if fs::metadata(&path).expect("there").len() > 0 {
            kinds.entry(kind(&path, data)).or_default().push(path);
        }
    }
    for paths in kinds.values_mut() {
        paths.sort();
    }
    kinds
}

/// Half of the time of the file that was written last.
fn some_file<'a>(paths: &'a [PathBuf], random: &mut Prng) -> &'a Path {
    let any = &paths[random.below(paths.len() as u64) as usize];
    let written = |path: &&PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    match paths.iter().max_by_key(written) {
        Some(newest) if random.chance(50) => newest,
        _ => any,
    }
}

/// Anywhere, where something is written, or there near the front, where headers are and a ring begins anew.
fn some_position(path: &Path, random: &mut Prng) -> u64 {
    const FRONT: u64 = 32 << 10;
    let bytes = fs::read(path).expect("readable");
    let len = bytes.len() as u64;
    let (end, anything) = match random.below(3) {
        0 => (len, true),
        1 => (len, false),
        _ => (len.min(FRONT), false),
    };
    let written: Vec<u64> = (0..end)
        .filter(|position| anything || bytes[*position as usize] != 0)
        .collect();
    match written.len() as u64 {
        0 => random.below(len),
        count => written[random.below(count) as usize],
    }
}

/// In place of what is there.
fn copy(source: &Path, target: &Path) {
    let _ = fs::remove_dir_all(target);
    let copied = Command::new("cp")
        .args(["-a", "--sparse=always"])
        .args([source, target])
        .status();
    assert!(copied.expect("cp").success());
}
