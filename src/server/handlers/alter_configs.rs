//! AlterConfigs 0-2, superseded by IncrementalAlterConfigs: what is named becomes all that is set for the resource.

use super::alterations::{Alteration, Altered, alter};
use super::resources;
use crate::control::command::{AlterResource, ConfigOperation, OperationKind};
use crate::server::call::Call;
use crate::server::errors::Refusal;
use crate::server::reply_queue::Dispatched;
use crate::wire::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
    AlterableConfig,
};

pub(in crate::server) fn handle(call: Call, request: AlterConfigsRequest) -> Dispatched {
    let alterations = request.resources.into_iter().map(|resource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        wanted: replacement(resource),
    });
    let altered = alter(&call, alterations.collect(), request.validate_only);
    call.later(async move {
        let responses = altered.await.into_iter().map(response);
        AlterConfigsResponse {
            responses: responses.collect(),
            ..AlterConfigsResponse::default()
        }
    })
}

fn replacement(resource: AlterConfigsResource) -> Result<Option<AlterResource>, Refusal> {
    let set = |config: AlterableConfig| ConfigOperation {
        name: config.name,
        kind: OperationKind::Set,
        value: config.value,
    };
    Ok(Some(AlterResource {
        resource: resources::alterable(resource.resource_type, &resource.resource_name)?,
        operations: resource.configs.into_iter().map(set).collect(),
        replaces: true,
    }))
}

fn response(altered: Altered) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse {
        error_code: altered.error_code,
        error_message: altered.error_message,
        resource_type: altered.resource_type,
        resource_name: altered.resource_name,
        ..AlterConfigsResourceResponse::default()
    }
}
