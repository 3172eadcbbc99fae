//! Committed offsets of one group: those whose records are durable.

use crate::base::time::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// How far a group has come in one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    pub offset: i64,
    /// -1: the client did not say.
    pub leader_epoch: i32,
    /// The client's own text.
    pub metadata: Arc<str>,
    pub committed_at: Timestamp,
    /// Only when the client asked for a retention of its own.
    pub expires: Option<Timestamp>,
}

pub(super) type OffsetKey = (Arc<str>, i32);

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Offsets {
    by_partition: BTreeMap<OffsetKey, Committed>,
    bytes: usize,
}

/// Memory of an offset besides its texts, roughly.
const OFFSET_BYTES: usize = 128;

impl Offsets {
    pub(super) fn get(&self, key: &OffsetKey) -> Option<&Committed> {
        self.by_partition.get(key)
    }

    pub(super) fn set(&mut self, key: OffsetKey, value: Option<Committed>) {
        let added = value
            .as_ref()
            .map_or(0, |new| bytes_of(&key.0, &new.metadata));
        let topic = key.0.clone();
        let before = match value {
            Some(value) => self.by_partition.insert(key, value),
            None => self.by_partition.remove(&key),
        };
        let removed = before.map_or(0, |old| bytes_of(&topic, &old.metadata));
        self.bytes = self.bytes + added - removed;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        self.by_partition.iter()
    }

    pub(super) fn of_topic(&self, topic: &str) -> impl Iterator<Item = &OffsetKey> {
        let first = (Arc::from(topic), i32::MIN);
        let last = (Arc::from(topic), i32::MAX);
        self.by_partition.range(first..=last).map(|(key, _)| key)
    }

    /// Those behind `after`, in order.
    pub(super) fn behind(
        &self,
        after: Option<&OffsetKey>,
    ) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_partition
            .range::<OffsetKey, _>((from, Bound::Unbounded))
    }

    pub(super) fn len(&self) -> usize {
        self.by_partition.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_partition.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What an offset costs in memory, about as much as in the log.
pub(super) fn bytes_of(topic: &str, metadata: &str) -> usize {
    OFFSET_BYTES + topic.len() + metadata.len()
}
