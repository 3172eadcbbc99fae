//! What a fetch asks of which shard, and how the shards' answers become one. Pure.
//!
//! Byte limits are split over the shards beforehand, by what their partitions may return; each shard keeps to its share
//! except for one whole batch. Put together in request order, only the very first batch may pass the limit.

use super::topics;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{PartitionId, ShardId, Uuid};
use crate::base::offset::Offset;
use crate::control::Image;
use crate::shard::request::FetchPart;
use crate::wire::ErrorCode;
use crate::wire::messages::fetch::{FetchPartition, FetchRequest};
use std::collections::{BTreeMap, BTreeSet};

const TOPIC_IDS_FROM: i16 = 13;

/// One fetch, resolved against the metadata.
pub(super) struct Plan {
    /// In request order.
    pub(super) topics: Vec<PlannedTopic>,
    /// What can be read, in request order.
    pub(super) parts: Vec<Part>,
    pub(super) shards: Vec<ShardPlan>,
}

pub(super) struct PlannedTopic {
    pub(super) name: String,
    pub(super) id: Uuid,
    pub(super) partitions: Vec<(i32, Planned)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Planned {
    /// Index into `parts`.
    Part(usize),
    Refused(ErrorCode),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) partition: PartitionId,
    pub(super) from: Offset,
    leader_epoch: LeaderEpoch,
    bytes_max: usize,
}

/// What one shard is asked: indexes into `parts`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ShardPlan {
    pub(super) shard: ShardId,
    pub(super) parts: Vec<usize>,
    /// What its partitions may return together.
    weight: u64,
}

impl Plan {
    pub(super) fn new(
        image: &Image,
        request: FetchRequest,
        version: i16,
        owner: impl Fn(PartitionId) -> ShardId,
    ) -> Plan {
        let mut plan = Plan {
            topics: Vec::with_capacity(request.topics.len()),
            parts: Vec::new(),
            shards: Vec::new(),
        };
        let mut shards: BTreeMap<ShardId, ShardPlan> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let is_replica = request.replica_id.max(request.replica_state.replica_id) >= 0;
        for topic in request.topics {
            let by_id = version >= TOPIC_IDS_FROM;
            let found = match is_replica {
                // Whoever claims to be a broker could move the high watermark (CVE-2018-1288).
                true => Err(ErrorCode::TopicAuthorizationFailed),
                false => topics::find(image, by_id, &topic.topic, topic.topic_id),
            };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for wanted in topic.partitions {
                let part = found
                    .and_then(|topic| topics::partition(topic, wanted.partition))
                    .map(|partition| Part::new(partition, &wanted));
                let planned = match part {
                    // As in Kafka, what is named again is not answered again.
                    Ok(part) if !seen.insert(part.partition) => continue,
                    Ok(part) => {
                        let index = plan.parts.len();
                        shards
                            .entry(owner(part.partition))
                            .or_insert_with_key(|&shard| ShardPlan::new(shard))
                            .push(index, part.bytes_max);
                        plan.parts.push(part);
                        Planned::Part(index)
                    }
                    Err(code) => Planned::Refused(code),
                };
                partitions.push((wanted.partition, planned));
            }
            plan.topics.push(PlannedTopic {
                name: topic.topic,
                id: topic.topic_id,
                partitions,
            });
        }
        plan.shards = shards.into_values().collect();
        plan
    }

    /// The parts of one shard, as its request wants them.
    pub(super) fn fetch_parts(&self, shard: &ShardPlan) -> Vec<FetchPart> {
        let parts = shard.parts.iter().map(|&index| self.parts[index]);
        let part = |part: Part| FetchPart {
            partition: part.partition,
            from: part.from,
            leader_epoch: part.leader_epoch,
            bytes_max: part.bytes_max,
        };
        parts.map(part).collect()
    }

    /// How many of `bytes_max` each shard may return; together not more.
    pub(super) fn shares(&self, bytes_max: usize) -> Vec<usize> {
        let total: u64 = self.shards.iter().map(|shard| shard.weight).sum();
        let share = |weight: u64| match total {
            0 => 0,
            _ => (bytes_max as u128 * u128::from(weight) / u128::from(total)) as usize,
        };
        self.shards
            .iter()
            .map(|shard| share(shard.weight))
            .collect()
    }
}

