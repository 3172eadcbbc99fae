//! `ottla topic describe`.

use super::Describe;
use crate::client::{Client, EARLIEST, Found, LATEST, Place};
use crate::configs::{self, TOPIC_SOURCE};
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Output, Table, list, or_dash};
use ottla::wire::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    name: String,
    topic_id: String,
    is_internal: bool,
    partitions: Vec<Partition>,
    /// Those that are set on it.
    configs: BTreeMap<String, Option<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    partition_index: i32,
    leader_id: i32,
    leader_epoch: i32,
    replica_nodes: Vec<i32>,
    isr_nodes: Vec<i32>,
    offline_replicas: Vec<i32>,
    /// Null without a leader, who alone knows.
    log_start_offset: Option<i64>,
    high_watermark: Option<i64>,
}

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Describe) -> Outcome {
    let mut topics = Vec::new();
    let mut results = Vec::new();
    for name in &wanted.topics {
        let topic = describe(client, name);
        results.push(topic.as_ref().map(|_| ()).map_err(Failure::clone));
        topics.extend(topic);
    }
    if !topics.is_empty() {
        let document = Document("topics", &topics);
        output.show(&document, || topics.iter().flat_map(tables).collect())?;
    }
    Done::of_all(results, output.verbose)
}

fn describe(client: &mut Client, name: &str) -> Result<Described, Failure> {
    let mut topics = client.topics(&[name])?;
    let topic = topics
        .pop()
        .ok_or_else(|| Failure::new(format!("topic {name}: no answer")))?;
    let led = topic
        .partitions
        .iter()
        .filter(|partition| partition.leader_id >= 0);
    let places: Vec<Place> = led
        .map(|partition| Place::new(name, partition.partition_index))
        .collect();
    let starts = client.ends(&places, EARLIEST)?;
    let ends = client.ends(&places, LATEST)?;
    let configs = configs::describe(client, configs::TOPIC, name, &[])?.into_iter();
    let set = configs.filter(|config| config.config_source == TOPIC_SOURCE);
    let configs = set.map(|config| (config.name, config.value)).collect();
    Ok(described(topic, &starts, &ends, configs))
}

fn described(
    topic: MetadataResponseTopic,
    starts: &Found,
    ends: &Found,
    configs: BTreeMap<String, Option<String>>,
) -> Described {
    let name = topic.name.unwrap_or_default();
    let partition = |found: MetadataResponsePartition| {
        let place = Place::new(&name, found.partition_index);
        Partition {
            partition_index: found.partition_index,
            leader_id: found.leader_id,
            leader_epoch: found.leader_epoch,
            replica_nodes: found.replica_nodes,
            isr_nodes: found.isr_nodes,
            offline_replicas: found.offline_replicas,
            log_start_offset: starts.get(&place).copied(),
            high_watermark: ends.get(&place).copied(),
        }
    };
    Described {
        partitions: topic.partitions.into_iter().map(partition).collect(),
        topic_id: topic.topic_id.to_string(),
        is_internal: topic.is_internal,
        configs,
        name,
    }
}

fn tables(topic: &Described) -> Vec<Table> {
    let mut head = Table::new(&[Column::Text("TOPIC"), Column::Text(""), Column::Text("")]);
    head.row([topic.name.clone(), "id".into(), topic.topic_id.clone()]);
    for (key, value) in &topic.configs {
        head.row([String::new(), key.clone(), or_dash(value.as_ref())]);
    }
    let mut table = Table::new(&[
        Column::Number("PARTITION"),
        Column::Number("LEADER"),
        Column::Text("REPLICAS"),
        Column::Text("IN SYNC"),
        Column::Number("START"),
        Column::Number("END"),
        Column::Number("RECORDS"),
    ]);
    for partition in &topic.partitions {
        let (start, end) = (partition.log_start_offset, partition.high_watermark);
        let leader = Some(partition.leader_id).filter(|leader| *leader >= 0);
        table.row([
            partition.partition_index.to_string(),
            or_dash(leader),
            list(&partition.replica_nodes),
            list(&partition.isr_nodes),
            or_dash(start),
            or_dash(end),
            or_dash(start.zip(end).map(|(start, end)| end - start)),
        ]);
    }
    vec![head, table]
}
