//! The layers a broker configuration comes from, and which of them wins.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Values by name, in canonical form.
pub type Overrides = BTreeMap<String, String>;

/// Where a value came from, with the numbers DescribeConfigs uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicCluster = 3,
    StaticBroker = 4,
    Default = 5,
    BrokerLogger = 6,
    Group = 8,
}

/// The three layers above the defaults, of one broker; the first that has a name wins. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BrokerLayers {
    /// Set for this broker through the cluster's metadata.
    pub node: Arc<Overrides>,
    /// Set for all brokers through the cluster's metadata.
    pub cluster: Arc<Overrides>,
    /// This node's own file, environment and command line.
    pub fixed: Arc<Overrides>,
}

impl BrokerLayers {
    pub fn from_fixed(fixed: Overrides) -> BrokerLayers {
        BrokerLayers {
            fixed: Arc::new(fixed),
            ..BrokerLayers::default()
        }
    }

    /// The value in force under `name`, unless it is the default.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.chain(name).map(|(_, value)| value).next()
    }

    /// Every layer's value under `name`, the winner first.
    pub fn chain(&self, name: &str) -> impl Iterator<Item = (Source, &str)> {
        let layers = [
            (Source::DynamicBroker, self.node.get(name)),
            (Source::DynamicCluster, self.cluster.get(name)),
            (Source::StaticBroker, self.fixed.get(name)),
        ];
        let set = layers.into_iter();
        set.filter_map(|(source, value)| Some((source, value?.as_str())))
    }
}
