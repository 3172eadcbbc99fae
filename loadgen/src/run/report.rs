//! From what was measured to the document.

use super::conduct::Conductor;
use super::measure::Measured;
use crate::args::Mode;
use crate::consume;
use crate::cpu;
use crate::latency::summary;
use crate::machine;
use crate::produce::outcome::Outcome;
use crate::result::{FORMAT, Generator, LoopKind, Process, RunResult, Second, Side, Target};
use crate::settings::{Load, Settings};

/// More late starts than this make a run void.
pub(crate) const LATE_SHARE_MAX: f64 = 0.01;
/// So do more failed requests.
const FAILED_SHARE_MAX: f64 = 0.01;

pub(crate) fn now() -> String {
    let now = chrono::DateTime::from_timestamp_millis(crate::clock::wall_ms());
    now.expect("a date of this age")
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

pub(crate) fn document(
    conductor: &Conductor<'_>,
    measured: &Measured,
    load: &Load,
    started: String,
) -> RunResult {
    let settings = conductor.settings;
    let intended = intended(load);
    let side = |outcome: &Outcome| produced(outcome, measured.seconds, intended);
    let produce = measured.produced.as_ref().map(side);
    let consume = consume_side(conductor, measured);
    let broker = broker(settings, measured, [&produce, &consume]);
    RunResult {
        format: FORMAT,
        label: settings.label.clone(),
        command: std::env::args().collect(),
        version: version(),
        started,
        options: settings.options.clone(),
        machine: machine::read(),
        target: Target {
            bootstrap: settings.bootstrap.clone(),
            cluster_id: conductor.cluster_id(),
            durability: settings.durability.clone(),
        },
        loop_kind: match load {
            Load::Closed { .. } => LoopKind::Closed,
            Load::Open { .. } | Load::Steps(_) => LoopKind::Open,
        },
        measured_seconds: measured.seconds,
        produce,
        consume,
        end_to_end: measured.end_to_end.as_ref().map(summary),
        connect: measured.stormed.as_ref().map(side),
        timeline: conductor.timeline(),
        steps: Vec::new(),
        generator: generator(measured),
        broker,
        verify: None,
        void: Vec::new(),
    }
}

fn consume_side(conductor: &Conductor<'_>, measured: &Measured) -> Option<Side> {
    // Beside a tail, what it costs to catch up is the question.
    let is_old = matches!(conductor.settings.mode, Mode::Consume | Mode::CatchUp);
    let outcome = match is_old {
        true => measured.caught_up.as_ref(),
        false => measured.consumed.as_ref(),
    }?;
    // The records of this run have a known size; of whatever else is there, the stored one is told.
    let pool = conductor.pool();
    let record_bytes = pool.payload_bytes_mean() / pool.records() as f64;
    Some(consumed(
        outcome,
        measured.seconds,
        (!is_old).then_some(record_bytes),
    ))
}

/// Cost of the process named by `--broker-pid`, per request and record of producers where there are any: what they
/// ask for is the work, and consumers only wait for it.
fn broker(settings: &Settings, measured: &Measured, sides: [&Option<Side>; 2]) -> Option<Process> {
    let pid = settings.broker_pid?;
    let cpu_seconds = measured.after.broker? - measured.before.broker?;
    let side = sides.into_iter().flatten().next();
    let (requests, records) = side.map_or((0, 0), |side| (side.requests, side.records));
    cpu::process(pid, cpu_seconds, requests, records)
}

fn generator(measured: &Measured) -> Generator {
    let cpu_seconds = measured.after.own - measured.before.own;
    let sent = measured.produced.as_ref().or(measured.stormed.as_ref());
    Generator {
        cpu_seconds,
        cores: cpu_seconds / measured.seconds,
        late_share: sent.map_or(0.0, Outcome::late_share),
        sink: None,
    }
}

pub(crate) fn version() -> String {
    let commit = option_env!("OTTLA_COMMIT").map(|commit| format!(" ({commit})"));
    format!(
        "{}{}",
        env!("CARGO_PKG_VERSION"),
        commit.unwrap_or_default()
    )
}

/// Why the figures must not be used.
pub(crate) fn void(document: &RunResult) -> Vec<String> {
    let mut reasons = Vec::new();
    let late = document.generator.late_share * 100.0;
    if late > LATE_SHARE_MAX * 100.0 {
        reasons.push(format!(
            "the generator was more than 1 ms late with {late:.2} % of all requests: \
             a busy machine, or too high a rate"
        ));
    }
    for side in [&document.produce, &document.connect].into_iter().flatten() {
        let failed: u64 = side.errors.values().sum();
        let share = failed as f64 / (failed + side.requests).max(1) as f64;
        if share > FAILED_SHARE_MAX {
            let percent = share * 100.0;
            reasons.push(format!("{percent:.1} % of all requests failed"));
        } else if side.requests == 0 {
            reasons.push("no request was answered in the measured time".into());
        }
    }
    reasons
}

/// Whether requests pile up: more than a twentieth of a second's worth beyond what the first half of the time had.
pub(crate) fn backlog_grows(seconds: &[Second], requests_per_second: f64) -> bool {
    let (first, second) = seconds.split_at(seconds.len() / 2);
    let most = |part: &[Second]| part.iter().map(|second| second.backlog).max().unwrap_or(0);
    let last = seconds.last().map_or(0, |second| second.backlog);
    let allowed = most(first) as f64 + (requests_per_second / 20.0).max(10.0);
    !second.is_empty() && last as f64 > allowed
}

fn intended(load: &Load) -> Option<f64> {
    match load {
        Load::Open { from, to } => Some((from + to) / 2.0),
        Load::Closed { .. } | Load::Steps(_) => None,
    }
}

fn produced(outcome: &Outcome, seconds: f64, intended: Option<f64>) -> Side {
    Side {
        requests: outcome.requests,
        records: outcome.records,
        payload_bytes: outcome.payload_bytes,
        requests_per_second: outcome.requests as f64 / seconds,
        records_per_second: outcome.records as f64 / seconds,
        megabytes_per_second: outcome.payload_bytes as f64 / seconds / 1e6,
        intended_records_per_second: intended,
        latency: summary(&outcome.latency),
        service_time: summary(&outcome.service),
        errors: outcome.errors.clone(),
        unanswered: outcome.unanswered,
    }
}

/// With `record_bytes`, payload is counted by it; else it is what is stored of the records.
fn consumed(outcome: &consume::outcome::Outcome, seconds: f64, record_bytes: Option<f64>) -> Side {
    let payload_bytes = match record_bytes {
        Some(bytes) => (outcome.records as f64 * bytes) as u64,
        None => outcome.stored_bytes,
    };
    let latency = summary(&outcome.latency);
    Side {
        requests: outcome.requests,
        records: outcome.records,
        payload_bytes,
        requests_per_second: outcome.requests as f64 / seconds,
        records_per_second: outcome.records as f64 / seconds,
        megabytes_per_second: payload_bytes as f64 / seconds / 1e6,
        intended_records_per_second: None,
        service_time: latency.clone(),
        latency,
        errors: outcome.errors.clone(),
        unanswered: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(backlog: u64) -> Second {
        Second {
            second: 0,
            records: 0,
            payload_bytes: 0,
            consumed_records: 0,
            backlog,
            errors: 0,
            p50: None,
            p99: None,
            max: None,
            histogram: None,
        }
    }

    #[test]
    fn a_backlog_grows_when_it_ends_beyond_its_first_half() {
        let grows = |backlogs: &[u64]| {
            let seconds: Vec<Second> = backlogs.iter().map(|&backlog| second(backlog)).collect();
            backlog_grows(&seconds, 1_000.0)
        };
        assert!(!grows(&[3, 9, 2, 40]) && !grows(&[500, 30, 400, 520]) && !grows(&[]));
        assert!(grows(&[10, 200, 400, 800]));
    }
}
