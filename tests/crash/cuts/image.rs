//! What a cut leaves: recovered, compared with the model, and sometimes cut again, recovered again, or served.

use super::run::Cutter;
use super::tally::Tally;
use crate::campaign::{Clients, KEYS, Model, Opened, Plan, Start, Witness, open};
use crate::sim::{Machine, SimDisk, World};
use ottla::base::prng::Prng;
use ottla::storage::errors::OpenError;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A machine without power, and what was promised about it.
#[derive(Clone)]
pub struct Image {
    pub machine: Machine,
    pub model: Model,
    /// How it is started.
    pub start: Start,
    pub seed: u64,
    /// It was cut in the recovery of another image: its own is not cut again.
    pub is_second: bool,
}

/// What is done with an image besides recovering it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extra {
    Nothing,
    /// The recovery again, from the same image: its trace is the same.
    Repeat,
    /// Another cut, and a recovery that finds the same.
    CutAgain,
    /// A little work, then a cut and a recovery.
    Serve,
}

impl Extra {
    fn draw(prng: &mut Prng) -> Extra {
        match prng.below(24) {
            0 => Extra::Repeat,
            1 | 2 => Extra::CutAgain,
            3 => Extra::Serve,
            _ => Extra::Nothing,
        }
    }
}

/// Panics unless everything answered is there, nothing else is, and the directory can be served.
pub fn survive(image: Image, tally: &Rc<RefCell<Tally>>) {
    let mut prng = Prng::new(image.seed ^ 0x5a7e_11fe);
    let extra = Extra::draw(&mut prng);
    let copy = (extra == Extra::Repeat).then(|| image.clone());
    let is_cut = !image.is_second;
    let (start, seed) = (image.start, image.seed);
    let mut recovery = Recovery::new(image);
    if is_cut {
        recovery.cut(start, tally);
    }
    recovery.run(
        start,
        (extra == Extra::Serve).then(|| few_batches(seed, start)),
    );
    let trace = recovery.world.trace();
    match extra {
        Extra::Nothing => {}
        Extra::Repeat => {
            let mut again = Recovery::new(copy.expect("made above"));
            again.run(start, None);
            assert_eq!(trace, again.world.trace(), "one image, two recoveries");
            again.cut_power();
            tally.borrow_mut().repeated += 1;
        }
        Extra::CutAgain | Extra::Serve => {
            recovery.cut_power();
            let shards = 1 + prng.below(3) as u16;
            recovery.run(Start { shards, ..start }, None);
            let mut tally = tally.borrow_mut();
            match extra {
                Extra::Serve => tally.served += 1,
                _ => tally.recovered_twice += 1,
            }
        }
    }
    // Tasks and their world hold one another.
    recovery.cut_power();
}

/// A world in which an image is started.
struct Recovery {
    world: World,
    disk: SimDisk,
    witness: Witness,
    seed: u64,
}

impl Recovery {
    fn new(image: Image) -> Recovery {
        let world = World::new(image.seed);
        let process = world.start_process();
        Recovery {
            disk: SimDisk::of(&world, process, image.machine),
            world,
            witness: Witness::new(image.model),
            seed: image.seed,
        }
    }

    fn cut(&self, start: Start, tally: &Rc<RefCell<Tally>>) {
        let cutter = Cutter::of_recovery(self.seed, start, &self.witness, tally);
        self.disk.watch_boundaries(Some(Box::new(cutter)));
    }

    /// One start, watched until it is compared; `clients` then work to their end.
    fn run(&mut self, start: Start, clients: Option<Plan>) {
        let process = self.world.start_process();
        self.disk = self.disk.for_process(process);
        let runtime = self.world.runtime(process);
        let (disk, witness, seed) = (self.disk.clone(), self.witness.clone(), self.seed);
        let ended = self.world.run(process, async move {
            let opened = open(disk.clone(), runtime.clone(), start, &witness, seed).await?;
            disk.watch_boundaries(None);
            let Opened {
                shards,
                mut admin,
                found,
                in_doubt,
            } = opened;
            if let Some(plan) = clients {
                shards.serve(&found);
                let (topics, model, coverage) = (&admin.topics, &witness.model, &witness.coverage);
                let clients = Clients::new(&shards, topics, model, &runtime, coverage, plan);
                clients.work(&mut admin, in_doubt).await;
            }
            Ok::<(), OpenError>(())
        });
        let ended = ended.expect("nothing halts it");
        ended.unwrap_or_else(|error| panic!("recovery failed: {error:?}"));
    }

    fn cut_power(&self) {
        self.witness.stores.borrow_mut().clear();
        self.disk.cut_power();
    }
}

fn few_batches(seed: u64, start: Start) -> Plan {
    Plan {
        seed,
        batches: 6,
        value_bytes_max: 3000,
        deletes_topic: false,
        cuts_logs: true,

        stall: Duration::ZERO,
        pause_micros_max: 500,
        keys: start.log_config.compaction.map(|_| KEYS),
    }
}
