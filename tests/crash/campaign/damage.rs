//! A drive that changes bytes behind everybody's back: what is served is right or not served at all.

use super::broker::{Found, ROOT, Shards, Start, read_range, start};
use super::clients::{Clients, Plan};
use super::coverage::Coverage;
use super::left::Moment;
use super::model::Model;
use super::verify::check_start;
use crate::sim::{Lie, SimDisk, SimRuntime, World};
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::log::journal_format::RecordHeader;
use ottla::log::log_config::{CompactionConfig, LogConfig};
use ottla::storage::disk::{Disk, DiskFile, OpenMode};
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::Runtime;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

const BLOCK: usize = 4096;

/// Whatever is dirty is compacted.
const EAGER: CompactionConfig = CompactionConfig {
    dirty_millionths_min: 0,
    ..CompactionConfig::DEFAULT
};

/// What kind of file was hit, and so what may come of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// One of two copies, or a cache: nobody notices but the log.
    Spare,
    /// Both copies of something.
    BothCopies,
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

/// A disk that was served, and is not now.
struct Served {
    world: World,
    disk: SimDisk,
    plan: Start,
    model: Rc<RefCell<Model>>,
    stopped: bool,
}

/// Serves, damages one file or both copies of one, starts three times more. Panics when anything wrong is served.
pub fn damage(seed: u64) -> (Target, Kind, Verdict) {
    let mut prng = Prng::new(seed ^ 0xda_3a6e);
    let served = Served::new(seed, &mut prng, None);
    let disk = &served.disk;
    let change = Change::draw(&mut prng);
    let (target, paths) = choose(disk, &mut prng);
    let mut hit = String::new();
    for path in &paths {
        let before = disk.bytes_of(path).expect("a file that is there");
        let position = match target {
            Target::Journal => in_recent_record(&before, &mut prng),
            _ => prng.below(before.len().max(1) as u64) as usize,
        };
        change.apply(disk, path, position);
        hit += &format!("{} {change:?} at {position}; ", path.display());
    }
    if prng.chance(40) {
        // A recovery that sees the damage ends anywhere; the next one begins anew.
        disk.cut_after(Some(1 + prng.below(120)));
        served.look_once(&hit, &mut prng);
        disk.cut_after(None);
    }
    let verdicts = served.look_thrice(&hit, &mut prng);
    match (target, change.kind()) {
        (Target::Spare, _) => assert_eq!(verdicts, [Verdict::Whole; 3], "{hit}"),
        (Target::Journal, Kind::CutShort | Kind::Gone) if !served.stopped => {
            assert_eq!(verdicts, [Verdict::Offline; 3], "{hit}");
        }
        _ => {}
    }
    (target, change.kind(), verdicts[0])
}

/// Serves from a drive that lies about one write, starts three times more. Panics when anything wrong is served.
pub fn lie(seed: u64) -> (Lie, Verdict) {
    let mut prng = Prng::new(seed ^ 0x11e5);
    let lie = match prng.chance(50) {
        true => Lie::Lost,
        false => Lie::Misdirected,
    };
    let scale = 300 >> prng.below(5);
    let after = 1 + prng.below(scale);
    let served = Served::new(seed, &mut prng, Some((after, lie)));
    let hit = format!("{lie:?}, write {after}");
    let verdicts = served.look_thrice(&hit, &mut prng);
    (lie, verdicts[0])
}

/// Of the metadata the last record has no successor, so that its loss cannot be told from a torn write.
fn is_lied_about(path: &Path) -> bool {
    !path.starts_with(Path::new(ROOT).join("meta"))
}

#[test]
fn the_folder_of_a_topic_that_nobody_knows_is_kept_aside() {
    let mut prng = Prng::new(11);
    let served = Served::new(11, &mut prng, None);
    let folder = Path::new(ROOT)
        .join("topics")
        .join(Uuid([7; 16]).to_string());
    let file = "0/00000000000000000000.log";
    let process = served.world.start_process();
    let disk = served.disk.for_process(process);
    let (there, made) = (folder.join(file), disk.clone());
    served.world.run(process, async move {
        let partition = there.parent().expect("a file lies in a folder");
        made.create_directory(partition).await.unwrap();
        let log = made.open(&there, OpenMode::WriteThrough).await.unwrap();
        log.write_at(made.allocate(BLOCK), 0).await.unwrap();
        made.sync_file_system(partition).await.unwrap();
    });
    disk.cut_power();
    let verdicts = served.look_thrice("a foreign folder", &mut prng);
    assert_eq!(verdicts, [Verdict::Whole; 3]);
    let kept: Vec<PathBuf> = served.disk.files();
    let kept: Vec<&PathBuf> = kept.iter().filter(|path| path.ends_with(file)).collect();
    let is_aside = |path: &&&PathBuf| path.starts_with(Path::new(ROOT).join("quarantine"));
    let aside: Vec<&&PathBuf> = kept.iter().filter(is_aside).collect();
    assert_eq!(aside.len(), 1, "{kept:?}");
    assert_eq!(
        served.disk.bytes_of(aside[0]).map(|it| it.len()),
        Some(BLOCK)
    );
}

