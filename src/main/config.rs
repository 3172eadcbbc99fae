//! `ottla config`: settings of a node as files hold them, configs of topics, brokers and groups as a cluster has them.

mod reference;
mod remote;

use crate::arguments::Arguments;
use crate::arguments::Serve;
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Output, Table, print};
use crate::serve;
use clap::{Args, CommandFactory, Subcommand, ValueEnum};
use clap_complete::Shell;
use ottla::config::entry::Origin;
use ottla::config::error::SettingsError;
use ottla::config::{Entry, Sources};
use remote::{Get, Set};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// What serve would take from file, environment and the same flags, and where each value is from.
    Print(Box<Serve>),
    /// Looks for everything that is wrong in a configuration file.
    Check { file: PathBuf },
    /// Every setting and config with type, default and range: as Markdown, or with -o json.
    Reference,
    /// A script that completes this command line: source <(ottla config completion bash).
    Completion {
        #[arg(value_enum)]
        shell: ShellName,
    },
    /// Configs of a topic, a broker or a group of a cluster.
    Get(Get),
    /// Changes configs of a topic, a broker or a group of a cluster.
    Set(Set),
}

#[derive(ValueEnum, Clone, Copy)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(arguments: ConfigArguments) -> Outcome {
    let ConfigArguments { output, action } = arguments;
    match action {
        Action::Print(wishes) => print_in_force(&output, &wishes)?,
        Action::Check { file } => return check(&output, &file),
        Action::Reference => reference::show(&output)?,
        Action::Completion { shell } => complete(shell)?,
        Action::Get(wanted) => remote::get(&output, &wanted)?,
        Action::Set(wanted) => remote::set(&output, &wanted)?,
    }
    Ok(Done::All)
}

#[derive(Serialize)]
struct Setting {
    name: String,
    value: String,
    source: String,
}

fn print_in_force(output: &Output, wishes: &Serve) -> Result<(), Failure> {
    let usage = |error: Box<dyn std::error::Error>| Failure::usage(error.to_string());
    let file = serve::file(wishes).map_err(usage)?;
    let sources = serve::sources(wishes, file.as_ref()).map_err(usage)?;
    let entries = sources.in_force();
    let entries = entries.map_err(|error| Failure::usage(error.to_string()))?;
    let settings = entries.into_iter().map(|entry: Entry| Setting {
        name: entry.key,
        value: entry.value,
        source: entry.origin.to_string(),
    });
    let settings: Vec<Setting> = settings.collect();
    output.show(&Document("settings", &settings), || {
        let mut table = Table::new(&[
            Column::Text("SETTING"),
            Column::Text("VALUE"),
            Column::Text("FROM"),
        ]);
        for setting in &settings {
            table.row([
                setting.name.clone(),
                setting.value.clone(),
                setting.source.clone(),
            ]);
        }
        vec![table]
    })
}

#[derive(Serialize)]
struct Problem {
    line: Option<usize>,
    message: String,
}

/// The problems are the result: they go to standard output.
fn check(output: &Output, path: &std::path::Path) -> Outcome {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let failure = Failure::new(format!("{name} cannot be read: {error}"));
        failure.fix("name a readable file")
    })?;
    let sources = Sources {
        file: Some((&name, &text)),
        ..Sources::default()
    };
    let found = sources.problems();
    if output.is_json() {
        let problems = found.iter().map(|error: &SettingsError| Problem {
            line: match error.origin {
                Origin::File { line, .. } => Some(line),
                _ => None,
            },
            message: error.to_string(),
        });
        output.show(
            &Document("problems", problems.collect::<Vec<_>>()),
            Vec::new,
        )?;
    } else if found.is_empty() {
        print(&format!("{name}: no problems\n"))?;
    } else {
        let lines: String = found.iter().map(|error| format!("{error}\n")).collect();
        print(&lines)?;
    }
    Ok(if found.is_empty() {
        Done::All
    } else {
        Done::Problems
    })
}

fn complete(shell: ShellName) -> Result<(), Failure> {
    let shell = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ottla", &mut script);
    print(&String::from_utf8_lossy(&script))
}
