//! `ottla cluster quorum`: the replicas of the log that holds the cluster's metadata.

use crate::client::Client;
use crate::failure::Failure;
use crate::moment;
use crate::output::{Column, Output, Table, or_dash};
use ottla::base::endpoint::endpoint;
use ottla::wire::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Node, PartitionData, ReplicaState,
    RequestPartitionData, RequestTopicData,
};
use serde::Serialize;

/// The one topic there is a quorum of; its only partition is 0.
const METADATA_TOPIC: &str = "__cluster_metadata";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quorum {
    leader_id: i32,
    leader_epoch: i32,
    high_watermark: i64,
    current_voters: Vec<Replica>,
    observers: Vec<Replica>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    replica_id: i32,
    replica_directory_id: String,
    log_end_offset: i64,
    /// What the leader has beyond it; null when the leader is unknown.
    lag: Option<i64>,
    last_fetch_timestamp: Option<String>,
    last_caught_up_timestamp: Option<String>,
    /// `NAME://host:port`; none where the broker does not tell.
    endpoints: Vec<String>,
}

pub(super) fn show(client: &mut Client, output: &Output) -> Result<(), Failure> {
    let answer = client.ask_any(&question())?;
    let quorum = quorum(answer)?;
    output.show(&quorum, || {
        vec![state_table(&quorum), replica_table(&quorum)]
    })
}

fn question() -> DescribeQuorumRequest {
    let partition = RequestPartitionData {
        partition_index: 0,
        ..RequestPartitionData::default()
    };
    let topic = RequestTopicData {
        topic_name: METADATA_TOPIC.to_owned(),
        partitions: vec![partition],
        ..RequestTopicData::default()
    };
    DescribeQuorumRequest {
        topics: vec![topic],
        ..DescribeQuorumRequest::default()
    }
}

fn quorum(answer: DescribeQuorumResponse) -> Result<Quorum, Failure> {
    let check = |code, message: &Option<String>| Failure::check("quorum", code, message.as_deref());
    check(answer.error_code, &answer.error_message)?;
    let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let partition = partitions.next();
    let partition =
        partition.ok_or_else(|| Failure::new("quorum: the broker said nothing of it"))?;
    check(partition.error_code, &partition.error_message)?;
    Ok(told(partition, &answer.nodes))
}

fn told(partition: &PartitionData, nodes: &[Node]) -> Quorum {
    let mut voters = partition.current_voters.iter();
    let leader = voters.find(|voter| voter.replica_id == partition.leader_id);
    let end = leader.map(|leader| leader.log_end_offset);
    let replicas = |states: &[ReplicaState]| -> Vec<Replica> {
        let replicas = states.iter().map(|state| replica(state, end, nodes));
        replicas.collect()
    };
    Quorum {
        leader_id: partition.leader_id,
        leader_epoch: partition.leader_epoch,
        high_watermark: partition.high_watermark,
        current_voters: replicas(&partition.current_voters),
        observers: replicas(&partition.observers),
    }
}

fn replica(state: &ReplicaState, leader_end: Option<i64>, nodes: &[Node]) -> Replica {
    let known = nodes.iter().filter(|node| node.node_id == state.replica_id);
    let listeners = known.flat_map(|node| &node.listeners);
    let endpoints = listeners.map(|listener| {
        let (name, host, port) = (&listener.name, &listener.host, listener.port);
        format!("{name}://{}", endpoint(host, i32::from(port)))
    });
    Replica {
        replica_id: state.replica_id,
        replica_directory_id: state.replica_directory_id.to_string(),
        log_end_offset: state.log_end_offset,
        lag: leader_end.map(|end| end - state.log_end_offset),
        last_fetch_timestamp: moment::render(state.last_fetch_timestamp),
        last_caught_up_timestamp: moment::render(state.last_caught_up_timestamp),
        endpoints: endpoints.collect(),
    }
}

fn state_table(quorum: &Quorum) -> Table {
    let mut table = Table::new(&[Column::Text("QUORUM"), Column::Text("")]);
    for (name, number) in [
        ("leader", quorum.leader_id.to_string()),
        ("leader epoch", quorum.leader_epoch.to_string()),
        ("high watermark", quorum.high_watermark.to_string()),
    ] {
        table.row([name.to_owned(), number]);
    }
    table
}

fn replica_table(quorum: &Quorum) -> Table {
    let mut table = Table::new(&[
        Column::Number("NODE"),
        Column::Text("STATUS"),
        Column::Number("LOG END"),
        Column::Number("LAG"),
        Column::Text("LAST FETCH"),
        Column::Text("LAST CAUGHT UP"),
        Column::Text("DIRECTORY"),
        Column::Text("ENDPOINTS"),
    ]);
    let voters = quorum.current_voters.iter().map(|voter| {
        let is_leader = voter.replica_id == quorum.leader_id;
        (voter, if is_leader { "leader" } else { "follower" })
    });
    let observers = quorum.observers.iter();
    let observers = observers.map(|observer| (observer, "observer"));
    for (replica, status) in voters.chain(observers) {
        table.row([
            replica.replica_id.to_string(),
            status.to_owned(),
            replica.log_end_offset.to_string(),
            or_dash(replica.lag),
            or_dash(replica.last_fetch_timestamp.as_ref()),
            or_dash(replica.last_caught_up_timestamp.as_ref()),
            replica.replica_directory_id.clone(),
            replica.endpoints.join(","),
        ]);
    }
    table
}
