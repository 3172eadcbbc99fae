//! Plots and tables of percentiles, the time line, and the rates that were tried.

use super::curves::Distribution;
use super::html::{Cell, Column, Table, escape};
use super::shown::Shown;
use crate::headline;
use crate::latency::SAMPLES_ABOVE_MIN;
use crate::numbers::{count, milliseconds, rate};
use crate::result::{Latency, RunResult, Step};
use std::fmt::Write as _;
use std::iter;

/// Where the script draws.
pub(super) fn figure(plot: &str, of: &str, description: &str) -> String {
    format!(
        "<figure class=\"plot\" data-plot=\"{plot}\" data-of=\"{of}\" aria-label=\"{}\">\
         <div class=\"controls\"></div><div class=\"panels\"></div>\
         <noscript>The plot needs the script of this page; the tables do not.</noscript></figure>\n",
        escape(description)
    )
}

pub(super) fn distributions(all: &[Distribution], shown: &[Shown]) -> String {
    let mut html = String::new();
    for distribution in all {
        let (key, title) = (distribution.key, distribution.title);
        let _ = write!(
            html,
            "<section id=\"{key}\"><h2>{title}</h2>\n<p class=\"lead\">{}</p>\n{}",
            distribution.meaning,
            figure("percentiles", key, &format!("{title} by percentile"))
        );
        html.push_str(&percentiles(key, shown));
        html.push_str("</section>\n");
    }
    let _ = writeln!(
        html,
        "<p class=\"note\">A percentile is quoted when at least {SAMPLES_ABOVE_MIN} samples lie above it; beyond, \
         the lines of a plot are thin.</p>"
    );
    html
}

const PERCENTILES: [&str; 6] = ["p50", "p90", "p95", "p99", "p99.9", "p99.99"];

fn percentiles(key: &str, shown: &[Shown]) -> String {
    let mut table = Table::new(
        "Milliseconds",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Text("Clock starts at"),
            Column::Number("Samples"),
            Column::Number("Mean"),
            Column::Number("p50"),
            Column::Number("p90"),
            Column::Number("p95"),
            Column::Number("p99"),
            Column::Number("p99.9"),
            Column::Number("p99.99"),
            Column::Number("Max"),
        ],
    );
    for shown in shown {
        for (clock, latency) in latencies(key, shown.run) {
            table.row(percentile_row(shown, clock, latency));
        }
    }
    table.html()
}

fn latencies<'a>(key: &str, run: &'a RunResult) -> Vec<(&'static str, &'a Latency)> {
    if key == "end_to_end" {
        let end_to_end = run.end_to_end.iter();
        return end_to_end
            .map(|latency| ("intended send", latency))
            .collect();
    }
    let Some((_, side)) = headline::sides(run).find(|(name, _)| *name == key) else {
        return Vec::new();
    };
    let service_time = headline::service_time(side).map(|latency| ("socket write", latency));
    let sink = headline::sink_latency(run, key);
    let sink = sink.map(|latency| ("intended send, to the sink", latency));
    let all = iter::once(("intended send", &side.latency));
    all.chain(service_time).chain(sink).collect()
}

fn percentile_row(shown: &Shown, clock: &str, latency: &Latency) -> Vec<Cell> {
    let mut cells = vec![
        shown.cell(),
        shown.durability_cell(),
        Cell::text(clock).class("quiet"),
        Cell::text(count(latency.count)),
        Cell::text(milliseconds(latency.mean)),
    ];
    for name in PERCENTILES {
        cells.push(Cell::or_none(
            latency
                .percentiles
                .get(name)
                .map(|value| milliseconds(*value)),
        ));
    }
    cells.push(Cell::text(milliseconds(latency.max)));
    cells
}

/// Empty when no run was longer than a second.
pub(super) fn timeline(shown: &[Shown]) -> String {
    if shown.iter().all(|shown| shown.run.timeline.len() < 2) {
        return String::new();
    }
    format!(
        "<section id=\"timeline\"><h2>Time line</h2>\n<p class=\"lead\">Second by second of the measured time, \
         without the warm-up. A latency belongs to the second in which its answer came.</p>\n{}</section>\n",
        figure(
            "timeline",
            "",
            "Latency, rate, backlog and errors by second"
        )
    )
}

/// Empty when no run tried rates.
pub(super) fn steps(shown: &[Shown]) -> String {
    if shown.iter().all(|shown| shown.run.steps.is_empty()) {
        return String::new();
    }
    let mut table = Table::new(
        "In the order they were tried; latencies in milliseconds",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Number("Asked, records/s"),
            Column::Number("Achieved, records/s"),
            Column::Number("p50"),
            Column::Number("p99"),
            Column::Number("p99.9"),
            Column::Number("Max"),
            Column::Text("Backlog"),
            Column::Text("Objective"),
        ],
    );
    for shown in shown {
        for step in &shown.run.steps {
            table.row(step_row(shown, step));
        }
    }
    format!(
        "<section id=\"steps\"><h2>Rates tried</h2>\n<p class=\"lead\">Latency against the rate asked for. A cross \
         marks a rate that missed the objective or left a growing backlog.</p>\n{}{}{}</section>\n",
        best(shown),
        figure("steps", "", "Latency by rate"),
        table.html()
    )
}

fn step_row(shown: &Shown, step: &Step) -> Vec<Cell> {
    let percentile = |name| {
        Cell::or_none(
            step.latency
                .percentiles
                .get(name)
                .map(|value| milliseconds(*value)),
        )
    };
    vec![
        shown.cell(),
        shown.durability_cell(),
        Cell::text(rate(step.rate)),
        Cell::text(rate(step.records_per_second)),
        percentile("p50"),
        percentile("p99"),
        percentile("p99.9"),
        Cell::text(milliseconds(step.latency.max)),
        Cell::text(if step.backlog_grows {
            "grows"
        } else {
            "steady"
        })
        .bad_when(step.backlog_grows),
        match step.held {
            None => Cell::none(),
            Some(true) => Cell::text("held").class("good"),
            Some(false) => Cell::text("missed").class("bad"),
        },
    ]
}

/// The answer of a search, in a sentence.
fn best(shown: &[Shown]) -> String {
    let mut html = String::new();
    for shown in shown {
        let steps = &shown.run.steps;
        if steps.iter().all(|step| step.held.is_none()) {
            continue;
        }
        let name = escape(&shown.name());
        let held = steps.iter().filter(|step| step.held == Some(true));
        let best = held.map(|step| step.rate).max_by(f64::total_cmp);
        let _ = match best {
            Some(best) => writeln!(
                html,
                "<p class=\"finding\"><strong>{}</strong> records/s is the highest rate that held the objective: {name}</p>",
                rate(best)
            ),
            None => writeln!(
                html,
                "<p class=\"finding\">No rate held the objective: {name}</p>"
            ),
        };
    }
    html
}
