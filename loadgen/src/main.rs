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
mod failure;
mod group;
mod latency;
mod machine;
mod net;
mod preset;
mod produce;
mod progress;
mod result;
mod run;
mod schedule;
mod settings;
mod sink;
mod storm;
mod summary;
mod units;
mod verify;
mod workload;

use args::{Cli, Command, RunArgs, SloArgs};
use clap::Parser as _;
use failure::{Failure, Kind};
use progress::Progress;
use result::RunResult;
use settings::Settings;
use std::path::Path;
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
    let done = run::conduct::run(&settings, &progress)?;
    if let (Some(path), Some(samples)) = (&args.samples, &done.samples) {
        let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
        write(path, &lines)?;
    }
    hand_out(args, &done.result)
}

fn search(args: &SloArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::resolve(&args.run)?;
    let progress = Progress::new();
    let done = run::slo::run(args, &settings, &progress)?;
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

/// Writes and prints what was asked for, and says how it went.
fn hand_out(args: &RunArgs, result: &RunResult) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(result)
            .map_err(|error| Failure::new(error.to_string()))?;
        write(path, &(text + "\n"))?;
    }
    if !args.quiet {
        print!("{}", summary::text(result));
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

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
