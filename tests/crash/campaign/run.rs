//! One seed: lives one after the other on one disk, until everything that a run has to show has happened.

use super::broker::Start;
use super::clients::Plan;
use super::coverage::Coverage;
use super::journal::{JournalCounters, JournalWatch};
use super::life::{LifePlan, Phase, Witness, live};
use super::model::Model;
use crate::sim::{DiskCounters, EIO, ENOSPC, SimDisk, World};
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::log::log_config::{CompactionConfig, LogConfig};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Lives in which a run has to show everything.
const LIVES_MAX: u64 = 120;
const CUTS_MIN: u64 = 18;
const RING_LAPS_MIN: u64 = 3;
/// Different keys of a partition that is compacted.
pub const KEYS: u64 = 40;

/// A run and what it did.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub trace: u64,
    pub coverage: Coverage,
    pub disk: DiskCounters,
    pub journal: JournalCounters,
}

struct Run {
    world: World,
    disk: SimDisk,
    prng: Prng,
    witness: Witness,
    journal: Rc<RefCell<JournalWatch>>,
    log_config: LogConfig,
    compaction_map_bytes: usize,
    shards: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Chance,
    /// Several times round the ring.
    LongLife,
    /// A kill while a segment write is under way.
    LateWrite,
    /// A topic deleted, and all of it gone.
    Deletion,
}

/// Runs the history of this seed. Panics at the first thing that is wrong.
pub fn run(seed: u64) -> Report {
    let mut run = Run::new(seed);
    while !run.is_complete() {
        let lives = run.coverage().lives;
        assert!(
            lives < LIVES_MAX,
            "not everything happened in {lives} lives: {:?}",
            run.report()
        );
        run.one_life();
    }
    run.one_quiet_life();
    run.one_quiet_life();
    run.report()
}

impl Run {
    fn new(seed: u64) -> Run {
        let world = World::new(seed);
        let process = world.start_process();
        let mut prng = Prng::new(seed ^ 0xfa01_7500);
        let log_config = any_log_config(&mut prng, seed);
        let witness = Witness::new(Model::new(log_config.compaction.is_some()));
        let disk = SimDisk::new(&world, process, seed);
        let journal: Rc<RefCell<JournalWatch>> = Rc::default();
        let watch = journal.clone();
        disk.watch_writes(move |path, bytes| watch.borrow_mut().on_write(path, bytes));
        Run {
            disk,
            journal,
            log_config,
            compaction_map_bytes: any_map_bytes(seed),
            world,
            prng,
            witness,
            shards: 2,
        }
    }

    /// Three times round the ring, rolls, deleted records, a topic deleted and created again, duplicates, a write
    /// that lands late, another number of shards, and crashes everywhere.
    fn is_complete(&self) -> bool {
        let coverage = self.coverage();
        let disk = self.disk.counters();
        let journal = self.journal.borrow().counters();
        disk.power_cuts + disk.kills >= CUTS_MIN
            && disk.power_cuts > 0
            && disk.kills > 0
            && disk.late_segment_writes > 0
            && journal.rolls > 0
            && (self.log_config.compaction.is_none() || journal.replaced > 0)
            && journal.lead_ins > 0
            && (self.log_config.compaction.is_some() || journal.truncates > 0)
            && journal.promises > 0
            && coverage.cuts_in_recovery > 1
            && coverage.cuts_while_serving > 1
            && coverage.ring_laps_in_one_life >= RING_LAPS_MIN
            && coverage.record_deletions > 0
            && (self.log_config.compaction.is_some() || coverage.logs_cut > 0)
            && coverage.topics_deleted > 0
            && coverage.duplicates > 0
            && coverage.shard_count_changes > 0
    }

