//! The campaign of power cuts as tests, and its line of the ledger.
//!
//! `OTTLA_CRASH_SEED` the first seed, `OTTLA_CRASH_RUNS` how many, `OTTLA_CRASH_CUTS` no new seed after so many cuts,
//! `OTTLA_CRASH_SECONDS` no new seed after so long, `OTTLA_CRASH_ONE_IN` one boundary of so many instead of each,
//! `OTTLA_CRASH_CUT` only the cut of this number.

use super::{Density, Report, run};
use crate::campaign::{on_all_cores, setting};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What `cargo test` runs: a few boundaries of one history.
const SMALL: Density = Density {
    one_in: 60,
    seeks_rare: false,
    only: None,
};

#[test]
fn a_power_cut_anywhere_loses_nothing_answered() {
    let report = named(1, SMALL);
    let without = named(1, Density::NONE);
    assert_eq!(report.trace, without.trace, "who looks on changes nothing");
    assert!(report.ring_laps >= 3, "{report:?}");
    assert!(report.tally.in_recovery > 0, "{report:?}");
    assert_eq!(without.tally.cuts, 0);
}

#[test]
fn one_seed_is_one_history_of_cuts() {
    let sparse = Density {
        one_in: 500,
        ..SMALL
    };
    let (first, second) = (named(2, sparse), named(2, sparse));
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.tally, second.tally);
}

/// One of many seeds.
enum Ran {
    Whole(Box<Report>),
    Failed(u64),
    /// Nobody asked for more.
    Spared,
}

/// The whole campaign: every boundary of every run. `tests/crash/power_cuts` sets what it needs; otherwise nothing runs.
#[test]
fn campaign_of_power_cuts() {
    let Some(first) = setting("OTTLA_CRASH_SEED") else {
        return;
    };
    let seeds = first..first + setting("OTTLA_CRASH_RUNS").unwrap_or(1);
    let cuts_wanted = setting("OTTLA_CRASH_CUTS").unwrap_or(u64::MAX);
    let seconds = setting("OTTLA_CRASH_SECONDS").unwrap_or(u64::MAX / 2);
    let density = Density {
        one_in: setting("OTTLA_CRASH_ONE_IN").unwrap_or(1),
        seeks_rare: true,
        only: setting("OTTLA_CRASH_CUT"),
    };
    let began = Instant::now();
    let cuts = AtomicU64::new(0);
    let ran = on_all_cores(seeds.clone(), |seed| {
        let is_late = began.elapsed() > Duration::from_secs(seconds);
        if is_late || cuts.load(Ordering::Relaxed) >= cuts_wanted {
            return Ran::Spared;
        }
        match catch_unwind(AssertUnwindSafe(|| named(seed, density))) {
            Ok(report) => {
                cuts.fetch_add(report.tally.cuts, Ordering::Relaxed);
                Ran::Whole(Box::new(report))
            }
            // What went wrong was printed where it did.
            Err(_) => Ran::Failed(seed),
        }
    });
    let failed = tell(first, density.one_in, &ran, began.elapsed());
    assert!(failed.is_empty(), "failing seeds: {failed:?}");
}

/// Prints the line of the ledger. Answers with the seeds that failed.
fn tell(first: u64, one_in: u64, ran: &[Ran], took: Duration) -> Vec<u64> {
    let mut total = super::tally::Tally::default();
    let (mut runs, mut boundaries, mut lives) = (0, 0, 0);
    let (mut failed, mut ring_laps) = (Vec::new(), u64::MAX);
    for ran in ran {
        match ran {
            Ran::Spared => {}
            Ran::Whole(report) => {
                runs += 1;
                boundaries += report.boundaries;
                lives += report.lives;
                ring_laps = ring_laps.min(report.ring_laps);
                total.add(&report.tally);
            }
            Ran::Failed(seed) => failed.push(*seed),
        }
    }
    let seconds = took.as_secs_f64();
    let (fewest, label) = total.fewest();
    let rate = total.cuts as f64 / seconds;
    println!(
        "ledger {{\"seeds\": [{first}, {}], \"one_boundary_in\": {one_in}, \"runs\": {runs}, \"seconds\": {seconds:.0}, \"cuts_per_second\": {rate:.0}, \
         \"boundaries\": {boundaries}, \"lives\": {lives}, \"ring_laps_least\": {ring_laps}, \
         \"failures\": {}, \"failed_seeds\": {failed:?}, \"fewest\": [{fewest}, \"{label}\"], {}}}",
        first + runs + failed.len() as u64,
        failed.len(),
        total.json()
    );
    failed
}

/// A panic inside says which seed it was.
fn named(seed: u64, density: Density) -> Report {
    struct NameOnPanic(u64);
    impl Drop for NameOnPanic {
        fn drop(&mut self) {
            let NameOnPanic(seed) = self;
            println!(
                "seed {seed}: OTTLA_CRASH_SEED={seed} cargo test --test crash campaign_of_power_cuts"
            );
        }
    }
    let guard = NameOnPanic(seed);
    let report = run(seed, density);
    std::mem::forget(guard);
    report
}
