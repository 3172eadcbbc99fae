//! The load generator.
#![allow(dead_code, reason = "parts come before their users")]

mod clock;
mod exports;
mod headline;
mod hgrm;
mod hlog;
mod latency;
mod numbers;
mod progress;
mod report;
mod result;
#[cfg(test)]
#[path = "../tests/samples/runs.rs"]
mod samples;
mod summary;
mod text_table;

use clap::Parser;

#[derive(Parser)]
enum Cli {
    Report(report::command::ReportArguments),
}

fn main() {
    let Cli::Report(arguments) = Cli::parse();
    match report::command::report(&arguments) {
        Ok(text) => print!("{text}"),
        Err(error) => {
            eprintln!("ottla-loadgen: {error}");
            std::process::exit(1);
        }
    }
}
