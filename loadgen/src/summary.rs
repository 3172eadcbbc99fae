//! What a run found, as text: one run in full at its end, several as a table.

use crate::headline::{self, SHARE_OF_CEILING_MAX, Verdict, durability, sides};
use crate::numbers::{bytes, count, milliseconds, percent, printable, rate};
use crate::result::{Latency, LoopKind, RunResult, Step};
use crate::text_table::TextTable;
use std::fmt::Write as _;

const PERCENTILES: [&str; 6] = ["p50", "p90", "p95", "p99", "p99.9", "p99.99"];

/// Everything about one run.
pub(crate) fn summary(run: &RunResult) -> String {
    let mut text = format!("{}\n\n{}", first_line(run), throughput(run));
    let latencies = latencies(run);
    if !latencies.is_empty() {
        let _ = write!(text, "\n{}", latencies.text());
    }
    let steps = steps(run);
    if !steps.is_empty() {
        let _ = write!(text, "\n{}", steps.text());
    }
    let _ = write!(text, "\n{}", facts(run));
    text.push_str(&void(run));
    text
}

fn first_line(run: &RunResult) -> String {
    let kind = match run.loop_kind {
        LoopKind::Open => "open loop",
        LoopKind::Closed => "closed loop",
    };
    let asked = headline::side(run).and_then(|(_, side)| side.intended_records_per_second);
    let asked = asked.map(|asked| format!(", {} records/s asked for", rate(asked)));
    format!(
        "{}: {kind}, {:.1} s measured{}; durability: {}",
        printable(&run.label),
        run.measured_seconds,
        asked.unwrap_or_default(),
        printable(durability(run))
    )
}

fn throughput(run: &RunResult) -> String {
    let headings = [
        "",
        "records/s",
        "requests/s",
        "MB/s",
        "errors",
        "unanswered",
    ];
    let mut table = TextTable::new(1, headings);
    for (name, side) in sides(run) {
        table.row([
            name.into(),
            rate(side.records_per_second),
            rate(side.requests_per_second),
            rate(side.megabytes_per_second),
            count(side.errors.values().sum()),
            count(side.unanswered),
        ]);
    }
    table.text()
}

fn latencies(run: &RunResult) -> TextTable {
    let headings = ["latency, ms", "samples", "mean"];
    let headings = headings.into_iter().chain(PERCENTILES).chain(["max"]);
    let mut table = TextTable::new(1, headings);
    for (name, side) in sides(run) {
        table.row(latency_row(name, &side.latency));
        if let Some(service_time) = headline::service_time(side) {
            table.row(latency_row(&format!("{name}, service time"), service_time));
        }
    }
    let others = [
        ("end to end", run.end_to_end.as_ref()),
        (
            "sink (the floor)",
            run.generator.sink.as_ref().map(|sink| &sink.latency),
        ),
    ];
    for (name, latency) in others {
        if let Some(latency) = latency {
            table.row(latency_row(name, latency));
        }
    }
    table
}

fn latency_row(name: &str, latency: &Latency) -> Vec<String> {
    let mut row = vec![
        name.into(),
        count(latency.count),
        milliseconds(latency.mean),
    ];
    row.extend(PERCENTILES.map(|name| percentile(latency, name)));
    row.push(milliseconds(latency.max));
    row
}

/// A dash for one that the samples cannot carry.
fn percentile(latency: &Latency, name: &str) -> String {
    let value = latency.percentiles.get(name);
    value.map_or("-".into(), |value| milliseconds(*value))
}

fn steps(run: &RunResult) -> TextTable {
    let headings = [
        "rate asked, records/s",
        "achieved",
        "p50, ms",
        "p99, ms",
        "backlog",
        "objective",
    ];
    let mut table = TextTable::new(0, headings);
    for step in &run.steps {
        table.row([
            rate(step.rate),
            rate(step.records_per_second),
            percentile(&step.latency, "p50"),
            percentile(&step.latency, "p99"),
            if step.backlog_grows {
                "grows"
            } else {
                "steady"
            }
            .into(),
            match step.held {
                None => "-",
                Some(true) => "held",
                Some(false) => "missed",
            }
            .into(),
        ]);
    }
    table
}

