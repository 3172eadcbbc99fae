//! The controller's shell, on shard 0: one proposal at a time is decided, made durable, applied everywhere, answered.

use super::calls::Origin;
use super::core::{Core, ShardMetaLog};
use super::request::{Command, Image, Outcome, ProposeError, Request, Response};
use super::routing;
use crate::base::ids::{PartitionId, ShardId, TopicId};
use crate::base::limits::PROPOSALS_WAITING_MAX;
use crate::control::{Controller, Proposal};
use crate::storage::disk::DiskError;
use crate::storage::errors::OpenError;
use crate::storage::runtime::{Notify, Runtime, TaskClass};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Until shard 0 is told again of what it was too busy to hear.
const REMOVED_AGAIN: Duration = Duration::from_millis(20);

pub(super) struct Metadata {
    queue: RefCell<VecDeque<(Option<Origin>, Command)>>,
    filled: Notify,
    /// Partitions of deleted topics whose files are not yet gone.
    removals: RefCell<BTreeMap<TopicId, BTreeSet<u32>>>,
}

/// What the task that decides owns.
pub struct Decider {
    pub controller: Controller,
    pub log: ShardMetaLog,
}

impl Metadata {
    pub(super) fn new(image: &Image) -> Metadata {
        let metadata = Metadata {
            queue: RefCell::default(),
            filled: Notify::default(),
            removals: RefCell::default(),
        };
        for (topic, tombstone) in image.tombstones() {
            metadata.expect_removals(topic, tombstone.partitions);
        }
        metadata
    }

    fn expect_removals(&self, topic: TopicId, partitions: u32) {
        let mut removals = self.removals.borrow_mut();
        removals.insert(topic, (0..partitions).collect());
    }

    fn push(&self, origin: Option<Origin>, command: Command) {
        self.queue.borrow_mut().push_back((origin, command));
        self.filled.notify();
    }
}

impl Core {
    pub(super) fn propose(&self, origin: Origin, command: Command) {
        let refused = match self.metadata.get() {
            None => ProposeError::Unavailable,
            Some(metadata) if metadata.queue.borrow().len() >= PROPOSALS_WAITING_MAX => {
                ProposeError::Busy
            }
            Some(metadata) => return metadata.push(Some(origin), command),
        };
        self.reply(origin, Response::Propose(Err(refused)));
    }

    /// The files of one partition of a deleted topic are gone; with the last one the tombstone goes.
    pub(super) fn on_removed(&self, partition: PartitionId) {
        let Some(metadata) = self.metadata.get() else {
            return;
        };
        let mut removals = metadata.removals.borrow_mut();
        let Some(left) = removals.get_mut(&partition.topic) else {
            return;
        };
        left.remove(&partition.index);
        if left.is_empty() {
            removals.remove(&partition.topic);
            let topic = partition.topic;
            metadata.push(None, Command::RemoveTombstone { topic });
        }
    }

    /// Tells shard 0, again while it is busy: without the last word of a topic its tombstone would stay.
    pub(super) fn report_removed(self: &Rc<Core>, partition: PartitionId) {
        let core = self.clone();
        self.runtime.spawn(TaskClass::Housekeeping, async move {
            let tell = || core.send(ShardId(0), Request::Removed(partition));
            while let Response::Busy = tell().await {
                core.runtime.sleep(REMOVED_AGAIN).await;
            }
        });
    }

    /// The task that decides, one proposal after the other; never ends.
    pub(super) async fn decide(self: Rc<Core>, mut decider: Decider) {
        loop {
            let metadata = self.metadata.get().expect("shard 0 decides");
            let filled = metadata.filled.notified();
            let next = metadata.queue.borrow_mut().pop_front();
            match next {
                None => filled.await,
                Some((origin, command)) => {
                    let outcome = self.carry_out(&mut decider, command).await;
                    if let Some(origin) = origin {
                        self.reply(origin, Response::Propose(outcome));
                    }
                }
            }
        }
    }

    async fn carry_out(
        self: &Rc<Core>,
        decider: &mut Decider,
        command: Command,
    ) -> Result<Outcome, ProposeError> {
        if self.failed.get() {
            return Err(ProposeError::Unavailable);
        }
        if let Command::RemoveTombstone { topic } = &command {
            // Without the tombstone the folder would be a stranger's to the next start.
            let removed = self.store.remove_topic(*topic).await;
            removed.map_err(|_| ProposeError::Unavailable)?;
        }
        let before = decider.controller.image().clone();
        let Proposal {
            records,
            outcome,
            image,
        } = decider.controller.propose(command);
        if records.is_empty() {
            return Ok(outcome);
        }
        if !self.has_room(&before, &image).await {
            tracing::warn!("the disk is full: nothing is created");
            decider.controller.withdraw(before);
            return Err(ProposeError::NoRoom);
        }
        match decider.log.append(&records).await {
            Ok(()) => {}
            Err(OpenError::Disk(DiskError::NoSpace { .. })) => {
                tracing::warn!("the disk is full: the metadata stays as it is");
                decider.controller.withdraw(before);
                return Err(ProposeError::NoRoom);
            }
            Err(error) => {
                tracing::error!(?error, "the metadata log has failed");
                self.failed.set(true);
                return Err(ProposeError::FateUnknown);
            }
        }
        self.publish(image).await;
        self.save_snapshot(decider).await;
        Ok(outcome)
    }

    /// Whether every shard can keep room for the partitions that are new: what is acknowledged for them must be able to
    /// leave the journal when the disk is full.
    async fn has_room(self: &Rc<Core>, before: &Image, after: &Image) -> bool {
        let changes = after.changes_since(before);
        let created = changes.created.iter().map(|topic| (topic, 0));
        let changed = changes.changed.iter();
        let grown = changed.map(|(before, after)| (after, before.partitions));
        let mut wanted: BTreeMap<ShardId, usize> = BTreeMap::new();
        for (topic, first) in created.chain(grown) {
            for index in first..topic.partitions {
                let id = PartitionId {
                    topic: topic.id,
                    index,
                };
                *wanted.entry(routing::owner(id, self.shards)).or_default() += 1;
            }
        }
        let answers = wanted
            .into_iter()
            .map(|(shard, partitions)| self.send(shard, Request::RoomFor(partitions)));
        let mut has_room = true;
        for answer in answers.collect::<Vec<_>>() {
            has_room &= matches!(answer.await, Response::RoomFor(true));
        }
        has_room
    }

    /// Waits until every shard has applied the image.
    async fn publish(self: &Rc<Core>, image: Arc<Image>) {
        if let Some(metadata) = self.metadata.get() {
            for topic in image.changes_since(&self.image.borrow()).deleted {
                metadata.expect_removals(topic.id, topic.partitions);
            }
        }
        let shards = (0..self.shards).map(ShardId);
        let answers: Vec<_> = shards
            .map(|shard| self.send(shard, Request::Image(image.clone())))
            .collect();
        for answer in answers {
            // A shard that does not answer any more is stopping.
            answer.await;
        }
    }

    async fn save_snapshot(&self, decider: &mut Decider) {
        if !decider.log.wants_snapshot() {
            return;
        }
        let state = Controller::snapshot(decider.controller.image());
        match decider.log.write_snapshot(&state).await {
            // Without room the log goes on growing where it is.
            Ok(()) | Err(OpenError::Disk(DiskError::NoSpace { .. })) => {}
            Err(error) => {
                tracing::error!(?error, "the metadata snapshot could not be written");
                self.failed.set(true);
            }
        }
    }
}
