//! ListConfigResources 0-1: what has configs. Version 0 lists client metrics alone, of which there are none.

use super::resources;
use crate::control::Image;
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

const TYPES_FROM: i16 = 1;

pub(in crate::server) fn handle(call: Call, request: ListConfigResourcesRequest) -> Dispatched {
    let image = call.image();
    let mut response = ListConfigResourcesResponse::default();
    match listed(&image, &request.resource_types, call.version) {
        Ok(resources) => response.config_resources = resources,
        Err(code) => response.error_code = call.code(code),
    }
    call.ready(&response)
}

fn listed(image: &Image, types: &[i8], version: i16) -> Result<Vec<ConfigResource>, ErrorCode> {
    if types.iter().any(|kind| !resources::KINDS.contains(kind)) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let is_wanted = |kind| version >= TYPES_FROM && (types.is_empty() || types.contains(&kind));
    let resource = |name: String, resource_type| ConfigResource {
        resource_name: name,
        resource_type,
        ..ConfigResource::default()
    };
    let mut found = Vec::new();
    if is_wanted(resources::GROUP) {
        let groups = image.configured_groups();
        found.extend(groups.map(|group| resource(group.to_string(), resources::GROUP)));
    }
    if is_wanted(resources::BROKER_LOGGER) {
        let brokers = image.broker.iter();
        found.extend(brokers.map(|b| resource(b.node_id.to_string(), resources::BROKER_LOGGER)));
    }
    if is_wanted(resources::BROKER) {
        let brokers = image.broker.iter();
        found.extend(brokers.map(|b| resource(b.node_id.to_string(), resources::BROKER)));
    }
    if is_wanted(resources::TOPIC) {
        let topics = image.topics();
        found.extend(topics.map(|topic| resource(topic.name.to_string(), resources::TOPIC)));
    }
    Ok(found)
}
