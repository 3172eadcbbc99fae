//! The alerts and dashboards of `tuning/` against what the broker really shows: every metric, label and label value is of
//! its catalogue, every expression is one, and what a runbook says can be done.

mod expression;
mod host;

use expression::{Selector, grouped_labels, legend_labels, selectors};
use ottla::metrics::catalog::{self, Kind};
use ottla::metrics::{Metric, label};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Prometheus itself adds to every series.
const LABELS_OF_SCRAPES: &[&str] = &["instance", "job"];
/// Metrics Prometheus itself makes.
const METRICS_OF_SCRAPES: &[&str] = &["up"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a file of this repository")
}

fn alerts() -> String {
    read("tuning/prometheus/alerts.yml")
}

/// The value of `key:`, with the lines a `>` folds into it.
fn fields(yaml: &str, key: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut folded_below = None;
    for line in yaml.lines() {
        let text = line.trim_start().trim_start_matches("- ");
        let indent = line.len() - text.len();
        if let Some(value) = text
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(": "))
        {
            folded_below = (value.trim() == ">").then_some(indent);
            found.push(if folded_below.is_some() {
                String::new()
            } else {
                value.into()
            });
        } else if folded_below.is_some_and(|key| indent > key) {
            let whole = found.last_mut().expect("a key came before");
            whole.push_str(text);
            whole.push(' ');
        } else {
            folded_below = None;
        }
    }
    found
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = fs::read_dir(root().join("tuning/grafana")).expect("a folder");
    let mut paths: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let parse = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a file");
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, serde_json::from_str(&text).expect("JSON"))
    };
    paths.into_iter().map(parse).collect()
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().expect("panels")
}

/// Expressions of a dashboard with what names their lines; variables stand for what they may be.
fn targets(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let targets = targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"])));
    let plain = |(expression, legend): (String, String)| {
        let plain = expression
            .replace("$__rate_interval", "5m")
            .replace("$instance", ".*");
        assert!(!plain.contains('$'), "{plain}");
        (plain, legend)
    };
    targets.map(plain).collect()
}

/// The metric that has series of this name; those of a histogram end in their own way.
fn metric_of(series: &str) -> Option<&'static Metric> {
    catalog::all().find(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| series.strip_suffix(end) == Some(metric.name)),
        Kind::Counter | Kind::Gauge => series == metric.name,
    })
}

/// What is wrong with the names in an expression.
fn faults(expression: &str, legend: &str, records: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut labels: BTreeSet<&str> = LABELS_OF_SCRAPES.iter().copied().collect();
    for Selector { series, matchers } in selectors(expression) {
        let metric = metric_of(&series);
        if metric.is_none() && !METRICS_OF_SCRAPES.contains(&&*series) && !records.contains(&series)
        {
            faults.push(format!("no series is called {series}"));
        }
        let mut known: BTreeSet<&str> = LABELS_OF_SCRAPES.iter().copied().collect();
        known.extend(metric.into_iter().flat_map(|metric| metric.labels));
        if series.ends_with("_bucket") {
            known.insert("le");
        }
        for (name, value) in matchers {
            if !known.contains(&*name) {
                faults.push(format!("{series} has no label {name}"));
            }
            let values = label::values_of(&name);
            if values.is_some_and(|values| !values.contains(&&*value)) {
                faults.push(format!("{name} of {series} is never {value}"));
            }
        }
        if records.contains(&series) {
            known.insert("shard");
        }
        labels.extend(known);
    }
    for name in grouped_labels(expression)
        .into_iter()
        .chain(legend_labels(legend))
    {
        if !labels.contains(&*name) {
            faults.push(format!("nothing in it has a label {name}"));
        }
    }
    faults
        .into_iter()
        .map(|fault| format!("{fault}: {expression}"))
        .collect()
}

#[test]
fn alerts_name_only_what_exists() {
    let yaml = alerts();
    let (expressions, records) = (fields(&yaml, "expr"), fields(&yaml, "record"));
    assert!(expressions.len() > 10, "{expressions:?}");
    let all = expressions.iter();
    let all: Vec<_> = all
        .flat_map(|expression| faults(expression, "", &records))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn dashboards_name_only_what_exists() {
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 5);
    for (name, dashboard) in &dashboards {
        let targets = targets(dashboard);
        assert!(targets.len() > 5, "{name}");
        let all = targets.iter();
        let all: Vec<_> = all
            .flat_map(|(expression, legend)| faults(expression, legend, &[]))
            .collect();
        assert!(all.is_empty(), "{name}: {}", all.join("\n"));
        let mut seen = BTreeSet::new();
        for panel in panels(dashboard) {
            assert!(
                seen.insert(panel["id"].as_u64()),
                "{name}: two panels of one number"
            );
            let place = &panel["gridPos"];
            assert!(
                place["x"]
                    .as_u64()
                    .zip(place["w"].as_u64())
                    .is_some_and(|(x, w)| x + w <= 24)
            );
        }
    }
}

