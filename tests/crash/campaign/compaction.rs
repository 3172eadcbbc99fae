//! One compaction, and a crash at every moment of it.

use super::broker::{Shards, Start, read_range, start};
use super::left::Moment;
use super::model::Model;
use super::shard::checked;
use super::verify::check_start;
use crate::sim::{SimDisk, SimRuntime, World};
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::{PartitionId, ProducerId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::base::time::Timestamp;
use ottla::log::log_config::{CompactionConfig, LogConfig};
use ottla::record::{BatchBuilder, Codec, NewRecord};
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::Runtime;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

const SEED: u64 = 77;
const PARTITION: PartitionId = PartitionId {
    topic: Uuid([7; 16]),
    index: 0,
};
/// Files of its first segment, written anew.
const OLDEST_REWRITTEN: &str = "00000000000000000000-";
const BATCHES: i32 = 64;
const KEYS: u64 = 25;

const PLAN: Start = Start {
    shards: 1,
    limits: Limits::TINY,
    log_config: LogConfig {
        segment_bytes: 16 << 10,
        retention_ms: None,
        ..LogConfig::DEFAULT
    },
    compaction_map_bytes: 1 << 16,
};
const COMPACTED: LogConfig = LogConfig {
    compaction: Some(CompactionConfig {
        dirty_millionths_min: 0,
        marker_retention_ms: 0,
        ..CompactionConfig::DEFAULT
    }),
    ..PLAN.log_config
};

/// A machine on which a partition was filled and is being compacted.
struct Story {
    world: World,
    disk: SimDisk,
    model: Rc<RefCell<Model>>,
    /// Changes of the disk from the wish to compact to the end, when nothing halts it.
    events: Rc<Cell<u64>>,
}

impl Story {
    fn run(cut: Option<u64>) -> Story {
        let world = World::new(SEED);
        let process = world.start_process();
        let story = Story {
            disk: SimDisk::new(&world, process, SEED),
            world,
            model: Rc::new(RefCell::new(Model::new(true))),
            events: Rc::default(),
        };
        let runtime = story.world.runtime(process);
        let life = live(
            story.disk.clone(),
            runtime,
            story.model.clone(),
            cut,
            story.events.clone(),
        );
        let ended = story.world.run(process, life);
        assert_eq!(ended.is_some(), cut.is_none(), "it ends where it is cut");
        story.disk.cut_after(None);
        story
    }

    /// The process or the machine ends.
    fn end(&self, disk: &SimDisk, by_power: bool) {
        match by_power {
            true => disk.cut_power(),
            false => disk.kill(),
        }
    }

    /// Starts again, and compares; with a cut the start itself is cut short.
    fn start_again(&self, by_power: bool, cut: Option<u64>, compacts: bool) {
        let process = self.world.start_process();
        let disk = self.disk.for_process(process);
        disk.cut_after(cut);
        let runtime = self.world.runtime(process);
        let life = look(disk.clone(), runtime, self.model.clone(), compacts);
        let looked = self.world.run(process, life);
        disk.cut_after(None);
        match looked {
            None => assert!(cut.is_some()),
            Some(looked) => looked.expect("a start"),
        }
        self.end(&disk, by_power);
    }

    fn names(&self) -> Vec<String> {
        let files: Vec<PathBuf> = self.disk.files();
        let names = files.iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            path.to_str()?.contains("/topics/").then_some(name)
        });
        names.filter(|name| name != "name").collect()
    }
}

/// Fills a partition, then has it compacted.
async fn live(
    disk: SimDisk,
    runtime: SimRuntime,
    model: Rc<RefCell<Model>>,
    cut: Option<u64>,
    events: Rc<Cell<u64>>,
) {
    let started = start(disk.clone(), runtime.clone(), PLAN, model.clone()).await;
    let (shards, mut admin, _) = started.expect("a fresh directory");
    let created = admin.create_topic(&shards, PARTITION.topic, "compacted", 1);
    created.await.expect("a topic");
    fill(&shards, &runtime).await;
    let store = &shards.shard(PARTITION).store;
    // A lap has to have taken what is to be compacted.
    while store.stats().dirty_bytes > 80 << 10 || store.stats().laps == 0 {
        runtime.sleep(Duration::from_millis(5)).await;
    }
    let before = disk.events();
    disk.cut_after(cut);
    store.configure(PARTITION, COMPACTED);
    while store.cells().compactions.get() == 0 {
        runtime.sleep(Duration::from_millis(1)).await;
    }
    // The old files go.
    runtime.sleep(Duration::from_millis(200)).await;
    events.set(disk.events() - before);
}

