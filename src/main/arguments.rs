//! What may be typed.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A durable log that speaks Kafka's protocol.
#[derive(Parser)]
#[command(name = "ottla", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs a broker until SIGTERM or SIGINT.
    Serve(Serve),
}

/// Each flag goes before the environment (OTTLA_SECTION__KEY), which goes before the file.
#[derive(Args, Default)]
pub(crate) struct Serve {
    /// Settings, as TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory [default: ./ottla-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Where Kafka clients connect [default: localhost:9092, on both families]. Port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Where health and metrics are served, or off [default: 127.0.0.1:9644].
    #[arg(long, value_name = "HOST:PORT|off")]
    pub(crate) admin: Option<String>,
    /// Cores to use [default: all this process may run on].
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<String>,
    /// What an acknowledgement promises: flushed or memory [default: flushed].
    #[arg(long, value_name = "CLASS")]
    pub(crate) durability: Option<String>,
    /// Any setting, or a broker config under Kafka's name. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Brings a damaged partition back with what is left of it, at this start: TOPIC-PARTITION as the log names it (may
    /// be repeated), or all.
    #[arg(long = "accept-loss", value_name = "PARTITION|all")]
    pub(crate) accept_loss: Vec<String>,
}
