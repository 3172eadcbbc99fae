//! What a node knows of its topics: a few lines of text in the metadata log, which are enough for one.

use bytes::Bytes;
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{PartitionId, ShardId, TopicId, Uuid};
use ottla::storage::meta_log::MetaRecovered;
use ottla::storage::settings::KnownTopics;
use std::collections::{BTreeMap, BTreeSet};

const EPOCHS_PER_LIFE: i32 = 1 << 10;

/// One change, one entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The process started: every leader epoch rises.
    Started,
    Created {
        id: TopicId,
        name: String,
        partitions: u32,
    },
    Deleted(TopicId),
    /// Nothing of the deleted topic is left.
    Forgotten(TopicId),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topics {
    pub starts: i32,
    pub live: BTreeMap<TopicId, Topic>,
    pub deleted: BTreeSet<TopicId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    pub name: String,
    pub partitions: u32,
    created_at: i32,
}

impl Change {
    pub fn encode(&self) -> Bytes {
        let text = match self {
            Change::Started => "started".to_owned(),
            Change::Created {
                id,
                name,
                partitions,
            } => format!("created {id} {name} {partitions}"),
            Change::Deleted(id) => format!("deleted {id}"),
            Change::Forgotten(id) => format!("forgotten {id}"),
        };
        text.into_bytes().into()
    }

    fn decode(bytes: &[u8]) -> Change {
        let text = std::str::from_utf8(bytes).expect("an entry is text");
        let words: Vec<&str> = text.split(' ').collect();
        let id = |word: &str| Uuid::parse(word).expect("an id");
        match words[..] {
            ["started"] => Change::Started,
            ["created", topic, name, partitions] => Change::Created {
                id: id(topic),
                name: name.to_owned(),
                partitions: partitions.parse().expect("a number"),
            },
            ["deleted", topic] => Change::Deleted(id(topic)),
            ["forgotten", topic] => Change::Forgotten(id(topic)),
            _ => panic!("no entry of ours: {text}"),
        }
    }
}

impl Topics {
    pub fn replay(recovered: &MetaRecovered) -> Topics {
        let mut topics = Topics::default();
        if let Some(state) = &recovered.snapshot {
            topics.restore(std::str::from_utf8(state).expect("a snapshot is text"));
        }
        for record in &recovered.records {
            topics.apply(&Change::decode(record));
        }
        topics
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Started => self.starts += 1,
            Change::Created {
                id,
                name,
                partitions,
            } => {
                let topic = Topic {
                    name: name.clone(),
                    partitions: *partitions,
                    created_at: self.starts,
                };
                assert!(self.live.insert(*id, topic).is_none(), "an id is used once");
            }
            Change::Deleted(id) => {
                assert!(self.live.remove(id).is_some(), "deleted once");
                self.deleted.insert(*id);
            }
            Change::Forgotten(id) => {
                assert!(self.deleted.remove(id), "forgotten once");
            }
        }
    }

    pub fn snapshot(&self) -> Vec<u8> {
        let mut text = format!("starts {}\n", self.starts);
        for (id, topic) in &self.live {
            let Topic {
                name,
                partitions,
                created_at,
            } = topic;
            text += &format!("live {id} {name} {partitions} {created_at}\n");
        }
        for id in &self.deleted {
            text += &format!("deleted {id}\n");
        }
        text.into_bytes()
    }

    fn restore(&mut self, text: &str) {
        let id = |word: &str| Uuid::parse(word).expect("an id");
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["starts", starts] => self.starts = starts.parse().expect("a number"),
                ["live", topic, name, partitions, created_at] => {
                    let known = Topic {
                        name: name.to_owned(),
                        partitions: partitions.parse().expect("a number"),
                        created_at: created_at.parse().expect("a number"),
                    };
                    self.live.insert(id(topic), known);
                }
                ["deleted", topic] => {
                    self.deleted.insert(id(topic));
                }
                _ => panic!("no line of ours: {line}"),
            }
        }
    }

    pub fn known(&self) -> KnownTopics {
        KnownTopics {
            live: self
                .live
                .iter()
                .map(|(&id, topic)| (id, (topic.name.clone(), topic.partitions)))
                .collect(),
            deleted: self.deleted.clone(),
        }
    }

    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.live.iter().flat_map(|(&topic, known)| {
            (0..known.partitions).map(move |index| PartitionId { topic, index })
        })
    }

    pub fn find(&self, name: &str) -> Option<TopicId> {
        let found = self.live.iter().find(|(_, topic)| topic.name == name);
        found.map(|(&id, _)| id)
    }

    /// With room for a new epoch after each of the life's cuts.
    pub fn leader_epoch(&self, topic: TopicId) -> LeaderEpoch {
        LeaderEpoch((self.starts - self.live[&topic].created_at) * EPOCHS_PER_LIFE)
    }
}

/// The rule that places a partition; any stable one will do.
pub fn place(id: PartitionId, shards: u16) -> ShardId {
    let mixed = u32::from(id.topic.0[3]) + id.index * 7;
    ShardId((mixed % u32::from(shards)) as u16)
}
