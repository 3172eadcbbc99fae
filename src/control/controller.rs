//! The controller: command in; records, answer and next image out.

use super::command::{Command, Outcome};
use super::decide;
use super::image::Image;
use super::record::Record;
use super::replay_error::{ApplyError, Place, ReplayError};
use super::snapshot;
use crate::base::ids::{NodeId, Uuid};
use crate::config::{Overrides, TopicRules};
use bytes::Bytes;
use std::sync::Arc;

/// Decides about changes of the metadata. Lives on shard 0; one proposal is in flight at a time.
#[derive(Debug)]
pub struct Controller {
    image: Arc<Image>,
}

/// What a command comes to. Nothing of it holds before its records are durable.
#[derive(Clone, Debug)]
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
        let mut image = match snapshot {
            Some(bytes) => snapshot::decode(&start, &bytes)?,
            None => Image::empty(&start).map_err(|problem| ReplayError {
                place: Place::Log(0),
                problem: ApplyError::Config(problem).into(),
            })?,
        };
        for (index, record) in records.into_iter().enumerate() {
            let place = Place::Log(index);
            snapshot::replay(&mut image, &record)
                .map_err(|problem| ReplayError { place, problem })?;
        }
        let image = Arc::new(image);
        Ok(Controller { image })
    }

    /// The metadata after every proposal so far.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Decides about `command`. The next proposal builds on this one: when its records could not be written, withdraw
    /// it; when their fate is unknown, there is no next one.
    pub fn propose(&mut self, command: Command) -> Proposal {
        let mut draft = Draft::new(&self.image);
        let outcome = decide::decide(&mut draft, command);
        let Draft { image, records } = draft;
        if !records.is_empty() {
            self.image = Arc::new(image);
        }
        let image = self.image.clone();
        Proposal {
            records,
            outcome,
            image,
        }
    }

    /// Takes the last proposal back: its records were definitely not written.
    pub fn withdraw(&mut self, before: Arc<Image>) {
        self.image = before;
    }

    /// A record of the metadata log in words, for people who look for what went wrong.
    pub fn describe_record(bytes: &[u8]) -> String {
        match Record::decode(bytes) {
            Ok(Some(record)) => format!("{record:?}"),
            Ok(None) => "a record of a later release, which may be passed over".to_owned(),
            Err(error) => format!("no record of this release: {error:?}"),
        }
    }

    /// The whole image as bytes for a snapshot of the metadata log.
    pub fn snapshot(image: &Image) -> Bytes {
        snapshot::encode(image)
    }
}

/// The image as it becomes while a command is decided, item by item.
pub(super) struct Draft {
    pub(super) image: Image,
    records: Vec<Bytes>,
}

impl Draft {
    fn new(image: &Image) -> Draft {
        Draft {
            image: image.clone(),
            records: Vec::new(),
        }
    }

    /// Panics when the record does not fit: what a decision allows, `apply` accepts.
    pub(super) fn push(&mut self, record: Record) {
        let bytes = record.encode();
        debug_assert_eq!(Record::decode(&bytes), Ok(Some(record.clone())));
        self.image.apply(record).expect("a checked change applies");
        self.records.push(bytes);
    }

    /// Forgets all changes: the command only asked whether they are allowed.
    pub(super) fn withdraw(&mut self) {
        self.records.clear();
    }
}

#[cfg(test)]
mod tests;
