//! `ottla cluster`: who is there and what they can do.

mod quorum;

use crate::client::{Client, Contact};
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Output, Table, or_dash};
use clap::{Args, Subcommand};
use ottla::wire::ApiKey;
use ottla::wire::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Args)]
pub(crate) struct ClusterArguments {
    #[command(flatten)]
    pub(crate) contact: Contact,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone, Copy)]
enum Action {
    /// Identity, controller, and how much there is.
    Info,
    /// The brokers, and what each leads.
    Nodes,
    /// Features and versions of APIs that the broker serves.
    Features,
    /// Who keeps the cluster's metadata, and how far each has got.
    Quorum,
}

pub(crate) fn run(arguments: ClusterArguments) -> Outcome {
    let ClusterArguments { contact, action } = arguments;
    let (mut client, output) = (contact.client(), &contact.output);
    match action {
        Action::Info => info(&mut client, output)?,
        Action::Nodes => nodes(&mut client, output)?,
        Action::Features => features(&mut client, output)?,
        Action::Quorum => quorum::show(&mut client, output)?,
    }
    Ok(Done::All)
}

fn describe(client: &mut Client) -> Result<DescribeClusterResponse, Failure> {
    let answer = client.ask_any(&DescribeClusterRequest::default())?;
    Failure::check(
        "cluster",
        answer.error_code,
        answer.error_message.as_deref(),
    )?;
    Ok(answer)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    cluster_id: String,
    controller_id: i32,
    broker_count: usize,
    topic_count: usize,
    partition_count: usize,
    /// Partitions without a leader, and those with fewer replicas in sync than there are.
    offline_partition_count: usize,
    under_replicated_partition_count: usize,
}

