//! Real processes, ended or stopped without warning while they work, and started with another number of shards: what was acknowledged is there, where it was acknowledged,
//! and nothing is there that nobody sent.

#[path = "../it/harness/mod.rs"]
mod harness;

mod history;
#[allow(dead_code, reason = "shared with tests/power, which uses all of it")]
mod writer;

use harness::broker::{Broker, Start};
use harness::client::Connection;
use ottla::base::prng::Prng;
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use writer::Writer;

const CYCLES: usize = 30;
const CONNECTIONS: usize = 8;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "chaos";
/// Each life lasts up to this long after its first acknowledgements, and as long a pause.
const LIFE_MS_MAX: u64 = 700;
const SHARDS_MAX: u64 = 3;

/// `OTTLA_SEED` and `OTTLA_CYCLES` repeat or lengthen a run.
fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn kills_and_pauses_under_load_lose_and_reorder_nothing() {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number_from("OTTLA_SEED", time.expect("after 1970").as_secs());
    let cycles = number_from("OTTLA_CYCLES", CYCLES as u64);
    println!("OTTLA_SEED={seed} OTTLA_CYCLES={cycles}");
    let mut instants = Prng::new(seed);
    let mut broker = Broker::start("chaos_kill");
    // These records are of 1970.
    let forever = [("retention.ms", "-1")];
    Connection::open(&broker.address).create_topic(TOPIC, PARTITIONS, &forever);

    let stopping = Arc::new(AtomicBool::new(false));
    let progress: Vec<Arc<AtomicUsize>> = (0..CONNECTIONS).map(|_| Arc::default()).collect();
    let writers: Vec<_> = progress
        .iter()
        .enumerate()
        .map(|(name, progress)| {
            let writer = Writer::new(name, &broker.address, stopping.clone(), progress.clone());
            thread::spawn(move || writer.run())
        })
        .collect();
    let mut pauses = 0;
    for _ in 0..cycles {
        wait_for_progress(&progress);
        pass(&mut instants);
        assert!(broker.alive(), "it ended by itself\n{}", broker.log());
        if instants.chance(25) {
            pauses += 1;
            broker.signal(Signal::STOP);
            pass(&mut instants);
            broker.signal(Signal::CONT);
            wait_for_progress(&progress);
        }
        broker.kill();
        let shards = 1 + instants.below(SHARDS_MAX) as u16;
        broker.restart_with(|start| Start { shards, ..start });
    }
    wait_for_progress(&progress);
    stopping.store(true, Ordering::Relaxed);
    let histories: Vec<_> = writers
        .into_iter()
        .map(|writer| writer.join().expect("a writer"))
        .collect();

    let mut client = Connection::open(&broker.address);
    let logs: Vec<Vec<String>> = (0..PARTITIONS)
        .map(|partition| client.values(TOPIC, partition))
        .collect();
    let verdict = history::check(&histories, &logs);
    println!("ledger: {cycles} kills and {pauses} pauses, seed {seed}: {verdict}");
    assert!(verdict.is_clean(), "{verdict}");
    broker.stop();
}

/// The instant is the point: it must fall anywhere in a commit cycle.
fn pass(instants: &mut Prng) {
    thread::sleep(Duration::from_micros(instants.below(LIFE_MS_MAX * 1_000)));
}

/// A life in which somebody got no answer would prove nothing.
fn wait_for_progress(progress: &[Arc<AtomicUsize>]) {
    let now = |counts: &[Arc<AtomicUsize>]| -> Vec<usize> {
        counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    };
    let before = now(progress);
    harness::wait::wait_until("an acknowledgement for every writer", || {
        now(progress)
            .iter()
            .zip(&before)
            .all(|(now, before)| now > before)
    });
}
