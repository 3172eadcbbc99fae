//! What `ottla serve` needs to know, resolved from file, environment and command line.

use super::accept_loss::AcceptLoss;
use super::broker::BrokerConfig;
use super::entry::Entry;
use super::error::SettingsError;
use super::layers::Overrides;
use super::topic::{Durability, TopicRules};
use super::{file, merge};
use crate::base::ids::NodeId;
use crate::base::limits::Limits;
use core::net::IpAddr;
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
    /// The most series that `/metrics/detail` shows.
    pub detail_series_max: usize,
    /// None: one shard per core of the process's affinity mask but the first.
    pub shards: Option<u16>,
    /// The class of topics that do not choose one.
    pub durability: Durability,
    pub log_level: String,
    /// Typed for this one start; `load` leaves it empty.
    pub accept_loss: AcceptLoss,
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

/// Everything settings come from, as text.
#[derive(Clone, Default, Debug)]
pub struct Sources<'a> {
    /// Name and text of the configuration file.
    pub file: Option<(&'a str, &'a str)>,
    /// The process's environment; what is not a setting is passed over.
    pub environment: Vec<(String, String)>,
    /// [`Entry::flag`] and [`Entry::set`], in the order typed.
    pub arguments: Vec<Entry>,
}

impl Settings {
    pub fn load(sources: Sources<'_>) -> Result<Settings, SettingsError> {
        let file = match sources.file {
            Some((name, text)) => file::read(name, text)?,
            None => Vec::new(),
        };
        let environment = Entry::environment(sources.environment).collect();
        merge::resolve(file, environment, sources.arguments)
    }

    pub fn topic_rules(&self) -> TopicRules {
        TopicRules::of(&self.limits)
    }

    /// This node's layer of broker configs: what its sources set under Kafka's names, and what follows from its
    /// own settings. Call it when ports are bound and the directory is known.
    pub fn fixed(&self) -> Overrides {
        let mut fixed = self.kafka.clone();
        let mut derive = |name: &str, value: String| fixed.insert(name.to_owned(), value);
        derive("node.id", self.node_id.to_string());
        let listen = Endpoint {
            host: self.listen.host.clone(),
            port: self.bound_port(),
        };
        derive("listeners", format!("PLAINTEXT://{listen}"));
        derive(
            "advertised.listeners",
            format!("PLAINTEXT://{}", self.advertised),
        );
        derive("log.dirs", self.data_dir.display().to_string());
        if let Some(rack) = &self.rack {
            derive("broker.rack", rack.clone());
        }
        fixed
    }

    /// The listener's port; one that was left open follows the advertised one, which boot fills in.
    fn bound_port(&self) -> u16 {
        match self.listen.port {
            0 => self.advertised.port,
            port => port,
        }
    }
}

impl Default for Settings {
    /// What `ottla serve` without arguments does.
    fn default() -> Settings {
        Settings::load(Sources::default()).expect("the defaults are valid")
    }
}

impl Endpoint {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once("]:")?,
            None => text
                .rsplit_once(':')
                .filter(|(host, _)| !host.contains(':'))?,
        };
        let is_legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b'@' | b'[' | b']');
        if host.is_empty() || !host.bytes().all(is_legal) {
            return None;
        }
        let host = host.to_owned();
        let port = port.parse().ok()?;
        Some(Endpoint { host, port })
    }
}

/// True for an address that accepts on all interfaces, and that nobody can dial.
pub fn is_wildcard(host: &str) -> bool {
    host == "*"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_unspecified())
}

pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
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
