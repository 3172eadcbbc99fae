//! DescribeConfigs 1-4 for topics, brokers, groups and loggers: value, source, synonyms, type and documentation of each config. An empty
//! broker name asks for what is set for all brokers.

use super::loggers;
use super::resources::{self, Wanted};
use crate::config::describe::{self, Description, SynonymValue};
use crate::control::command::Resource;
use crate::control::{ControlError, Image, names};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What of a row the client wants to see.
#[derive(Clone, Copy)]
struct Detail {
    synonyms: bool,
    documentation: bool,
}

pub(in crate::server) fn handle(call: Call, request: DescribeConfigsRequest) -> Dispatched {
    let image = call.image();
    let detail = Detail {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    let mut seen = BTreeSet::new();
    let results = request.resources.into_iter().map(|resource| {
        let first_time = seen.insert((resource.resource_type, resource.resource_name.clone()));
        let mut result = DescribeConfigsResult {
            error_message: None,
            resource_type: resource.resource_type,
            ..DescribeConfigsResult::default()
        };
        match rows(&image, &resource, first_time) {
            Ok(rows) => {
                let rows = rows.into_iter().map(|row| described(row, detail));
                result.configs = rows.collect();
            }
            Err(refusal) => {
                result.error_code = call.code(refusal.code);
                result.error_message = Some(refusal.message);
            }
        }
        result.resource_name = resource.resource_name;
        result
    });
    call.ready(&DescribeConfigsResponse {
        results: results.collect(),
        ..DescribeConfigsResponse::default()
    })
}

fn rows(
    image: &Image,
    resource: &DescribeConfigsResource,
    first_time: bool,
) -> Result<Vec<Description>, Refusal> {
    if !first_time {
        // Ten bytes are answered with ten thousand; once.
        let message = "A resource is described once per request.";
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    let wanted = resource.configuration_keys.as_deref();
    let known = match resources::parse(resource.resource_type, &resource.resource_name)? {
        Wanted::Known(known) => known,
        Wanted::Loggers => return loggers::rows(image, &resource.resource_name, wanted),
        Wanted::Empty => return Ok(Vec::new()),
    };
    match known {
        Resource::Topic(name) => {
            names::check_form(&name).map_err(|problem| errors::control(&problem.into()))?;
            let unknown = || errors::control(&ControlError::UnknownTopic { name: name.clone() });
            let topic = image.topic(&name).ok_or_else(unknown)?;
            Ok(describe::topic(&topic.overrides, &image.layers, wanted))
        }
        Resource::Group(group) if group.is_empty() => {
            let message = "Group name must not be empty";
            Err(Refusal::new(ErrorCode::InvalidRequest, message))
        }
        Resource::Group(group) => {
            let none = Arc::default();
            let overrides = image.group_overrides(&group).unwrap_or(&none);
            Ok(describe::group(overrides, &image.layers, wanted))
        }
        Resource::Broker(None) => Ok(describe::cluster(&image.layers, wanted)),
        Resource::Broker(Some(node)) if node == image.node_id => {
            Ok(describe::broker(&image.layers, wanted))
        }
        Resource::Broker(Some(node)) => Err(Refusal::new(
            ErrorCode::InvalidRequest,
            format!(
                "Unexpected broker id, expected {} or empty string, but received {node}",
                image.node_id
            ),
        )),
    }
}

fn described(row: Description, detail: Detail) -> DescribeConfigsResourceResult {
    let synonyms = row.synonyms.into_iter().map(synonym);
    DescribeConfigsResourceResult {
        name: row.name.to_owned(),
        value: row.value,
        read_only: row.read_only,
        config_source: row.source as i8,
        is_sensitive: row.sensitive,
        synonyms: match detail.synonyms {
            true => synonyms.collect(),
            false => Vec::new(),
        },
        config_type: row.kind as i8,
        documentation: detail.documentation.then(|| row.documentation.to_owned()),
        ..DescribeConfigsResourceResult::default()
    }
}

fn synonym(synonym: SynonymValue) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: Some(synonym.value),
        source: synonym.source as i8,
        ..DescribeConfigsSynonym::default()
    }
}
