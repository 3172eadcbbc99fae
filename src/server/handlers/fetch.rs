//! Fetch 4-18.
//!
//! A fetch that finds too little waits on every shard it asked, under one ticket; the first that has enough wakes it,
//! the others are cancelled, and everything is read once more. Nobody polls. What a session (KIP-227) adds to a request and
//! leaves out of its answer is `server/fetch_sessions`' business: between the two a fetch names all it reads.
//! The first non-empty partition gives one whole batch whatever the limits; record bytes are sent as they are stored.
//! Fetches of other replicas are refused here: replication has its own protocol.

use super::fetch_plan::{Plan, Planned, PlannedTopic, kept, wake_at};
use super::list_offsets::isolation;
use crate::base::ids::{ShardId, Ticket};
use crate::base::offset::Offset;
use crate::base::time::Instant;
use crate::server::budget::Permit;
use crate::server::call::Call;
use crate::server::errors::{self, Unanswered};
use crate::server::fetch_sessions::{FetchContext, SessionError};
use crate::server::reply_queue::{Dispatched, Reply};
use crate::shard::request::{AwaitPart, Fetched, Isolation, ReadError, Request, Response};
use crate::shard::{Answer, ShardHandle};
use crate::wire::ErrorCode;
use crate::wire::frame::response_pieces;
use crate::wire::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData, RecordPieces,
};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A resolved fetch, and what it waits for.
struct Fetch {
    call: Call,
    context: FetchContext,
    plan: Plan,
    isolation: Isolation,
    bytes_max: usize,
    bytes_min: usize,
    deadline: Instant,
}

/// What all shards found at one time. One result per part of the plan.
struct Found {
    parts: Vec<Result<Fetched, Unread>>,
    /// By shard, in the plan's order.
    shard_bytes: Vec<usize>,
}

/// Why a partition gives nothing, with what is known of it all the same.
#[derive(Clone, Copy)]
struct Unread {
    code: ErrorCode,
    log_start: Offset,
    high_watermark: Offset,
}

impl From<ErrorCode> for Unread {
    fn from(code: ErrorCode) -> Unread {
        Unread {
            code,
            log_start: Offset::NONE,
            high_watermark: Offset::NONE,
        }
    }
}

impl From<ReadError> for Unread {
    fn from(error: ReadError) -> Unread {
        let unread = Unread::from(errors::read(error));
        match error {
            ReadError::OffsetOutOfRange {
                log_start,
                high_watermark,
            } => Unread {
                log_start,
                high_watermark,
                ..unread
            },
            _ => unread,
        }
    }
}

type Asked = Vec<Answer>;

pub(in crate::server) fn handle(call: Call, mut request: FetchRequest) -> Dispatched {
    let now = call.server.handle.instant();
    let mut sessions = call.server.fetch_sessions.borrow_mut();
    let context = sessions.begin(&mut request, call.version, now);
    drop(sessions);
    let context = match context {
        Ok(context) => context,
        Err(error) => return call.ready(&refused(&call, error)),
    };
    let fetch = Fetch::new(call, request, context);
    // Asked at once, so that a fetch sees what requests before it on the same connection have done.
    let first = fetch.permit_now().map(|permit| {
        let asked = fetch.ask(permit.bytes());
        (permit, asked)
    });
    Dispatched::Later(Box::pin(fetch.run(first)))
}

fn refused(call: &Call, error: SessionError) -> FetchResponse {
    FetchResponse {
        error_code: call.code(errors::fetch_session(error)),
        ..FetchResponse::default()
    }
}

