//! Real processes, ended without warning while they work: what was acknowledged is there, where it was acknowledged,
//! and nothing is there that nobody sent.

#[path = "../it/harness/mod.rs"]
mod harness;

mod history;
mod writer;

use harness::broker::Broker;
use harness::client::Connection;
use ottla::base::prng::Prng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use writer::Writer;

const CYCLES: usize = 30;
const CONNECTIONS: usize = 8;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "chaos";
/// Each life lasts up to this long after its first acknowledgements.
const LIFE_MS_MAX: u64 = 700;

/// `OTTLA_SEED` and `OTTLA_CYCLES` repeat or lengthen a run.
fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn kill_under_load_loses_and_reorders_nothing() {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number_from("OTTLA_SEED", time.expect("after 1970").as_secs());
    let cycles = number_from("OTTLA_CYCLES", CYCLES as u64);
    println!("OTTLA_SEED={seed} OTTLA_CYCLES={cycles}");
    let mut instants = Prng::new(seed);
    let mut broker = Broker::start("chaos_kill");
    Connection::open(&broker.address).create_topic(TOPIC, PARTITIONS, &[]);

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
    for _ in 0..cycles {
        wait_for_progress(&progress);
        // The instant is the point: it must fall anywhere in a commit cycle.
        thread::sleep(Duration::from_micros(instants.below(LIFE_MS_MAX * 1_000)));
        assert!(broker.alive(), "it ended by itself\n{}", broker.log());
        broker.kill();
        broker.restart();
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
    println!("{cycles} kills, {verdict}");
    assert!(verdict.is_clean(), "{verdict}");
    broker.stop();
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
