//! DescribeTopicPartitions 0 (KIP-966): topics by name, their partitions by number, a page at a time. The page after this
//! one begins where its cursor says. No topic has replicas outside its in-sync set, so none of those is eligible.

use super::metadata::TOPIC_OPERATIONS;
use crate::control::{Image, Topic, names};
use crate::server::call::Call;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use std::collections::BTreeSet;

/// Where a page begins, and how many partitions it may have.
struct Page<'a> {
    /// By name.
    topics: BTreeSet<&'a str>,
    cursor: Option<&'a Cursor>,
    partitions_max: u32,
    /// Every topic was asked for: one that is gone is not missed.
    all: bool,
}

pub(in crate::server) fn handle(call: Call, request: DescribeTopicPartitionsRequest) -> Dispatched {
    let image = call.image();
    let response = match Page::new(&image, &request) {
        Ok(page) => page.answer(&call, &image),
        Err(code) => DescribeTopicPartitionsResponse {
            topics: request
                .topics
                .iter()
                .map(|topic| DescribeTopicPartitionsResponseTopic {
                    error_code: call.code(code),
                    name: Some(topic.name.clone()),
                    ..DescribeTopicPartitionsResponseTopic::default()
                })
                .collect(),
            ..DescribeTopicPartitionsResponse::default()
        },
    };
    call.ready(&response)
}

impl<'a> Page<'a> {
    fn new(
        image: &'a Image,
        request: &'a DescribeTopicPartitionsRequest,
    ) -> Result<Page<'a>, ErrorCode> {
        let cursor = request.cursor.as_ref();
        let first = cursor.map_or("", |cursor| cursor.topic_name.as_str());
        let all = request.topics.is_empty();
        let topics: BTreeSet<&str> = match all {
            true => image
                .topics()
                .map(|topic| &*topic.name)
                .filter(|name| *name >= first)
                .collect(),
            false => {
                let name = |topic: &'a TopicRequest| topic.name.as_str();
                request
                    .topics
                    .iter()
                    .map(name)
                    .filter(|name| *name >= first)
                    .collect()
            }
        };
        if let Some(cursor) = cursor {
            let is_listed = all || topics.contains(first);
            if !is_listed || cursor.partition_index < 0 {
                return Err(ErrorCode::InvalidRequest);
            }
        }
        let most = image.config.described_partitions_max;
        Ok(Page {
            topics,
            cursor,
            partitions_max: request
                .response_partition_limit
                .min(most)
                .max(1)
                .unsigned_abs(),
            all,
        })
    }

    fn answer(&self, call: &Call, image: &Image) -> DescribeTopicPartitionsResponse {
        let mut response = DescribeTopicPartitionsResponse::default();
        let mut left = self.partitions_max;
        for name in &self.topics {
            if left == 0 {
                response.next_cursor = Some(cursor(name, 0));
                break;
            }
            let Some(topic) = image.topic(name) else {
                if !self.all {
                    response
                        .topics
                        .push(refused(name, call.code(missing(name))));
                }
                continue;
            };
            let first = self.first_of(name);
            let end = first.saturating_add(left).min(topic.partitions);
            response.topics.push(found(image, topic, first..end));
            if end < topic.partitions {
                response.next_cursor = Some(cursor(name, end));
                break;
            }
            left -= end.saturating_sub(first);
        }
        response
    }

    fn first_of(&self, name: &str) -> u32 {
        let here = self.cursor.filter(|cursor| cursor.topic_name == name);
        here.map_or(0, |cursor| cursor.partition_index.unsigned_abs())
    }
}

fn cursor(name: &str, index: u32) -> Cursor {
    Cursor {
        topic_name: name.to_owned(),
        partition_index: signed(index),
        ..Cursor::default()
    }
}

fn missing(name: &str) -> ErrorCode {
    match names::check_form(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    }
}

fn refused(name: &str, error_code: i16) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        is_internal: names::is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn found(
    image: &Image,
    topic: &Topic,
    indexes: std::ops::Range<u32>,
) -> DescribeTopicPartitionsResponseTopic {
    let leader = image.node_id.0;
    let partition = |index| DescribeTopicPartitionsResponsePartition {
        partition_index: signed(index),
        leader_id: leader,
        leader_epoch: image.leader_epoch(topic).0,
        replica_nodes: vec![leader],
        isr_nodes: vec![leader],
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..DescribeTopicPartitionsResponsePartition::default()
    };
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.internal,
        partitions: indexes.map(partition).collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn signed(index: u32) -> i32 {
    i32::try_from(index).expect("partitions are counted in an i32")
}
