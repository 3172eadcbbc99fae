//! The page put together.

use super::curves::distributions;
use super::html::{escape, script_data};
use super::latency;
use super::shown::{Legend, Shown, shown};
use super::{overview, setup, throughput, verdict};
use crate::headline::kinds;
use crate::result::RunResult;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
const SCRIPTS: [&str; 3] = [
    include_str!("scales.js"),
    include_str!("plot.js"),
    include_str!("figures.js"),
];

/// Nothing is fetched from anywhere, and no script runs that does not carry this word.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-plots'; base-uri 'none'; \
                      form-action 'none'";

/// Labels in the title; more are counted.
const TITLE_LABELS_MAX: usize = 3;

/// All of `runs`, at least one.
pub(crate) fn page(runs: &[RunResult]) -> String {
    assert!(!runs.is_empty(), "a page is about a run");
    let shown = shown(runs);
    let distributions = distributions(&shown);
    let legends: Vec<Legend> = shown.iter().map(Shown::legend).collect();
    let mut html = head(runs);
    html.push_str("<main>\n");
    html.push_str(&header(runs));
    html.push_str(&verdict::banner(&shown));
    html.push_str(&overview::section(&shown));
    html.push_str(&latency::steps(&shown));
    html.push_str(&latency::distributions(&distributions, &shown));
    html.push_str(&latency::timeline(&shown));
    html.push_str(&throughput::section(&shown));
    html.push_str(&verdict::verification(&shown));
    html.push_str(&throughput::cost(&shown));
    html.push_str(&setup::section(&shown));
    html.push_str(FOOTER);
    html.push_str("</main>\n");
    html.push_str(&script_data("runs", &runs));
    html.push_str(&script_data("legends", &legends));
    html.push_str(&script_data("distributions", &distributions));
    let _ = write!(
        html,
        "<script nonce=\"plots\">\n\"use strict\";\n(() => {{\n{}}})();\n</script>\n</body>\n</html>\n",
        SCRIPTS.concat()
    );
    html
}

fn head(runs: &[RunResult]) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"ottla-loadgen {}\">\n\
         <title>{} · ottla-loadgen</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&title(runs))
    )
}

fn title(runs: &[RunResult]) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for (label, _) in kinds(runs) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    match labels.len() {
        1 => labels[0].into(),
        2..=TITLE_LABELS_MAX => labels.join(" · "),
        count => format!("{} and {} more", labels[..2].join(" · "), count - 2),
    }
}

fn header(runs: &[RunResult]) -> String {
    let first = runs
        .iter()
        .map(|run| run.started.as_str())
        .min()
        .unwrap_or("");
    let count = match runs.len() {
        1 => "One run".into(),
        count => format!("{count} runs"),
    };
    let seconds = runs.iter().map(|run| run.measured_seconds);
    let (least, most) = seconds.fold((f64::MAX, 0.0f64), |(least, most), seconds| {
        (least.min(seconds), most.max(seconds))
    });
    let seconds = match most - least < 0.5 {
        true => format!("{most:.0} s measured"),
        false => format!("{least:.0} to {most:.0} s measured"),
    };
    let each = if runs.len() > 1 { " each" } else { "" };
    let started = first.replace('T', " ").replace('Z', " UTC");
    format!(
        "<header><p class=\"tool\">ottla-loadgen</p><h1>{}</h1><p class=\"sub\">{count}, {seconds}{each} · {} · \
         <a id=\"save\" hidden download=\"results.json\">data of this page (JSON)</a></p></header>\n",
        escape(&title(runs)),
        escape(&started)
    )
}

const FOOTER: &str = "<footer><h2>How to read this</h2><ul>\
<li><b>Open loop</b>: send times are fixed before the run, and latency counts from the time a request was due, also \
when it had to wait for the broker. <b>Service time</b> counts from the write into the socket and hides that wait.</li>\
<li><b>Closed loop</b>: the next request waits for an answer. It finds the highest throughput; its latencies leave out \
what waiting clients would have felt.</li>\
<li><b>Durability</b> is what an acknowledgement means: <i>memory</i>, <i>page cache</i> (lost with the machine's power) \
or <i>flushed</i> (on the medium). Compare runs of one class.</li>\
<li>A run is <b>void</b> when the generator or the machine, not the broker, made its figures.</li></ul></footer>\n";
