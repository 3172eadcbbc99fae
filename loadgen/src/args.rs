//! The command line as it is written. What is not written is filled in by [`settings`](crate::settings).

use crate::preset::Preset;
use crate::report::command::ReportArguments;
use crate::units;
use crate::workload::keys::Keys;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ottla::record::Codec;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser, Debug)]
#[command(
    name = "ottla-loadgen",
    version,
    about = "Drives any broker of the Kafka protocol, in an open loop unless told otherwise",
    long_about = "Drives any broker of the Kafka protocol.\n\nWith --rate the loop is open: send times are fixed \
                  before the run and latency counts from them, so a broker that stalls is charged for every request \
                  that had to wait. With --in-flight it is closed: for throughput. With neither, 1,000 records a \
                  second are sent and read back for ten seconds.",
    after_help = "Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 --verify found something wrong, 4 the run is void \
                  (the generator could not keep its schedule).",
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Makes a run; the same as no subcommand.
    Run(RunArgs),
    /// Searches the highest rate that holds a latency objective without a growing backlog.
    Slo(SloArgs),
    /// A minimal broker in memory that answers at once: the floor and ceiling of the generator.
    Sink(SinkArgs),
    /// Shows results of runs: a table here, a page with --html, histograms for other tools.
    Report(ReportArguments),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Producers alone.
    Produce,
    /// Consumers read what the topic holds, from its start.
    Consume,
    /// Producers, and consumers that wait for each record: latency from the intended send to the arrival.
    EndToEnd,
    /// End to end, with consumers that are members of one group and commit.
    Groups,
    /// End to end, with every record to every one of --consumers.
    FanOut,
    /// End to end, beside one more consumer that reads the topic from its start.
    CatchUp,
    /// Connections are opened, asked one question, and closed: --rate a second, or --in-flight at once.
    Storm,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum CodecName {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<CodecName> for Codec {
    fn from(name: CodecName) -> Codec {
        match name {
            CodecName::None => Codec::None,
            CodecName::Gzip => Codec::Gzip,
            CodecName::Snappy => Codec::Snappy,
            CodecName::Lz4 => Codec::Lz4,
            CodecName::Zstd => Codec::Zstd,
        }
    }
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RunArgs {
    /// Brokers; the first that can be reached is asked [default: localhost:9092].
    #[arg(long, value_name = "HOST:PORT[,...]", env = "OTTLA_BOOTSTRAP")]
    pub(crate) bootstrap: Option<String>,
    /// Created when it is missing [default: ottla-loadgen].
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Of the topic [default: 4].
    #[arg(long)]
    pub(crate) partitions: Option<usize>,
    /// For a topic that is created.
    #[arg(long, value_name = "NAME=VALUE", value_parser = units::pair)]
    pub(crate) topic_config: Vec<(String, String)>,
    /// Settings of a typical workload; flags beside it win.
    #[arg(long)]
    pub(crate) preset: Option<Preset>,
    /// What happens [default: produce; end-to-end without --rate, --in-flight and --preset].
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// Records a second, in an open loop.
    #[arg(long, value_parser = units::rate, conflicts_with = "in_flight")]
    pub(crate) rate: Option<f64>,
    /// Requests under way on each connection, in a closed loop.
    #[arg(long)]
    pub(crate) in_flight: Option<usize>,
    /// Rates one after the other, --duration each, a row for each.
    #[arg(long, value_name = "RATE,...", value_delimiter = ',', value_parser = units::rate,
          conflicts_with_all = ["rate", "in_flight", "ramp"])]
    pub(crate) steps: Vec<f64>,
    /// A rate that rises (or falls) evenly over the measured time.
    #[arg(long, value_name = "FROM..TO", value_parser = units::rate_range,
          conflicts_with_all = ["rate", "in_flight"])]
    pub(crate) ramp: Option<(f64, f64)>,
    /// Requests arrive as those of many independent users, not evenly.
    #[arg(long)]
    pub(crate) poisson: bool,
    /// Requests under way on each connection of an open loop at most; more wait, and count [default: 100000].
    #[arg(long)]
    pub(crate) max_in_flight: Option<usize>,
    /// Send times closer than this become one, so that a fast thread wakes once a tick [default: 200us].
    #[arg(long, value_parser = units::duration)]
    pub(crate) tick: Option<Duration>,
    /// Producing connections [default: 1].
    #[arg(long)]
    pub(crate) connections: Option<usize>,
    /// Producing threads [default: 1].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Consumers, or members of the group [default: 1].
    #[arg(long)]
    pub(crate) consumers: Option<usize>,
    /// Connections that do nothing, opened before the run [default: 0].
    #[arg(long, value_name = "COUNT")]
    pub(crate) idle: Option<usize>,
    /// [default: 1]
    #[arg(long)]
    pub(crate) records_per_batch: Option<usize>,
    /// One size, or a range that is drawn from evenly [default: 100].
    #[arg(long, value_name = "SIZE[..SIZE]", value_parser = units::size_range)]
    pub(crate) value_size: Option<(usize, usize)>,
    /// Values are the lines of this file, or slices of --value-size.
    #[arg(long, value_name = "FILE")]
    pub(crate) payload: Option<PathBuf>,
    /// Distribution of keys [default: none].
    #[arg(long)]
    pub(crate) key: Option<Keys>,
    /// Different keys [default: 10000].
    #[arg(long)]
    pub(crate) key_count: Option<usize>,
    /// [default: none]
    #[arg(long)]
    pub(crate) codec: Option<CodecName>,
    /// [default: all]
    #[arg(long, value_parser = ["0", "1", "all", "-1"])]
    pub(crate) acks: Option<String>,
    /// Each connection is an idempotent producer: at most five requests under way.
    #[arg(long)]
    pub(crate) idempotent: bool,
    /// A consumer's answer is at most so large [default: 1MiB].
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(crate) fetch_bytes: Option<usize>,
    /// Consumers start again until --duration is over; with it they read the topic once.
    #[arg(long)]
    pub(crate) once: bool,
    /// Measured time [default: 10s].
    #[arg(long, value_parser = units::duration)]
    pub(crate) duration: Option<Duration>,
    /// Before it, not measured [default: 2s].
    #[arg(long, value_parser = units::duration)]
    pub(crate) warmup: Option<Duration>,
    /// Answers are waited for after the last request [default: 10s].
    #[arg(long, value_parser = units::duration)]
    pub(crate) drain: Option<Duration>,
    /// Reads everything back: each acknowledged record once, in order, intact. Exit code 3 when not.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Never sleeps: send times are met exactly, at the price of a core for each thread.
    #[arg(long)]
    pub(crate) spin: bool,
    /// Threads stay on these cores, in turn.
    #[arg(long, value_name = "CORE,...", value_delimiter = ',')]
    pub(crate) pin: Vec<usize>,
    /// Of everything random [default: 1].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The same workload against a sink, after the run, for so long [default: 2s].
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) sink_floor: Option<Duration>,
    /// No run against a sink.
    #[arg(long, conflicts_with = "sink_floor")]
    pub(crate) no_sink: bool,
    /// A broker on this machine, whose CPU and memory are to be read.
    #[arg(long, value_name = "PID")]
    pub(crate) broker_pid: Option<u32>,
    /// For tables and legends [default: the preset or the mode].
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// What the broker's acknowledgement means, for the result: memory, page cache, flushed.
    #[arg(long, value_name = "TEXT")]
    pub(crate) durability: Option<String>,
    /// Writes the result as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes the result as a page that opens from disk.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Writes the percentiles as text, as HdrHistogram's plotter reads them: PREFIX-produce-latency.hgrm and so on.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Writes one histogram a second, as HistogramLogAnalyzer reads them.
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
    /// Writes every latency in nanoseconds, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
    /// Prints nothing but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SloArgs {
    /// The objective: the 99th percentile stays below it.
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) p99: Duration,
    /// So does the 99.9th below this.
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) p999: Option<Duration>,
    /// The search ends when it knows the rate this well, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub(crate) precision: f64,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SinkArgs {
    /// Where to listen; port 0 takes any and prints it.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub(crate) listen: String,
    /// Keeps every batch, up to this many bytes; without it the newest 64 MiB.
    #[arg(long, value_name = "SIZE", num_args = 0..=1, default_missing_value = "4GiB", value_parser = units::size)]
    pub(crate) store: Option<usize>,
    /// Does nothing for so long, so often.
    #[arg(long, value_name = "LENGTH/PERIOD", value_parser = units::stall)]
    pub(crate) stall: Option<(Duration, Duration)>,
}
