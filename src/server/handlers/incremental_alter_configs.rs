//! IncrementalAlterConfigs 0-1 for topics, brokers and groups. Each resource succeeds or fails alone; other resource types do not
//! exist here yet.

use super::alterations::{Alteration, Altered, alter};
use super::resources;
use crate::control::command::{AlterResource, ConfigOperation, OperationKind};
use crate::server::call::Call;
use crate::server::errors::Refusal;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

pub(in crate::server) fn handle(call: Call, request: IncrementalAlterConfigsRequest) -> Dispatched {
    let alterations = request.resources.into_iter().map(|resource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        wanted: alteration(resource),
    });
    let altered = alter(&call, alterations.collect(), request.validate_only);
    call.later(async move {
        let responses = altered.await.into_iter().map(response);
        IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..IncrementalAlterConfigsResponse::default()
        }
    })
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

fn alteration(resource: AlterConfigsResource) -> Result<AlterResource, Refusal> {
    let operations = resource.configs.into_iter().map(operation);
    Ok(AlterResource {
        resource: resources::alterable(resource.resource_type, &resource.resource_name)?,
        operations: operations.collect::<Result<_, _>>()?,
        replaces: false,
    })
}

fn operation(config: AlterableConfig) -> Result<ConfigOperation, Refusal> {
    let kind = match config.config_operation {
        0 => OperationKind::Set,
        1 => OperationKind::Delete,
        2 => OperationKind::Append,
        3 => OperationKind::Subtract,
        other => {
            let message = format!("Unknown operation {other} for config {}.", config.name);
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    };
    Ok(ConfigOperation {
        name: config.name,
        kind,
        value: config.value,
    })
}
