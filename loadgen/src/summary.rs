//! The result as a few lines of text.

use crate::result::{Latency, RunResult, Side, Step};
use std::fmt::Write as _;

pub(crate) fn text(result: &RunResult) -> String {
    let mut text = String::new();
    let seconds = result.measured_seconds;
    let _ = writeln!(
        text,
        "{}: {:.1} s against {}",
        result.label, seconds, result.target.bootstrap
    );
    if let Some(side) = &result.produce {
        write_side(&mut text, "produce", side);
        write_latency(&mut text, "latency, from the intended send", &side.latency);
        write_latency(
            &mut text,
            "service time, from the socket",
            &side.service_time,
        );
    }
    if let Some(side) = &result.consume {
        write_side(&mut text, "consume", side);
        write_latency(&mut text, "fetch, from request to answer", &side.latency);
    }
    if let Some(latency) = &result.end_to_end {
        write_latency(&mut text, "end to end, intended send to arrival", latency);
    }
    if let Some(side) = &result.connect {
        write_side(&mut text, "connect", side);
        write_latency(
            &mut text,
            "from the dial to the first answer",
            &side.latency,
        );
    }
    for step_made in &result.steps {
        let _ = writeln!(text, "{}", step(step_made));
    }
    write_costs(&mut text, result);
    for reason in &result.void {
        let _ = writeln!(text, "VOID: {reason}");
    }
    text
}

/// One rate of several.
pub(crate) fn step(step: &Step) -> String {
    let held = match step.held {
        Some(true) => ", held",
        Some(false) => ", not held",
        None => "",
    };
    let grows = if step.backlog_grows {
        ", backlog grows"
    } else {
        ""
    };
    let told = step.latency.percentiles.get("p99");
    let told = told.map_or_else(
        || format!("max {}", micros(step.latency.max)),
        |p99| format!("p99 {}", micros(*p99)),
    );
    let (rate, done) = (step.rate, step.records_per_second);
    format!("     step  {rate:.0} records/s asked, {done:.0} done, {told}{grows}{held}")
}

fn write_side(text: &mut String, name: &str, side: &Side) {
    let _ = write!(
        text,
        "{name:>9}  {:.0} records/s, {:.0} requests/s, {:.2} MB/s",
        side.records_per_second, side.requests_per_second, side.megabytes_per_second
    );
    if let Some(intended) = side.intended_records_per_second {
        let _ = write!(text, "; {intended:.0} records/s intended");
    }
    if side.unanswered > 0 {
        let _ = write!(text, "; {} requests unanswered", side.unanswered);
    }
    for (error, count) in &side.errors {
        let _ = write!(text, "; {error}: {count}");
    }
    text.push('\n');
}

fn write_latency(text: &mut String, name: &str, latency: &Latency) {
    let _ = writeln!(text, "           {name} ({} samples)", latency.count);
    if latency.count == 0 {
        return;
    }
    let mut names: Vec<&String> = latency.percentiles.keys().collect();
    names.sort_by(|a, b| number(a).total_cmp(&number(b)));
    let _ = write!(text, "             min {}", micros(latency.min));
    for name in names {
        let _ = write!(text, "  {name} {}", micros(latency.percentiles[name]));
    }
    let _ = writeln!(text, "  max {}", micros(latency.max));
}

fn write_costs(text: &mut String, result: &RunResult) {
    let generator = &result.generator;
    let late = generator.late_share * 100.0;
    let _ = writeln!(
        text,
        "generator  {:.2} cores, {late:.3} % of requests late",
        generator.cores
    );
    if let Some(sink) = &generator.sink {
        let p50 = sink
            .latency
            .percentiles
            .get("p50")
            .copied()
            .unwrap_or(sink.latency.max);
        let _ = writeln!(
            text,
            "     sink  {:.0} records/s, {:.2} MB/s, p50 {}, {:.2} cores: the same workload without a broker",
            sink.records_per_second,
            sink.megabytes_per_second,
            micros(p50),
            sink.generator_cores
        );
    }
    if let Some(broker) = &result.broker {
        let _ = writeln!(
            text,
            "   broker  {} ({}): {:.2} cores, {:.2} us a request, {:.3} us a record, {:.0} MB resident",
            broker.name,
            broker.pid,
            broker.cpu_seconds / result.measured_seconds,
            broker.cpu_microseconds_per_request,
            broker.cpu_microseconds_per_record,
            broker.resident_bytes as f64 / 1e6
        );
    }
    if let Some(verify) = &result.verify {
        let _ = writeln!(
            text,
            "   verify  {} acknowledged, {} read back: {} lost, {} duplicated, {} reordered, {} corrupted; {} not acknowledged but found",
            verify.acknowledged,
            verify.read_back,
            verify.lost,
            verify.duplicated,
            verify.reordered,
            verify.corrupted,
            verify.unacknowledged_found
        );
        for finding in &verify.findings {
            let _ = writeln!(text, "           {finding}");
        }
    }
}

fn number(name: &str) -> f64 {
    name.trim_start_matches('p').parse().unwrap_or(0.0)
}

fn micros(micros: f64) -> String {
    match micros {
        m if m < 1_000.0 => format!("{m:.0} us"),
        m if m < 1e6 => format!("{:.2} ms", m / 1e3),
        m => format!("{:.2} s", m / 1e6),
    }
}
