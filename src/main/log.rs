//! `ottla log`: what lies in a data directory, read without a broker, and what a start would make of it.
//!
//! Nothing is ever written. The bytes are read here, formats and verdicts are those of `ottla::log`, and what a start
//! would do is found out by `boot::rehearsal`, which is a start.

mod batches;
mod directory;
mod dump;
mod index;
mod journal;
mod lines;
mod partition;
mod report;
mod segments;
mod shard;
mod snapshot;
mod verify;

use crate::failure::Outcome;
use crate::output::Output;
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct LogArguments {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Checks every checksum and chain in a data directory, and tells what a start would do and why.
    Verify(verify::Verify),
    /// Prints the batches and records of a partition, or what journal and metadata log hold.
    Dump(Box<dump::Dump>),
    /// Prints the sparse index of a partition's segments, and what it is good for.
    Index(index::Index),
}

pub(crate) fn run(arguments: LogArguments) -> Outcome {
    let LogArguments { output, action } = arguments;
    match action {
        Action::Verify(wanted) => verify::run(&output, &wanted),
        Action::Dump(wanted) => dump::run(&output, &wanted),
        Action::Index(wanted) => index::run(&output, &wanted),
    }
}
