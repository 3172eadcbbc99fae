//! DescribeCluster 0-2: the brokers, for consoles and admin tools. Only the brokers' endpoint type is served here.

use super::metadata::{CLUSTER_OPERATIONS, endpoints};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(in crate::server) fn handle(call: Call, request: DescribeClusterRequest) -> Dispatched {
    let image = call.image();
    let mut response = DescribeClusterResponse::default();
    let refusal = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some((
            ErrorCode::MismatchedEndpointType,
            "This is a broker's endpoint.",
        )),
        _ => Some((
            ErrorCode::UnsupportedEndpointType,
            "Endpoint types are 1 (brokers) and 2 (controllers).",
        )),
    };
    if let Some((code, message)) = refusal {
        response.error_code = call.code(code);
        response.error_message = Some(message.to_owned());
        return call.ready(&response);
    }
    response.cluster_id = image.cluster_id.to_string();
    response.controller_id = image.node_id.0;
    let brokers = endpoints(&image).into_iter();
    response.brokers = brokers
        .map(|broker| DescribeClusterBroker {
            broker_id: broker.node_id,
            host: broker.host,
            port: broker.port,
            rack: broker.rack,
            ..DescribeClusterBroker::default()
        })
        .collect();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    call.ready(&response)
}