/// A batch's checksum leaves its leader epoch out.
#[test]
fn an_epoch_that_the_drive_changed_is_not_served() {
    let mut prng = Prng::new(7);
    let served = Served::new(7, &mut prng, None);
    let files = served.disk.files();
    let mut segments = files.iter().filter(|path| is_of_kind(path, ".log"));
    let path = segments.find(|path| served.disk.bytes_of(path).is_some_and(|it| !it.is_empty()));
    served
        .disk
        .damage(path.expect("a segment"), |bytes| bytes[15] ^= 1);
    let verdicts = served.look_thrice("an epoch", &mut prng);
    assert_eq!(verdicts, [Verdict::ReadRefused; 3]);
}

impl Served {
    /// With a drive that may lie about one write.
    fn new(seed: u64, prng: &mut Prng, lie: Option<(u64, Lie)>) -> Served {
        let world = World::new(seed);
        let process = world.start_process();
        let disk = SimDisk::new(&world, process, seed);
        let is_compacted = seed % 3 == 2;
        let model = Rc::new(RefCell::new(Model::new(is_compacted)));
        let plan = Start {
            shards: 2,
            limits: Limits::TINY,
            log_config: LogConfig {
                segment_bytes: 8192 << prng.below(4),
                retention_ms: None,
                compaction: is_compacted.then_some(EAGER),
                ..LogConfig::DEFAULT
            },
            compaction_map_bytes: 1 << 20,
        };
        let stopped = prng.chance(30);
        let runtime = world.runtime(process);
        if let Some((after, lie)) = lie {
            disk.lie_after(Some(after), lie, is_lied_about);
        }
        let life = serve(disk.clone(), runtime, plan, model.clone(), seed, stopped);
        world.run(process, life).expect("nothing halts it");
        end(&disk, prng);
        Served {
            world,
            disk,
            plan,
            model,
            stopped,
        }
    }

    /// Starts three times. A verdict stays.
    fn look_thrice(&self, hit: &str, prng: &mut Prng) -> [Verdict; 3] {
        let looks = [(); 3].map(|()| {
            let looked = self.look_once(hit, prng);
            looked.expect("nothing halts it")
        });
        for pair in looks.windows(2) {
            let [(verdict, offline), (_, again)] = pair else {
                unreachable!("windows of two")
            };
            assert!(
                *verdict == Verdict::Refused || offline.is_subset(again),
                "{hit}: a verdict is forgotten: {offline:?}, then {again:?}"
            );
        }
        looks.map(|(verdict, _)| verdict)
    }

    /// Starts, reads everything that is served, and ends. Nothing when the machine halts before.
    fn look_once(&self, hit: &str, prng: &mut Prng) -> Option<(Verdict, BTreeSet<PartitionId>)> {
        let process = self.world.start_process();
        let disk = self.disk.for_process(process);
        let runtime = self.world.runtime(process);
        let (reader, known, plan) = (disk.clone(), self.model.clone(), self.plan);
        let hit = hit.to_owned();
        let looked = self.world.run(process, async move {
            let (shards, _admin, found) = start(reader, runtime, plan, known.clone()).await?;
            Ok::<_, OpenError>(read_all(&shards, &found, &known, &hit).await)
        });
        end(&disk, prng);
        Some(match looked? {
            Ok((Verdict::Whole, offline)) if !offline.is_empty() => (Verdict::Offline, offline),
            Ok(seen) => seen,
            Err(_) => (Verdict::Refused, BTreeSet::new()),
        })
    }
}

fn end(disk: &SimDisk, prng: &mut Prng) {
    if prng.chance(50) {
        disk.cut_power();
    } else {
        disk.kill();
    }
}

