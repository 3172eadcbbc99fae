//! What may be typed.

use super::cluster::ClusterArguments;
use super::config::ConfigArguments;
use super::consume::ConsumeArguments;
use super::doctor::DoctorArguments;
use super::group::GroupArguments;
use super::log::LogArguments;
use super::produce::ProduceArguments;
use super::topic::TopicArguments;
use super::tune::TuneArguments;
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
    /// Lists, makes, changes, deletes and trims topics.
    Topic(TopicArguments),
    /// Writes standard input as records.
    Produce(ProduceArguments),
    /// Prints records.
    Consume(ConsumeArguments),
    /// Lists consumer groups, tells their lag, resets and deletes them.
    Group(GroupArguments),
    /// Checks, prints and explains settings; reads and changes configs of topics, brokers and groups.
    Config(ConfigArguments),
    /// Tells of the cluster, its brokers and its features.
    Cluster(ClusterArguments),
    /// Reads a data directory without a broker: checks it, and prints what lies in it. Never writes.
    Log(LogArguments),
    /// Looks at this host: what a broker with the flags of serve needs, what would make it faster. Exit code 3 when
    /// something is bad.
    Doctor(Box<DoctorArguments>),
    /// Sets on this host what doctor asks for and a running system can change, and takes it back. Exit code 3 when
    /// --check finds something to change.
    Tune(Box<TuneArguments>),
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
    /// Cores to use, or auto [default: auto, all this process may run on but the first].
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