async fn fill(shards: &Shards, runtime: &SimRuntime) {
    let mut prng = Prng::new(SEED);
    let shard = shards.shard(PARTITION);
    for sequence in 0..BATCHES {
        let codec = Codec::ALL[prng.below(5) as usize];
        let mut builder = BatchBuilder::new(codec);
        if sequence % 3 == 0 {
            let producer = ProducerId(prng.below(3) as i64);
            builder = builder.producer(producer, ProducerEpoch(sequence as i16), 0);
        }
        for _ in 0..3 {
            let key = prng.below(KEYS).to_be_bytes();
            let value: Vec<u8> = (0..600).map(|_| prng.next_u64() as u8).collect();
            builder.push(&NewRecord {
                key: Some(&key),
                value: (!prng.chance(20)).then_some(&value),
                ..NewRecord::value(Timestamp(1_700_000_000_000 + i64::from(sequence)), &value)
            });
        }
        let batch = checked(&builder.build(), Timestamp(0));
        while shard.produce(PARTITION, &batch).is_err() {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        if sequence % 4 == 0 {
            runtime.sleep(Duration::from_millis(2)).await;
        }
    }
    while shard.is_unanswered() {
        runtime.sleep(Duration::from_millis(1)).await;
    }
}

/// Everything that was answered is there, or void. Then the log may be compacted to the end.
async fn look(
    disk: SimDisk,
    runtime: SimRuntime,
    model: Rc<RefCell<Model>>,
    compacts: bool,
) -> Result<(), OpenError> {
    let (shards, _admin, found) = start(disk, runtime.clone(), PLAN, model.clone()).await?;
    let log = model.borrow_mut().log(PARTITION).clone();
    let partition = &found.partitions[&PARTITION];
    check_start(&log, partition).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(partition.next_offset, log.end(), "all of it was answered");
    check(&shards, &model).await;
    shards.serve(&found);
    if compacts {
        let store = &shards.shard(PARTITION).store;
        store.configure(PARTITION, COMPACTED);
        runtime.sleep(Duration::from_millis(400)).await;
        check(&shards, &model).await;
    }
    Ok(())
}

async fn check(shards: &Shards, model: &Rc<RefCell<Model>>) {
    let log = model.borrow_mut().log(PARTITION).clone();
    let (from, end) = (log.log_start, log.end());
    let shard = shards.shard(PARTITION);
    for bytes_max in [1, 3_000, 1 << 20] {
        let read = read_range(shard, PARTITION, from, end, bytes_max).await;
        let read = read.expect("it can be read");
        let left = log.check_read(from, end, &read, Moment::Still);
        left.unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn a_crash_at_any_moment_of_a_compaction_leaves_the_old_segments_or_the_new() {
    let whole = Story::run(None);
    let events = whole.events.get();
    assert!(events > 60, "{events} changes are no compaction");
    let is_rewritten = |name: &String| name.contains('-');
    let (new, old): (Vec<_>, Vec<_>) = whole.names().into_iter().partition(is_rewritten);
    assert!(
        new.len() >= 2 && old.len() <= 4,
        "{new:?} in the place of all but {old:?}"
    );
    whole.end(&whole.disk, true);
    whole.start_again(true, None, false);
    let (mut before, mut within) = (0, 0);
    for cut in 1..=events {
        let by_power = cut % 2 == 0;
        let story = Story::run(Some(cut));
        story.end(&story.disk, by_power);
        let mut rewritten = story.names();
        rewritten.retain(is_rewritten);
        match rewritten.is_empty() {
            true => before += 1,
            false => {
                within += 1;
                // Segments in their order: a marker never goes before what it deletes.
                let oldest = |name: &String| name.starts_with(OLDEST_REWRITTEN);
                assert!(rewritten.iter().any(oldest), "cut {cut}: {rewritten:?}");
            }
        }
        if cut % 3 == 0 {
            // The start behind it is cut short, too.
            story.start_again(!by_power, Some(1 + cut % 40), false);
        }
        story.start_again(by_power, None, false);
        story.start_again(true, None, true);
        let left = story.names();
        assert!(
            left.iter().all(|name| !name.ends_with(".new")),
            "cut {cut}: {left:?}"
        );
        story.start_again(true, None, false);
    }
    assert!(
        before > 10 && within > 10,
        "{before} before, {within} within"
    );
}