/// One rate of a search, as it ends.
pub(crate) fn step(step: &Step) -> String {
    let told = match step.latency.percentiles.get("p99") {
        Some(p99) => format!("p99 {} ms", milliseconds(*p99)),
        None => format!("max {} ms", milliseconds(step.latency.max)),
    };
    let backlog = if step.backlog_grows {
        ", backlog grows"
    } else {
        ""
    };
    let held = match step.held {
        None => "",
        Some(true) => ": held",
        Some(false) => ": missed",
    };
    let (asked, achieved) = (rate(step.rate), rate(step.records_per_second));
    format!("{asked} records/s asked for, {achieved} achieved, {told}{backlog}{held}")
}

fn facts(run: &RunResult) -> String {
    let mut lines = vec![("generator", generator(run))];
    if let Some(broker) = &run.broker {
        let text = format!(
            "{} ({}): {} CPU-s, {} µs a request, {} µs a record; resident {}, at most {}",
            printable(&broker.name),
            broker.pid,
            rate(broker.cpu_seconds),
            rate(broker.cpu_microseconds_per_request),
            rate(broker.cpu_microseconds_per_record),
            bytes(broker.resident_bytes),
            bytes(broker.resident_bytes_max),
        );
        lines.push(("broker", text));
    }
    for (name, side) in sides(run) {
        for (error, times) in &side.errors {
            lines.push((
                "error",
                format!("{name}: {} {} times", printable(error), count(*times)),
            ));
        }
    }
    verification(run, &mut lines);
    lines
        .iter()
        .map(|(name, text)| format!("{name:<13}{text}\n"))
        .collect()
}

fn generator(run: &RunResult) -> String {
    let generator = &run.generator;
    let late = percent(generator.late_share);
    let mut text = format!("{:.2} cores, {late} of the requests late", generator.cores);
    match &generator.sink {
        None => text.push_str("; not compared with the sink"),
        Some(sink) => {
            let share = headline::share_of_ceiling(run).unwrap_or(0.0);
            let ceiling = rate(sink.records_per_second);
            let _ = write!(
                text,
                "; {} of its ceiling of {ceiling} records/s",
                percent(share)
            );
            if share > SHARE_OF_CEILING_MAX {
                text.push_str(": this measures the generator");
            }
        }
    }
    text
}

fn verification(run: &RunResult, lines: &mut Vec<(&str, String)>) {
    let Some(verify) = &run.verify else {
        lines.push((
            "verification",
            "none; --verify reads back what was acknowledged".into(),
        ));
        return;
    };
    let (acknowledged, read) = (count(verify.acknowledged), count(verify.read_back));
    let text = match headline::verdict(run.verify.as_ref()) {
        Verdict::Wrong => format!(
            "FAILED: {} lost, {} duplicated, {} reordered, {} corrupted of {acknowledged} acknowledged",
            count(verify.lost),
            count(verify.duplicated),
            count(verify.reordered),
            count(verify.corrupted)
        ),
        _ => format!("{acknowledged} acknowledged, {read} read back: each once, in order, intact"),
    };
    lines.push(("verification", text));
    lines.extend(
        verify
            .findings
            .iter()
            .map(|finding| ("", printable(finding))),
    );
}

fn void(run: &RunResult) -> String {
    if run.void.is_empty() {
        return String::new();
    }
    let reasons: String = run
        .void
        .iter()
        .map(|reason| format!("  {}\n", printable(reason)))
        .collect();
    format!("\nVOID: do not use these figures\n{reasons}")
}

