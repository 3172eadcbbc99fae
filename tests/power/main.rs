//! A real power cut: a broker writes to a real file system on a disk that records every write and flush, the disk is
//! made again as it may be after a cut at any instant, and the next broker has everything that was acknowledged before.
//!
//! `OTTLA_SEED` and `OTTLA_IMAGES` (of each file system) change a run; the load is a real one, so that the same seed
//! draws the same numbers and not the same instants. tests/power/run takes many and writes them down.

#[path = "../it/harness/mod.rs"]
mod harness;
#[path = "../chaos/history.rs"]
mod history;
#[path = "../chaos/writer.rs"]
mod writer;

mod clerk;
mod controls;
mod device;
mod faults;
mod fuse;
mod image;
mod inspection;
mod machine;
mod power_cut;
mod round;

use inspection::{Inspection, Totals};
use machine::{FileSystem, Machine};
use ottla::base::prng::Prng;
use power_cut::{Cuts, Loss, Recording, last_flush};
use round::{Settings, record};
use std::time::{SystemTime, UNIX_EPOCH};

const TOPIC: &str = "power";
const PARTITIONS: i32 = 8;
/// Of each file system.
const IMAGES: u64 = 4;
/// Of one recording.
const IMAGES_PER_ROUND: u64 = 10;
/// Acknowledged in a round.
const BATCHES: usize = 2_000;

#[test]
fn ext4_gives_back_what_was_acknowledged() {
    survive(FileSystem::Ext4);
}

#[test]
fn xfs_gives_back_what_was_acknowledged() {
    survive(FileSystem::Xfs);
}

fn survive(file_system: FileSystem) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number_from("OTTLA_SEED", time.expect("after 1970").as_secs());
    let images = number_from("OTTLA_IMAGES", IMAGES);
    let name = file_system.name();
    println!("OTTLA_SEED={seed} OTTLA_IMAGES={images} on {name}");
    let Some(machine) = Machine::new(&format!("power_{name}"), file_system) else {
        return;
    };
    let mut random = Prng::new(seed);
    let formatted = machine.device.image();
    let mut totals = Totals::default();
    while totals.images < images {
        let settings = Settings {
            shards: 1 + random.below(3) as u16,
            durability: "flushed",
        };
        let (recording, promises) = record(&machine, formatted.clone(), &settings, BATCHES);
        totals.add_round(&recording);
        let count = IMAGES_PER_ROUND.min(images - totals.images);
        let mut cuts = Cuts::of(&recording);
        for instant in instants(&recording, promises.topic_made_at, count, &mut random) {
            let loss = Loss::draw(&mut random);
            let mut inspection = Inspection {
                machine: &machine,
                promises: &promises,
                random: &mut random,
                totals: &mut totals,
            };
            let image = inspection.cut(&mut cuts, instant, loss);
            let anomalies = inspection.inspect(image, instant);
            assert!(
                anomalies.is_empty(),
                "{name}, seed {seed}, cut at {instant} of {}, {loss:?}: {anomalies:?}",
                recording.events.len()
            );
        }
        totals.taken.add(cuts.taken);
    }
    println!("ledger: {name}, seed {seed}: {totals}");
}

/// When the power goes, in order: once before the topic is there, else anywhere, half of the time where much is unflushed.
fn instants(recording: &Recording, made: usize, count: u64, random: &mut Prng) -> Vec<usize> {
    let events = &recording.events;
    let mut anywhere = |end: usize| random.below(end as u64 + 1) as usize;
    let mut chosen = vec![anywhere(made)];
    for number in 1..count {
        let candidates = if number % 2 == 0 { 1 } else { 16 };
        let drawn = (0..candidates).map(|_| anywhere(events.len()));
        let best = drawn.max_by_key(|instant| instant - last_flush(&events[..*instant]));
        chosen.extend(best);
    }
    chosen.sort_unstable();
    chosen
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}
