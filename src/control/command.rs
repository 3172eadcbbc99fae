//! What may be asked of the controller, and what it answers.

use super::error::ControlError;
use super::image::Topic;
use crate::base::ids::{NodeId, ProducerId, TopicId};
use std::sync::Arc;

/// A wish to change the metadata.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// The node has started and serves at this address.
    RegisterBroker {
        host: String,
        port: u16,
        rack: Option<String>,
    },
    CreateTopics {
        topics: Vec<NewTopic>,
        /// Check everything, change nothing.
        validate_only: bool,
    },
    /// Makes the topic that holds the state of consumer groups, unless it is there.
    CreateOffsetsTopic {
        /// Random, given by the caller.
        id: TopicId,
    },
    DeleteTopics {
        topics: Vec<TopicRef>,
    },
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
    },
    AlterConfigs {
        resources: Vec<AlterResource>,
        validate_only: bool,
    },
    AllocateProducerIds {
        count: u32,
    },
    /// Every file of a deleted topic is gone.
    RemoveTombstone {
        topic: TopicId,
    },
}

/// A topic to create.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NewTopic {
    pub name: String,
    /// Random, given by the caller: the controller has no randomness.
    pub id: TopicId,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i16,
    /// Partition and its brokers. Empty counts as absent: clients mix the two up.
    pub assignments: Option<Vec<(i32, Vec<i32>)>>,
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic to delete.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TopicRef {
    Name(String),
    Id(TopicId),
}

/// More partitions for a topic.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewPartitions {
    pub name: String,
    /// The total to reach.
    pub count: i32,
    /// Brokers of each new partition.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Configs of one resource to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlterResource {
    pub resource: Resource,
    pub operations: Vec<ConfigOperation>,
    /// What they do not name loses its value.
    pub replaces: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resource {
    Topic(String),
    /// None: the default of all brokers (an empty name on the wire).
    Broker(Option<NodeId>),
    /// Whether or not there is such a group.
    Group(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigOperation {
    pub name: String,
    pub kind: OperationKind,
    /// Not used by `Delete`.
    pub value: Option<String>,
}

/// With the numbers of IncrementalAlterConfigs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum OperationKind {
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

/// What became of a command. Results stand in the order of the command's items.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Registered {
        term: u32,
    },
    /// With `validate_only`: the topic as it would be.
    TopicsCreated(Vec<Result<Arc<Topic>, ControlError>>),
    TopicsDeleted(Vec<Result<Arc<Topic>, ControlError>>),
    /// The partition count reached.
    PartitionsCreated(Vec<Result<u32, ControlError>>),
    ConfigsAltered(Vec<Result<(), ControlError>>),
    ProducerIds(Result<ProducerIdBlock, ControlError>),
    TombstoneRemoved,
}

/// Producer ids `first..first + count`, given to one shard for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub count: u32,
}