    fn one_life(&mut self) {
        let purpose = self.purpose();
        let plan = self.plan();
        if purpose == Purpose::Chance && self.prng.chance(35) {
            // Within what a recovery does, or just behind it.
            let events = skewed(&mut self.prng, 200, 5);
            self.disk.cut_after(Some(events));
        } else if let Some((_, errno)) = plan.fail_after
            && self.prng.chance(30)
        {
            let events = 1 + self.prng.below(100);
            self.disk.fail_after(Some(events), errno);
        } else if plan.fail_read_after.is_some() && self.prng.chance(30) {
            let reads = 1 + self.prng.below(60);
            self.disk.fail_read_after(Some(reads));
        }
        self.live_once(plan);
    }

    /// Nothing goes wrong: the last life of a run, and one that sees what it left.
    fn one_quiet_life(&mut self) {
        let plan = self.plan();
        self.live_once(LifePlan::quiet(plan.start, plan.clients, true));
        assert_eq!(self.witness.phase.get(), Phase::Ended);
    }

    fn live_once(&mut self, plan: LifePlan) {
        let process = self.world.start_process();
        self.disk = self.disk.for_process(process);
        let runtime = self.world.runtime(process);
        self.witness.phase.set(Phase::Recovering);
        let mut coverage = self.witness.coverage.borrow_mut();
        coverage.faults += u64::from(plan.has_faults());
        coverage.read_faults += u64::from(plan.fail_read_after.is_some());
        coverage.stalls += u64::from(plan.stall_after.is_some());
        coverage.full_disks += u64::from(plan.full.is_some());
        drop(coverage);
        let life = live(self.disk.clone(), runtime, plan, self.witness.clone());
        let ended = self.world.run(process, life);
        if std::env::var("OTTLA_CRASH_TALK").is_ok() {
            let (life, phase) = (self.coverage().lives, self.witness.phase.get());
            println!("life {life} ended in {phase:?}: {ended:?}, {plan:?}");
        }
        self.count(ended.is_none());
        if let Some(Err(error)) = ended {
            assert!(plan.has_faults(), "recovery failed: {error:?}");
        }
        self.disk.cut_after(None);
        self.disk.cut_at_segment_write(None);
        self.disk.fail_after(None, EIO);
        self.disk.fail_read_after(None);
        self.disk.stall_after(None, Duration::ZERO);
        self.disk.set_capacity(None);
        // A process that waits for a segment write is killed, so that the write may land late.
        if plan.cut_at_segment_write.is_none() && self.prng.chance(50) {
            self.disk.cut_power();
        } else {
            self.disk.kill();
        }
        self.witness.stores.borrow_mut().clear();
    }

    /// What the next life is for: mostly chance, now and then something that chance leaves out.
    fn purpose(&self) -> Purpose {
        let (coverage, disk) = (self.coverage(), self.disk.counters());
        match coverage.lives % 4 {
            1 if coverage.ring_laps_in_one_life < RING_LAPS_MIN => Purpose::LongLife,
            2 if coverage.lives > 8 && disk.late_segment_writes == 0 => Purpose::LateWrite,
            3 if coverage.lives > 8 && coverage.topics_deleted == 0 => Purpose::Deletion,
            _ => Purpose::Chance,
        }
    }

    fn plan(&mut self) -> LifePlan {
        let purpose = self.purpose();
        let by_chance = purpose == Purpose::Chance;
        let start = self.plan_start();
        let prng = &mut self.prng;
        let cut_after = skewed(prng, 3000, 9);
        let by_segment_write = purpose == Purpose::LateWrite || (by_chance && prng.chance(25));
        LifePlan {
            start,
            clients: Plan {
                seed: prng.next_u64(),
                batches: match purpose {
                    Purpose::LongLife => 250,
                    Purpose::LateWrite | Purpose::Deletion => 64,
                    Purpose::Chance => 4 << prng.below(5),
                },
                value_bytes_max: 200 << prng.below(7),
                deletes_topic: purpose == Purpose::Deletion || prng.chance(30),
                cuts_logs: prng.chance(40),
                stall: Duration::ZERO,
                pause_micros_max: 50 << prng.below(7),
                keys: self.log_config.compaction.map(|_| KEYS),
            },
            cut_after: (by_chance && prng.chance(85)).then_some(cut_after),
            cut_at_segment_write: by_segment_write.then_some(1 + prng.below(8)),
            fail_after: (by_chance && prng.chance(8)).then(|| {
                let errno = if prng.chance(30) { ENOSPC } else { EIO };
                (cut_after / 2 + 1, errno)
            }),
            fail_read_after: (by_chance && prng.chance(5)).then(|| skewed(prng, 400, 8)),
            stall_after: (by_chance && prng.chance(10)).then(|| {
                let wait = Duration::from_millis(200 << prng.below(7));
                (skewed(prng, 1000, 9), wait)
            }),
            full: (by_chance && prng.chance(12)).then(|| {
                let wait = Duration::from_millis(1 << prng.below(11));
                (prng.below(96 << 10), wait)
            }),
            stops: prng.chance(35),
        }
    }

