//! IncrementalAlterConfigs 0-1 for topics, brokers, groups and loggers. Each resource succeeds or fails alone; other resource types do not
//! exist here yet.

use super::alterations::{Alteration, Altered, alter};
use super::loggers::Loggers;
use super::resources::{self, Wanted};
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
    let image = call.image();
    let mut loggers = Loggers::new(&image, request.validate_only);
    let alterations = request.resources.into_iter().map(|resource| Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        wanted: alteration(resource, &mut loggers),
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

fn alteration(
    resource: AlterConfigsResource,
    loggers: &mut Loggers<'_>,
) -> Result<Option<AlterResource>, Refusal> {
    let (kind, name) = (resource.resource_type, &resource.resource_name);
    let operations = resource.configs.into_iter().map(operation);
    let operations: Vec<ConfigOperation> = operations.collect::<Result<_, _>>()?;
    if let Wanted::Loggers = resources::parse(kind, name)? {
        loggers.alter(name, &operations)?;
        return Ok(None);
    }
    Ok(Some(AlterResource {
        resource: resources::alterable(kind, name)?,
        operations,
        replaces: false,
    }))
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
