//! Produce 3-13 (0-2 are advertised for the sake of old librdkafka, and refused).
//!
//! `acks=1` waits for the same commit as `acks=all`. Exactly one record batch of format 2 per partition, any codec, zstd
//! from version 7 on; what the records say is not looked at, except in compacted topics, where each needs a key.
//! Transactional batches are refused before the append.
//! Deviation from Kafka: the request's timeout is at least [`TIMEOUT_MS_MIN`], because every answer waits for the disk.

use super::by_shard::{ByShard, Sent, results_of};
use super::topics;
use crate::base::few::Few;
use crate::base::offset::Offset;
use crate::base::recycler::Recycled;
use crate::base::time::{Now, Timestamp};
use crate::config::topic::TimestampType;
use crate::control::{Image, Topic};
use crate::record::{BatchRules, TimestampKind, TimestampRules, ValidBatch, validate};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal, Unanswered};
use crate::server::reply_queue::{Dispatched, Reply};
use crate::shard::request::{Appended, ProduceError, ProduceItem, Request};
use crate::wire::ErrorCode;
use crate::wire::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceResponse,
};
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Below this no disk is fast enough every time, and "timed out" would be said of batches that are about to be durable.
const TIMEOUT_MS_MIN: u64 = 1_000;
const TOPIC_IDS_FROM: i16 = 13;
const ZSTD_FROM: i16 = 7;
/// The one client that may write to internal topics: Kafka's own tools.
const ADMIN_CLIENT: &str = "__admin_client";

/// Topic and partition in the answer.
type Place = (usize, usize);

results_of!(appended, Produce, Result<Appended, ProduceError>);

pub(in crate::server) fn handle(call: Call, request: ProduceRequest) -> Dispatched {
    let now = call.server.handle.now();
    let timeout = u64::try_from(request.timeout_ms)
        .unwrap_or(0)
        .max(TIMEOUT_MS_MIN);
    let deadline = now.instant.plus(Duration::from_millis(timeout));
    let acks = request.acks;
    let (response, items) = plan(&call, request, now);
    if items.is_empty() {
        return Dispatched::Ready(finish(&call, acks, &response));
    }
    let sent = items.send(&call.server.handle, |items| Request::Produce {
        items,
        deadline,
    });
    let server = call.server.clone();
    Dispatched::Produced(server.producing.take(Some(Producing {
        call,
        acks,
        sent,
        response,
    })))
}

/// A request whose batches are on their way into the logs.
pub(in crate::server) struct Producing {
    call: Call,
    acks: i16,
    sent: Sent<Place>,
    response: ProduceResponse,
}

impl Producing {
    /// Panics when the answer was taken already.
    pub(in crate::server) fn poll(
        producing: &mut Recycled<Option<Producing>>,
        context: &mut Context<'_>,
    ) -> Poll<Reply> {
        let producing = producing.get_mut().and_then(Option::as_mut);
        let producing = producing.expect("one connection waits for it, once");
        ready!(producing.fill(context));
        Poll::Ready(finish(&producing.call, producing.acks, &producing.response))
    }

    fn fill(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Producing {
            call,
            sent,
            response,
            ..
        } = self;
        ready!(
            sent.poll_collect(context, appended, |(topic, place), result| {
                let partition = &mut response.responses[topic].partition_responses[place];
                let refusal = match result {
                    Ok(Ok(appended)) => {
                        let (at, committed_at) = (appended.appended_at, appended.committed_at);
                        call.notes.committed(at, committed_at);
                        partition.base_offset = appended.base_offset.0;
                        partition.log_append_time_ms = appended.log_append_time.0;
                        partition.log_start_offset = appended.log_start.0;
                        return;
                    }
                    Ok(Err(error)) => errors::produce(error),
                    Err(unanswered) => not_sent(unanswered),
                };
                let index = partition.index;
                *partition = refused_partition(call, &call.image(), refusal);
                partition.index = index;
            })
        );
        if response.responses.iter().any(names_leader) {
            response.node_endpoints = super::metadata::endpoints(&call.image());
        }
        Poll::Ready(())
    }
}

/// Checks everything that needs no shard.
fn plan(
    call: &Call,
    request: ProduceRequest,
    now: Now,
) -> (ProduceResponse, ByShard<ProduceItem, Place>) {
    let image = call.image();
    let refused = refuse_all(&request);
    let mut items = ByShard::new();
    let mut response = ProduceResponse::default();
    for (topic_place, data) in request.topic_data.into_iter().enumerate() {
        let by_id = call.version >= TOPIC_IDS_FROM;
        let topic = topics::find(&image, by_id, &data.name, data.topic_id)
            .map_err(|code| Refusal::new(code, "This cluster has no such topic."))
            .and_then(|topic| may_write(call, topic).map(|()| topic));
        let mut partitions = Few::with_capacity(data.partition_data.len());
        for (place, part) in data.partition_data.into_iter().enumerate() {
            let index = part.index;
            let item = match &refused {
                Some(refusal) => Err(refusal.clone()),
                None => topic
                    .clone()
                    .and_then(|topic| check(topic, part, call.version, now.wall)),
            };
            partitions.push(match item {
                Ok(item) => {
                    let shard = call.server.handle.owner(item.partition);
                    items.push(shard, item, (topic_place, place));
                    PartitionProduceResponse::default()
                }
                Err(refusal) => refused_partition(call, &image, refusal),
            });
            partitions[place].index = index;
        }
        response.responses.push(TopicProduceResponse {
            name: data.name,
            topic_id: data.topic_id,
            partition_responses: partitions,
            ..TopicProduceResponse::default()
        });
    }
    (response, items)
}

