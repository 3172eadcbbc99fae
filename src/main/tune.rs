//! `ottla tune`: what `doctor` asks for and a running system can change. What was there before is kept, and comes back.

mod apply;
mod plan;
mod record;
mod undo;

use crate::failure::{Done, Failure, Outcome};
use crate::host::arguments::Host;
use crate::host::finding::Finding;
use crate::host::knobs::{self, Knob};
use crate::output::{Column, Output, Table, print, printable};
use clap::{ArgGroup, Args};
use plan::{Plan, Step};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
#[command(group = ArgGroup::new("action").required(true))]
pub(crate) struct TuneArguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    host: Host,
    /// Shows what --apply would change.
    #[arg(long, group = "action")]
    check: bool,
    /// Changes it, and keeps what was there in /var/lib/ottla-tune.
    #[arg(long, group = "action")]
    apply: bool,
    /// Puts back what --apply has changed.
    #[arg(long, group = "action", conflicts_with = "knobs")]
    undo: bool,
    /// Only these, by the names doctor shows.
    #[arg(value_name = "KNOB")]
    knobs: Vec<String>,
}

pub(crate) fn run(arguments: TuneArguments) -> Outcome {
    let TuneArguments { output, host, .. } = &arguments;
    let scene = host.scene()?;
    if !arguments.check && scene.root.is_own() && !rustix::process::geteuid().is_root() {
        let failure = Failure::new("only root may change this host");
        return Err(failure.fix("sudo, or ottla tune --check to see what would change"));
    }
    if arguments.undo {
        let changes = undo::run(&scene.root)?;
        return tell(output, &changes, &[]);
    }
    let knobs = chosen(&arguments.knobs)?;
    let findings: Vec<Finding> = knobs.iter().map(|knob| Finding::of(knob, &scene)).collect();
    let plan = Plan::new(&findings, &scene)?;
    match arguments.check {
        true => check(output, &plan),
        false => {
            let changes = apply::run(&scene.root, &plan)?;
            tell(output, &changes, &plan.by_hand)
        }
    }
}

fn chosen(names: &[String]) -> Result<Vec<Knob>, Failure> {
    let mut knobs = knobs::all();
    let unknown = names
        .iter()
        .find(|name| !knobs.iter().any(|knob| knob.name == **name));
    if let Some(name) = unknown {
        let failure = Failure::usage(format!("there is no knob {name}"));
        return Err(failure.fix("a name that ottla doctor shows, in quotes"));
    }
    knobs.retain(|knob| names.is_empty() || names.contains(&knob.name));
    Ok(knobs)
}

/// A place that was to be changed, and what came of it.
struct Change {
    step: Step,
    result: Result<(), Failure>,
}

/// A fault that stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct ByHand {
    name: String,
    found: String,
    wanted: String,
    how: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    changes: Vec<Row<'a>>,
    by_hand: &'a [ByHand],
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    place: &'a PathBuf,
    /// Null: there was, or is to be, no such file.
    before: Option<&'a str>,
    after: Option<&'a str>,
    /// Null: none, or not tried.
    error: Option<String>,
}

impl<'a> Row<'a> {
    fn new(step: &'a Step, result: Option<&Result<(), Failure>>) -> Row<'a> {
        let failure = result.and_then(|result| result.as_ref().err());
        Row {
            name: &step.name,
            place: &step.place,
            before: step.before.as_deref().map(str::trim_end),
            after: step.after.as_deref().map(str::trim_end),
            error: failure.map(Failure::text),
        }
    }
}

fn check(output: &Output, plan: &Plan) -> Outcome {
    let report = Report {
        changes: plan.steps.iter().map(|step| Row::new(step, None)).collect(),
        by_hand: &plan.by_hand,
    };
    if plan.steps.is_empty() && !output.is_json() {
        print("nothing to change\n")?;
    }
    output.show(&report, || {
        let mut table = Table::new(&[
            Column::Text("KNOB"),
            Column::Text("IS"),
            Column::Text("WOULD BE"),
            Column::Text("IN"),
        ]);
        for step in &plan.steps {
            let [before, after] = [&step.before, &step.after].map(|text| shown(text.as_deref()));
            table.row([
                step.name.clone(),
                before,
                after,
                step.place.display().to_string(),
            ]);
        }
        let steps = (!plan.steps.is_empty()).then_some(table);
        steps.into_iter().chain(by_hand(&plan.by_hand)).collect()
    })?;
    Ok(match plan.steps.is_empty() {
        true => Done::All,
        false => Done::Problems,
    })
}

/// What was changed goes to standard output, what could not be to standard error.
fn tell(output: &Output, changes: &[Change], left: &[ByHand]) -> Outcome {
    let rows = changes
        .iter()
        .map(|change| Row::new(&change.step, Some(&change.result)));
    let report = Report {
        changes: rows.collect(),
        by_hand: left,
    };
    if !output.is_json() {
        for change in changes.iter().filter(|change| change.result.is_ok()) {
            let Step {
                name,
                place,
                before,
                after,
            } = &change.step;
            let [before, after] = [before, after].map(|text| shown(text.as_deref()));
            print(&format!(
                "{name}: {before} -> {after} ({})\n",
                place.display()
            ))?;
        }
        if changes.is_empty() {
            print("nothing to change\n")?;
        }
    }
    output.show(&report, || by_hand(left).into_iter().collect())?;
    let results = changes.iter().map(|change| change.result.clone());
    Done::of_all(results.collect(), output.verbose)
}

fn by_hand(left: &[ByHand]) -> Option<Table> {
    let mut table = Table::new(&[
        Column::Text("BY HAND"),
        Column::Text("FOUND"),
        Column::Text("WANTED"),
        Column::Text("HOW"),
    ]);
    for row in left {
        let ByHand {
            name,
            found,
            wanted,
            how,
        } = row.clone();
        table.row([name, found, wanted, how]);
    }
    (!left.is_empty()).then_some(table)
}

/// One line of it.
fn shown(text: Option<&str>) -> String {
    let Some(text) = text else {
        return "no file".to_owned();
    };
    let text = text.trim_end();
    match text.lines().count() {
        0 | 1 => printable(text),
        lines => format!("a file of {lines} lines"),
    }
}