async fn serve(
    disk: SimDisk,
    runtime: SimRuntime,
    plan: Start,
    model: Rc<RefCell<Model>>,
    seed: u64,
    stops: bool,
) {
    let started = start(disk.clone(), runtime.clone(), plan, model.clone()).await;
    let (shards, mut admin, found) = started.expect("a fresh directory");
    shards.serve(&found);
    let batches = Plan {
        seed,
        batches: 40,
        value_bytes_max: 6000,
        deletes_topic: false,
        cuts_logs: seed.is_multiple_of(3),

        stall: Duration::ZERO,
        pause_micros_max: 2000,
        keys: plan.log_config.compaction.map(|_| 40),
    };
    let coverage: Rc<RefCell<Coverage>> = Rc::default();
    coverage.borrow_mut().lies = u64::from(disk.is_to_lie());
    coverage.borrow_mut().faults = u64::from(disk.is_to_lie());
    let clients = Clients::new(&shards, &admin.topics, &model, &runtime, &coverage, batches);
    clients.work(&mut admin, Vec::new()).await;
    // Long enough for a record after the last answered one: damage to that is no torn write any more.
    runtime.sleep(Duration::from_millis(200)).await;
    if stops && !shards.is_failed() {
        let wall = runtime.now().wall;
        let stopped = admin.stop(&shards, wall).await;
        // What a drive made of a lie may be noticed here.
        let lies = coverage.borrow().lies;
        assert!(stopped.is_ok() || lies > 0, "nothing fails: {stopped:?}");
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
            Ok(bytes) => {
                let read = log.check_read(from, end, &bytes, Moment::Still);
                read.unwrap_or_else(|wrong| panic!("{hit}: {id}: {wrong} is served"));
            }
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
    Gone,
    /// Reading a block fails.
    Unreadable,
}

/// A change without its details.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    OtherBytes,
    CutShort,
    Gone,
    Unreadable,
}

impl Change {
    fn draw(prng: &mut Prng) -> Change {
        match prng.below(8) {
            0 => Change::ZeroedBlock,
            1 => Change::ForeignBlock,
            2 => Change::CutShort,
            3 => Change::Gone,
            4 => Change::Unreadable,
            _ => Change::FlippedBit(prng.below(8) as u32),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Change::FlippedBit(_) | Change::ZeroedBlock | Change::ForeignBlock => Kind::OtherBytes,
            Change::CutShort => Kind::CutShort,
            Change::Gone => Kind::Gone,
            Change::Unreadable => Kind::Unreadable,
        }
    }

    fn apply(self, disk: &SimDisk, path: &Path, position: usize) {
        match self {
            Change::Gone => disk.lose(path),
            Change::Unreadable => disk.spoil(path, position),
            _ => disk.damage(path, |bytes| self.apply_to(bytes, position)),
        }
    }

    fn apply_to(self, bytes: &mut Vec<u8>, position: usize) {
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
            Change::Gone | Change::Unreadable => unreachable!("no change of bytes"),
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

fn choose(disk: &SimDisk, prng: &mut Prng) -> (Target, Vec<PathBuf>) {
    let all = disk.files();
    let kinds = ["node.", "journal/", "state/", "meta/", ".log", ".idx"];
    loop {
        let kind = kinds[prng.below(kinds.len() as u64) as usize];
        let of_kind: Vec<&PathBuf> = all.iter().filter(|path| is_of_kind(path, kind)).collect();
        if of_kind.is_empty() {
            continue;
        }
        let path = of_kind[prng.below(of_kind.len() as u64) as usize].clone();
        let target = match kind {
            "journal/" => Target::Journal,
            ".log" => Target::Segment,
            "meta/" => Target::Metadata,
            ".idx" => Target::Spare,
            // One of two copies, whose names differ in the last letter.
            _ if prng.chance(30) => {
                let copies = ["a", "b"].map(|copy| path.with_extension(copy));
                return (Target::BothCopies, copies.to_vec());
            }
            _ => Target::Spare,
        };
        return (target, vec![path]);
    }
}

fn is_of_kind(path: &Path, kind: &str) -> bool {
    let relative = path.strip_prefix(ROOT).expect("all files are ours");
    let text = relative.to_string_lossy();
    text.starts_with(kind) || (kind.starts_with('.') && text.ends_with(kind))
}
