//! Look-up of offsets: the ends of a log, and the first record at or after a time.

use super::{Client, Place};
use crate::failure::Failure;
use ottla::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use std::collections::BTreeMap;

pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;

/// An end of a partition's log, or a time in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) place: Place,
    pub(crate) timestamp: i64,
}

/// What was found by place. No record is that new: -1.
pub(crate) type Found = BTreeMap<Place, i64>;

impl Client {
    pub(crate) fn offsets(&mut self, wanted: &[Wanted]) -> Result<Found, Failure> {
        self.patiently(|client| client.offsets_once(wanted))
    }

    /// The same end of several partitions.
    pub(crate) fn ends(&mut self, places: &[Place], timestamp: i64) -> Result<Found, Failure> {
        let wanted = places.iter().map(|place| Wanted {
            place: place.clone(),
            timestamp,
        });
        self.offsets(&wanted.collect::<Vec<_>>())
    }

    fn offsets_once(&mut self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let places: Vec<Place> = wanted.iter().map(|wanted| wanted.place.clone()).collect();
        let leaders = self.leaders(&places)?;
        let mut by_leader: BTreeMap<i32, Vec<&Wanted>> = BTreeMap::new();
        for wanted in wanted {
            by_leader
                .entry(leaders[&wanted.place])
                .or_default()
                .push(wanted);
        }
        let mut found = Found::new();
        for (leader, wanted) in by_leader {
            let question = request(&wanted, self.timeout_ms());
            let answer = self.ask(leader, &question)?;
            for topic in answer.topics {
                for partition in topic.partitions {
                    let place = Place::new(&topic.name, partition.partition_index);
                    let subject = format!("partition {place}");
                    Failure::check(&subject, partition.error_code, None)?;
                    found.insert(place, partition.offset);
                }
            }
        }
        match places.iter().find(|place| !found.contains_key(place)) {
            Some(place) => Err(Failure::new(format!("no offset of {place} was told"))),
            None => Ok(found),
        }
    }
}

fn request(wanted: &[&Wanted], timeout_ms: i32) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for wanted in wanted {
        let partition = ListOffsetsPartition {
            partition_index: wanted.place.partition,
            current_leader_epoch: -1,
            timestamp: wanted.timestamp,
            ..ListOffsetsPartition::default()
        };
        topics
            .entry(&wanted.place.topic)
            .or_default()
            .push(partition);
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| ListOffsetsTopic {
            name: name.to_owned(),
            partitions,
            ..ListOffsetsTopic::default()
        });
    ListOffsetsRequest {
        replica_id: -1,
        topics: topics.collect(),
        timeout_ms,
        ..ListOffsetsRequest::default()
    }
}
