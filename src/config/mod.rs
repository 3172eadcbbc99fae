//! Settings: of the node (file < environment < command line), of the broker and of topics (Kafka's names).
//!
//! **Owns** every key with its type, default, range and documentation; the typed, validated result.
//! **Never** reads a file, a variable or an argument: `boot` and `main` hand in text.
//! **Invariants**: a [`TopicConfig`], [`BrokerConfig`] or [`Settings`] holds validated values only; what a key
//! means is written in one table row, and DescribeConfigs prints from the same row.
//! **Enter at** [`settings`] for the node, [`topic`] for a topic, [`describe`] for what clients see.

pub mod problem;
pub mod quantity;
pub mod value;

pub mod broker;
pub mod broker_keys;
pub mod layers;
pub mod topic;
pub mod topic_keys;

pub mod group_keys;

pub mod describe;
pub mod log_levels;

pub mod accept_loss;
pub mod entry;
pub mod error;
mod file;
mod merge;
pub mod own_keys;
mod report;
pub mod settings;

pub use accept_loss::AcceptLoss;
pub use broker::BrokerConfig;
pub use entry::Entry;
pub use error::SettingsError;
pub use layers::{BrokerLayers, Overrides};
pub use problem::ConfigProblem;
pub use settings::{Endpoint, Settings, Sources};
pub use topic::{TopicConfig, TopicRules};
