//! The first table: a row for each run, and one for each kind of run that has several rounds.

use super::html::{Cell, Column, Table, escape};
use super::shown::Shown;
use crate::headline::{self, SHARE_OF_CEILING_MAX, Spread, Verdict, durability, kind, spread};
use crate::numbers::{bytes, count, latency, milliseconds, percent, rate, ratio};
use crate::result::{LoopKind, RunResult};

const COLUMNS: &[Column] = &[
    Column::Text("Run"),
    Column::Text("Durability"),
    Column::Text("Loop"),
    Column::Number("Asked"),
    Column::Number("Records/s"),
    Column::Number("MB/s"),
    Column::Number("p50"),
    Column::Number("p99"),
    Column::Number("p99.9"),
    Column::Number("Max"),
    Column::Number("Errors"),
    Column::Number("Generator, cores"),
    Column::Number("Of sink ceiling"),
    Column::Text("Read back"),
];

pub(super) fn section(shown: &[Shown]) -> String {
    let mut html = String::from("<section id=\"overview\"><h2>Overview</h2>\n");
    html.push_str(&match shown {
        [only] => figures(only),
        _ => comparison(shown),
    });
    html.push_str(
        "<p class=\"note\">Latency of the first side that was measured, from the intended send. MB are \
         10<sup>6</sup> bytes of keys and values before compression.</p>\n",
    );
    if shown.iter().any(|shown| shown.round > 1) {
        html.push_str(&rounds(shown));
    }
    html + "</section>\n"
}

/// One run, large.
fn figures(shown: &Shown) -> String {
    let run = shown.run;
    let mut figures = Vec::new();
    if let Some((name, side)) = headline::side(run) {
        let asked = side.intended_records_per_second;
        let asked = asked.map(|asked| format!("{} asked for", rate(asked)));
        let megabytes = format!("{} MB/s", rate(side.megabytes_per_second));
        let notes = [asked, Some(megabytes)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        figures.push(Figure::new(
            &format!("{name}, records/s"),
            rate(side.records_per_second),
            notes.join(", "),
        ));
        for name in ["p50", "p99", "p99.9"] {
            let value = side.latency.percentiles.get(name);
            let text = value.map_or("–".into(), |value| latency(*value));
            let note = value.map_or("too few samples".into(), |_| String::new());
            figures.push(Figure::new(name, text, note));
        }
        let samples = format!("of {} samples", count(side.latency.count));
        figures.push(Figure::new("largest", latency(side.latency.max), samples));
    }
    let errors = headline::errors(run);
    let unanswered = format!("{} unanswered", count(headline::unanswered(run)));
    let ceiling = headline::share_of_ceiling(run);
    let ceiling = ceiling.map(|share| format!("{} of the sink\u{2019}s ceiling", percent(share)));
    let (verdict, class) = match headline::verdict(run.verify.as_ref()) {
        Verdict::NotVerified => ("not verified", ""),
        Verdict::Right => ("all, in order", "good"),
        Verdict::Wrong => ("wrong", "bad"),
    };
    let acknowledged = run
        .verify
        .as_ref()
        .map(|verify| format!("{} acknowledged", count(verify.acknowledged)));
    figures.extend([
        Figure::new(
            "durability",
            durability(run).into(),
            format!("{} loop", loop_name(run)),
        ),
        Figure::new("errors", count(errors), unanswered).class(if errors > 0 { "bad" } else { "" }),
        Figure::new(
            "read back",
            verdict.into(),
            acknowledged.unwrap_or_default(),
        )
        .class(class),
        Figure::new(
            "generator",
            format!("{:.2} cores", run.generator.cores),
            ceiling.unwrap_or_default(),
        ),
    ]);
    if let Some(broker) = &run.broker {
        let cpu = format!("{} µs", rate(broker.cpu_microseconds_per_record));
        figures.push(Figure::new(
            "broker, CPU a record",
            cpu,
            format!("{} resident", bytes(broker.resident_bytes)),
        ));
    }
    let figures: String = figures.iter().map(Figure::html).collect();
    format!("<dl class=\"figures\">\n{figures}</dl>\n")
}

struct Figure {
    name: String,
    text: String,
    note: String,
    class: &'static str,
}

impl Figure {
    fn new(name: &str, text: String, note: String) -> Figure {
        Figure {
            name: name.into(),
            text,
            note,
            class: "",
        }
    }

    fn class(self, class: &'static str) -> Figure {
        Figure { class, ..self }
    }

    fn html(&self) -> String {
        format!(
            "<div><dt>{}</dt><dd><span class=\"{}\">{}</span><small>{}</small></dd></div>\n",
            escape(&self.name),
            self.class,
            escape(&self.text),
            escape(&self.note)
        )
    }
}

fn comparison(shown: &[Shown]) -> String {
    let mut table = Table::new(
        "Latencies in milliseconds; small figures are multiples of the first row",
        COLUMNS,
    );
    for (index, one) in shown.iter().enumerate() {
        table.row(row(one, (index > 0).then(|| shown[0].run)));
    }
    table.html()
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
        Cell::or_none(asked.map(rate)).class("quiet"),
        number(records(run), base.and_then(records), rate),
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
    // Of what is equal there is nothing to say.
    let multiple = base.and_then(|base| ratio(value, base));
    Cell::text(text(value)).with_note(multiple.filter(|multiple| multiple != "1.00×"))
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
    let caption = "Medians of the rounds of one kind; smallest and largest below";
    let mut table = Table::new(caption, &columns);
    for first in shown.iter().filter(|shown| shown.round <= 1) {
        let of_kind = |shown: &&Shown| kind(shown.run) == kind(first.run);
        let all = shown.iter().filter(of_kind).map(|shown| shown.run);
        let runs: Vec<&RunResult> = all.clone().filter(|run| run.void.is_empty()).collect();
        let void = all.count() - runs.len();
        let records = |run: &RunResult| Some(headline::side(run)?.1.records_per_second);
        let cpu = |run: &RunResult| Some(run.broker.as_ref()?.cpu_microseconds_per_record);
        let mut cells = vec![
            Shown { round: 0, ..*first }.cell(),
            first.durability_cell(),
            Cell::text(count(runs.len() as u64))
                .with_note((void > 0).then(|| format!("{void} void left out"))),
            range(spread(&runs, records), rate),
        ];
        for name in ["p50", "p99", "p99.9"] {
            let figure = |run: &RunResult| headline::latency(run)?.percentiles.get(name).copied();
            cells.push(range(spread(&runs, figure), milliseconds));
        }
        cells.push(range(spread(&runs, cpu), rate));
        table.row(cells);
    }
    format!("<h3>Rounds together</h3>\n{}", table.html())
}

fn range(spread: Option<Spread>, text: fn(f64) -> String) -> Cell {
    let Some(Spread { median, min, max }) = spread else {
        return Cell::none();
    };
    Cell::text(text(median)).with_note(Some(format!("{} – {}", text(min), text(max))))
}
