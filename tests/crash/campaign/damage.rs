//! A drive that changes bytes behind everybody's back: what is served is right or not served at all.

use super::broker::{Found, ROOT, Shards, Start, read_range, start};
use super::clients::{Clients, Plan};
use super::model::Model;
use super::verify::check_start;
use crate::sim::{SimDisk, SimRuntime, World};
use ottla::base::ids::PartitionId;
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::log::journal_format::RecordHeader;
use ottla::log::log_config::LogConfig;
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::Runtime;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

const BLOCK: usize = 4096;

/// What kind of file was hit, and so what may come of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// One of two copies, or a cache: nobody notices but the log.
    Spare,
    Journal,
    Segment,
    Metadata,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Everything is there.
    Whole,
    /// Some partitions are not served.
    Offline,
    /// A read said so.
    ReadRefused,
    /// The directory is not opened.
    Refused,
}

/// Serves, damages one file, starts twice more. Panics when anything wrong is served.
pub fn damage(seed: u64) -> (Target, Verdict) {
    let world = World::new(seed);
    let mut prng = Prng::new(seed ^ 0xda_3a6e);
    let process = world.start_process();
    let disk = SimDisk::new(&world, process, seed);
    let model: Rc<RefCell<Model>> = Rc::default();
    let plan = Start {
        shards: 2,
        limits: Limits::TINY,
        log_config: LogConfig {
            segment_bytes: 8192 << prng.below(4),
            retention_ms: None,
            ..LogConfig::DEFAULT
        },
    };
    let stops = prng.chance(30);
    let life = serve(
        disk.clone(),
        world.runtime(process),
        plan,
        model.clone(),
        seed,
        stops,
    );
    world.run(process, life).expect("nothing halts it");
    if prng.chance(50) {
        disk.cut_power();
    } else {
        disk.kill();
    }

    let (target, path) = choose(&disk, &mut prng);
    let change = Change::draw(&mut prng);
    if (target, change) == (Target::Journal, Change::CutShort) {
        return (target, Verdict::Whole);
    }
    let before = disk.bytes_of(&path).expect("a file that is there");
    let position = match target {
        Target::Journal => in_recent_record(&before, &mut prng),
        _ => prng.below(before.len().max(1) as u64) as usize,
    };
    disk.damage(&path, |bytes| change.apply(bytes, position));
    if disk.bytes_of(&path) == Some(before) {
        return (target, Verdict::Whole);
    }
    let hit = format!("{} {change:?} at {position}", path.display());

    let (first, offline) = look(&world, &disk, plan, &model, &hit);
    let (second, offline_again) = look(&world, &disk, plan, &model, &hit);
    assert!(
        first == Verdict::Refused || offline.is_subset(&offline_again),
        "{hit}: a verdict is forgotten: {offline:?}, then {offline_again:?}"
    );
    if target == Target::Spare {
        assert_eq!((first, second), (Verdict::Whole, Verdict::Whole), "{hit}");
    }
    (target, first)
}

async fn serve(
    disk: SimDisk,
    runtime: SimRuntime,
    plan: Start,
    model: Rc<RefCell<Model>>,
    seed: u64,
    stops: bool,
) {
    let started = start(disk, runtime.clone(), plan, model.clone()).await;
    let (shards, mut admin, found) = started.expect("a fresh directory");
    shards.serve(&found);
    let batches = Plan {
        seed,
        batches: 40,
        value_bytes_max: 6000,
        deletes_topic: false,
        pause_micros_max: 2000,
    };
    let coverage = Rc::default();
    let clients = Clients::new(&shards, &admin.topics, &model, &runtime, &coverage, batches);
    clients.work(&mut admin, Vec::new()).await;
    // Long enough for a record after the last answered one: damage to that is no torn write any more.
    runtime.sleep(Duration::from_millis(200)).await;
    if stops {
        let wall = runtime.now().wall;
        admin.stop(&shards, wall).await.expect("nothing fails");
    }
}

/// Starts, and reads everything that is served.
fn look(
    world: &World,
    disk: &SimDisk,
    plan: Start,
    model: &Rc<RefCell<Model>>,
    hit: &str,
) -> (Verdict, BTreeSet<PartitionId>) {
    let process = world.start_process();
    let disk = disk.for_process(process);
    let runtime = world.runtime(process);
    let (reader, known) = (disk.clone(), model.clone());
    let hit = hit.to_owned();
    let looked = world.run(process, async move {
        let (shards, _admin, found) = start(reader, runtime, plan, known.clone()).await?;
        Ok::<_, OpenError>(read_all(&shards, &found, &known, &hit).await)
    });
    disk.kill();
    match looked.expect("nothing halts it") {
        Ok((Verdict::Whole, offline)) if !offline.is_empty() => (Verdict::Offline, offline),
        Ok(seen) => seen,
        Err(_) => (Verdict::Refused, BTreeSet::new()),
    }
}

