//! The highest rate that holds an objective: doubled until it does not, then halved in between.

use super::conduct::{Conductor, Done, finish, step};
use super::measure::Measured;
use super::report;
use crate::args::SloArgs;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::result::Step;
use crate::settings::{Load, Settings};
use std::sync::Arc;
use std::time::Duration;

const RATE_FIRST: f64 = 1_000.0;
/// Rates tried at most; doubling from 1 record a second to 10^9 takes thirty.
const STEPS_MAX: usize = 60;
/// Of one rate, when the generator was late.
const ATTEMPTS_MAX: usize = 3;

/// What a rate must hold.
#[derive(Clone, Copy, Debug)]
struct Objective {
    p99: Duration,
    p999: Option<Duration>,
}

/// Where the highest good rate lies.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Search {
    held: Option<f64>,
    broken: Option<f64>,
    /// `broken / held` at which it ends.
    precision: f64,
}

impl Search {
    /// None when the answer is known well enough.
    fn next(&self, first: f64) -> Option<f64> {
        match (self.held, self.broken) {
            (None, None) => Some(first),
            (Some(held), None) => Some(held * 2.0),
            (None, Some(broken)) => Some(broken / 2.0).filter(|rate| *rate >= 1.0),
            (Some(held), Some(broken)) => {
                (broken / held > self.precision).then(|| (held + broken) / 2.0)
            }
        }
    }

    fn tried(&mut self, rate: f64, holds: bool) {
        match holds {
            true => self.held = Some(rate),
            false => self.broken = Some(rate),
        }
    }
}

pub(crate) fn run(
    args: &SloArgs,
    settings: &Settings,
    progress: &Arc<Progress>,
) -> Result<Done, Failure> {
    let first = match settings.load {
        Load::Open { from, .. } => from,
        Load::Closed { .. } | Load::Steps(_) => RATE_FIRST,
    };
    if !settings.has_producers() {
        return Err(
            Failure::usage("an objective is for records that are produced").fix("--mode produce"),
        );
    }
    let objective = Objective {
        p99: args.p99,
        p999: args.p999,
    };
    let started = report::now();
    let mut conductor = Conductor::new(settings, progress)?;
    let mut search = Search {
        held: None,
        broken: None,
        precision: 1.0 + args.precision / 100.0,
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut best: Option<(f64, Measured)> = None;
    let mut void = Vec::new();
    while let Some(rate) = search.next(first).filter(|_| steps.len() < STEPS_MAX) {
        let measured = in_time(&mut conductor, rate)?;
        let mut step = step(rate, &measured, &conductor.timeline(), settings);
        let late = measured
            .produced
            .as_ref()
            .map_or(0.0, |outcome| outcome.late_share());
        let holds = holds(&step, objective) && late <= report::LATE_SHARE_MAX;
        if late > report::LATE_SHARE_MAX {
            void.push(format!(
                "at {rate:.0} records/s the generator itself was late: that step says nothing"
            ));
        }
        step.held = Some(holds);
        search.tried(rate, holds);
        if !args.run.quiet {
            progress.note(crate::summary::step(&step));
        }
        steps.push(step);
        if holds || best.is_none() {
            best = Some((rate, measured));
        }
    }
    let (rate, measured) = best.expect("at least one rate was tried");
    let load = Load::Open {
        from: rate,
        to: rate,
    };
    let mut done = finish(conductor, measured, &load, started)?;
    done.result.steps = steps;
    done.result.void.extend(void);
    Ok(done)
}

/// A measurement whose generator was late says nothing about the broker: it is made again, a few times.
fn in_time(conductor: &mut Conductor<'_>, rate: f64) -> Result<Measured, Failure> {
    let load = Load::Open {
        from: rate,
        to: rate,
    };
    let mut measured = conductor.measure(&load)?;
    for _ in 1..ATTEMPTS_MAX {
        let produced = measured.produced.as_ref();
        if produced.is_some_and(|outcome| outcome.late_share() <= report::LATE_SHARE_MAX) {
            break;
        }
        measured = conductor.measure(&load)?;
    }
    Ok(measured)
}

/// With too few samples for a percentile, the maximum stands in for it.
fn holds(step: &Step, objective: Objective) -> bool {
    let below = |name: &str, bound: Duration| {
        let told = step.latency.percentiles.get(name).copied();
        told.unwrap_or(step.latency.max) < bound.as_secs_f64() * 1e6
    };
    let p999 = objective.p999.is_none_or(|bound| below("p99.9", bound));
    below("p99", objective.p99) && p999 && !step.backlog_grows && step.latency.count > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_closes_in_on_the_highest_good_rate() {
        for (limit, first) in [(37_000.0, 1_000.0), (37.0, 1_000.0), (1_000.0, 1_000.0)] {
            let mut search = Search {
                held: None,
                broken: None,
                precision: 1.05,
            };
            let mut tries = 0;
            while let Some(rate) = search.next(first) {
                tries += 1;
                search.tried(rate, rate <= limit);
            }
            let held = search.held.expect("some rate holds");
            assert!(
                held <= limit && held >= limit / 1.06 && tries < 20,
                "{limit}: {held} in {tries}"
            );
        }
    }

    #[test]
    fn a_search_without_an_answer_ends() {
        let mut search = Search {
            held: None,
            broken: None,
            precision: 1.05,
        };
        let mut tries = 0;
        while let Some(rate) = search.next(1_000.0) {
            search.tried(rate, false);
            tries += 1;
        }
        assert!(tries <= 11 && search.held.is_none());
    }
}