/// What is wrong with the request as a whole.
fn refuse_all(request: &ProduceRequest) -> Option<Refusal> {
    if !(-1..=1).contains(&request.acks) {
        let message = format!("acks must be -1, 0 or 1, not {}.", request.acks);
        return Some(Refusal::new(ErrorCode::InvalidRequiredAcks, message));
    }
    request.transactional_id.as_ref().map(|_| {
        Refusal::new(
            ErrorCode::TransactionalIdAuthorizationFailed,
            errors::TRANSACTIONS_MISSING,
        )
    })
}

fn may_write(call: &Call, topic: &Topic) -> Result<(), Refusal> {
    if topic.internal && call.peer.client_id.as_deref() != Some(ADMIN_CLIENT) {
        return Err(Refusal::new(
            ErrorCode::InvalidTopicException,
            "An internal topic is written by the broker alone.",
        ));
    }
    Ok(())
}

fn check(
    topic: &Topic,
    part: PartitionProduceData,
    version: i16,
    now: Timestamp,
) -> Result<ProduceItem, Refusal> {
    let partition = topics::partition(topic, part.index)
        .map_err(|code| Refusal::new(code, "This topic has no such partition."))?;
    let batch = batch(topic, part.records.unwrap_or_default(), version, now)?;
    Ok(ProduceItem { partition, batch })
}

fn batch(
    topic: &Topic,
    records: Bytes,
    version: i16,
    now: Timestamp,
) -> Result<ValidBatch, Refusal> {
    let config = &topic.config;
    let rules = BatchRules {
        batch_bytes_max: config.batch_bytes_max,
        zstd_allowed: version >= ZSTD_FROM,
        timestamps: TimestampRules {
            kind: match config.timestamp_type {
                TimestampType::CreateTime => TimestampKind::CreateTime,
                TimestampType::LogAppendTime => TimestampKind::LogAppendTime,
            },
            before_max_ms: config.timestamp_before_max_ms,
            after_max_ms: config.timestamp_after_max_ms,
        },
        keys_required: config.cleanup.compact,
        now,
    };
    validate(records, &rules).map_err(|rejection| errors::batch(&rejection))
}

fn not_sent(unanswered: Unanswered) -> Refusal {
    let message = match unanswered {
        Unanswered::Busy => "Too many requests for this core; nothing was written.",
        Unanswered::Stopping => "The broker is stopping; the batch may be written.",
        Unanswered::Mismatch => "A bug in the broker; the batch may be written.",
    };
    Refusal::new(errors::unanswered_write(unanswered), message)
}

fn refused_partition(call: &Call, image: &Image, refusal: Refusal) -> PartitionProduceResponse {
    let records = refusal.records.iter();
    let to_blame = records.map(|&record| BatchIndexAndErrorMessage {
        batch_index: i32::try_from(record).expect("records of a batch are counted in 31 bits"),
        batch_index_error_message: Some(refusal.message.clone()),
        ..BatchIndexAndErrorMessage::default()
    });
    let mut partition = PartitionProduceResponse {
        error_code: call.code(refusal.code),
        record_errors: to_blame.collect(),
        base_offset: Offset::NONE.0,
        error_message: Some(refusal.message),
        ..PartitionProduceResponse::default()
    };
    if refusal.code == ErrorCode::NotLeaderOrFollower {
        partition.current_leader.leader_id = image.node_id.0;
    }
    partition
}

fn names_leader(topic: &TopicProduceResponse) -> bool {
    let mut partitions = topic.partition_responses.iter();
    partitions.any(|partition| partition.current_leader.leader_id >= 0)
}

/// `acks=0` gets no answer. A client that loses batches this way learns it by losing the connection, which makes it
/// refresh its metadata.
fn finish(call: &Call, acks: i16, response: &ProduceResponse) -> Reply {
    if acks != 0 {
        return call.answer(response);
    }
    let mut partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    match partitions.find(|partition| partition.error_code != 0) {
        None => Reply::Nothing,
        Some(failed) => {
            let code = ErrorCode::from_code(failed.error_code);
            tracing::info!(?code, "a batch with acks=0 failed, connection closed");
            Reply::Close
        }
    }
}
