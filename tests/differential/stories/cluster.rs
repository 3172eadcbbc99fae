//! The cluster as a client first meets it.

use ottla::wire::messages::api_versions::*;
use ottla::wire::messages::describe_cluster::*;
use ottla::wire::messages::find_coordinator::*;
use ottla::wire::messages::metadata::*;

use crate::session::Session;

pub(super) fn met(session: &Session) {
    let mut client = session.client();
    let request = ApiVersionsRequest {
        client_software_name: "differential".to_owned(),
        client_software_version: "1.0".to_owned(),
        ..Default::default()
    };
    client.ask("versions", &request);
    let cluster = DescribeClusterRequest {
        endpoint_type: 1,
        ..Default::default()
    };
    client.ask("cluster", &cluster);
    let cluster = DescribeClusterRequest {
        endpoint_type: 1,
        include_cluster_authorized_operations: true,
        include_fenced_brokers: true,
        ..Default::default()
    };
    client.ask("cluster with operations", &cluster);
    let none = MetadataRequest {
        topics: Some(Vec::new()),
        ..Default::default()
    };
    client.ask("brokers", &none);
    let operations = MetadataRequest {
        include_cluster_authorized_operations: true,
        ..none
    };
    client.ask("brokers with operations", &operations);
    for (key_type, key) in [(0, "group"), (0, ""), (2, "x"), (-1, "x"), (3, "x")] {
        let request = FindCoordinatorRequest {
            key: key.to_owned(),
            key_type,
            coordinator_keys: vec![key.to_owned(), "another".to_owned(), key.to_owned()],
            ..Default::default()
        };
        client.ask(
            &format!("coordinator of {key:?}, type {key_type}"),
            &request,
        );
    }
}