    fn plan_start(&mut self) -> Start {
        let changes = self.prng.chance(40);
        let shards = if changes {
            5 - self.shards
        } else {
            self.shards
        };
        let mut coverage = self.witness.coverage.borrow_mut();
        coverage.shard_count_changes += u64::from(coverage.lives > 0 && changes);
        self.shards = shards;
        Start {
            shards,
            limits: Limits::TINY,
            log_config: self.log_config,
            compaction_map_bytes: self.compaction_map_bytes,
        }
    }

    fn count(&self, was_cut: bool) {
        let mut coverage = self.witness.coverage.borrow_mut();
        coverage.lives += 1;
        match (was_cut, self.witness.phase.get()) {
            (true, Phase::Recovering) => coverage.cuts_in_recovery += 1,
            (true, _) => coverage.cuts_while_serving += 1,
            (false, _) => coverage.quiet_ends += 1,
        }
        let ring = (Limits::TINY.journal_files * Limits::TINY.journal_file_bytes) as u64;
        for store in self.witness.stores.borrow().iter() {
            let stats = store.stats();
            coverage.cycles += stats.cycles;
            coverage.laps += stats.laps;
            coverage.journal_bytes += stats.journal_bytes;
            coverage.segment_bytes += stats.segment_bytes;
            let rounds = stats.journal_bytes / ring;
            coverage.ring_laps_in_one_life = coverage.ring_laps_in_one_life.max(rounds);
        }
    }

    fn coverage(&self) -> Coverage {
        *self.witness.coverage.borrow()
    }

    fn report(&self) -> Report {
        Report {
            trace: self.world.trace(),
            coverage: self.coverage(),
            disk: self.disk.counters(),
            journal: self.journal.borrow().counters(),
        }
    }
}

/// One seed of three has its logs compacted.
pub fn any_log_config(prng: &mut Prng, seed: u64) -> LogConfig {
    LogConfig {
        segment_bytes: 4096 << prng.below(5),
        segment_ms: if prng.chance(30) { 100 } else { u64::MAX },
        retention_ms: prng.chance(20).then_some(500),
        retention_bytes: prng.chance(20).then_some(32 << 10),
        compaction: (seed % 3 == 1).then(|| compaction(seed / 3)),
    }
}

/// Sometimes too little for all the keys.
pub fn any_map_bytes(seed: u64) -> usize {
    if seed.is_multiple_of(2) { 1 << 20 } else { 800 }
}

/// By turns: eager and patient, with and without lags, markers that go at once, soon and never.
fn compaction(number: u64) -> CompactionConfig {
    CompactionConfig {
        dirty_millionths_min: [0, 300_000, 600_000][(number % 3) as usize],
        lag_ms_min: [0, 0, 30][(number / 3 % 3) as usize],
        lag_ms_max: [u64::MAX, 40][(number / 9 % 2) as usize],
        marker_retention_ms: [0, 60, u64::MAX][(number % 3) as usize],
    }
}

/// A number up to `most`, small ones as likely as large ones.
fn skewed(prng: &mut Prng, most: u64, halvings: u64) -> u64 {
    let scale = most >> prng.below(halvings);
    1 + prng.below(scale)
}
