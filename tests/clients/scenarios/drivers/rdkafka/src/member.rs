//! One member of a group, until it is told to close.

use super::{POLL_TIME, packed, text};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

struct Told;

impl ClientContext for Told {}

impl ConsumerContext for Told {
    fn pre_rebalance(&self, _: &BaseConsumer<Told>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(places) => tell("assigned", places),
            Rebalance::Revoke(places) => tell("revoked", places),
            Rebalance::Error(error) => eprintln!("{error}"),
        }
    }
}

fn tell(what: &str, places: &TopicPartitionList) {
    let partitions: Vec<i32> = places
        .elements()
        .iter()
        .map(|place| place.partition())
        .collect();
    println!("{}", json!({ what: partitions }));
}

pub(crate) fn run(address: &str, settings: &Value) {
    if let Err(error) = consume(address, settings, &commands()) {
        println!("{}", json!({ "failed": error.to_string() }));
    }
}

fn commands() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let told: Value =
                serde_json::from_str(&line.expect("standard input")).expect("a line is JSON");
            sender
                .send(text(&told["do"]).to_owned())
                .expect("the member runs");
        }
    });
    receiver
}

fn consume(address: &str, settings: &Value, commands: &Receiver<String>) -> Result<(), KafkaError> {
    let consumer = joined(address, settings)?;
    loop {
        let mut records = Vec::new();
        let mut patience = POLL_TIME;
        while let Some(message) = consumer.poll(patience) {
            if let Ok(message) = message {
                records.push(json!([
                    message.partition(),
                    message.offset(),
                    packed(message.payload())
                ]));
            }
            patience = Duration::ZERO;
        }
        if !records.is_empty() {
            println!("{}", json!({ "records": records }));
        }
        if let Ok(told) = commands.try_recv() {
            commit(&consumer)?;
            if told == "close" {
                return Ok(());
            }
            println!("{}", json!({ "committed": true }));
        }
    }
}

fn joined(address: &str, settings: &Value) -> Result<BaseConsumer<Told>, KafkaError> {
    let strategy = match text(&settings["strategy"]) {
        "cooperative" => "cooperative-sticky",
        other => other,
    };
    let mut joining = ClientConfig::new();
    joining
        .set("bootstrap.servers", address)
        .set("group.id", text(&settings["group"]))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", settings["session_ms"].to_string())
        .set(
            "heartbeat.interval.ms",
            settings["heartbeat_ms"].to_string(),
        )
        .set("partition.assignment.strategy", strategy);
    if let Some(instance) = settings["instance"].as_str() {
        joining.set("group.instance.id", instance);
    }
    let consumer: BaseConsumer<Told> = joining.create_with_context(Told)?;
    consumer.subscribe(&[text(&settings["topic"])])?;
    Ok(consumer)
}

fn commit(consumer: &BaseConsumer<Told>) -> Result<(), KafkaError> {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => Err(error),
        _ => Ok(()),
    }
}
