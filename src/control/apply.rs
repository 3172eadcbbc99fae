//! `image` + record -> the next image. The only code that changes an image, live and in recovery.

use super::image::{Image, Tombstone, Topic};
use super::names::folded;
use super::record::{ConfigChanges, NewTopicRecord, Record};
use super::replay_error::ApplyError;
use crate::base::ids::{NodeId, TopicId};
use crate::base::limits::PARTITIONS_PER_TOPIC_MAX;
use crate::config::{BrokerConfig, ConfigProblem, Overrides};
use std::sync::Arc;

impl Image {
    /// After an error the image is worthless.
    pub(super) fn apply(&mut self, record: Record) -> Result<(), ApplyError> {
        match record {
            Record::SnapshotHead { .. } | Record::SnapshotEnd { .. } => {
                return Err(ApplyError::OutOfPlace);
            }
            Record::BrokerRegistered { term, broker } => {
                if term <= self.term {
                    return Err(ApplyError::TermNotRising {
                        from: self.term,
                        to: term,
                    });
                }
                self.term = term;
                self.broker = Some(Arc::new(broker));
            }
            Record::TopicCreated(topic) => self.insert_topic(topic)?,
            Record::TopicDeleted { id } => self.delete_topic(id)?,
            Record::TombstoneKept {
                id,
                name,
                partitions,
            } => {
                let name = name.into();
                let tombstone = Tombstone { name, partitions };
                Arc::make_mut(&mut self.tombstones).insert(id, tombstone);
            }
            Record::TombstoneRemoved { id } => {
                let removed = Arc::make_mut(&mut self.tombstones).remove(&id);
                removed.ok_or(ApplyError::UnknownTombstone { id })?;
            }
            Record::PartitionsGrown { id, partitions } => self.grow_topic(id, partitions)?,
            Record::TopicConfigured { id, changes } => self.configure_topic(id, &changes)?,
            Record::BrokerConfigured { node, changes } => self.configure_broker(node, &changes)?,
            Record::GroupConfigured { group, changes } => self.configure_group(&group, &changes),
            Record::ProducerIdsAllocated { next } => {
                let from = self.next_producer_id;
                if next <= from {
                    return Err(ApplyError::ProducerIdsNotRising { from, to: next });
                }
                self.next_producer_id = next;
            }
        }
        self.version += 1;
        Ok(())
    }

    fn insert_topic(&mut self, record: NewTopicRecord) -> Result<(), ApplyError> {
        let name: Arc<str> = record.name.into();
        let (id, partitions) = (record.id, record.partitions);
        if self.topics.contains_key(&name) || self.names.contains_key(&id) {
            return Err(ApplyError::TopicTwice {
                name: name.to_string(),
            });
        }
        check_partitions(id, partitions)?;
        if record.created_term > self.term {
            let (from, to) = (self.term, record.created_term);
            return Err(ApplyError::TermNotRising { from, to });
        }
        let topic = Topic {
            id,
            name: name.clone(),
            partitions,
            replication_factor: record.replication_factor,
            internal: record.internal,
            created_term: record.created_term,
            config: self.config.topic.with(&record.overrides, &self.rules)?,
            overrides: record.overrides,
        };
        self.partitions += partitions as usize;
        Arc::make_mut(&mut self.names).insert(id, name.clone());
        Arc::make_mut(&mut self.folded_names).insert(folded(&name), name.clone());
        Arc::make_mut(&mut self.topics).insert(name, Arc::new(topic));
        Ok(())
    }

    fn delete_topic(&mut self, id: TopicId) -> Result<(), ApplyError> {
        let name = Arc::make_mut(&mut self.names).remove(&id);
        let name = name.ok_or(ApplyError::UnknownTopic { id })?;
        let topic = Arc::make_mut(&mut self.topics).remove(&name);
        let partitions = topic.expect("a named id has its topic").partitions;
        Arc::make_mut(&mut self.folded_names).remove(&folded(&name));
        self.partitions -= partitions as usize;
        let tombstone = Tombstone { name, partitions };
        Arc::make_mut(&mut self.tombstones).insert(id, tombstone);
        Ok(())
    }

    fn grow_topic(&mut self, id: TopicId, partitions: u32) -> Result<(), ApplyError> {
        check_partitions(id, partitions)?;
        let topic = self.topic_mut(id)?;
        let from = topic.partitions;
        if partitions <= from {
            let to = partitions;
            return Err(ApplyError::PartitionsNotRising { id, from, to });
        }
        topic.partitions = partitions;
        self.partitions += (partitions - from) as usize;
        Ok(())
    }

    fn configure_topic(&mut self, id: TopicId, changes: &ConfigChanges) -> Result<(), ApplyError> {
        let (inherited, rules) = (self.config.clone(), self.rules);
        let topic = self.topic_mut(id)?;
        changes.apply(&mut topic.overrides);
        topic.config = inherited.topic.with(&topic.overrides, &rules)?;
        Ok(())
    }

    fn configure_broker(
        &mut self,
        node: Option<NodeId>,
        changes: &ConfigChanges,
    ) -> Result<(), ApplyError> {
        let brokers = Arc::make_mut(&mut self.broker_overrides);
        let overrides = brokers.entry(node).or_default();
        changes.apply(Arc::make_mut(overrides));
        if overrides.is_empty() {
            brokers.remove(&node);
        }
        self.refresh_config()?;
        Ok(())
    }

    fn configure_group(&mut self, group: &str, changes: &ConfigChanges) {
        let groups = Arc::make_mut(&mut self.group_overrides);
        let overrides = groups.entry(group.into()).or_default();
        changes.apply(Arc::make_mut(overrides));
        if overrides.is_empty() {
            groups.remove(group);
        }
    }

    /// Resolves again what depends on broker configs.
    pub(super) fn refresh_config(&mut self) -> Result<(), ConfigProblem> {
        let layer = |node| {
            self.broker_overrides
                .get(&node)
                .cloned()
                .unwrap_or_default()
        };
        self.layers.node = layer(Some(self.node_id));
        self.layers.cluster = layer(None);
        let config = BrokerConfig::resolve(&self.layers, &self.rules)?;
        if config.topic != self.config.topic {
            for topic in Arc::make_mut(&mut self.topics).values_mut() {
                let resolved = config.topic.with(&topic.overrides, &self.rules)?;
                if resolved != topic.config {
                    Arc::make_mut(topic).config = resolved;
                }
            }
        }
        self.config = Arc::new(config);
        Ok(())
    }

    fn topic_mut(&mut self, id: TopicId) -> Result<&mut Topic, ApplyError> {
        let name = self.names.get(&id).ok_or(ApplyError::UnknownTopic { id })?;
        let topic = Arc::make_mut(&mut self.topics).get_mut(name);
        Ok(Arc::make_mut(topic.expect("a named id has its topic")))
    }
}

fn check_partitions(id: TopicId, partitions: u32) -> Result<(), ApplyError> {
    match (1..=PARTITIONS_PER_TOPIC_MAX as u32).contains(&partitions) {
        true => Ok(()),
        false => Err(ApplyError::TooManyPartitions { id, partitions }),
    }
}

impl ConfigChanges {
    fn apply(&self, overrides: &mut Overrides) {
        for name in &self.cleared {
            overrides.remove(name);
        }
        for (name, value) in &self.set {
            overrides.insert(name.clone(), value.clone());
        }
    }
}
