//! `ottla produce`: standard input becomes records of a topic.

mod input;
mod partitioner;
mod sender;

use crate::client::Contact;
use crate::configs::Assignment;
use crate::failure::{Done, Failure, Outcome};
use crate::place::now;
use crate::progress::{Interrupt, Progress};
use clap::{Args, ValueEnum};
use input::{Lines, Next, parse, split};
use ottla::base::limits::TOOL_LINGER_MS;
use ottla::record::Codec;
use sender::{Sender, Written};
use serde::Serialize;
use std::io::{self, IsTerminal};
use std::time::Duration;

#[derive(Args)]
pub(crate) struct ProduceArguments {
    topic: String,
    #[command(flatten)]
    pub(crate) contact: Contact,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    wishes: Wishes,
}

/// How standard input is read.
#[derive(Args)]
struct Source {
    /// Each line is a JSON object as consume -o json prints it: key, value, headers, timestamp.
    #[arg(long, conflicts_with_all = ["key_separator", "whole"])]
    json: bool,
    /// What stands between key and value of a line. A line without it has no key.
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    key_separator: Option<String>,
    /// The key of all records.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "key_separator")]
    key: Option<String>,
    /// A header of all records. May be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Assignment>,
    /// An empty value is null, which deletes the key of a compacted topic.
    #[arg(short = 'Z', long)]
    null_if_empty: bool,
    /// Records go to the partition their JSON names.
    #[arg(long, requires = "json")]
    keep_partitions: bool,
    /// All of standard input is one record.
    #[arg(long)]
    whole: bool,
}

/// How records are sent.
#[derive(Args)]
struct Wishes {
    /// All records go there. Left out: by key as Kafka's clients do, without a key spread over all.
    #[arg(short, long, value_name = "N", conflicts_with = "keep_partitions")]
    partition: Option<i32>,
    #[arg(short = 'z', long, value_enum, default_value = "none")]
    codec: CodecName,
    /// What is waited for: all replicas in sync, the leader alone, or nothing.
    #[arg(long, value_enum, default_value = "all")]
    acks: Acks,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum CodecName {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Acks {
    All,
    #[value(name = "1")]
    One,
    #[value(name = "0")]
    None,
}

impl CodecName {
    fn codec(self) -> Codec {
        match self {
            CodecName::None => Codec::None,
            CodecName::Gzip => Codec::Gzip,
            CodecName::Snappy => Codec::Snappy,
            CodecName::Lz4 => Codec::Lz4,
            CodecName::Zstd => Codec::Zstd,
        }
    }
}

impl Acks {
    fn number(self) -> i16 {
        match self {
            Acks::All => -1,
            Acks::One => 1,
            Acks::None => 0,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    topic: &'a str,
    /// Acknowledged; with acks=0, sent.
    records: u64,
    bytes: u64,
    elapsed_seconds: f64,
    partitions: Vec<Written>,
}

pub(crate) fn run(arguments: ProduceArguments) -> Outcome {
    let ProduceArguments {
        topic,
        contact,
        source,
        wishes,
    } = arguments;
    let interrupt = Interrupt::install()?;
    let (mut client, output) = (contact.client(), &contact.output);
    let mut progress = Progress::new(!io::stdin().is_terminal());
    let mut sender = Sender::new(&mut client, &topic, &wishes)?;
    let result = pump(&mut sender, &source, &interrupt, &mut progress);
    progress.end();
    (progress.records, progress.bytes) = sender.acknowledged();
    if output.is_json() {
        let summary = Summary {
            topic: &topic,
            records: progress.records,
            bytes: progress.bytes,
            elapsed_seconds: progress.elapsed().as_secs_f64(),
            partitions: sender.written(),
        };
        output.show(&summary, Vec::new)?;
    } else if io::stderr().is_terminal() {
        eprintln!("{topic}: {}", progress.summary());
    }
    match result {
        Err(failure) if progress.records > 0 => {
            failure.tell(output.verbose);
            eprintln!("ottla: {} records were written before", progress.records);
            Ok(Done::Partly)
        }
        Err(failure) => Err(failure),
        Ok(()) => Ok(Done::All),
    }
}

/// Until the input ends, a signal comes or something fails. What was read before a signal is still sent.
fn pump(
    sender: &mut Sender<'_>,
    source: &Source,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let lines = Lines::start(io::stdin(), source.whole);
    let mut line_number = 0_u64;
    while !interrupt.is_set() {
        let linger = Duration::from_millis(TOOL_LINGER_MS);
        match lines.next(if sender.is_idle() {
            20 * linger
        } else {
            linger
        })? {
            Next::Block(block) => {
                let now = now();
                for line in split(&block, source.whole) {
                    line_number += 1;
                    let at =
                        |why| Failure::new(format!("standard input, line {line_number}: {why}"));
                    let input = parse(line, source).map_err(at)?;
                    sender.push(&input, input.timestamp.unwrap_or(now))?;
                    progress.add(1, line.len() as u64);
                }
            }
            Next::Nothing => sender.flush()?,
            Next::End => return sender.finish(),
        }
    }
    sender.finish()?;
    Err(Failure::new(format!(
        "interrupted after line {line_number}"
    )))
}