fn info(client: &mut Client, output: &Output) -> Result<(), Failure> {
    let cluster = describe(client)?;
    let topics = client.metadata(None)?.topics;
    let partitions: Vec<_> = topics.iter().flat_map(|topic| &topic.partitions).collect();
    let offline = partitions
        .iter()
        .filter(|partition| partition.leader_id < 0);
    let behind = partitions.iter();
    let behind =
        behind.filter(|partition| partition.isr_nodes.len() < partition.replica_nodes.len());
    let info = Info {
        cluster_id: cluster.cluster_id,
        controller_id: cluster.controller_id,
        broker_count: cluster.brokers.len(),
        topic_count: topics.len(),
        partition_count: partitions.len(),
        offline_partition_count: offline.count(),
        under_replicated_partition_count: behind.count(),
    };
    output.show(&info, || {
        let mut table = Table::new(&[Column::Text("CLUSTER"), Column::Text("")]);
        for (name, number) in [
            ("id", info.cluster_id.clone()),
            ("controller", info.controller_id.to_string()),
            ("brokers", info.broker_count.to_string()),
            ("topics", info.topic_count.to_string()),
            ("partitions", info.partition_count.to_string()),
            (
                "offline partitions",
                info.offline_partition_count.to_string(),
            ),
            (
                "under-replicated partitions",
                info.under_replicated_partition_count.to_string(),
            ),
        ] {
            table.row([name.to_owned(), number]);
        }
        vec![table]
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    broker_id: i32,
    host: String,
    port: i32,
    rack: Option<String>,
    is_controller: bool,
    is_fenced: bool,
    leader_count: usize,
    replica_count: usize,
}

fn nodes(client: &mut Client, output: &Output) -> Result<(), Failure> {
    let cluster = describe(client)?;
    let topics = client.metadata(None)?.topics;
    let (mut leaders, mut replicas) = (BTreeMap::new(), BTreeMap::new());
    for partition in topics.iter().flat_map(|topic| &topic.partitions) {
        *leaders.entry(partition.leader_id).or_default() += 1;
        for node in &partition.replica_nodes {
            *replicas.entry(*node).or_default() += 1;
        }
    }
    let of = |counts: &BTreeMap<i32, usize>, node| counts.get(&node).copied().unwrap_or(0);
    let mut nodes: Vec<Node> = cluster
        .brokers
        .into_iter()
        .map(|broker| Node {
            broker_id: broker.broker_id,
            is_controller: broker.broker_id == cluster.controller_id,
            leader_count: of(&leaders, broker.broker_id),
            replica_count: of(&replicas, broker.broker_id),
            host: broker.host,
            port: broker.port,
            rack: broker.rack,
            is_fenced: broker.is_fenced,
        })
        .collect();
    nodes.sort_by_key(|node| node.broker_id);
    let document = Document("brokers", &nodes);
    output.show(&document, || vec![node_table(&nodes)])
}

fn node_table(nodes: &[Node]) -> Table {
    let mut table = Table::new(&[
        Column::Number("NODE"),
        Column::Text("ADDRESS"),
        Column::Text("RACK"),
        Column::Number("LEADS"),
        Column::Number("REPLICAS"),
        Column::Text("STATE"),
    ]);
    for node in nodes {
        let state = match (node.is_fenced, node.is_controller) {
            (true, _) => "fenced",
            (false, true) => "controller",
            (false, false) => "",
        };
        table.row([
            node.broker_id.to_string(),
            format!("{}:{}", node.host, node.port),
            or_dash(node.rack.as_ref()),
            node.leader_count.to_string(),
            node.replica_count.to_string(),
            state.to_owned(),
        ]);
    }
    table
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features<'a> {
    finalized_features_epoch: i64,
    features: &'a [Feature],
    api_keys: &'a [Api],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Feature {
    name: String,
    min_version: Option<i16>,
    max_version: Option<i16>,
    /// The level in force, null when the feature is off.
    finalized_version: Option<i16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Api {
    api_key: i16,
    /// Null when this tool does not know it.
    name: Option<String>,
    min_version: i16,
    max_version: i16,
}

fn features(client: &mut Client, output: &Output) -> Result<(), Failure> {
    let told = client.any_connection()?.versions.clone();
    let mut features: BTreeMap<String, Feature> = BTreeMap::new();
    let empty = |name: &str| Feature {
        name: name.to_owned(),
        min_version: None,
        max_version: None,
        finalized_version: None,
    };
    for row in &told.supported_features {
        let feature = features
            .entry(row.name.clone())
            .or_insert_with(|| empty(&row.name));
        (feature.min_version, feature.max_version) = (Some(row.min_version), Some(row.max_version));
    }
    for row in &told.finalized_features {
        let feature = features
            .entry(row.name.clone())
            .or_insert_with(|| empty(&row.name));
        feature.finalized_version = Some(row.max_version_level);
    }
    let features: Vec<Feature> = features.into_values().collect();
    let apis = told.api_keys.iter().map(|row| Api {
        api_key: row.api_key,
        name: ApiKey::from_number(row.api_key).map(|key| key.to_string()),
        min_version: row.min_version,
        max_version: row.max_version,
    });
    let mut apis: Vec<Api> = apis.collect();
    apis.sort_by_key(|api| api.api_key);
    let document = Features {
        finalized_features_epoch: told.finalized_features_epoch,
        features: &features,
        api_keys: &apis,
    };
    output.show(&document, || {
        vec![feature_table(&features), api_table(&apis)]
    })
}

fn feature_table(features: &[Feature]) -> Table {
    let mut table = Table::new(&[
        Column::Text("FEATURE"),
        Column::Number("LEVEL"),
        Column::Text("SUPPORTED"),
    ]);
    for feature in features {
        let range = feature.min_version.zip(feature.max_version);
        let range = range.map(|(first, last)| format!("{first}-{last}"));
        table.row([
            feature.name.clone(),
            or_dash(feature.finalized_version),
            or_dash(range),
        ]);
    }
    table
}

fn api_table(apis: &[Api]) -> Table {
    let mut table = Table::new(&[
        Column::Number("KEY"),
        Column::Text("API"),
        Column::Text("VERSIONS"),
    ]);
    for api in apis {
        let range = format!("{}-{}", api.min_version, api.max_version);
        table.row([api.api_key.to_string(), or_dash(api.name.as_ref()), range]);
    }
    table
}
