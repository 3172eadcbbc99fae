//! One seed: a broker that works, and a copy of its machine without power wherever a cut can fall.

use super::image::{Image, survive};
use super::labels::{Label, Labels};
use super::tally::{Tally, is_wanted};
use crate::campaign::{
    KEYS, LifePlan, Model, Phase, Plan, Start, Witness, any_log_config, any_map_bytes, live,
};
use crate::sim::{BoundaryWatch, Machine, Moment, Operation, SimDisk, World};
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const LIVES_MIN: u64 = 3;
const LIVES_MAX: u64 = 12;
const RING_LAPS_MIN: u64 = 3;
/// Of a label that had fewer cuts in this run, several images are drawn.
const RARE_BELOW: u64 = 100;
const IMAGES_OF_RARE: u64 = 12;
/// One recovery of so many is cut at all its boundaries.
const SWEEP_ONE_IN: u64 = 2_000;
/// The others at one boundary of so many; at a superblock's more often, for a recovery has two of those.
const RECOVERY_ONE_IN: u64 = 500;
const SUPERBLOCK_ONE_IN: u64 = 40;

/// At how many of the boundaries cuts fall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Density {
    /// One boundary of so many; 0 for no cut.
    pub one_in: u64,
    /// And every boundary of what the ledger asks for, until a run has `RARE_BELOW` cuts of it.
    pub seeks_rare: bool,
    /// Only the cut of this number, for whoever looks at one.
    pub only: Option<u64>,
}

impl Density {
    pub const NONE: Density = Density {
        one_in: 0,
        seeks_rare: false,
        only: None,
    };
}

/// A run and what it did.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of the workload; the recoveries have their own.
    pub trace: u64,
    pub tally: Tally,
    /// Beginnings and ends of changes at which a cut could fall.
    pub boundaries: u64,
    pub lives: u64,
    pub ring_laps: u64,
}

/// Runs the history of this seed. Panics at the first thing that is wrong.
pub fn run(seed: u64, density: Density) -> Report {
    let world = World::new(seed);
    let process = world.start_process();
    let mut disk = SimDisk::new(&world, process, seed);
    let mut prng = Prng::new(seed ^ 0xc075_0001);
    let tally: Rc<RefCell<Tally>> = Rc::default();
    let boundaries: Rc<Cell<u64>> = Rc::default();
    let start = Start {
        shards: 1,
        limits: Limits::TINY,
        log_config: any_log_config(&mut prng, seed),
        compaction_map_bytes: any_map_bytes(seed),
    };
    let witness = Witness::new(Model::new(start.log_config.compaction.is_some()));
    let cutter = Cutter {
        boundaries: boundaries.clone(),
        ..Cutter::new(seed, density, start, &witness, &tally)
    };
    disk.watch_boundaries(Some(Box::new(cutter)));
    let (mut lives, mut ring_laps) = (0, 0);
    while lives < LIVES_MIN || ring_laps < RING_LAPS_MIN {
        assert!(lives < LIVES_MAX, "{ring_laps} laps in {lives} lives");
        let is_long = ring_laps < RING_LAPS_MIN;
        let plan = any_life(&mut prng, start, is_long);
        let process = world.start_process();
        disk = disk.for_process(process);
        witness.phase.set(Phase::Recovering);
        let life = live(disk.clone(), world.runtime(process), plan, witness.clone());
        let ended = world.run(process, life).expect("nothing halts it");
        ended.unwrap_or_else(|error| panic!("nothing fails: {error:?}"));
        let stores = witness.stores.take();
        let laps = stores.iter().map(|store| {
            let ring = Limits::TINY.journal_files * Limits::TINY.journal_file_bytes;
            store.stats().journal_bytes / ring as u64
        });
        ring_laps = ring_laps.max(laps.max().unwrap_or(0));
        if prng.chance(50) {
            disk.cut_power();
        } else {
            disk.kill();
        }
        lives += 1;
    }
    disk.watch_boundaries(None);
    let tally = tally.borrow().clone();
    Report {
        trace: world.trace(),
        tally,
        boundaries: boundaries.get(),
        lives,
        ring_laps,
    }
}

fn any_life(prng: &mut Prng, start: Start, is_long: bool) -> LifePlan {
    let start = Start {
        shards: 1 + prng.below(3) as u16,
        ..start
    };
    let clients = Plan {
        seed: prng.next_u64(),
        batches: if is_long { 120 } else { 24 },
        value_bytes_max: 4_000 << prng.below(3),
        deletes_topic: true,
        cuts_logs: true,

        stall: Duration::ZERO,
        pause_micros_max: 50 << prng.below(7),
        keys: start.log_config.compaction.map(|_| KEYS),
    };
    LifePlan::quiet(start, clients, prng.chance(35))
}