fn bytes(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

impl Fetch {
    fn new(call: Call, request: FetchRequest, context: FetchContext) -> Fetch {
        let image = call.image();
        let handle = &call.server.handle;
        let bytes_max = bytes(request.max_bytes).min(image.config.fetch_bytes_max);
        let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
        Fetch {
            context,
            isolation: isolation(request.isolation_level),
            bytes_max,
            bytes_min: bytes(request.min_bytes).min(bytes_max),
            deadline: handle.instant().plus(Duration::from_millis(wait)),
            plan: Plan::new(&image, request, call.version, |partition| {
                handle.owner(partition)
            }),
            call,
        }
    }

    async fn run(self, first: Option<(Permit, Asked)>) -> Reply {
        let (mut permit, mut asked) = match first {
            Some(first) => first,
            None => self.permit_and_ask().await,
        };
        let mut before = None;
        loop {
            let found = self.collect(asked, permit.bytes()).await;
            permit.set(found.bytes());
            if self.is_enough(&found, before) {
                return self.answer(found, permit);
            }
            before = Some(found.bytes());
            let parked = self.park(&found);
            // What waits holds no record bytes.
            drop((found, permit));
            let since = self.handle().instant();
            parked.await;
            let now = self.handle().instant();
            self.call.notes.waited(now.since(since));
            (permit, asked) = self.permit_and_ask().await;
        }
    }

    fn permit_now(&self) -> Option<Permit> {
        self.call.server.answers.try_take(self.bytes_max)
    }

    async fn permit_and_ask(&self) -> (Permit, Asked) {
        let permit = self.call.server.answers.take(self.bytes_max).await;
        let asked = self.ask(permit.bytes());
        (permit, asked)
    }

    fn handle(&self) -> &ShardHandle {
        &self.call.server.handle
    }

    fn ask(&self, bytes_max: usize) -> Asked {
        let shares = self.plan.shares(bytes_max);
        let shards = self.plan.shards.iter().zip(shares);
        let ask = shards.map(|(shard, bytes_max)| {
            let request = Request::Fetch {
                parts: self.plan.fetch_parts(shard),
                bytes_max,
                at_least_one: true,
                isolation: self.isolation,
            };
            self.handle().send(shard.shard, request)
        });
        ask.collect()
    }

    async fn collect(&self, asked: Asked, bytes_max: usize) -> Found {
        let mut found = Found {
            parts: vec![Err(ErrorCode::UnknownServerError.into()); self.plan.parts.len()],
            shard_bytes: Vec::with_capacity(asked.len()),
        };
        for (shard, answer) in self.plan.shards.iter().zip(asked) {
            let results: Vec<Result<Fetched, Unread>> = match answer.await {
                Response::Fetch(results) if results.len() == shard.parts.len() => results
                    .into_iter()
                    .map(|result| result.map_err(Unread::from))
                    .collect(),
                Response::Fetch(_) => {
                    vec![Err(ErrorCode::UnknownServerError.into()); shard.parts.len()]
                }
                other => {
                    let code = errors::unanswered_read(Unanswered::from(other));
                    vec![Err(code.into()); shard.parts.len()]
                }
            };
            let bytes = results.iter().flatten().map(|fetched| fetched.bytes).sum();
            found.shard_bytes.push(bytes);
            for (&index, result) in shard.parts.iter().zip(results) {
                found.parts[index] = result;
            }
        }
        found.cut(bytes_max);
        found
    }

    /// Whether to answer now. `before`: what the last round found, if this one was woken.
    fn is_enough(&self, found: &Found, before: Option<usize>) -> bool {
        let server = &self.call.server;
        let bytes = found.bytes();
        bytes >= self.bytes_min
            || self.plan.parts.is_empty()
            || found.parts.iter().any(Result::is_err)
            // Woken for another reason than data, or by more than the limits let through.
            || before.is_some_and(|before| bytes <= before)
            || self.handle().instant() >= self.deadline
            || server.connections.is_stopping()
            || server.admission.is_short()
            || server.decoded.is_short()
    }

    /// Waits on every shard that was asked. A shard that can take no more waiters ends the wait at once.
    fn park(&self, found: &Found) -> Parked {
        let ticket = self.handle().next_ticket();
        let missing = self.bytes_min.saturating_sub(found.bytes());
        let mut parked = Parked {
            handle: self.handle().clone(),
            ticket,
            waits: Vec::with_capacity(self.plan.shards.len()),
        };
        let wake = wake_at(&found.shard_bytes, missing);
        for (shard, bytes_needed) in self.plan.shards.iter().zip(wake) {
            let request = Request::AwaitData {
                ticket,
                parts: self.await_parts(found, &shard.parts),
                isolation: self.isolation,
                bytes_needed,
                deadline: self.deadline,
            };
            let answer = self.handle().send(shard.shard, request);
            parked.waits.push((shard.shard, Some(answer)));
        }
        parked
    }

    fn await_parts(&self, found: &Found, indexes: &[usize]) -> Vec<AwaitPart> {
        let part = |&index: &usize| {
            let seen = found.parts[index].as_ref();
            AwaitPart {
                partition: self.plan.parts[index].partition,
                from: self.plan.parts[index].from,
                seen_high_watermark: seen.map_or(Offset::NONE, |fetched| fetched.high_watermark),
            }
        };
        indexes.iter().map(part).collect()
    }

    fn answer(self, mut found: Found, permit: Permit) -> Reply {
        let fetched = &self.call.server.handle.stats().fetched_bytes;
        fetched.add(found.bytes() as u64);
        let topics = self.plan.topics.iter();
        let mut responses = topics.map(|topic| self.topic(topic, &mut found)).collect();
        let call = &self.call;
        let now = self.handle().instant();
        let mut sessions = call.server.fetch_sessions.borrow_mut();
        let response = match sessions.finish(self.context, &mut responses, now) {
            Ok(session_id) => FetchResponse {
                session_id,
                responses,
                ..FetchResponse::default()
            },
            Err(error) => refused(call, error),
        };
        let mut rest = response_pieces(call.api_key, call.version, call.correlation_id, &response);
        Reply::Frame {
            head: rest.remove(0),
            rest,
            permit: Some(permit),
        }
    }

    fn topic(&self, topic: &PlannedTopic, found: &mut Found) -> FetchableTopicResponse {
        let partitions = topic.partitions.iter().map(|&(index, planned)| {
            let result = match planned {
                Planned::Part(part) => {
                    let taken = Err(ErrorCode::UnknownServerError.into());
                    std::mem::replace(&mut found.parts[part], taken)
                }
                // What is not even asked for has an empty list of aborted transactions, as in Apache Kafka.
                Planned::Refused(code) => {
                    return PartitionData {
                        partition_index: index,
                        error_code: self.call.code(code),
                        high_watermark: Offset::NONE.0,
                        aborted_transactions: Some(Vec::new()),
                        ..PartitionData::default()
                    };
                }
            };
            self.partition(index, result)
        });
        FetchableTopicResponse {
            topic: topic.name.clone(),
            topic_id: topic.id,
            partitions: partitions.collect(),
            ..FetchableTopicResponse::default()
        }
    }

    fn partition(&self, index: i32, result: Result<Fetched, Unread>) -> PartitionData {
        let aborted = match self.isolation {
            Isolation::ReadCommitted => Some(Vec::new()),
            Isolation::ReadUncommitted => None,
        };
        let data = PartitionData {
            partition_index: index,
            aborted_transactions: None,
            ..PartitionData::default()
        };
        match result {
            Ok(fetched) => PartitionData {
                high_watermark: fetched.high_watermark.0,
                last_stable_offset: fetched.last_stable.0,
                log_start_offset: fetched.log_start.0,
                aborted_transactions: aborted,
                records: Some(RecordPieces(fetched.pieces)),
                ..data
            },
            Err(unread) => PartitionData {
                error_code: self.call.code(unread.code),
                high_watermark: unread.high_watermark.0,
                log_start_offset: unread.log_start.0,
                ..data
            },
        }
    }
}

impl Found {
    fn bytes(&self) -> usize {
        let fetched = self.parts.iter().flatten();
        fetched.map(|fetched| fetched.bytes).sum()
    }

    /// Each shard may have passed its share by one batch; all together only the first batch may.
    fn cut(&mut self, bytes_max: usize) {
        let bytes = self
            .parts
            .iter()
            .map(|part| part.as_ref().map_or(0, |f| f.bytes));
        let kept = kept(bytes, bytes_max);
        for (part, kept) in self.parts.iter_mut().zip(kept) {
            if let (Ok(fetched), false) = (part, kept) {
                fetched.pieces.clear();
                fetched.bytes = 0;
            }
        }
    }
}

/// A wait on several shards. Dropping it cancels those that still wait: also when the client goes away.
struct Parked {
    handle: ShardHandle,
    ticket: Ticket,
    waits: Vec<(ShardId, Option<Answer>)>,
}

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut woken = false;
        for (_, wait) in &mut self.waits {
            if let Some(answer) = wait
                && Pin::new(answer).poll(context).is_ready()
            {
                *wait = None;
                woken = true;
            }
        }
        match woken {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        for (shard, _) in self.waits.iter().filter(|(_, wait)| wait.is_some()) {
            let _cancelled = self.handle.send(*shard, Request::Cancel(self.ticket));
        }
    }
}
