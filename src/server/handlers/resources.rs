//! Resources that configs belong to, as requests name them.

use crate::base::ids::NodeId;
use crate::control::command::Resource;
use crate::server::errors::Refusal;
use crate::wire::ErrorCode;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;
/// The types that Kafka has.
pub(super) const KINDS: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

/// A resource of a type that exists here, or of one that only Kafka has.
pub(super) enum Wanted {
    Known(Resource),
    /// What this process logs.
    Loggers,
    /// Has no configs here.
    Empty,
}

pub(super) fn parse(kind: i8, name: &str) -> Result<Wanted, Refusal> {
    match kind {
        TOPIC => Ok(Wanted::Known(Resource::Topic(name.to_owned()))),
        BROKER if name.is_empty() => Ok(Wanted::Known(Resource::Broker(None))),
        BROKER => match name.parse() {
            Ok(node) => Ok(Wanted::Known(Resource::Broker(Some(NodeId(node))))),
            Err(_) => {
                let message = format!("Broker id must be an integer, but it is: {name}");
                Err(Refusal::new(ErrorCode::InvalidRequest, message))
            }
        },
        GROUP => Ok(Wanted::Known(Resource::Group(name.to_owned()))),
        BROKER_LOGGER => Ok(Wanted::Loggers),
        CLIENT_METRICS => Ok(Wanted::Empty),
        _ => Err(unknown(kind)),
    }
}

/// A resource whose configs can be changed.
pub(super) fn alterable(kind: i8, name: &str) -> Result<Resource, Refusal> {
    match parse(kind, name)? {
        Wanted::Known(resource) => Ok(resource),
        Wanted::Loggers | Wanted::Empty => Err(unknown(kind)),
    }
}

fn unknown(kind: i8) -> Refusal {
    let message = format!("Configs of resource type {kind} are not served by this release.");
    Refusal::new(ErrorCode::InvalidRequest, message)
}
