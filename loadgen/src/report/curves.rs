//! Percentile curves for the script: histograms are decoded here, once, and thinned to what a plot can show.

use super::shown::Shown;
use crate::headline;
use crate::latency::{Values, decoded};
use crate::result::{Latency, RunResult, Side};
use serde::Serialize;

/// Points for each halving of the distance to 100 %.
const TICKS_PER_HALF: u32 = 8;

/// One plot: the same latency of all runs that measured it.
#[derive(Serialize)]
pub(super) struct Distribution {
    pub(super) key: &'static str,
    #[serde(skip)]
    pub(super) title: &'static str,
    #[serde(skip)]
    pub(super) meaning: &'static str,
    pub(super) curves: Vec<Curve>,
}

#[derive(Serialize)]
pub(super) struct Curve {
    run: usize,
    kind: Kind,
    /// Beyond `1 / (1 - p)` of a tenth of it there are fewer than ten samples.
    count: u64,
    /// `1 / (1 - p)` and microseconds.
    points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Latency,
    ServiceTime,
    Sink,
}

/// In the order of the page; without those nobody measured.
pub(super) fn distributions(shown: &[Shown]) -> Vec<Distribution> {
    let side = |key, title, meaning, of: fn(&RunResult) -> Option<&Side>| Distribution {
        key,
        title,
        meaning,
        curves: by_run(shown, |run| {
            let side = of(run)?;
            Some((&side.latency, headline::service_time(side)))
        }),
    };
    let mut all = vec![
        side(
            "produce",
            "Produce latency",
            "From the time a request was due to its acknowledgement; service time counts from the write into the socket.",
            |run| run.produce.as_ref(),
        ),
        Distribution {
            key: "end_to_end",
            title: "End-to-end latency",
            meaning: "From the time a record was due to its arrival in a consumer.",
            curves: by_run(shown, |run| Some((run.end_to_end.as_ref()?, None))),
        },
        side(
            "consume",
            "Fetch latency",
            "From the time a fetch was due to its answer; a fetch may wait for records.",
            |run| run.consume.as_ref(),
        ),
        side(
            "connect",
            "Connection latency",
            "From the dial to the first answer.",
            |run| run.connect.as_ref(),
        ),
    ];
    for distribution in &mut all {
        distribution.curves.extend(sinks(shown, distribution.key));
    }
    all.retain(|distribution| {
        distribution
            .curves
            .iter()
            .any(|curve| curve.kind == Kind::Latency)
    });
    all
}

fn by_run<'a>(
    shown: &[Shown<'a>],
    of: impl Fn(&'a RunResult) -> Option<(&'a Latency, Option<&'a Latency>)>,
) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (index, shown) in shown.iter().enumerate() {
        let Some((latency, service_time)) = of(shown.run) else {
            continue;
        };
        curves.extend(curve(index, Kind::Latency, latency));
        curves.extend(service_time.and_then(|latency| curve(index, Kind::ServiceTime, latency)));
    }
    curves
}

fn sinks(shown: &[Shown], key: &str) -> Vec<Curve> {
    let sinks = shown.iter().enumerate().filter_map(|(index, shown)| {
        curve(index, Kind::Sink, headline::sink_latency(shown.run, key)?)
    });
    sinks.collect()
}

/// None without samples.
fn curve(run: usize, kind: Kind, latency: &Latency) -> Option<Curve> {
    let values = decoded(&latency.histogram).expect("checked when it was read");
    (!values.is_empty()).then(|| Curve {
        run,
        kind,
        count: values.len(),
        points: points(&values),
    })
}

fn points(values: &Values) -> Vec<(f64, f64)> {
    let count = values.len() as f64;
    let mut points: Vec<(f64, f64)> = Vec::new();
    for step in values.iter_quantiles(TICKS_PER_HALF) {
        // The last sample stands at its share: 100 % is nowhere on this axis.
        let x = (1.0 / (1.0 - step.quantile_iterated_to())).min(count.max(1.0));
        let micros = step.value_iterated_to() as f64 / 1_000.0;
        points.push(((x * 1e3).round() / 1e3, micros));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::shown::shown;
    use crate::samples::samples;

    #[test]
    fn curves_rise_and_end_at_the_largest_sample() {
        let runs: Vec<RunResult> = samples().into_iter().map(|(_, run)| run).collect();
        let distributions = distributions(&shown(&runs));
        let keys: Vec<_> = distributions
            .iter()
            .map(|distribution| distribution.key)
            .collect();
        assert_eq!(keys, ["produce", "end_to_end", "consume"]);
        for curve in distributions
            .iter()
            .flat_map(|distribution| &distribution.curves)
        {
            let rises = |pair: &[(f64, f64)]| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1;
            assert!(curve.points.windows(2).all(rises));
            let last = curve.points.last().expect("a last point");
            assert_eq!(last.0, curve.count as f64);
        }
        let first = &distributions[0].curves[0];
        let max = runs[0].produce.as_ref().expect("it produced").latency.max;
        let last = first.points.last().expect("a last point").1;
        assert!((last - max).abs() <= max / 1_000.0, "{last} {max}");
    }
}
