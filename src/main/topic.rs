//! `ottla topic`: what topics there are, making, changing, deleting and trimming them.

mod alter;
mod create;
mod delete;
mod describe;
mod trim;

use crate::client::{Client, Contact};
use crate::configs::Assignment;
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Leave, Output, Table};
use crate::place::Before;
use clap::{Args, Subcommand};
use ottla::wire::messages::metadata::MetadataResponseTopic;
use serde::Serialize;

#[derive(Args)]
pub(crate) struct TopicArguments {
    #[command(flatten)]
    pub(crate) contact: Contact,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Names, partitions and replicas of all topics.
    List(List),
    /// Partitions with leaders, replicas and offsets, and the configs set on the topic.
    Describe(Describe),
    /// Makes topics.
    Create(Create),
    /// Adds partitions, sets configs.
    Alter(Alter),
    /// Deletes topics with all their records.
    Delete(Delete),
    /// Deletes the oldest records of a topic.
    Trim(Trim),
}

#[derive(Args)]
struct List {
    /// With those that the broker keeps for itself.
    #[arg(long)]
    internal: bool,
}

#[derive(Args)]
struct Describe {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
}

#[derive(Args)]
struct Create {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Left out: the broker's num.partitions.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Left out: the broker's default.replication.factor.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A topic config. May be repeated; ottla config reference lists them.
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    configs: Vec<Assignment>,
    /// A topic that exists already is no failure.
    #[arg(long)]
    if_not_exists: bool,
    /// Lets the broker check everything and make nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct Alter {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// How many there are to be; there can only be more. Keys then go to other partitions than before.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Sets a topic config. May be repeated.
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    configs: Vec<Assignment>,
    /// Back to the default. May be repeated.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Lets the broker check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct Delete {
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    leave: Leave,
}

#[derive(Args)]
struct Trim {
    topic: String,
    /// What lies before goes: an offset, end (everything), a time (RFC 3339, or 7d for seven days ago).
    #[arg(long, value_name = "OFFSET|end|TIME")]
    before: Before,
    /// This partition alone. May be repeated.
    #[arg(short, long = "partition", value_name = "N", value_delimiter = ',')]
    partitions: Vec<i32>,
    #[command(flatten)]
    leave: Leave,
}

pub(crate) fn run(arguments: TopicArguments) -> Outcome {
    let TopicArguments { contact, action } = arguments;
    let (mut client, output) = (contact.client(), &contact.output);
    match action {
        Action::List(wanted) => list(&mut client, output, wanted.internal),
        Action::Describe(wanted) => describe::run(&mut client, output, &wanted),
        Action::Create(wanted) => create::run(&mut client, output, &wanted),
        Action::Alter(wanted) => alter::run(&mut client, output, &wanted),
        Action::Delete(wanted) => delete::run(&mut client, output, &wanted),
        Action::Trim(wanted) => trim::run(&mut client, output, &wanted),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    topic_id: String,
    is_internal: bool,
    partition_count: usize,
    replication_factor: usize,
}

fn list(client: &mut Client, output: &Output, internal: bool) -> Outcome {
    let topics = client.metadata(None)?.topics.into_iter();
    let mut topics: Vec<Listed> = topics
        .filter(|topic| internal || !topic.is_internal)
        .map(listed)
        .collect();
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    let document = Document("topics", &topics);
    output.show(&document, || {
        let mut table = Table::new(&[
            Column::Text("TOPIC"),
            Column::Number("PARTITIONS"),
            Column::Number("REPLICAS"),
            Column::Text("ID"),
        ]);
        for topic in &topics {
            let numbers = [topic.partition_count, topic.replication_factor];
            let [partitions, replicas] = numbers.map(|number| number.to_string());
            table.row([
                topic.name.clone(),
                partitions,
                replicas,
                topic.topic_id.clone(),
            ]);
        }
        vec![table]
    })?;
    Ok(Done::All)
}

fn listed(topic: MetadataResponseTopic) -> Listed {
    let replicas = topic
        .partitions
        .iter()
        .map(|partition| partition.replica_nodes.len());
    Listed {
        name: topic.name.unwrap_or_default(),
        topic_id: topic.topic_id.to_string(),
        is_internal: topic.is_internal,
        partition_count: topic.partitions.len(),
        replication_factor: replicas.min().unwrap_or(0),
    }
}

/// One thing of several that a command tried.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tried {
    name: String,
    /// Its name, Kafka's or ours; null when it is done.
    error: Option<&'static str>,
    error_message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct All {
    validate_only: bool,
    topics: Vec<Tried>,
}

impl Tried {
    fn new(name: &str, result: &Result<(), Failure>) -> Tried {
        let failure = result.as_ref().err();
        Tried {
            name: name.to_owned(),
            error: failure.map(Failure::name),
            error_message: failure.map(Failure::text),
        }
    }
}

/// Tells what came of each topic: a line that it is done, or the failure on standard error.
fn conclude(
    output: &Output,
    done: &str,
    dry_run: bool,
    results: Vec<(String, Result<(), Failure>)>,
) -> Outcome {
    if output.is_json() {
        let topics = results
            .iter()
            .map(|(name, result)| Tried::new(name, result));
        let topics: Vec<Tried> = topics.collect();
        let document = All {
            validate_only: dry_run,
            topics,
        };
        output.show(&document, Vec::new)?;
    } else {
        for (name, _) in results.iter().filter(|(_, result)| result.is_ok()) {
            let would = if dry_run { "would be " } else { "" };
            crate::output::print(&format!("topic {name}: {would}{done}\n"))?;
        }
    }
    let results = results.into_iter().map(|(_, result)| result);
    Done::of_all(results.collect(), output.verbose)
}