/// Cuts the power of copies of a machine.
pub struct Cutter {
    seed: u64,
    density: Density,
    witness: Witness,
    tally: Rc<RefCell<Tally>>,
    /// How what is cut is started again, whatever the number of shards.
    start: Start,
    /// What is cut is the recovery of an image: that of its own images is not cut again.
    is_second: bool,
    labels: Labels,
    /// Changes under way.
    changes: BTreeMap<u64, Vec<Label>>,
    next_change: u64,
    boundaries: Rc<Cell<u64>>,
    /// Cuts of this run by label, without those that fell into recoveries of its images.
    own: Tally,
}

impl Cutter {
    fn new(
        seed: u64,
        density: Density,
        start: Start,
        witness: &Witness,
        tally: &Rc<RefCell<Tally>>,
    ) -> Cutter {
        Cutter {
            seed,
            density,
            witness: witness.clone(),
            tally: tally.clone(),
            start,
            is_second: false,
            labels: Labels::default(),
            changes: BTreeMap::new(),
            next_change: 0,
            boundaries: Rc::default(),
            own: Tally::default(),
        }
    }

    /// Cuts into the recovery of an image, now and then, or everywhere.
    pub fn of_recovery(
        seed: u64,
        start: Start,
        witness: &Witness,
        tally: &Rc<RefCell<Tally>>,
    ) -> Cutter {
        Cutter {
            is_second: true,
            ..Cutter::new(seed, Density::NONE, start, witness, tally)
        }
    }

    /// How many images of this boundary are recovered.
    fn images(&self, labels: &[Label], moment: Moment, dice: u64) -> u64 {
        let is_superblock = || labels.iter().any(|label| label == "superblock write");
        let one_in = match self.is_second {
            false => self.density.one_in,
            true if self.seed.is_multiple_of(SWEEP_ONE_IN) => 1,
            true if is_superblock() => SUPERBLOCK_ONE_IN,
            true => RECOVERY_ONE_IN,
        };
        let is_rare = !self.is_second
            && (self.density.only.is_some() || self.own.rarest(labels, moment) < RARE_BELOW);
        let is_sought = is_rare && self.density.seeks_rare && labels.iter().any(is_wanted);
        let is_hit = is_sought || (one_in > 0 && dice.is_multiple_of(one_in));
        match (is_hit, is_rare) {
            (false, _) => 0,
            (true, true) => IMAGES_OF_RARE,
            (true, false) => 1,
        }
    }

    fn cut(&self, machine: &Machine, seed: u64) {
        let mut machine = machine.fork(seed);
        machine.cut_power();
        let mut prng = Prng::new(seed ^ 0x57a7);
        let image = Image {
            machine,
            model: self.witness.model.borrow().clone(),
            start: Start {
                shards: 1 + prng.below(3) as u16,
                ..self.start
            },
            seed,
            is_second: self.is_second,
        };
        survive(image, &self.tally);
    }
}

impl BoundaryWatch for Cutter {
    fn on_change(&mut self, machine: &Machine, path: &Path, operation: &Operation) -> u64 {
        let labels = self.labels.of(machine, path, operation);
        let change = self.next_change;
        self.next_change += 1;
        self.changes.insert(change, labels);
        self.on_moment(machine, change, Moment::Before);
        change
    }

    fn on_moment(&mut self, machine: &Machine, change: u64, moment: Moment) {
        let Some(labels) = self.changes.get(&change).cloned() else {
            return;
        };
        if moment == Moment::After {
            self.changes.remove(&change);
        }
        if labels.is_empty() {
            return;
        }
        self.boundaries.set(self.boundaries.get() + 1);
        let dice = mixed(self.seed, self.boundaries.get());
        let in_recovery = self.witness.phase.get() == Phase::Recovering;
        for image in 0..self.images(&labels, moment, dice) {
            let seed = mixed(dice, image);
            self.own.count(&labels, moment, in_recovery);
            if self.density.only.is_some_and(|only| only != seed) {
                continue;
            }
            self.tally.borrow_mut().count(&labels, moment, in_recovery);
            let told = TellOnPanic {
                labels: &labels,
                moment,
                seed,
            };
            self.cut(machine, seed);
            std::mem::forget(told);
        }
    }
}

/// Says where the cut fell that went wrong.
struct TellOnPanic<'a> {
    labels: &'a [Label],
    moment: Moment,
    seed: u64,
}

impl Drop for TellOnPanic<'_> {
    fn drop(&mut self) {
        let labels = self.labels.join(", ");
        let (moment, seed) = (self.moment, self.seed);
        println!("cut {seed} {moment:?} {labels}");
    }
}

/// A number that depends on both, whichever way they are alike in other cuts.
fn mixed(seed: u64, number: u64) -> u64 {
    Prng::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).next_u64()
}
