//! The `ottla` program: arguments in, exit code out.
//!
//! **Owns** the command line, the configuration file as text, the one line on standard output, the exit code: 0 done,
//! 1 failed, 2 wrong usage.
//! **Never** decides what a setting means (`config`) or how a broker starts (`boot`).
//! **Invariants**: an error is one line on standard error that names its fix.
//! **Enter at** `main`, then `serve`.

mod arguments;
mod serve;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// Per-thread heaps: a shard's memory is given back on the core that took it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any thread exists: afterwards it takes ten times as long.
    glommio::early_init();
    match Arguments::parse().command {
        Some(Command::Serve(wishes)) => serve::run(wishes),
        None => {
            // A closed standard output is nobody's business.
            let _ = Arguments::command().print_help();
            ExitCode::SUCCESS
        }
    }
}