/// A metric that no alert and no dashboard shows is one that nobody sees.
#[test]
fn what_is_measured_is_shown() {
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    let mut show = |expression: &str| {
        let found = selectors(expression).into_iter();
        shown.extend(
            found
                .filter_map(|selector| metric_of(&selector.series))
                .map(|metric| metric.name),
        );
    };
    fields(&alerts(), "expr")
        .iter()
        .for_each(|expression| show(expression));
    for (_, dashboard) in dashboards() {
        targets(&dashboard)
            .iter()
            .for_each(|(expression, _)| show(expression));
    }
    // For whoever looks at one broker: what it is, and how it started.
    const FOR_A_LOOK: &[&str] = &[
        "ottla_shards",
        "ottla_start_seconds",
        "ottla_recovery_read_bytes",
    ];
    let hidden = catalog::CATALOG.iter().map(|metric| metric.name);
    let hidden: Vec<_> = hidden.filter(|name| !shown.contains(name)).collect();
    let hidden: Vec<_> = hidden
        .into_iter()
        .filter(|name| !FOR_A_LOOK.contains(name))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// What stands in backquotes.
fn commands(runbook: &str) -> Vec<&str> {
    runbook.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_alert_says_what_to_run() {
    let yaml = alerts();
    let names = fields(&yaml, "alert");
    let runbooks = fields(&yaml, "runbook");
    assert_eq!(
        (names.len(), fields(&yaml, "summary").len()),
        (runbooks.len(), runbooks.len())
    );
    let log_lines = log_lines();
    for (name, runbook) in names.iter().zip(&runbooks) {
        let commands = commands(runbook);
        assert!(
            runbook.starts_with("\"Run `") && !commands.is_empty(),
            "{name}: {runbook}"
        );
        for command in commands {
            if let Some(phrase) = command.strip_prefix("journalctl -u ottla -g '") {
                let phrase = phrase.trim_end_matches('\'');
                assert!(
                    log_lines.contains(phrase),
                    "{name}: the broker never logs {phrase:?}"
                );
            }
            if let Some(words) = command.strip_prefix("ottla ") {
                let words = words
                    .split(' ')
                    .take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
                let words: Vec<&str> = words.collect();
                let known = Command::new(env!("CARGO_BIN_EXE_ottla"))
                    .args(&words)
                    .arg("--help")
                    .output();
                assert!(
                    known.expect("the binary runs").status.success(),
                    "{name}: {command}"
                );
            }
        }
    }
}

/// All of the product's source; a phrase of a log line is in it.
fn log_lines() -> String {
    fn add(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => add(&path, text),
                false => text.push_str(&fs::read_to_string(&path).expect("source")),
            }
        }
    }
    let mut text = String::new();
    add(&root().join("src"), &mut text);
    text
}

/// `None` without a promtool.
fn promtool(arguments: &[&str], file: &Path) -> Option<(bool, String)> {
    let output = Command::new("promtool")
        .args(arguments)
        .arg(file)
        .output()
        .ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn promtool_finds_the_rules_right_and_sees_them_fire() {
    let folder = root().join("tuning/prometheus");
    for (arguments, file) in [
        (["check", "rules"], "alerts.yml"),
        (["test", "rules"], "alerts_test.yml"),
    ] {
        match promtool(&arguments, &folder.join(file)) {
            None => println!("skipped: no promtool"),
            Some((is_right, said)) => assert!(is_right, "{file}: {said}"),
        }
    }
}

/// As rules, the only form in which promtool looks at expressions.
#[test]
fn promtool_can_read_the_expressions_of_dashboards() {
    for (name, dashboard) in dashboards() {
        let mut rules = String::from("groups: [{name: a, rules: [");
        for (number, (expression, _)) in targets(&dashboard).iter().enumerate() {
            let expression = Value::from(expression.as_str());
            rules.push_str(&format!("{{record: 'a:b:{number}', expr: {expression}}},"));
        }
        rules.push_str("]}]");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.yml"));
        fs::write(&file, rules).expect("written");
        match promtool(&["check", "rules"], &file) {
            None => println!("skipped: no promtool"),
            Some((is_right, said)) => assert!(is_right, "{name}: {said}"),
        }
    }
}

/// The checks themselves.
#[test]
fn planted_faults_are_found() {
    for (expression, legend, expected) in [
        ("sum(ottla_partitions_offline) > 0", "", ""),
        (
            "ottla_partitions_ofline > 0",
            "",
            "no series is called ottla_partitions_ofline",
        ),
        (
            "rate(ottla_request_seconds[5m])",
            "",
            "no series is called ottla_request_seconds",
        ),
        (
            "ottla_partitions_bucket",
            "",
            "no series is called ottla_partitions_bucket",
        ),
        ("ottla_requests_total{apy=\"fetch\"}", "", "no label apy"),
        (
            "ottla_requests_total{api=\"fech\"}",
            "",
            "api of ottla_requests_total is never fech",
        ),
        ("ottla_requests_total{le=\"0.1\"}", "", "no label le"),
        ("sum by (stage) (ottla_requests_total)", "", "a label stage"),
        (
            "sum by (api) (ottla_requests_total)",
            "{{api}} {{shard}}",
            "",
        ),
        ("ottla_partitions", "{{topic}}", "a label topic"),
    ] {
        let found = faults(expression, legend, &[]);
        match expected {
            "" => assert!(found.is_empty(), "{found:?}"),
            _ => assert!(
                found.len() == 1 && found[0].contains(expected),
                "{expected}: {found:?}"
            ),
        }
    }
    assert_eq!(commands("Run `a b` or `c`."), ["a b", "c"]);
    let yaml = "- expr: >\n    a\n    + b\n  for: 5m\n- expr: c\n";
    assert_eq!(fields(yaml, "expr"), ["a + b ", "c"]);
}
