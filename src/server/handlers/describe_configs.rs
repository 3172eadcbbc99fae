use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};

pub(in crate::server) fn handle(call: Call, _request: DescribeConfigsRequest) -> Dispatched {
    call.ready(&DescribeConfigsResponse::default())
}