async fn read_all(
    shards: &Shards,
    found: &Found,
    model: &Rc<RefCell<Model>>,
    hit: &str,
) -> (Verdict, BTreeSet<PartitionId>) {
    let mut verdict = Verdict::Whole;
    let mut offline = BTreeSet::new();
    for (&id, start) in &found.partitions {
        if start.offline.is_some() {
            offline.insert(id);
            continue;
        }
        let log = model.borrow_mut().log(id).clone();
        if let Err(wrong) = check_start(&log, start) {
            panic!("{hit}: {id}: {wrong}");
        }
        let (from, end) = (start.log_start, start.next_offset);
        match read_range(shards.shard(id), id, from, end, 1 << 16).await {
            Ok(bytes) => assert!(
                bytes == log.bytes(from, end),
                "{hit}: {id}: wrong bytes are served"
            ),
            Err(_) => verdict = Verdict::ReadRefused,
        }
    }
    for shard in shards.iter() {
        offline.extend(shard.damaged());
    }
    (verdict, offline)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Change {
    FlippedBit(u32),
    ZeroedBlock,
    ForeignBlock,
    CutShort,
}

impl Change {
    fn draw(prng: &mut Prng) -> Change {
        match prng.below(6) {
            0 => Change::ZeroedBlock,
            1 => Change::ForeignBlock,
            2 => Change::CutShort,
            _ => Change::FlippedBit(prng.below(8) as u32),
        }
    }

    fn apply(self, bytes: &mut Vec<u8>, position: usize) {
        let block = position / BLOCK * BLOCK;
        let end = (block + BLOCK).min(bytes.len());
        match self {
            _ if bytes.is_empty() => {}
            Change::FlippedBit(bit) => bytes[position] ^= 1 << bit,
            Change::ZeroedBlock => bytes[block..end].fill(0),
            // A misdirected write: a sound block of the same file in the wrong place.
            Change::ForeignBlock => {
                let first = bytes[..BLOCK.min(end - block)].to_vec();
                bytes[block..block + first.len()].copy_from_slice(&first);
            }
            Change::CutShort => bytes.truncate(block),
        }
    }
}

/// A byte of one of the last records of a ring file: the others no longer matter.
fn in_recent_record(bytes: &[u8], prng: &mut Prng) -> usize {
    let records = (0..bytes.len()).step_by(BLOCK).filter_map(|at| {
        let (header, _) = RecordHeader::decode(&bytes[at..])?;
        Some((header.sequence, at, header.record_bytes() as usize))
    });
    let mut records: Vec<(u64, usize, usize)> = records.collect();
    records.sort_unstable();
    let recent = &records[records.len().saturating_sub(12)..];
    match recent.len() as u64 {
        0 => prng.below(bytes.len().max(1) as u64) as usize,
        count => {
            let (_, at, len) = recent[prng.below(count) as usize];
            (at + prng.below(len as u64) as usize).min(bytes.len() - 1)
        }
    }
}

fn choose(disk: &SimDisk, prng: &mut Prng) -> (Target, PathBuf) {
    let all = disk.files();
    let kinds = ["node.", "journal/", "state/", "meta/", ".log", ".idx"];
    loop {
        let kind = kinds[prng.below(kinds.len() as u64) as usize];
        let of_kind: Vec<&PathBuf> = all.iter().filter(|path| is_of_kind(path, kind)).collect();
        if of_kind.is_empty() {
            continue;
        }
        let path = of_kind[prng.below(of_kind.len() as u64) as usize];
        let target = match kind {
            "journal/" => Target::Journal,
            ".log" => Target::Segment,
            "meta/" => Target::Metadata,
            _ => Target::Spare,
        };
        return (target, path.clone());
    }
}

fn is_of_kind(path: &Path, kind: &str) -> bool {
    let relative = path.strip_prefix(ROOT).expect("all files are ours");
    let text = relative.to_string_lossy();
    text.starts_with(kind) || (kind.starts_with('.') && text.ends_with(kind))
}
