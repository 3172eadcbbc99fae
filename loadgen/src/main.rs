//! The load generator.
//!
//! **Owns** a command line, runs against brokers of the Kafka protocol, and the document that a run leaves behind.
//! **Never** imports more of the broker than its vocabulary, codec and batches.
//! **Invariants**: send times are fixed before a run and never skipped; a percentile is quoted only when its samples
//! carry it; a broken promise of the broker ends in exit code 3, a broken schedule in 4.
//! **Enter at** [`args`], then [`run::conduct`].

mod args;
mod client;
mod clock;
mod connections;
mod consume;
mod cpu;
mod exports;
mod failure;
mod group;
mod headline;
mod hgrm;
mod hlog;
mod latency;
mod live;
mod machine;
mod net;
mod numbers;
mod preset;
mod produce;
mod progress;
mod report;
mod result;
mod run;
#[cfg(test)]
#[path = "../tests/samples/runs.rs"]
mod samples;
mod schedule;
mod settings;
mod sink;
mod storm;
mod summary;
mod text_table;
mod units;
mod verify;
mod workload;

use args::{Cli, Command, RunArgs, SloArgs};
use clap::Parser as _;
use failure::{Failure, Kind};
use live::frame::Run;
use live::screen::Live;
use progress::Progress;
use report::command::ReportArguments;
use result::RunResult;
use settings::{Load, Settings};
use std::process::ExitCode;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const BROKEN_PROMISE: u8 = 3;
const VOID: u8 = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    connections::raise_file_limit();
    let outcome = match &cli.command {
        Some(Command::Sink(sink)) => sink::serve::run(sink).map(|()| ExitCode::SUCCESS),
        Some(Command::Slo(slo)) => search(slo),
        Some(Command::Run(run)) => make(run),
        Some(Command::Report(arguments)) => report(arguments),
        None => make(&cli.run),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("ottla-loadgen: {failure}");
        ExitCode::from(match failure.kind {
            Kind::Failed => FAILED,
            Kind::Usage => USAGE,
        })
    })
}

fn make(args: &RunArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::resolve(args)?;
    let progress = Progress::new();
    let live = Live::start(&progress, shown(&settings), args.quiet);
    let done = run::conduct::run(&settings, &progress)?;
    drop(live);
    if let (Some(path), Some(samples)) = (&args.samples, &done.samples) {
        let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
        exports::write(path, &lines)?;
    }
    hand_out(args, &done.result)
}

fn search(args: &SloArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::resolve(&args.run)?;
    let progress = Progress::new();
    let live = Live::start(&progress, shown(&settings), args.run.quiet);
    let done = run::slo::run(args, &settings, &progress)?;
    drop(live);
    let code = hand_out(&args.run, &done.result)?;
    let held = done
        .result
        .steps
        .iter()
        .filter(|step| step.held == Some(true));
    match held.map(|step| step.rate).max_by(f64::total_cmp) {
        Some(rate) => println!("highest rate that held: {rate:.0} records/s"),
        None => return Err(Failure::new("no rate held the objective")),
    }
    Ok(code)
}

/// What the live view says of a run before it has begun.
fn shown(settings: &Settings) -> Run {
    let asked = match settings.load {
        Load::Open { from, to } if from == to => Some(numbers::rate(from)),
        Load::Open { from, to } => {
            Some(format!("{} to {}", numbers::rate(from), numbers::rate(to)))
        }
        Load::Steps(_) | Load::Closed { .. } => None,
    };
    Run {
        label: settings.label.clone(),
        asked,
    }
}

/// Writes and prints what was asked for, and says how it went.
fn hand_out(args: &RunArgs, result: &RunResult) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(result)
            .map_err(|error| Failure::new(error.to_string()))?;
        exports::write(path, &(text + "\n"))?;
    }
    if let Some(path) = &args.html {
        exports::write(path, &report::page::page(std::slice::from_ref(result)))?;
    }
    if let Some(prefix) = &args.hgrm {
        exports::write_distributions(prefix, result)?;
    }
    if let Some(path) = &args.hlog {
        exports::write_interval_log(path, result)?;
    }
    if !args.quiet {
        print!("{}", summary::summary(result));
    }
    Ok(exit_code(result))
}

fn exit_code(result: &RunResult) -> ExitCode {
    let broken = result.verify.as_ref().is_some_and(|verify| {
        verify.lost + verify.duplicated + verify.reordered + verify.corrupted > 0
    });
    match (broken, result.void.is_empty()) {
        (true, _) => ExitCode::from(BROKEN_PROMISE),
        (false, false) => ExitCode::from(VOID),
        (false, true) => ExitCode::SUCCESS,
    }
}

fn report(arguments: &ReportArguments) -> Result<ExitCode, Failure> {
    print!("{}", report::command::report(arguments)?);
    Ok(ExitCode::SUCCESS)
}
