//! ListOffsets 1-10: where a partition begins, ends, or reaches a time (exact to the record).
//!
//! Special timestamps: -1 latest (the last stable offset for READ_COMMITTED), -2 earliest, -3 the record with the
//! largest timestamp (version 7), -4 earliest local (8), -5 last tiered (9; nothing is tiered, so there is none).

use super::by_shard::{ByShard, results_of};
use super::topics;
use crate::base::epoch::LeaderEpoch;
use crate::base::time::Timestamp;
use crate::control::Image;
use crate::server::call::Call;
use crate::server::errors;
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{FoundOffset, Isolation, OffsetOf, OffsetQuery, ReadError, Request};
use crate::wire::ErrorCode;
use crate::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use std::collections::BTreeSet;

results_of!(found, ListOffsets, Result<FoundOffset, ReadError>);

pub(in crate::server) fn handle(call: Call, request: ListOffsetsRequest) -> Dispatched {
    let image = call.image();
    let isolation = isolation(request.isolation_level);
    let mut queries = ByShard::new();
    let mut response = ListOffsetsResponse::default();
    let (mut seen, twice) = (BTreeSet::new(), twice(&request.topics));
    for (topic_place, topic) in request.topics.into_iter().enumerate() {
        let mut answer = ListOffsetsTopicResponse {
            name: topic.name,
            ..ListOffsetsTopicResponse::default()
        };
        for part in &topic.partitions {
            let named = (answer.name.clone(), part.partition_index);
            let query = match twice.contains(&named) {
                false => query(&image, &answer.name, part, call.version),
                true => Err(ErrorCode::InvalidRequest),
            };
            // What is asked twice is refused once.
            if !seen.insert(named) {
                continue;
            }
            let place = answer.partitions.len();
            let mut partition = ListOffsetsPartitionResponse {
                partition_index: part.partition_index,
                ..ListOffsetsPartitionResponse::default()
            };
            match query {
                Ok(query) => {
                    let shard = call.server.handle.owner(query.partition);
                    queries.push(shard, query, (topic_place, place));
                }
                Err(code) => partition.error_code = call.code(code),
            }
            answer.partitions.push(partition);
        }
        response.topics.push(answer);
    }
    let sent = queries.send(&call.server.handle, |queries| Request::ListOffsets {
        queries,
        isolation,
    });
    let answering = call.clone();
    call.later(async move {
        sent.collect(found, |(topic, place): (usize, usize), result| {
            let partition = &mut response.topics[topic].partitions[place];
            match errors::found(result) {
                Ok(found) => {
                    partition.offset = found.offset.0;
                    partition.timestamp = found.timestamp.0;
                    partition.leader_epoch = found.leader_epoch.0;
                }
                Err(code) => partition.error_code = answering.code(code),
            }
        })
        .await;
        response
    })
}

/// The partitions that are named more than once.
fn twice(topics: &[ListOffsetsTopic]) -> BTreeSet<(String, i32)> {
    let mut seen = BTreeSet::new();
    let parts = topics.iter().flat_map(|topic| {
        let parts = topic.partitions.iter();
        parts.map(|part| (topic.name.clone(), part.partition_index))
    });
    parts.filter(|part| !seen.insert(part.clone())).collect()
}

pub(super) fn isolation(level: i8) -> Isolation {
    match level {
        1 => Isolation::ReadCommitted,
        _ => Isolation::ReadUncommitted,
    }
}

fn query(
    image: &Image,
    name: &str,
    part: &ListOffsetsPartition,
    version: i16,
) -> Result<OffsetOf, ErrorCode> {
    let query = what(part.timestamp, version).ok_or(ErrorCode::UnsupportedVersion)?;
    let topic = image
        .topic(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(OffsetOf {
        partition: topics::partition(topic, part.partition_index)?,
        query,
        leader_epoch: LeaderEpoch(part.current_leader_epoch),
    })
}

/// What a timestamp of this version asks for.
fn what(timestamp: i64, version: i16) -> Option<OffsetQuery> {
    match timestamp {
        -1 => Some(OffsetQuery::Latest),
        -2 => Some(OffsetQuery::Earliest),
        -3 if version >= 7 => Some(OffsetQuery::MaxTimestamp),
        -4 if version >= 8 => Some(OffsetQuery::EarliestLocal),
        -5 if version >= 9 => Some(OffsetQuery::LastTiered),
        0.. => Some(OffsetQuery::AtLeast(Timestamp(timestamp))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_timestamps_mean_something_from_their_version_on() {
        for (timestamp, version, query) in [
            (-1, 1, Some(OffsetQuery::Latest)),
            (-2, 1, Some(OffsetQuery::Earliest)),
            (-3, 6, None),
            (-3, 7, Some(OffsetQuery::MaxTimestamp)),
            (-4, 7, None),
            (-4, 8, Some(OffsetQuery::EarliestLocal)),
            (-5, 8, None),
            (-5, 9, Some(OffsetQuery::LastTiered)),
            (-6, 10, None),
            (i64::MIN, 10, None),
            (0, 1, Some(OffsetQuery::AtLeast(Timestamp(0)))),
        ] {
            assert_eq!(what(timestamp, version), query, "{timestamp} {version}");
        }
    }
}
