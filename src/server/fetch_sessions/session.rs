//! One session: its partitions, in the order in which they are read, and what the client was told of each.

use crate::base::ids::Uuid;
use crate::base::time::Instant;
use crate::wire::fetch::{
    FetchPartition, FetchTopic, FetchableTopicResponse, ForgottenTopic, PartitionData,
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What was told of a partition that nothing was told of.
const UNTOLD: i64 = -1;
/// The epoch after the largest.
const EPOCH_AGAIN: i32 = 1;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum TopicKey {
    Name(Rc<str>),
    Id(Uuid),
}

impl TopicKey {
    fn new(by_id: bool, name: &str, id: Uuid) -> TopicKey {
        match by_id {
            true => TopicKey::Id(id),
            false => TopicKey::Name(name.into()),
        }
    }
}

/// What a client wants of one partition, and what it knows.
#[derive(Debug)]
struct Cached {
    topic: TopicKey,
    partition: i32,
    offset: i64,
    bytes_max: i32,
    leader_epoch: i32,
    high_watermark: i64,
    log_start: i64,
}

/// Partitions without a partition twice; those that had data last are read last.
#[derive(Debug, Default)]
struct Partitions {
    by_place: BTreeMap<u64, Cached>,
    places: BTreeMap<(TopicKey, i32), u64>,
    next_place: u64,
}

/// What may become a session when its first answer is known.
#[derive(Debug)]
pub(in crate::server) struct Candidate {
    by_id: bool,
    partitions: Partitions,
}

pub(super) struct Session {
    by_id: bool,
    /// Of the next request.
    epoch: i32,
    created: Instant,
    last_used: Instant,
    partitions: Partitions,
}

impl Candidate {
    pub(super) fn new(by_id: bool, topics: &[FetchTopic]) -> Candidate {
        let mut partitions = Partitions::default();
        partitions.want(by_id, topics);
        Candidate { by_id, partitions }
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(super) fn into_session(self, now: Instant) -> Session {
        Session {
            by_id: self.by_id,
            epoch: EPOCH_AGAIN,
            created: now,
            last_used: now,
            partitions: self.partitions,
        }
    }
}

impl Session {
    /// Adds, changes and drops partitions, in this order.
    pub(super) fn update(&mut self, wanted: &[FetchTopic], forgotten: &[ForgottenTopic]) {
        self.partitions.want(self.by_id, wanted);
        for topic in forgotten {
            let key = TopicKey::new(self.by_id, &topic.topic, topic.topic_id);
            for &partition in &topic.partitions {
                self.partitions.remove(&(key.clone(), partition));
            }
        }
    }

    /// A request has come.
    pub(super) fn advance(&mut self, now: Instant) {
        self.last_used = now;
        self.epoch = self.epoch.checked_add(1).unwrap_or(EPOCH_AGAIN);
    }

    /// Remembers a full answer.
    pub(super) fn note(&mut self, responses: &[FetchableTopicResponse]) {
        for topic in responses {
            let key = TopicKey::new(self.by_id, &topic.topic, topic.topic_id);
            for data in &topic.partitions {
                self.partitions.tell(&key, data);
            }
        }
    }

    /// Leaves of a full answer what the client does not know.
    pub(super) fn keep_changed(&mut self, responses: &mut Vec<FetchableTopicResponse>) {
        for topic in responses.iter_mut() {
            let key = TopicKey::new(self.by_id, &topic.topic, topic.topic_id);
            let partitions = &mut self.partitions;
            topic.partitions.retain(|data| partitions.tell(&key, data));
        }
        responses.retain(|topic| !topic.partitions.is_empty());
    }

    /// All partitions as a request would name them.
    pub(super) fn topics(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut last = None;
        for cached in self.partitions.by_place.values() {
            if last != Some(&cached.topic) {
                topics.push(cached.topic());
            }
            last = Some(&cached.topic);
            let topic = topics.last_mut().expect("one was pushed");
            topic.partitions.push(cached.wanted());
        }
        topics
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(super) fn by_id(&self) -> bool {
        self.by_id
    }

    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    #[cfg(test)]
    pub(super) fn set_epoch(&mut self, epoch: i32) {
        self.epoch = epoch;
    }

    pub(super) fn created(&self) -> Instant {
        self.created
    }

    pub(super) fn last_used(&self) -> Instant {
        self.last_used
    }
}

impl Partitions {
    fn len(&self) -> usize {
        self.by_place.len()
    }

    fn want(&mut self, by_id: bool, topics: &[FetchTopic]) {
        for topic in topics {
            let key = TopicKey::new(by_id, &topic.topic, topic.topic_id);
            for wanted in &topic.partitions {
                self.want_partition(&key, wanted);
            }
        }
    }

    fn want_partition(&mut self, topic: &TopicKey, wanted: &FetchPartition) {
        let key = (topic.clone(), wanted.partition);
        if let Some(place) = self.places.get(&key) {
            let cached = self.by_place.get_mut(place).expect("a place is taken");
            cached.want(wanted);
            return;
        }
        let mut cached = Cached {
            topic: topic.clone(),
            partition: wanted.partition,
            offset: 0,
            bytes_max: 0,
            leader_epoch: -1,
            high_watermark: UNTOLD,
            log_start: UNTOLD,
        };
        cached.want(wanted);
        self.put_last(key, cached);
    }

    /// Whether this is news to the client; it is told.
    fn tell(&mut self, topic: &TopicKey, data: &PartitionData) -> bool {
        let key = (topic.clone(), data.partition_index);
        let Some(&place) = self.places.get(&key) else {
            return false;
        };
        let cached = self.by_place.get_mut(&place).expect("a place is taken");
        let is_news = cached.tell(data);
        if has_records(data) {
            // Whoever had data lets the others go first.
            let cached = self.by_place.remove(&place).expect("a place is taken");
            self.put_last(key, cached);
        }
        is_news
    }

    fn put_last(&mut self, key: (TopicKey, i32), cached: Cached) {
        self.places.insert(key, self.next_place);
        self.by_place.insert(self.next_place, cached);
        self.next_place += 1;
        assert_eq!(self.places.len(), self.by_place.len(), "each has one place");
    }

    fn remove(&mut self, key: &(TopicKey, i32)) {
        if let Some(place) = self.places.remove(key) {
            self.by_place.remove(&place);
        }
    }
}

impl Cached {
    fn want(&mut self, wanted: &FetchPartition) {
        self.offset = wanted.fetch_offset;
        self.bytes_max = wanted.partition_max_bytes;
        self.leader_epoch = wanted.current_leader_epoch;
    }

    fn tell(&mut self, data: &PartitionData) -> bool {
        let is_error = data.error_code != 0;
        let is_news = has_records(data)
            || is_error
            || self.high_watermark != data.high_watermark
            || self.log_start != data.log_start_offset;
        self.high_watermark = match is_error {
            // So that the client hears when the error is over.
            true => UNTOLD,
            false => data.high_watermark,
        };
        self.log_start = data.log_start_offset;
        is_news
    }

    fn topic(&self) -> FetchTopic {
        let (topic, topic_id) = match &self.topic {
            TopicKey::Name(name) => (name.to_string(), Uuid::ZERO),
            TopicKey::Id(id) => (String::new(), *id),
        };
        FetchTopic {
            topic,
            topic_id,
            ..FetchTopic::default()
        }
    }

    fn wanted(&self) -> FetchPartition {
        FetchPartition {
            partition: self.partition,
            current_leader_epoch: self.leader_epoch,
            fetch_offset: self.offset,
            partition_max_bytes: self.bytes_max,
            ..FetchPartition::default()
        }
    }
}

fn has_records(data: &PartitionData) -> bool {
    let pieces = data.records.as_ref();
    pieces.is_some_and(|pieces| pieces.0.iter().any(|piece| !piece.is_empty()))
}
