//! What is said of a run first, the same in every view.

use crate::result::{Latency, RunResult, Side, Verification};
use std::fmt;

/// The side whose rate and latency stand for the run: producers, else consumers, else connections.
pub(crate) fn side(run: &RunResult) -> Option<(&'static str, &Side)> {
    sides(run).next()
}

pub(crate) fn latency(run: &RunResult) -> Option<&Latency> {
    side(run).map(|(_, side)| &side.latency)
}

/// Every side that was measured, with its name.
pub(crate) fn sides(run: &RunResult) -> impl Iterator<Item = (&'static str, &Side)> {
    let sides = [
        ("produce", &run.produce),
        ("consume", &run.consume),
        ("connect", &run.connect),
    ];
    sides
        .into_iter()
        .filter_map(|(name, side)| Some((name, side.as_ref()?)))
}

/// None where it is the latency itself: a fetch is due when it is sent.
pub(crate) fn service_time(side: &Side) -> Option<&Latency> {
    let service_time = &side.service_time;
    (service_time.histogram != side.latency.histogram).then_some(service_time)
}

/// Of the sink, which saw the first side of the run.
pub(crate) fn sink_latency<'a>(run: &'a RunResult, side_name: &str) -> Option<&'a Latency> {
    let (first, _) = side(run)?;
    let sink = run.generator.sink.as_ref()?;
    (first == side_name).then_some(&sink.latency)
}

pub(crate) fn errors(run: &RunResult) -> u64 {
    sides(run).flat_map(|(_, side)| side.errors.values()).sum()
}

pub(crate) fn unanswered(run: &RunResult) -> u64 {
    sides(run).map(|(_, side)| side.unanswered).sum()
}

/// Of what the generator could have sent to a broker that answers at once.
pub(crate) fn share_of_ceiling(run: &RunResult) -> Option<f64> {
    let ceiling = run.generator.sink.as_ref()?.records_per_second;
    let (_, side) = side(run)?;
    (ceiling > 0.0).then(|| side.records_per_second / ceiling)
}

/// Near its own ceiling one measures the generator.
pub(crate) const SHARE_OF_CEILING_MAX: f64 = 0.8;

/// Label and durability, in the order of their first runs.
pub(crate) fn kinds(runs: &[RunResult]) -> Vec<(&str, &str)> {
    let mut kinds = Vec::new();
    for run in runs {
        if !kinds.contains(&kind(run)) {
            kinds.push(kind(run));
        }
    }
    kinds
}

pub(crate) fn kind(run: &RunResult) -> (&str, &str) {
    (&run.label, durability(run))
}

pub(crate) fn durability(run: &RunResult) -> &str {
    run.target.durability.as_deref().unwrap_or("not stated")
}

/// What verification found, in a few words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    NotVerified,
    Right,
    Wrong,
}

pub(crate) fn verdict(verify: Option<&Verification>) -> Verdict {
    match verify {
        None => Verdict::NotVerified,
        Some(verify)
            if verify.lost + verify.duplicated + verify.reordered + verify.corrupted > 0 =>
        {
            Verdict::Wrong
        }
        Some(_) => Verdict::Right,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Verdict::NotVerified => "not verified",
            Verdict::Right => "verified",
            Verdict::Wrong => "WRONG",
        })
    }
}

/// Of the rounds of one kind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// None when a round lacks the figure.
pub(crate) fn spread(
    runs: &[&RunResult],
    figure: impl Fn(&RunResult) -> Option<f64>,
) -> Option<Spread> {
    let mut values: Vec<f64> = runs.iter().map(|run| figure(run)).collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    Some(Spread {
        median: match values.len() % 2 {
            _ if values.is_empty() => return None,
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        },
        min: values[0],
        max: *values.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::samples;

    #[test]
    fn the_median_of_rounds_stands_between_their_extremes() {
        let run = samples().remove(0).1;
        let rounds = [5.0, 1.0, 9.0, 3.0];
        let runs: Vec<RunResult> = rounds
            .iter()
            .map(|&seconds| RunResult {
                measured_seconds: seconds,
                ..run.clone()
            })
            .collect();
        let seconds = |run: &RunResult| Some(run.measured_seconds);
        let all: Vec<&RunResult> = runs.iter().collect();
        let expected = |median, min, max| Some(Spread { median, min, max });
        assert_eq!(spread(&all, seconds), expected(4.0, 1.0, 9.0));
        assert_eq!(spread(&all[..3], seconds), expected(5.0, 1.0, 9.0));
        assert_eq!(spread(&[], seconds), None);
        assert_eq!(spread(&all, |_| None), None);
    }
}
