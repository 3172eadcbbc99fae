//! The campaign as tests. `OTTLA_CRASH_SEED=n` runs one seed, `OTTLA_CRASH_RUNS=n` another number of them.

use super::{Kind, Report, Target, Verdict, damage, lie, run};
use crate::sim::Lie;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Instant;

const RUNS: u64 = 80;
const CUTS_MIN: u64 = 1_600;
const DAMAGES: u64 = 200;
const LIES: u64 = 120;
/// Seeds that run twice.
const TWICE: u64 = 6;

#[test]
fn every_answered_batch_survives_every_crash_and_nothing_is_invented() {
    let seeds = match setting("OTTLA_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("OTTLA_CRASH_RUNS").unwrap_or(RUNS),
    };
    let began = Instant::now();
    let runs = seeds.end - seeds.start;
    let reports = on_all_cores(seeds, run_named);
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let cuts = sum(|report| report.disk.power_cuts + report.disk.kills);
    let mut total = reports[0];
    for report in &reports[1..] {
        total.coverage.add(&report.coverage);
        total.disk.add(&report.disk);
        total.journal.add(&report.journal);
    }
    println!(
        "{{\"bench\": \"crash\", \"runs\": {runs}, \"cuts\": {cuts}, \"seconds\": {}, {}, {}, {}}}",
        began.elapsed().as_secs(),
        total.coverage.json(),
        total.disk.json(),
        total.journal.json()
    );
    if runs == RUNS {
        assert!(cuts >= CUTS_MIN, "{cuts} cuts are too few");
    }
}

#[test]
fn one_seed_is_one_history() {
    for seed in 1000..1000 + TWICE {
        let (first, second) = (run_named(seed), run_named(seed));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.coverage, second.coverage, "seed {seed}");
    }
}

#[test]
fn damage_is_survived_refused_or_named_but_never_served() {
    let mut verdicts = BTreeMap::new();
    let seeds = match setting("OTTLA_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("OTTLA_CRASH_RUNS").map_or(DAMAGES, |runs| runs * 5),
    };
    for verdict in on_all_cores(seeds, damage_named) {
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    println!("{verdicts:?}");
}

#[test]
fn a_drive_that_lies_about_a_write_is_found_out_before_anything_wrong_is_served() {
    let mut verdicts = BTreeMap::new();
    let seeds = match setting("OTTLA_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("OTTLA_CRASH_RUNS").unwrap_or(LIES),
    };
    for verdict in on_all_cores(seeds, lie_named) {
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    println!("{verdicts:?}");
}

/// Runs each seed in one thread or another; what comes of it depends on the seed alone.
pub fn on_all_cores<T: Send>(seeds: Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let _end = NoMoreAtEnd(&next);
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return done;
            }
            done.push(run(seed));
        }
    };
    let cores = available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|thread| thread.join());
        done.flat_map(|done| done.expect("its seed is printed"))
            .collect()
    })
}

fn damage_named(seed: u64) -> (Target, Kind, Verdict) {
    let guard = NameOnPanic(seed, "damage_is");
    let verdict = damage(seed);
    std::mem::forget(guard);
    verdict
}

fn lie_named(seed: u64) -> (Lie, Verdict) {
    let guard = NameOnPanic(seed, "a_drive_that_lies");
    let verdict = lie(seed);
    std::mem::forget(guard);
    verdict
}

/// A panic inside says which seed it was.
fn run_named(seed: u64) -> Report {
    let guard = NameOnPanic(seed, "every_answered");
    let report = run(seed);
    std::mem::forget(guard);
    report
}

/// Whoever ends, at the last seed or at a failure, begins no other.
struct NoMoreAtEnd<'a>(&'a AtomicU64);

impl Drop for NoMoreAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(u64::MAX / 2, Ordering::Relaxed);
    }
}

struct NameOnPanic(u64, &'static str);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        let NameOnPanic(seed, story) = self;
        println!("seed {seed}; a run: OTTLA_CRASH_SEED={seed} cargo test --test crash {story}");
    }
}

pub fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}
