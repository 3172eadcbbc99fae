//! IncrementalAlterConfigs 0-1 for topics and brokers. Each resource succeeds or fails alone; other resource types do not
//! exist here yet.

use super::resources::{self, Wanted};
use crate::control::command::{AlterResource, ConfigOperation, OperationKind};
use crate::control::{Command, Outcome};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

pub(in crate::server) fn handle(call: Call, request: IncrementalAlterConfigsRequest) -> Dispatched {
    let mut wanted = Vec::new();
    let mut answers = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name.clone());
        let refusal = alteration(resource).map(|item| wanted.push(item)).err();
        answers.push((kind, name, refusal));
    }
    let outcome = call.propose(Command::AlterConfigs {
        resources: wanted,
        validate_only: request.validate_only,
    });
    let answering = call.clone();
    call.later(async move {
        let outcome = outcome.await;
        let mut altered = match &outcome {
            Ok(Outcome::ConfigsAltered(altered)) => altered.iter(),
            _ => [].iter(),
        };
        let responses = answers.into_iter().map(|(kind, name, refusal)| {
            let refusal = refusal.or_else(|| match (&outcome, altered.next()) {
                (Err(refusal), _) => Some(refusal.clone()),
                (_, Some(Ok(()))) => None,
                (_, Some(Err(error))) => Some(errors::control(error)),
                (_, None) => Some(errors::mismatch()),
            });
            let mut response = AlterConfigsResourceResponse {
                resource_type: kind,
                resource_name: name,
                ..AlterConfigsResourceResponse::default()
            };
            if let Some(refusal) = refusal {
                response.error_code = answering.code(refusal.code);
                response.error_message = Some(refusal.message);
            }
            response
        });
        IncrementalAlterConfigsResponse {
            responses: responses.collect(),
            ..IncrementalAlterConfigsResponse::default()
        }
    })
}

fn alteration(resource: AlterConfigsResource) -> Result<AlterResource, Refusal> {
    let Wanted::Known(known) = resources::parse(resource.resource_type, &resource.resource_name)?
    else {
        return Err(resources::unknown(resource.resource_type));
    };
    let operations = resource.configs.into_iter().map(operation);
    Ok(AlterResource {
        resource: known,
        operations: operations.collect::<Result<_, _>>()?,
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
