//! What must be seen before any figure: void runs and records that came back wrong. And the counts behind it.

use super::html::{Cell, Column, Table, escape};
use super::shown::Shown;
use crate::headline::{self, Verdict};
use crate::numbers::count;
use std::fmt::Write as _;

/// Above everything else; empty when all is well.
pub(super) fn banner(shown: &[Shown]) -> String {
    let mut html = String::new();
    for shown in shown.iter().filter(|shown| !shown.run.void.is_empty()) {
        let _ = write!(
            html,
            "<section class=\"alarm\" role=\"alert\"><h2>Void: do not use these figures</h2>\n<p>{}</p><ul>",
            escape(&shown.name())
        );
        for reason in &shown.run.void {
            let _ = write!(html, "<li>{}</li>", escape(reason));
        }
        html.push_str("</ul></section>\n");
    }
    for shown in shown {
        let verify = shown.run.verify.as_ref();
        let Some(verify) =
            verify.filter(|verify| headline::verdict(Some(verify)) == Verdict::Wrong)
        else {
            continue;
        };
        let _ = writeln!(
            html,
            "<section class=\"alarm\" role=\"alert\"><h2>The broker failed verification</h2>\n<p>{}: {} lost, {} duplicated, \
             {} reordered, {} corrupted of {} acknowledged records</p></section>",
            escape(&shown.name()),
            count(verify.lost),
            count(verify.duplicated),
            count(verify.reordered),
            count(verify.corrupted),
            count(verify.acknowledged),
        );
    }
    html
}

pub(super) fn verification(shown: &[Shown]) -> String {
    let mut html = String::from("<section id=\"verification\"><h2>Verification</h2>\n");
    if shown.iter().all(|shown| shown.run.verify.is_none()) {
        html.push_str("<p class=\"lead\">No run was verified: <code>--verify</code> reads back every acknowledged record.</p>\n");
        return html + &errors(shown) + "</section>\n";
    }
    let mut table = Table::new(
        "Records",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Number("Acknowledged"),
            Column::Number("Read back"),
            Column::Number("Lost"),
            Column::Number("Duplicated"),
            Column::Number("Reordered"),
            Column::Number("Corrupted"),
            Column::Number("Found, not acknowledged"),
        ],
    );
    for shown in shown {
        let verify = shown.run.verify.as_ref();
        let bad = |value: Option<u64>| {
            let cell = Cell::or_none(value.map(count));
            cell.bad_when(value.is_some_and(|value| value > 0))
        };
        table.row([
            shown.cell(),
            shown.durability_cell(),
            Cell::or_none(verify.map(|verify| count(verify.acknowledged))),
            Cell::or_none(verify.map(|verify| count(verify.read_back))),
            bad(verify.map(|verify| verify.lost)),
            bad(verify.map(|verify| verify.duplicated)),
            bad(verify.map(|verify| verify.reordered)),
            bad(verify.map(|verify| verify.corrupted)),
            Cell::or_none(verify.map(|verify| count(verify.unacknowledged_found))),
        ]);
    }
    html.push_str(&table.html());
    html.push_str(&findings(shown));
    html + &errors(shown) + "</section>\n"
}

fn findings(shown: &[Shown]) -> String {
    let mut html = String::new();
    for shown in shown {
        let findings = shown.run.verify.iter().flat_map(|verify| &verify.findings);
        let items: Vec<String> = findings
            .map(|finding| format!("<li>{}</li>", escape(finding)))
            .collect();
        if !items.is_empty() {
            let (name, items) = (escape(&shown.name()), items.concat());
            let _ = writeln!(
                html,
                "<h3>Findings: {name}</h3>\n<ul class=\"findings\">{items}</ul>"
            );
        }
    }
    html
}

fn errors(shown: &[Shown]) -> String {
    let mut table = Table::new(
        "Errors",
        &[
            Column::Text("Run"),
            Column::Text("Durability"),
            Column::Text("Side"),
            Column::Text("Error"),
            Column::Number("Times"),
        ],
    );
    let mut any = false;
    for shown in shown {
        for (name, side) in headline::sides(shown.run) {
            let unanswered = (
                "not answered when the run ended".to_owned(),
                side.unanswered,
            );
            let errors = side
                .errors
                .iter()
                .map(|(error, times)| (error.clone(), *times));
            for (error, times) in errors.chain([unanswered]).filter(|(_, times)| *times > 0) {
                any = true;
                table.row([
                    shown.cell(),
                    shown.durability_cell(),
                    Cell::text(name).class("quiet"),
                    Cell::text(error),
                    Cell::text(count(times)).class("bad"),
                ]);
            }
        }
    }
    match any {
        true => table.html(),
        false => {
            "<p class=\"note\">No request failed, and none was without an answer.</p>\n".into()
        }
    }
}
