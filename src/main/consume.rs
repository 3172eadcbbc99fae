//! `ottla consume`: records of topics go to standard output.

pub(crate) mod assignment;
pub(crate) mod member;
mod reader;
mod template;

use crate::client::{Client, Contact, Place};
use crate::failure::{Done, Failure, Outcome};
use crate::json_record::Written;
use crate::output::output_failure;
use crate::place::From;
use crate::progress::{Interrupt, Progress};
use clap::Args;
use member::Member;
use ottla::record::TimestampKind;
use ottla::record::iterate::RecordView;
use reader::Reader;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use template::Template;

#[derive(Args)]
pub(crate) struct ConsumeArguments {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// These partitions alone.
    #[arg(
        short,
        long = "partition",
        value_name = "N",
        value_delimiter = ',',
        conflicts_with = "group"
    )]
    partitions: Vec<i32>,
    /// beginning, end, an offset, -N for the last N of each partition, or a time: RFC 3339, or 5m for five minutes ago.
    /// Of a group: where it begins that has no offset.
    #[arg(
        long,
        default_value = "beginning",
        value_name = "PLACE",
        allow_hyphen_values = true
    )]
    from: From,
    /// As a member of this consumer group, which shares the partitions and remembers how far it is.
    #[arg(short, long)]
    group: Option<String>,
    /// Waits for more at the end, until a signal.
    #[arg(short, long)]
    follow: bool,
    /// No more than so many.
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// What is printed of a record: {topic} {partition} {offset} {timestamp} {key} {value} {headers}, \n, \t, \0, \\.
    #[arg(long, default_value = "{value}\\n", conflicts_with = "output")]
    format: Template,
    #[command(flatten)]
    pub(crate) contact: Contact,
}

pub(crate) fn run(arguments: ConsumeArguments) -> Outcome {
    let interrupt = Interrupt::install()?;
    let mut client = arguments.contact.client();
    let mut sink = Sink::new(&arguments);
    let result = match &arguments.group {
        None => alone(&mut client, &arguments, &interrupt, &mut sink),
        Some(group) => as_member(&mut client, group, &arguments, &interrupt, &mut sink),
    };
    sink.progress.end();
    // What was read before a failure is still worth having.
    let flushed = sink.flush();
    result.and(flushed).map(|()| Done::All)
}

fn alone(
    client: &mut Client,
    arguments: &ConsumeArguments,
    interrupt: &Interrupt,
    sink: &mut Sink,
) -> Result<(), Failure> {
    let places = places(client, arguments)?;
    let mut reader = Reader::new(!arguments.follow);
    reader.begin(client, &places, arguments.from)?;
    while !interrupt.is_set() && !sink.is_full() && !reader.is_done() {
        reader.poll(client, sink)?;
        sink.flush()?;
    }
    Ok(())
}

fn places(client: &mut Client, arguments: &ConsumeArguments) -> Result<Vec<Place>, Failure> {
    let names: Vec<&str> = arguments.topics.iter().map(String::as_str).collect();
    let topics = client.patiently(|client| client.topics(&names))?;
    let all = topics.iter().flat_map(|topic| {
        let name = topic.name.as_deref().unwrap_or_default();
        let partitions = topic.partitions.iter();
        partitions.map(move |partition| Place::new(name, partition.partition_index))
    });
    let all: Vec<Place> = all.collect();
    if arguments.partitions.is_empty() {
        return Ok(all);
    }
    let chosen = names.iter().flat_map(|name| {
        let partitions = arguments.partitions.iter();
        partitions.map(|partition| Place::new(name, *partition))
    });
    Ok(chosen.collect())
}

/// Until the end, a signal, or enough. What was printed is committed before the member leaves.
fn as_member(
    client: &mut Client,
    group: &str,
    arguments: &ConsumeArguments,
    interrupt: &Interrupt,
    sink: &mut Sink,
) -> Result<(), Failure> {
    let mut member = Member::new(client, group, &arguments.topics)?;
    let result = take_part(&mut member, client, arguments, interrupt, sink);
    let left = member.leave(client);
    result.and(left)
}

fn take_part(
    member: &mut Member,
    client: &mut Client,
    arguments: &ConsumeArguments,
    interrupt: &Interrupt,
    sink: &mut Sink,
) -> Result<(), Failure> {
    while !interrupt.is_set() {
        let places = member.join(client)?;
        let committed = member.committed(client, &places)?;
        let mut reader = Reader::new(!arguments.follow);
        reader.resume(client, &places, &committed, arguments.from)?;
        while !interrupt.is_set() && !sink.is_full() && !reader.is_done() {
            reader.poll(client, sink)?;
            // Only what has been printed may be committed.
            sink.flush()?;
            if !member.go_on(client, &reader.positions())? {
                break;
            }
        }
        member.commit(client, &reader.positions())?;
        if reader.is_done() || sink.is_full() {
            break;
        }
    }
    Ok(())
}

/// Where records go, and how many more.
pub(crate) struct Sink {
    output: BufWriter<StdoutLock<'static>>,
    json: bool,
    format: Template,
    left: Option<u64>,
    progress: Progress,
}

impl Sink {
    fn new(arguments: &ConsumeArguments) -> Sink {
        Sink {
            output: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            json: arguments.contact.output.is_json(),
            format: arguments.format.clone(),
            left: arguments.count,
            progress: Progress::new(!io::stdout().is_terminal()),
        }
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn put(
        &mut self,
        place: &Place,
        kind: TimestampKind,
        record: RecordView<'_>,
    ) -> Result<(), Failure> {
        let written = Written {
            topic: &place.topic,
            partition: place.partition,
            kind,
            record,
        };
        let result = match self.json {
            true => serde_json::to_writer(&mut self.output, &written)
                .map_err(io::Error::from)
                .and_then(|()| self.output.write_all(b"\n")),
            false => self.format.write(&mut self.output, &written),
        };
        result.map_err(output_failure)?;
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        let bytes = [record.key, record.value].map(|part| part.map_or(0, <[u8]>::len) as u64);
        self.progress.add(1, bytes.iter().sum());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.output.flush().map_err(output_failure)
    }
}
