//! From what was measured to the document.

use super::conduct::Conductor;
use super::measure::Measured;
use crate::args::Mode;
use crate::consume;
use crate::cpu;
use crate::latency::summary;
use crate::machine;
use crate::produce::outcome::Outcome;
use crate::result::{FORMAT, Generator, LoopKind, RunResult, Second, Side, Target};
use crate::settings::{Load, Settings};

/// More late starts than this make a run void.
pub(crate) const LATE_SHARE_MAX: f64 = 0.01;

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
    let produce = measured
        .produced
        .as_ref()
        .map(|outcome| produced(outcome, measured.seconds, intended));
    let record_bytes = conductor.pool().payload_bytes_mean() / conductor.pool().records() as f64;
    let read = match settings.mode {
        // Beside a tail, what it costs to catch up is the question.
        Mode::Consume | Mode::CatchUp => measured.caught_up.as_ref(),
        _ => measured.consumed.as_ref(),
    };
    // Whose records are read: those of this run, or whatever is there.
    let known = (!matches!(settings.mode, Mode::Consume | Mode::CatchUp)).then_some(record_bytes);
    let consume = read.map(|outcome| consumed(outcome, measured.seconds, known));
    let all = [&produce, &consume];
    let sum = |count: fn(&Side) -> u64| {
        all.iter()
            .filter_map(|side| side.as_ref())
            .map(count)
            .sum::<u64>()
    };
    let cost = measured.after.broker.zip(measured.before.broker);
    let broker = settings
        .broker_pid
        .zip(cost)
        .and_then(|(pid, (after, before))| {
            cpu::process(
                pid,
                after - before,
                sum(|side| side.requests),
                sum(|side| side.records),
            )
        });
    let sent = measured.produced.as_ref().or(measured.stormed.as_ref());
    let cpu_seconds = measured.after.own - measured.before.own;
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
            _ => LoopKind::Open,
        },
        measured_seconds: measured.seconds,
        produce,
        consume,
        end_to_end: measured.end_to_end.as_ref().map(summary),
        connect: measured
            .stormed
            .as_ref()
            .map(|outcome| produced(outcome, measured.seconds, intended)),
        timeline: conductor.timeline(),
        steps: Vec::new(),
        generator: Generator {
            cpu_seconds,
            cores: cpu_seconds / measured.seconds,
            late_share: measured
                .produced
                .as_ref()
                .or(measured.stormed.as_ref())
                .map_or(0.0, Outcome::late_share),
            sink: None,
        },
        broker,
        verify: None,
        void: Vec::new(),
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
    let late = document.generator.late_share;
    if late > LATE_SHARE_MAX {
        reasons.push(format!(
            "the generator was more than 1 ms late with {:.2} % of all requests: a busy machine, or too high a rate",
            late * 100.0
        ));
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
