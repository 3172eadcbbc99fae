//! The `ottla` program: arguments in, exit code out.
//!
//! **Owns** the command line, the configuration file as text, what is printed, the exit code: 0 done, 1 failed, 2 wrong
//! usage, 3 a check found problems, 4 partly done; the tool, a blocking client that works against any Kafka broker, and
//! a reader of data directories on which no broker runs.
//! **Never** decides what a setting means (`config`) or how a broker starts (`boot`); the tool starts no runtime, but
//! for `doctor`, which tries whether it could.
//! **Invariants**: an error is one line on standard error that names its fix; standard output holds results alone;
//! nothing is destroyed unasked.
//! **Enter at** `main`, then `serve` for the broker, `client` for the tool, `log` for what lies on disk, `host` for
//! `doctor` and `tune`.

mod arguments;
mod serve;
mod usage;
// The tool: one file per subcommand, over the client.
mod client;
mod cluster;
mod config;
mod consume;
mod group;
mod produce;
mod topic;
// What needs no broker.
mod log;
// The host below a broker.
mod doctor;
mod host;
mod tune;
// What they share.
mod configs;
mod failure;
mod json_record;
mod moment;
mod output;
mod place;
mod progress;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// Per-thread heaps: a shard's memory is given back on the core that took it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::tell(&error),
    };
    let (verbose, outcome) = match arguments.command {
        Some(Command::Serve(wishes)) => {
            // Before any thread exists: afterwards it takes ten times as long.
            glommio::early_init();
            return serve::run(wishes);
        }
        Some(Command::Topic(wanted)) => (wanted.contact.output.verbose, topic::run(wanted)),
        Some(Command::Produce(wanted)) => (wanted.contact.output.verbose, produce::run(wanted)),
        Some(Command::Consume(wanted)) => (wanted.contact.output.verbose, consume::run(wanted)),
        Some(Command::Group(wanted)) => (wanted.contact.output.verbose, group::run(wanted)),
        Some(Command::Config(wanted)) => (wanted.output.verbose, config::run(wanted)),
        Some(Command::Cluster(wanted)) => (wanted.contact.output.verbose, cluster::run(wanted)),
        Some(Command::Log(wanted)) => (wanted.output.verbose, log::run(wanted)),
        Some(Command::Doctor(wanted)) => (wanted.output.verbose, doctor::run(*wanted)),
        Some(Command::Tune(wanted)) => (wanted.output.verbose, tune::run(*wanted)),
        None => {
            // A closed standard output is nobody's business.
            let _ = Arguments::command().print_help();
            return ExitCode::SUCCESS;
        }
    };
    match outcome {
        Ok(done) => done.exit(),
        Err(failure) => {
            failure.tell(verbose);
            failure.exit()
        }
    }
}
