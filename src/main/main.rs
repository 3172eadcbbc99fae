//! The `ottla` program: arguments in, exit code out. 0 done, 1 failed, 2 wrong usage.

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
