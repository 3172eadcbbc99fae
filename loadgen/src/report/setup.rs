//! Everything somebody needs to repeat the runs: command lines, options, machine. Rows that differ stand out.

use super::html::escape;
use super::overview::loop_name;
use super::shown::Shown;
use crate::headline::durability;
use crate::numbers::bytes;
use crate::result::RunResult;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A name, and its value in each run.
type Row = (String, Vec<Option<String>>);

pub(super) fn section(shown: &[Shown]) -> String {
    let mut html = String::from("<section id=\"setup\"><h2>Set-up</h2>\n<h3>Commands</h3>\n");
    for shown in shown {
        let _ = writeln!(
            html,
            "<p class=\"name\"><i class=\"swatch c{}\"></i>{}</p><pre>{}</pre>",
            shown.colour,
            escape(&shown.name()),
            escape(&command_line(&shown.run.command))
        );
    }
    html.push_str(&block("Run", &run_rows(shown), shown));
    html.push_str(&block(
        "Options in force",
        &map_rows(shown, |run| &run.options),
        shown,
    ));
    let mut machine = machine_rows(shown);
    machine.extend(map_rows(shown, |run| &run.machine.facts));
    html.push_str(&block("Machine of the generator", &machine, shown));
    html + "</section>\n"
}

/// As a shell would take it.
fn command_line(words: &[String]) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
    let quoted = words
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        });
    quoted.collect::<Vec<_>>().join(" ")
}

fn run_rows(shown: &[Shown]) -> Vec<Row> {
    let row = |name: &str, value: fn(&RunResult) -> Option<String>| {
        (
            name.to_owned(),
            shown.iter().map(|shown| value(shown.run)).collect(),
        )
    };
    vec![
        row("started", |run| Some(run.started.clone())),
        row("measured", |run| {
            Some(format!("{:.1} s", run.measured_seconds))
        }),
        row("loop", |run| Some(loop_name(run).into())),
        row("durability", |run| Some(durability(run).into())),
        row("bootstrap", |run| Some(run.target.bootstrap.clone())),
        row("cluster id", |run| run.target.cluster_id.clone()),
        row("ottla-loadgen", |run| Some(run.version.clone())),
    ]
}

fn machine_rows(shown: &[Shown]) -> Vec<Row> {
    let row = |name: &str, value: fn(&RunResult) -> String| {
        (
            name.to_owned(),
            shown.iter().map(|shown| Some(value(shown.run))).collect(),
        )
    };
    vec![
        row("kernel", |run| run.machine.kernel.clone()),
        row("cpu", |run| run.machine.cpu.clone()),
        row("cores", |run| run.machine.cores.to_string()),
        row("memory", |run| bytes(run.machine.memory_bytes)),
    ]
}

fn map_rows(
    shown: &[Shown],
    of: fn(&RunResult) -> &std::collections::BTreeMap<String, String>,
) -> Vec<Row> {
    let names: BTreeSet<&String> = shown
        .iter()
        .flat_map(|shown| of(shown.run).keys())
        .collect();
    let row = |name: &String| {
        let values = shown.iter().map(|shown| of(shown.run).get(name).cloned());
        (name.clone(), values.collect())
    };
    names.into_iter().map(row).collect()
}

/// Equal values are told once, over all columns.
fn block(title: &str, rows: &[Row], shown: &[Shown]) -> String {
    let mut html =
        format!("<h3>{title}</h3>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"facts\">\n");
    if shown.len() > 1 {
        html.push_str("<thead><tr><th></th>");
        for shown in shown {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(&shown.name()));
        }
        html.push_str("</tr></thead>\n");
    }
    html.push_str("<tbody>\n");
    for (name, values) in rows {
        let same = values.windows(2).all(|pair| pair[0] == pair[1]);
        let text = |value: &Option<String>| value.as_deref().map_or("–".into(), escape);
        let class = if same { "" } else { " class=\"differs\"" };
        let _ = write!(html, "<tr{class}><th scope=\"row\">{}</th>", escape(name));
        match (same, values.first()) {
            (true, Some(value)) => {
                let _ = write!(
                    html,
                    "<td colspan=\"{}\">{}</td>",
                    values.len(),
                    text(value)
                );
            }
            _ => values.iter().for_each(|value| {
                let _ = write!(html, "<td>{}</td>", text(value));
            }),
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["ottla-loadgen", "--label", "it's ours", ""].map(String::from);
        assert_eq!(
            command_line(&words),
            "ottla-loadgen --label 'it'\\''s ours' ''"
        );
    }
}