impl Part {
    fn new(partition: PartitionId, wanted: &FetchPartition) -> Part {
        Part {
            partition,
            from: Offset(wanted.fetch_offset),
            // Whatever is negative is no epoch.
            leader_epoch: LeaderEpoch(wanted.current_leader_epoch.max(LeaderEpoch::NONE.0)),
            bytes_max: usize::try_from(wanted.partition_max_bytes).unwrap_or(0),
        }
    }
}

impl ShardPlan {
    fn new(shard: ShardId) -> ShardPlan {
        ShardPlan {
            shard,
            parts: Vec::new(),
            weight: 0,
        }
    }

    fn push(&mut self, index: usize, bytes_max: usize) {
        self.parts.push(index);
        self.weight += bytes_max as u64;
    }
}

/// Which of the parts, given their bytes in request order, stay in an answer of `bytes_max`: the first that has any
/// always does, others while they fit whole.
pub(super) fn kept(bytes: impl IntoIterator<Item = usize>, bytes_max: usize) -> Vec<bool> {
    let mut used = 0;
    let keep = |bytes: usize| {
        let fits = used == 0 || used + bytes <= bytes_max;
        used += if fits { bytes } else { 0 };
        fits
    };
    bytes.into_iter().map(keep).collect()
}

/// How many bytes each shard must hold before it wakes a fetch that wants `missing` more than it found: when the shards
/// together have grown by `missing`, at least one has grown by an equal part of it.
pub(super) fn wake_at(found: &[usize], missing: usize) -> Vec<usize> {
    let step = missing.div_ceil(found.len().max(1)).max(1);
    found.iter().map(|bytes| bytes + step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(weights: &[u64]) -> Plan {
        let shard = |(index, &weight): (usize, &u64)| ShardPlan {
            shard: ShardId(index as u16),
            parts: Vec::new(),
            weight,
        };
        Plan {
            topics: Vec::new(),
            parts: Vec::new(),
            shards: weights.iter().enumerate().map(shard).collect(),
        }
    }

    #[test]
    fn the_limit_is_split_by_what_the_partitions_may_return() {
        for (bytes_max, weights, shares) in [
            (100, &[1, 1][..], &[50, 50][..]),
            (100, &[3, 1], &[75, 25]),
            (100, &[1, 1, 1], &[33, 33, 33]),
            (100, &[0, 0], &[0, 0]),
            (0, &[5], &[0]),
            (
                i32::MAX as usize,
                &[u64::from(u32::MAX); 3],
                &[715_827_882; 3],
            ),
        ] {
            assert_eq!(plan(weights).shares(bytes_max), shares, "{weights:?}");
        }
    }

    #[test]
    fn the_first_batch_is_kept_whatever_the_limit_and_others_while_they_fit() {
        for (bytes, bytes_max, wanted) in [
            (&[10, 20][..], 100, &[true, true][..]),
            (&[500, 20], 100, &[true, false]),
            (&[0, 500, 20], 100, &[true, true, false]),
            (&[60, 60, 40], 100, &[true, false, true]),
            (&[60, 0], 10, &[true, false]),
            (&[0, 0], 0, &[true, true]),
        ] {
            assert_eq!(kept(bytes.iter().copied(), bytes_max), wanted, "{bytes:?}");
        }
    }

    #[test]
    fn some_shard_wakes_when_together_they_have_enough() {
        for (found, missing) in [(&[0, 0][..], 1), (&[5, 9, 0], 10), (&[7], 100)] {
            let wake = wake_at(found, missing);
            // Spread the growth as evenly as possible: the worst case for any single shard.
            let count = found.len();
            let grown: Vec<usize> = (0..count)
                .map(|index| found[index] + (missing + count - 1 - index) / count)
                .collect();
            let woken = grown.iter().zip(&wake).any(|(bytes, wake)| bytes >= wake);
            assert!(woken, "{found:?} {missing}");
            assert!(wake.iter().zip(found).all(|(wake, found)| wake > found));
        }
    }
}
