//! The controller: command in, records, answer and next image out.

use super::command::{Command, Outcome};
use super::image::Image;
use super::record::ReplayError;
use crate::base::ids::{NodeId, Uuid};
use crate::config::{Overrides, TopicRules};
use bytes::Bytes;
use std::sync::Arc;

/// Decides about changes of the metadata. Lives on shard 0; one proposal is in flight at a time.
pub struct Controller {
    image: Arc<Image>,
}

/// What a command comes to. Nothing of it holds before its records are durable.
#[derive(Debug)]
pub struct Proposal {
    /// To be appended to the metadata log as one write; empty when nothing changes.
    pub records: Vec<Bytes>,
    pub outcome: Outcome,
    /// The metadata after these records.
    pub image: Arc<Image>,
}

/// What a node knows before it reads its metadata.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    pub cluster_id: Uuid,
    pub node_id: NodeId,
    /// The node's own broker configs, [`crate::config::Settings::kafka`].
    pub fixed: Arc<Overrides>,
    pub rules: TopicRules,
}

impl Controller {
    /// The controller as the metadata log left it: its newest snapshot, and the records after it, in order.
    pub fn recover(
        start: Start,
        snapshot: Option<Bytes>,
        records: impl IntoIterator<Item = Bytes>,
    ) -> Result<Controller, ReplayError> {
        let _ = (start, snapshot, records.into_iter().count());
        unimplemented!()
    }

    /// The whole image as bytes for a snapshot of the metadata log.
    pub fn snapshot(image: &Image) -> Bytes {
        unimplemented!("{image:?}")
    }

    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    pub fn propose(&mut self, command: Command) -> Proposal {
        unimplemented!("{command:?}")
    }
}
