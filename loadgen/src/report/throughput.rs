//! Bars of what was achieved, and what it cost both sides.

use super::html::{Cell, Column, Table, escape};
use super::shown::Shown;
use crate::headline::{self, SHARE_OF_CEILING_MAX};
use crate::numbers::{bytes, percent, rate};
use crate::result::{Process, Side};
use std::fmt::Write as _;

pub(super) fn section(shown: &[Shown]) -> String {
    let mut html = String::from("<section id=\"throughput\"><h2>Throughput</h2>\n");
    let all = || shown.iter().flat_map(|shown| headline::sides(shown.run));
    let widest = |side: &Side| {
        side.records_per_second
            .max(side.intended_records_per_second.unwrap_or(0.0))
    };
    let mut marked = false;
    for name in ["produce", "consume"] {
        let largest = all()
            .filter(|(of, _)| *of == name)
            .map(|(_, side)| widest(side));
        let Some(largest) = largest
            .max_by(f64::total_cmp)
            .filter(|largest| *largest > 0.0)
        else {
            continue;
        };
        let title = if name == "produce" {
            "Produced"
        } else {
            "Consumed"
        };
        let _ = writeln!(html, "<h3>{title}, records/s</h3>\n<div class=\"bars\">");
        for shown in shown {
            let side = headline::sides(shown.run).find(|(of, _)| *of == name);
            if let Some((_, side)) = side {
                marked |= side.intended_records_per_second.is_some();
                html.push_str(&bar(shown, side, largest));
            }
        }
        html.push_str("</div>\n");
    }
    if marked {
        html.push_str("<p class=\"note\">The mark is the rate that was asked for.</p>\n");
    }
    html + "</section>\n"
}

fn bar(shown: &Shown, side: &Side, largest: f64) -> String {
    // Room for the mark at the very end.
    let width = |value: f64| (value / largest * 99.5).clamp(0.0, 99.5);
    let mark = side.intended_records_per_second.map(|asked| {
        let title = escape(&format!("asked {}/s", rate(asked)));
        format!(
            "<b style=\"left:{:.2}%\" title=\"{title}\"></b>",
            width(asked)
        )
    });
    format!(
        "<div class=\"bar\"><span class=\"name\">{}</span><span class=\"track\"><i class=\"c{}\" style=\"width:{:.2}%\"></i>{}</span>\
         <span class=\"value\">{}<small>{} MB/s, {} requests/s</small></span></div>\n",
        escape(&shown.name()),
        shown.colour,
        width(side.records_per_second),
        mark.unwrap_or_default(),
        rate(side.records_per_second),
        rate(side.megabytes_per_second),
        rate(side.requests_per_second),
    )
}

pub(super) fn cost(shown: &[Shown]) -> String {
    let mut html = String::from("<section id=\"cost\"><h2>Cost</h2>\n");
    html.push_str(&generator(shown));
    if shown.iter().any(|shown| shown.run.broker.is_some()) {
        html.push_str(&broker(shown));
    }
    html.push_str(
        "<p class=\"note\">The sink is a broker that answers at once: the same workload against it is the ceiling of \
         the rate and the floor of the latency. Above 80 % of the ceiling one measures the generator.</p>\n",
    );
    html + "</section>\n"
}

fn generator(shown: &[Shown]) -> String {
    let mut table = Table::new(
        "Generator",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Number("Cores"),
            Column::Number("CPU, s"),
            Column::Number("Late requests"),
            Column::Number("Sink, records/s"),
            Column::Number("Sink, MB/s"),
            Column::Number("Sink, cores"),
            Column::Number("Of sink ceiling"),
        ],
    );
    for shown in shown {
        let generator = &shown.run.generator;
        let sink = generator.sink.as_ref();
        let ceiling = headline::share_of_ceiling(shown.run);
        table.row([
            shown.cell(),
            shown.durability_cell(),
            Cell::text(format!("{:.2}", generator.cores)),
            Cell::text(rate(generator.cpu_seconds)),
            Cell::text(percent(generator.late_share)).bad_when(generator.late_share > 0.01),
            Cell::or_none(sink.map(|sink| rate(sink.records_per_second))),
            Cell::or_none(sink.map(|sink| rate(sink.megabytes_per_second))),
            Cell::or_none(sink.map(|sink| format!("{:.2}", sink.generator_cores))),
            Cell::or_none(ceiling.map(percent))
                .bad_when(ceiling.is_some_and(|share| share > SHARE_OF_CEILING_MAX)),
        ]);
    }
    table.html()
}

fn broker(shown: &[Shown]) -> String {
    let mut table = Table::new(
        "Broker",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Text("Process"),
            Column::Number("CPU, s"),
            Column::Number("Cores"),
            Column::Number("CPU-µs/request"),
            Column::Number("CPU-µs/record"),
            Column::Number("Resident"),
            Column::Number("Resident, most"),
        ],
    );
    for shown in shown {
        let seconds = shown.run.measured_seconds;
        let broker = shown.run.broker.as_ref();
        let figure = |of: fn(&Process) -> String| Cell::or_none(broker.map(of));
        table.row([
            shown.cell(),
            shown.durability_cell(),
            figure(|broker| format!("{} ({})", broker.name, broker.pid)).class("quiet"),
            figure(|broker| rate(broker.cpu_seconds)),
            Cell::or_none(
                broker.map(|broker| format!("{:.2}", broker.cpu_seconds / seconds.max(0.001))),
            ),
            figure(|broker| rate(broker.cpu_microseconds_per_request)),
            figure(|broker| rate(broker.cpu_microseconds_per_record)),
            figure(|broker| bytes(broker.resident_bytes)),
            figure(|broker| bytes(broker.resident_bytes_max)),
        ]);
    }
    table.html()
}
