//! The first table: a row for each run, and one for each kind of run that has several rounds.

use super::html::{Cell, Column, Table};
use super::shown::Shown;
use crate::headline::{self, SHARE_OF_CEILING_MAX, Spread, Verdict, kind, spread};
use crate::numbers::{count, milliseconds, percent, rate, ratio};
use crate::result::{LoopKind, RunResult};

const COLUMNS: &[Column] = &[
    Column::Text("Run"),
    Column::Text("Durability"),
    Column::Text("Loop"),
    Column::Number("Records/s"),
    Column::Number("MB/s"),
    Column::Number("p50, ms"),
    Column::Number("p99, ms"),
    Column::Number("p99.9, ms"),
    Column::Number("Max, ms"),
    Column::Number("Errors"),
    Column::Number("Generator, cores"),
    Column::Number("Of sink ceiling"),
    Column::Text("Records read back"),
];

pub(super) fn section(shown: &[Shown]) -> String {
    let mut table = Table::new("", COLUMNS);
    let first = shown.first().map(|shown| shown.run);
    for shown in shown {
        let base = first.filter(|first| !std::ptr::eq(*first, shown.run));
        table.row(row(shown, base));
    }
    let mut html = String::from("<section id=\"overview\"><h2>Overview</h2>\n");
    html.push_str(&table.html());
    let note = match shown.len() {
        1 => "",
        _ => " Small figures are multiples of the first row.",
    };
    html.push_str(&format!(
        "<p class=\"note\">Latency of the first side that was measured, from the intended send.{note} \
         MB are 10<sup>6</sup> bytes of keys and values before compression.</p>\n"
    ));
    if shown.iter().any(|shown| shown.round > 1) {
        html.push_str(&rounds(shown));
    }
    html + "</section>\n"
}

fn row(shown: &Shown, base: Option<&RunResult>) -> Vec<Cell> {
    let run = shown.run;
    let side = headline::side(run).map(|(_, side)| side);
    let records = |run: &RunResult| headline::side(run).map(|(_, side)| side.records_per_second);
    let errors = headline::errors(run) + headline::unanswered(run);
    let ceiling = headline::share_of_ceiling(run);
    let asked = side.and_then(|side| side.intended_records_per_second);
    let mut cells = vec![
        shown.cell(),
        shown.durability_cell(),
        Cell::text(loop_name(run)).class("quiet"),
        number(records(run), base.and_then(records), rate)
            .with_note(asked.map(|asked| format!("asked {}", rate(asked)))),
        Cell::or_none(side.map(|side| rate(side.megabytes_per_second))),
    ];
    for name in ["p50", "p99", "p99.9"] {
        let figure = |run: &RunResult| headline::latency(run)?.percentiles.get(name).copied();
        cells.push(number(figure(run), base.and_then(figure), milliseconds));
    }
    let max = |run: &RunResult| headline::latency(run).map(|latency| latency.max);
    let verdict = headline::verdict(run.verify.as_ref());
    cells.extend([
        number(max(run), base.and_then(max), milliseconds),
        Cell::text(count(errors)).bad_when(errors > 0),
        Cell::text(format!("{:.2}", run.generator.cores)),
        Cell::or_none(ceiling.map(percent))
            .bad_when(ceiling.is_some_and(|share| share > SHARE_OF_CEILING_MAX)),
        match verdict {
            Verdict::NotVerified => Cell::none(),
            Verdict::Right => Cell::text("all, in order").class("good"),
            Verdict::Wrong => Cell::text("wrong").class("bad"),
        },
    ]);
    cells
}

fn number(value: Option<f64>, base: Option<f64>, text: fn(f64) -> String) -> Cell {
    let Some(value) = value else {
        return Cell::none();
    };
    Cell::text(text(value)).with_note(base.and_then(|base| ratio(value, base)))
}

pub(super) fn loop_name(run: &RunResult) -> &'static str {
    match run.loop_kind {
        LoopKind::Open => "open",
        LoopKind::Closed => "closed",
    }
}

/// Medians and ranges.
fn rounds(shown: &[Shown]) -> String {
    let columns = [
        Column::Text("Run"),
        Column::Text("Durability"),
        Column::Number("Rounds"),
        Column::Number("Records/s"),
        Column::Number("p50, ms"),
        Column::Number("p99, ms"),
        Column::Number("p99.9, ms"),
        Column::Number("Broker, CPU-µs/record"),
    ];
    let mut table = Table::new("", &columns);
    for first in shown.iter().filter(|shown| shown.round <= 1) {
        let of_kind = |shown: &&Shown| kind(shown.run) == kind(first.run);
        let runs: Vec<&RunResult> = shown
            .iter()
            .filter(of_kind)
            .map(|shown| shown.run)
            .collect();
        let records = |run: &RunResult| Some(headline::side(run)?.1.records_per_second);
        let cpu = |run: &RunResult| Some(run.broker.as_ref()?.cpu_microseconds_per_record);
        let mut cells = vec![
            Shown { round: 0, ..*first }.cell(),
            first.durability_cell(),
            Cell::text(count(runs.len() as u64)),
            range(spread(&runs, records), rate),
        ];
        for name in ["p50", "p99", "p99.9"] {
            let figure = |run: &RunResult| headline::latency(run)?.percentiles.get(name).copied();
            cells.push(range(spread(&runs, figure), milliseconds));
        }
        cells.push(range(spread(&runs, cpu), rate));
        table.row(cells);
    }
    let note = "<p class=\"note\">Median of the rounds; smallest and largest below. Void rounds are among them.</p>\n";
    format!("<h3>Rounds together</h3>\n{}{note}", table.html())
}

fn range(spread: Option<Spread>, text: fn(f64) -> String) -> Cell {
    let Some(Spread { median, min, max }) = spread else {
        return Cell::none();
    };
    Cell::text(text(median)).with_note(Some(format!("{} – {}", text(min), text(max))))
}
