//! `ottla doctor`: looks at the host, changes nothing, and says what to set.

mod disk;
mod percentiles;

use crate::failure::{Done, Outcome};
use crate::host::arguments::Host;
use crate::host::finding::Finding;
use crate::host::knobs;
use crate::host::scene::{Drive, Scene};
use crate::host::verdict::Verdict;
use crate::output::{Column, Output, Table, print, printable};
use clap::Args;
use disk::Measured;
use serde::Serialize;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    host: Host,
    /// Measures flushed writes and streams in the data directory, each for so long, with up to 256 MiB of space.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "3",
        value_parser = seconds
    )]
    disk: Option<Duration>,
}

/// Longer wears the drive down and tells nothing new.
const MEASURE_SECONDS_MAX: f64 = 60.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= MEASURE_SECONDS_MAX);
    let seconds = seconds.ok_or("write a number of seconds up to 60")?;
    Ok(Duration::from_secs_f64(seconds))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    verdict: Verdict,
    data_dir: String,
    /// Empty: unknown, which `knobs` explains.
    drives: Vec<&'a str>,
    shard_cpus: &'a [usize],
    knobs: Vec<Row<'a>>,
    /// Null: not measured.
    disk: Option<&'a Measured>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    found: String,
    wanted: &'a str,
    verdict: Verdict,
    why: &'a str,
    how: String,
    undo: String,
    /// Whether `ottla tune` can set it here.
    tunable: bool,
    effect: &'a str,
    measure: Option<&'a str>,
}

pub(crate) fn run(arguments: DoctorArguments) -> Outcome {
    let DoctorArguments { output, host, disk } = arguments;
    let mut scene = host.scene()?;
    let measured = disk.map(|each| disk::measure(&scene.data, each));
    let measured = measured.transpose()?;
    scene.flushed_write = measured.as_ref().and_then(Measured::flushed_micros);
    let knobs = knobs::all();
    let findings: Vec<Finding> = knobs.iter().map(|knob| Finding::of(knob, &scene)).collect();
    let verdicts = findings.iter().map(|finding| finding.verdict);
    // What cannot be looked at is no fault.
    let faults = verdicts.filter(|verdict| *verdict != Verdict::Unknown);
    let verdict = faults.max().unwrap_or(Verdict::Unknown);
    let report = Report {
        verdict,
        data_dir: scene.data.display().to_string(),
        drives: names(&scene),
        shard_cpus: &scene.shards,
        knobs: findings
            .iter()
            .map(|finding| row(finding, &scene))
            .collect(),
        disk: measured.as_ref(),
    };
    output.show(&report, || tables(&report))?;
    if !output.is_json() {
        print(&advice(&report, output.verbose))?;
    }
    Ok(match verdict {
        Verdict::Bad => Done::Problems,
        _ => Done::All,
    })
}

fn names(scene: &Scene) -> Vec<&str> {
    let drives: &[Drive] = scene.drives.as_deref().unwrap_or_default();
    drives.iter().map(|drive| drive.name.as_str()).collect()
}

fn row<'a>(finding: &'a Finding, scene: &Scene) -> Row<'a> {
    let knob = finding.knob;
    Row {
        name: &knob.name,
        found: finding.reading.show(),
        wanted: &finding.wanted,
        verdict: finding.verdict,
        why: &knob.why,
        how: scene.fill(&knob.how),
        undo: scene.fill(&knob.undo),
        tunable: finding.is_tunable(scene),
        effect: &knob.effect,
        measure: knob.measure.as_deref(),
    }
}

fn tables(report: &Report) -> Vec<Table> {
    let mut all = Table::new(&[
        Column::Text("KNOB"),
        Column::Text("VERDICT"),
        Column::Text("FOUND"),
        Column::Text("WANTED"),
    ]);
    for row in &report.knobs {
        let found = match row.verdict {
            Verdict::Unknown => "-".to_owned(),
            _ => row.found.clone(),
        };
        let verdict = row.verdict.name().to_owned();
        all.row([row.name.to_owned(), verdict, found, row.wanted.to_owned()]);
    }
    let disk = report.disk.map(Measured::table);
    [all].into_iter().chain(disk).collect()
}

/// Why and how, of what has a fault; with `-v` of everything. And what was not seen.
fn advice(report: &Report, verbose: bool) -> String {
    let knobs = report.knobs.iter();
    let told = knobs
        .clone()
        .filter(|row| verbose || row.verdict >= Verdict::Warn);
    let mut text: String = told.map(Row::advice).collect();
    let unseen = knobs.filter(|row| row.verdict == Verdict::Unknown);
    let unseen: String = unseen.map(Row::reason).collect();
    if !unseen.is_empty() {
        text.push_str(&format!("\nunknown:\n{unseen}"));
    }
    text
}

impl Row<'_> {
    fn advice(&self) -> String {
        let (name, found, wanted) = (self.name, printable(&self.found), self.wanted);
        let tune = if self.tunable {
            "; ottla tune does"
        } else {
            ""
        };
        let Row {
            why, how, effect, ..
        } = self;
        let measure = self.measure.map(|command| format!("  measure {command}\n"));
        let measure = measure.unwrap_or_default();
        format!(
            "\n{name}: {found}, wanted: {wanted}\n  why     {why}\n  how     {how}{tune}\n  effect  {effect}\n{measure}"
        )
    }

    fn reason(&self) -> String {
        format!("  {}: {}\n", self.name, printable(&self.found))
    }
}