/// A row for each of several runs.
pub(crate) fn comparison(runs: &[RunResult]) -> String {
    let headings = [
        "run",
        "durability",
        "loop",
        "records/s",
        "MB/s",
        "p50, ms",
        "p99, ms",
        "p99.9, ms",
        "max, ms",
        "errors",
        "generator",
        "ceiling",
        "verified",
    ];
    let mut table = TextTable::new(3, headings);
    for run in runs {
        let side = headline::side(run).map(|(_, side)| side);
        let figure = |value: Option<String>| value.unwrap_or("-".into());
        let quoted = |name| figure(side.map(|side| percentile(&side.latency, name)));
        let void = if run.void.is_empty() { "" } else { " (VOID)" };
        table.row([
            printable(&run.label) + void,
            printable(durability(run)),
            match run.loop_kind {
                LoopKind::Open => "open".into(),
                LoopKind::Closed => "closed".into(),
            },
            figure(side.map(|side| rate(side.records_per_second))),
            figure(side.map(|side| rate(side.megabytes_per_second))),
            quoted("p50"),
            quoted("p99"),
            quoted("p99.9"),
            figure(side.map(|side| milliseconds(side.latency.max))),
            count(headline::errors(run) + headline::unanswered(run)),
            format!("{:.2} cores", run.generator.cores),
            figure(headline::share_of_ceiling(run).map(percent)),
            match headline::verdict(run.verify.as_ref()) {
                Verdict::NotVerified => "-".into(),
                Verdict::Right => "yes".into(),
                Verdict::Wrong => "FAILED".into(),
            },
        ]);
    }
    let reasons = runs
        .iter()
        .flat_map(|run| run.void.iter().map(move |reason| (run, reason)));
    let reasons: String = reasons
        .map(|(run, reason)| format!("VOID {}: {}\n", printable(&run.label), printable(reason)))
        .collect();
    let gap = if reasons.is_empty() { "" } else { "\n" };
    format!("{}{gap}{reasons}", table.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{samples, void as void_sample};

    #[test]
    fn a_summary_tells_both_latencies_cost_and_verdict() {
        let text = summary(&samples().remove(0).1);
        for expected in [
            "ottla: open loop, 60.0 s measured, 10,000 records/s asked for; durability: flushed",
            "produce, service time",
            "end to end",
            "sink (the floor)",
            "generator    0.11 cores, < 0.01 % of the requests late; 0.84 % of its ceiling of 1,184,000",
            "600,000 acknowledged, 600,000 read back: each once, in order, intact",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("VOID"));
        // 60,000 samples cannot carry p99.99.
        let row = text
            .lines()
            .find(|line| line.starts_with("produce  "))
            .expect("a row");
        assert!(!row.is_empty());
        let row = text
            .lines()
            .find(|line| line.starts_with("produce, service"))
            .expect("a row");
        assert_eq!(row.split_whitespace().rev().nth(1), Some("-"), "{row}");
    }

    #[test]
    fn a_void_run_says_so_and_moves_no_cursor() {
        let run = void_sample();
        for text in [summary(&run), comparison(&[run.clone(), run.clone()])] {
            assert!(text.contains("VOID"), "{text}");
            assert!(text.contains("busy machine"), "{text}");
            assert!(!text.contains('\u{1b}'));
        }
        let text = summary(&run);
        assert!(text.contains("FAILED: 3 lost, 1 duplicated"), "{text}");
        assert!(
            text.contains("error        produce: NOT_ENOUGH_REPLICAS 1,204 times"),
            "{text}"
        );
    }

    #[test]
    fn a_comparison_has_a_row_for_each_run_with_its_durability() {
        let runs: Vec<RunResult> = samples().into_iter().map(|(_, run)| run).take(3).collect();
        let text = comparison(&runs);
        let durabilities: Vec<bool> = text
            .lines()
            .skip(1)
            .zip(&runs)
            .map(|(line, run)| line.contains(durability(run)))
            .collect();
        assert_eq!(durabilities, [true; 3], "{text}");
    }
}
