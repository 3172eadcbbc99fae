//! Topics and configs.

use super::{Answer, Failure, POLL_TIME, REQUEST_TIME_MAX, by_partition, number, text};
use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a change may take to be seen.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Admin {
    client: AdminClient<DefaultClientContext>,
    /// Its metadata requests do not create topics.
    reader: BaseConsumer,
}

impl Admin {
    pub(crate) fn new(address: &str) -> Admin {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", address);
        Admin {
            client: settings.create().expect("an admin client"),
            reader: settings
                .set("group.id", "unused")
                .create()
                .expect("a consumer"),
        }
    }

    pub(crate) fn serve(&self, request: &Value) -> Answer {
        match text(&request["do"]) {
            "create_topic" => self.create_topic(request),
            "describe_topic" => self.describe_topic(request),
            "delete_topic" => self.delete_topic(request),
            "add_partitions" => self.add_partitions(request),
            "delete_records" => self.delete_records(request),
            "configs" => self.configs(request),
            "replace_configs" => self.replace_configs(request),
            "alter_configs" => Err(Failure::Unavailable(
                "the crate has only AlterConfigs, which replaces all",
            )),
            other => Err(Failure::Other(format!("no verb {other}"))),
        }
    }

    fn create_topic(&self, request: &Value) -> Answer {
        let configs = request["configs"].as_object().expect("configs").iter();
        let topic = NewTopic {
            name: text(&request["topic"]),
            num_partitions: number(&request["partitions"]) as i32,
            replication: TopicReplication::Fixed(number(&request["replication"]) as i32),
            config: configs
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect(),
        };
        only(block_on(self.client.create_topics([&topic], &options()))?)
    }

    fn describe_topic(&self, request: &Value) -> Answer {
        let found = self
            .reader
            .fetch_metadata(Some(text(&request["topic"])), REQUEST_TIME_MAX)?;
        let topic = &found.topics()[0];
        match topic.error() {
            Some(error) => Err(RDKafkaErrorCode::from(error).into()),
            None => Ok(json!({ "partitions": topic.partitions().len() })),
        }
    }

    fn delete_topic(&self, request: &Value) -> Answer {
        only(block_on(
            self.client
                .delete_topics(&[text(&request["topic"])], &options()),
        )?)
    }

    fn add_partitions(&self, request: &Value) -> Answer {
        let total = NewPartitions::new(text(&request["topic"]), number(&request["total"]) as usize);
        only(block_on(
            self.client.create_partitions([&total], &options()),
        )?)
    }

    fn delete_records(&self, request: &Value) -> Answer {
        let mut before = TopicPartitionList::new();
        for (partition, offset) in by_partition(&request["before"]) {
            let offset = match number(offset) {
                -1 => Offset::End,
                offset => Offset::Offset(offset),
            };
            before.add_partition_offset(text(&request["topic"]), partition, offset)?;
        }
        let deleted = block_on(self.client.delete_records(&before, &options()))?;
        let mut starts = serde_json::Map::new();
        for place in deleted.elements() {
            place.error()?;
            starts.insert(
                place.partition().to_string(),
                place.offset().to_raw().into(),
            );
        }
        Ok(json!({ "starts": starts }))
    }

    fn configs(&self, request: &Value) -> Answer {
        let found = block_on(
            self.client
                .describe_configs([&resource(request)], &options()),
        )?;
        let resource = found.into_iter().next().expect("one answer")?;
        if resource.entries.is_empty() {
            return Err(Failure::Unavailable(
                "describe_configs hides the error of a resource",
            ));
        }
        let mut configs = serde_json::Map::new();
        for entry in resource.entries {
            let source = match entry.source {
                ConfigSource::Unknown => 0,
                ConfigSource::DynamicTopic => 1,
                ConfigSource::DynamicBroker => 2,
                ConfigSource::DynamicDefaultBroker => 3,
                ConfigSource::StaticBroker => 4,
                ConfigSource::Default => 5,
            };
            let shown =
                json!({ "value": entry.value, "source": source, "read_only": entry.is_read_only });
            configs.insert(entry.name, shown);
        }
        Ok(json!({ "configs": configs }))
    }

    fn replace_configs(&self, request: &Value) -> Answer {
        let mut wanted = AlterConfig::new(resource(request));
        for (name, value) in request["configs"].as_object().expect("configs") {
            wanted = wanted.set(name, text(value));
        }
        block_on(self.client.alter_configs([&wanted], &options()))?;
        // The crate says Ok whatever the broker has answered, so it is looked at.
        let deadline = Instant::now() + CHANGE_TIME_MAX;
        loop {
            let found = self.configs(request)?;
            let taken = |(name, value): (&&str, &&str)| found["configs"][*name]["value"] == **value;
            if wanted.entries.iter().all(taken) {
                return Ok(json!({}));
            }
            if Instant::now() > deadline {
                return Err(Failure::Unavailable(
                    "alter_configs hides the error of a resource",
                ));
            }
            std::thread::sleep(POLL_TIME);
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_TIME_MAX))
        .operation_timeout(Some(REQUEST_TIME_MAX))
}

fn only(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Answer {
    match results.into_iter().next().expect("one answer") {
        Ok(_) => Ok(json!({})),
        Err((_, code)) => Err(code.into()),
    }
}

fn resource(request: &Value) -> ResourceSpecifier<'_> {
    match text(&request["type"]) {
        "topic" => ResourceSpecifier::Topic(text(&request["name"])),
        _ => ResourceSpecifier::Broker(text(&request["name"]).parse().expect("a number")),
    }
}
