//! A new image of the cluster's metadata becomes partitions of this shard.

use super::core::{Core, Owned};
use super::request::Image;
use super::routing;
use crate::base::ids::PartitionId;
use crate::config::TopicConfig;
use crate::config::topic::{Durability, TimestampType};
use crate::control::Topic;
use crate::partition::{Partition, PartitionSettings, PartitionState};
use crate::record::TimestampKind;
use crate::storage::runtime::Runtime;
use crate::storage::settings::{CompactionConfig, CompactionSettings, LogConfig};
use crate::storage::start::PartitionStart;
use std::rc::Rc;
use std::sync::Arc;

impl Core {
    /// Takes over what the store has, at the start. Partitions of the image that it does not know are new.
    pub(super) fn adopt(self: &Rc<Core>) {
        let image = self.image.borrow().clone();
        for start in self.store.partitions() {
            if let Some(topic) = image.topic_by_id(start.id.topic) {
                let id = start.id;
                self.own(id, state(start), topic, &image);
                self.store.configure(id, log_config(topic));
            }
        }
        for topic in image.topics() {
            self.create_missing(topic, &image);
        }
    }

    /// All within one turn: whoever sees the new image sees its partitions.
    pub(super) fn apply(self: &Rc<Core>, image: Arc<Image>) {
        let before = self.image.replace(image.clone());
        let changes = image.changes_since(&before);
        for topic in &changes.deleted {
            self.partitions_of(topic).for_each(|id| self.remove(id));
        }
        if !changes.deleted.is_empty() {
            self.forget_topics(&changes.deleted);
        }
        for topic in &changes.created {
            self.create_missing(topic, &image);
        }
        for (_, topic) in &changes.changed {
            self.configure(topic, &image);
            self.create_missing(topic, &image);
        }
        let compaction = compaction_settings(&image, self.shards);
        self.store.configure_compaction(compaction);
        if producer_expiration_ms(&image) != producer_expiration_ms(&before) {
            image
                .topics()
                .for_each(|topic| self.configure(topic, &image));
        }
    }

    fn create_missing(self: &Rc<Core>, topic: &Topic, image: &Image) {
        for id in self.partitions_of(topic) {
            if !self.partitions.borrow().contains_key(&id) {
                let config = log_config(topic);
                self.store.create_partition(id, &topic.name, config);
                self.own(id, PartitionState::default(), topic, image);
            }
        }
    }

    fn own(self: &Rc<Core>, id: PartitionId, state: PartitionState, topic: &Topic, image: &Image) {
        let settings = partition_settings(topic, image);
        let epoch = image.leader_epoch(topic);
        let partition = Partition::new(state, settings, epoch, self.runtime.now());
        let owned = Owned {
            partition,
            alarm: None,
        };
        let before = self.partitions.borrow_mut().insert(id, owned);
        assert!(before.is_none(), "a partition begins once");
        self.host_groups(id, topic, image);
    }

    fn configure(&self, topic: &Topic, image: &Image) {
        let settings = partition_settings(topic, image);
        for id in self.partitions_of(topic) {
            let here = self.turn(id, |partition, now| partition.configure(settings, now));
            if here.is_some() {
                self.store.configure(id, log_config(topic));
            }
        }
    }

    fn remove(&self, id: PartitionId) {
        self.turn(id, |partition, _| partition.close());
        let removed = self.partitions.borrow_mut().remove(&id);
        if let Some(owned) = removed {
            let mut gone = self.gone.get();
            gone.add(&owned.partition.stats().counters());
            self.gone.set(gone);
        }
        self.store.drop_partition(id);
        self.refuse_parked(id);
    }

    /// Those of this shard.
    fn partitions_of(&self, topic: &Topic) -> impl Iterator<Item = PartitionId> + use<> {
        let (me, shards, topic, count) = (self.id, self.shards, topic.id, topic.partitions);
        let all = (0..count).map(move |index| PartitionId { topic, index });
        all.filter(move |id| routing::owner(*id, shards) == me)
    }
}

fn state(start: PartitionStart) -> PartitionState {
    PartitionState {
        log_start: start.log_start,
        next_offset: start.next_offset,
        epochs: start.epochs,
        producers: start.producers,
        offline: start.offline,
    }
}

fn partition_settings(topic: &Topic, image: &Image) -> PartitionSettings {
    PartitionSettings {
        // Our own state is never answered from memory.
        durability: match topic.internal {
            true => Durability::Flushed,
            false => topic.config.durability,
        },
        timestamps: match topic.config.timestamp_type {
            TimestampType::CreateTime => TimestampKind::CreateTime,
            TimestampType::LogAppendTime => TimestampKind::LogAppendTime,
        },
        producer_expiration_ms: producer_expiration_ms(image),
    }
}

fn producer_expiration_ms(image: &Image) -> i64 {
    image.config.producer_id_expiration_ms
}

/// A shard's part of what the broker may take for compaction.
pub(super) fn compaction_settings(image: &Image, shards: u16) -> CompactionSettings {
    CompactionSettings {
        check_ms: image.config.compaction_check_ms,
        map_bytes: image.config.compaction_map_bytes / usize::from(shards),
    }
}

/// What retention and compaction mean for the log: nothing goes unless the topic's policy deletes or compacts.
fn log_config(topic: &Topic) -> LogConfig {
    let config = &topic.config;
    let limit = |limit: i64| u64::try_from(limit).ok().filter(|_| config.cleanup.delete);
    LogConfig {
        segment_bytes: u64::from(config.segment_bytes),
        segment_ms: u64::try_from(config.segment_ms).unwrap_or(u64::MAX),
        retention_ms: limit(config.retention_ms),
        retention_bytes: limit(config.retention_bytes),
        // Our own topic is compacted by its writer, which says its state again.
        compaction: (config.cleanup.compact && !topic.internal).then(|| compaction(config)),
    }
}

fn compaction(config: &TopicConfig) -> CompactionConfig {
    let millis = |ms: i64| u64::try_from(ms).unwrap_or(u64::MAX);
    CompactionConfig {
        dirty_millionths_min: (config.min_cleanable_dirty_ratio * 1e6).round() as u32,
        lag_ms_min: millis(config.min_compaction_lag_ms),
        lag_ms_max: millis(config.max_compaction_lag_ms),
        marker_retention_ms: millis(config.delete_retention_ms),
    }
}
