//! What `ottla serve` needs to know, resolved from file, environment and command line.

use super::broker::BrokerConfig;
use super::layers::{BrokerLayers, Overrides};
use super::topic::{Durability, TopicRules};
use crate::base::ids::NodeId;
use crate::base::limits::Limits;
use std::fmt;
use std::path::PathBuf;

/// A node's own settings. Made once, before anything starts; never changed while it runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    pub node_id: NodeId,
    pub rack: Option<String>,
    pub data_dir: PathBuf,
    /// Where Kafka clients connect. A host of `localhost` means both families.
    pub listen: Endpoint,
    /// What clients are told to dial. Port 0: the port that was bound.
    pub advertised: Endpoint,
    /// None: no admin listener.
    pub admin: Option<Endpoint>,
    /// None: one shard per core of the process's affinity mask.
    pub shards: Option<u16>,
    /// The class of topics that do not choose one.
    pub durability: Durability,
    pub log_level: String,
    /// Bounds with this node's memory and ring sizes in them.
    pub limits: Limits,
    /// Kafka-named broker configs of this node (file, environment, command line), in canonical form.
    pub kafka: Overrides,
    /// The same, typed, over the defaults; cluster-wide changes come with the image.
    pub broker: BrokerConfig,
}

/// A host, as a name or an address, and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl Settings {
    pub fn layers(&self) -> BrokerLayers {
        BrokerLayers::from_fixed(self.kafka.clone())
    }

    pub fn topic_rules(&self) -> TopicRules {
        TopicRules::of(&self.limits)
    }
}

impl fmt::Display for Endpoint {
    /// As a client writes it; an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
