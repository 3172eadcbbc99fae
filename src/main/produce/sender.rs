//! Batches on their way: filled per partition, sent to the leader with a few unanswered, sent again in order when a
//! broker or a leader is lost.
//!
//! With acks=all batches carry a producer id and sequences, so that one which is sent again is written once.

use super::Wishes;
use super::input::Input;
use super::partitioner::Partitioner;
use crate::client::connection::{Connection, Sent};
use crate::client::{Client, Place, pause};
use crate::configs;
use crate::failure::{Failure, is_passing};
use bytes::Bytes;
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::ProducerId;
use ottla::base::limits::{TOOL_BATCH_BYTES, TOOL_REQUESTS_IN_FLIGHT_MAX};
use ottla::base::time::Timestamp;
use ottla::record::{BATCH_HEADER_BYTES, BatchBuilder, Codec, NewRecord, sequence_plus};
use ottla::wire::messages::init_producer_id::InitProducerIdRequest;
use ottla::wire::messages::metadata::MetadataRequest;
use ottla::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use ottla::wire::{ApiKey, ErrorCode};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

pub(super) struct Sender<'a> {
    client: &'a mut Client,
    topic: String,
    acks: i16,
    codec: Codec,
    /// All records go there.
    fixed: Option<i32>,
    batch_bytes: usize,
    partitioner: Partitioner,
    producer: Option<(ProducerId, ProducerEpoch)>,
    /// By partition.
    leaders: BTreeMap<i32, i32>,
    sequences: BTreeMap<i32, i32>,
    open: BTreeMap<i32, Open>,
    written: BTreeMap<i32, Written>,
    /// By leader.
    links: BTreeMap<i32, Link>,
}

/// A batch that is being filled.
struct Open {
    builder: BatchBuilder,
    bytes: u64,
}

/// A batch that is whole.
#[derive(Clone)]
struct Batch {
    partition: i32,
    records: u64,
    /// Of keys and values.
    bytes: u64,
    body: Bytes,
}

struct Link {
    connection: Connection,
    in_flight: VecDeque<(Sent, Batch)>,
}

/// What one partition has taken.
#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    pub(super) partition_index: i32,
    /// Of the first batch; null with acks=0.
    pub(super) base_offset: Option<i64>,
    pub(super) records: u64,
    #[serde(skip)]
    bytes: u64,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        client: &'a mut Client,
        topic: &str,
        wishes: &Wishes,
    ) -> Result<Sender<'a>, Failure> {
        let found = client.patiently(|client| client.topics(&[topic]))?;
        let partitions = found.iter().flat_map(|topic| &topic.partitions);
        let leaders: BTreeMap<i32, i32> = partitions
            .map(|partition| (partition.partition_index, partition.leader_id))
            .collect();
        let count = leaders.len() as i32;
        let acks = wishes.acks.number();
        let batch_bytes = batch_bytes(client, topic);
        let producer = producer(client, acks)?;
        let random = crate::place::now() as u64;
        Ok(Sender {
            client,
            topic: topic.to_owned(),
            acks,
            codec: wishes.codec.codec(),
            fixed: wishes.partition,
            batch_bytes,
            partitioner: Partitioner::new(count.max(1), random),
            producer,
            leaders,
            sequences: BTreeMap::new(),
            open: BTreeMap::new(),
            written: BTreeMap::new(),
            links: BTreeMap::new(),
        })
    }

    /// Records and bytes that are acknowledged, or with acks=0 sent.
    pub(super) fn acknowledged(&self) -> (u64, u64) {
        let written = self.written.values();
        written.fold((0, 0), |(records, bytes), row| {
            (records + row.records, bytes + row.bytes)
        })
    }

    pub(super) fn written(&self) -> Vec<Written> {
        self.written.values().cloned().collect()
    }

    /// Whether nothing waits to be sent or answered.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.links.values().all(|link| link.in_flight.is_empty())
    }

    pub(super) fn push(&mut self, input: &Input, timestamp: i64) -> Result<(), Failure> {
        let chosen = self.fixed.or(input.partition);
        let partition = chosen.unwrap_or_else(|| self.partitioner.of(input.key.as_deref()));
        let size = size(input);
        let open = self.open.get(&partition);
        if open.is_some_and(|open| open.builder.plain_bytes() + size > self.batch_bytes) {
            self.close(partition)?;
        }
        let open = match self.open.get_mut(&partition) {
            Some(open) => open,
            None => {
                let builder = self.builder(partition);
                self.open
                    .entry(partition)
                    .or_insert(Open { builder, bytes: 0 })
            }
        };
        let headers: Vec<(&[u8], Option<&[u8]>)> = input
            .headers
            .iter()
            .map(|(key, value)| (&key[..], value.as_deref()))
            .collect();
        open.builder.push(&NewRecord {
            timestamp: Timestamp(timestamp),
            key: input.key.as_deref(),
            value: input.value.as_deref(),
            headers: &headers,
        });
        let lengths =
            [&input.key, &input.value].map(|part| part.as_ref().map_or(0, Vec::len) as u64);
        open.bytes += lengths.iter().sum::<u64>();
        Ok(())
    }

    /// Sends what there is, and waits for all answers.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let open: Vec<i32> = self.open.keys().copied().collect();
        for partition in open {
            self.close(partition)?;
        }
        let nodes: Vec<i32> = self.links.keys().copied().collect();
        nodes.into_iter().try_for_each(|node| self.settle_all(node))
    }

    fn settle_all(&mut self, node: i32) -> Result<(), Failure> {
        while self.in_flight(node) > 0 {
            self.settle(node)?;
        }
        Ok(())
    }

    fn in_flight(&self, node: i32) -> usize {
        self.links.get(&node).map_or(0, |link| link.in_flight.len())
    }

    /// Flushes. What nobody acknowledges has arrived when a later question is answered: answers come in order.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.acks != 0 {
            return Ok(());
        }
        let nothing = MetadataRequest {
            topics: Some(Vec::new()),
            ..MetadataRequest::default()
        };
        for link in self.links.values_mut() {
            link.connection.ask(&nothing)?;
        }
        Ok(())
    }

    fn builder(&self, partition: i32) -> BatchBuilder {
        let builder = BatchBuilder::new(self.codec);
        match self.producer {
            Some((id, epoch)) => {
                let sequence = self.sequences.get(&partition).copied().unwrap_or(0);
                builder.producer(id, epoch, sequence)
            }
            None => builder,
        }
    }

    /// The batch of the partition is whole, and leaves.
    fn close(&mut self, partition: i32) -> Result<(), Failure> {
        let Some(Open { builder, bytes }) = self.open.remove(&partition) else {
            return Ok(());
        };
        let records = builder.record_count();
        let sequence = self.sequences.entry(partition).or_insert(0);
        *sequence = sequence_plus(*sequence, records);
        self.partitioner.batch_left(partition);
        let batch = Batch {
            partition,
            records: records as u64,
            bytes,
            body: builder.build(),
        };
        let Some(node) = self.leaders.get(&partition).copied() else {
            let code = ErrorCode::UnknownTopicOrPartition.code();
            return Err(Failure::refused(&self.place(partition), code, None));
        };
        while self.in_flight(node) >= TOOL_REQUESTS_IN_FLIGHT_MAX {
            self.settle(node)?;
        }
        match self.send(node, &batch) {
            Ok(_) if self.acks == 0 => {
                self.count(&batch, None);
                Ok(())
            }
            Ok(sent) => {
                let link = self.links.get_mut(&node).expect("it has just been used");
                link.in_flight.push_back((sent, batch));
                Ok(())
            }
            Err(failure) => self.recover(node, failure, Some(batch)),
        }
    }

    fn send(&mut self, node: i32, batch: &Batch) -> Result<Sent, Failure> {
        let question = self.question(batch);
        let link = match self.links.get_mut(&node) {
            Some(link) => link,
            None => {
                let connection = self.client.connect(node)?;
                let in_flight = VecDeque::new();
                self.links.entry(node).or_insert(Link {
                    connection,
                    in_flight,
                })
            }
        };
        link.connection.send(&question)
    }

    fn question(&self, batch: &Batch) -> ProduceRequest {
        ProduceRequest {
            acks: self.acks,
            timeout_ms: self.client.timeout_ms(),
            topic_data: [TopicProduceData {
                name: self.topic.as_str().into(),
                partition_data: [PartitionProduceData {
                    index: batch.partition,
                    records: Some(batch.body.clone()),
                    ..PartitionProduceData::default()
                }]
                .into(),
                ..TopicProduceData::default()
            }]
            .into(),
            ..ProduceRequest::default()
        }
    }

    /// Waits for the oldest answer of a leader.
    fn settle(&mut self, node: i32) -> Result<(), Failure> {
        let link = self.links.get_mut(&node).expect("the caller has seen it");
        let (sent, batch) = link.in_flight.pop_front().expect("the caller has seen it");
        let answer = receive(&mut link.connection, sent);
        match answer.and_then(|answer| self.accept(&batch, &answer)) {
            Ok(()) => Ok(()),
            Err(failure) => self.recover(node, failure, Some(batch)),
        }
    }

    /// Counts a batch as written, or says why it is not.
    fn accept(&mut self, batch: &Batch, answer: &PartitionProduceResponse) -> Result<(), Failure> {
        let is_known = answer.error_code == ErrorCode::DuplicateSequenceNumber.code();
        if !is_known {
            let place = self.place(batch.partition);
            Failure::check(&place, answer.error_code, answer.error_message.as_deref())?;
        }
        self.count(batch, Some(answer.base_offset).filter(|_| !is_known));
        Ok(())
    }

    fn count(&mut self, batch: &Batch, base_offset: Option<i64>) {
        let written = self.written.entry(batch.partition).or_insert(Written {
            partition_index: batch.partition,
            base_offset,
            records: 0,
            bytes: 0,
        });
        written.records += batch.records;
        written.bytes += batch.bytes;
    }

    /// Something went wrong with a batch: what was sent after it is settled, then all that is not written is sent
    /// again, one after the other.
    fn recover(
        &mut self,
        node: i32,
        failure: Failure,
        batch: Option<Batch>,
    ) -> Result<(), Failure> {
        let mut again: Vec<Batch> = batch.into_iter().collect();
        let mut link = self.links.remove(&node);
        let mut is_broken = failure.is_connection();
        let in_flight = link
            .iter_mut()
            .flat_map(|link| std::mem::take(&mut link.in_flight));
        for (sent, batch) in in_flight.collect::<Vec<_>>() {
            let answer = match &mut link {
                Some(link) if !is_broken => receive(&mut link.connection, sent),
                _ => Err(failure.clone()),
            };
            is_broken = is_broken || answer.as_ref().is_err_and(Failure::is_connection);
            if answer
                .and_then(|answer| self.accept(&batch, &answer))
                .is_err()
            {
                again.push(batch);
            }
        }
        if !failure.is_connection() && !failure.is_passing() {
            return Err(failure);
        }
        if self.acks == 0 {
            // What was sent may be lost, and nobody would know which.
            return Err(failure);
        }
        for batch in again {
            self.insist(&batch)?;
        }
        Ok(())
    }

    /// Sends one batch until it is written, or the time is over.
    fn insist(&mut self, batch: &Batch) -> Result<(), Failure> {
        let deadline = Instant::now() + self.client.timeout;
        loop {
            match self.attempt(batch) {
                Err(failure) if may_pass(&failure) && Instant::now() < deadline => pause(),
                result => return result,
            }
        }
    }

    fn attempt(&mut self, batch: &Batch) -> Result<(), Failure> {
        let place = Place::new(&self.topic, batch.partition);
        let node = self.client.leaders(std::slice::from_ref(&place))?[&place];
        self.leaders.insert(batch.partition, node);
        // A leader that now leads this partition too answers what it was sent of others first.
        self.settle_all(node)?;
        let answer = self.send(node, batch).and_then(|sent| {
            let link = self.links.get_mut(&node).expect("it has just been used");
            receive(&mut link.connection, sent)
        });
        let result = answer.and_then(|answer| self.accept(batch, &answer));
        if result.is_err() {
            self.links.remove(&node);
        }
        result
    }

    fn place(&self, partition: i32) -> String {
        format!("partition {}", Place::new(&self.topic, partition))
    }
}

fn may_pass(failure: &Failure) -> bool {
    failure.is_connection() || failure.code().is_some_and(is_passing)
}

fn receive(connection: &mut Connection, sent: Sent) -> Result<PartitionProduceResponse, Failure> {
    let answer = connection.receive::<ProduceRequest>(sent)?;
    let mut rows = answer
        .responses
        .into_iter()
        .flat_map(|topic| topic.partition_responses);
    rows.next()
        .ok_or_else(|| Failure::new(format!("{} said nothing of a batch", connection.address)))
}

/// At least what the record takes in a batch.
fn size(input: &Input) -> usize {
    let part = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len) + 5;
    let headers = input
        .headers
        .iter()
        .map(|(key, value)| key.len() + 5 + part(value));
    part(&input.key) + part(&input.value) + headers.sum::<usize>() + 25
}

/// The largest batch worth sending: the topic's limit, when it may be asked and is below ours.
fn batch_bytes(client: &mut Client, topic: &str) -> usize {
    let key = ["max.message.bytes".to_owned()];
    let configs = configs::describe(client, configs::TOPIC, topic, &key);
    let value = configs
        .ok()
        .and_then(|configs| configs.into_iter().next()?.value);
    let limit: Option<usize> = value.and_then(|value| value.parse().ok());
    let limit = limit.map_or(TOOL_BATCH_BYTES, |limit| {
        limit.saturating_sub(BATCH_HEADER_BYTES)
    });
    limit.min(TOOL_BATCH_BYTES)
}

/// A producer id, where retries must not write twice and the broker knows such things.
fn producer(
    client: &mut Client,
    acks: i16,
) -> Result<Option<(ProducerId, ProducerEpoch)>, Failure> {
    let is_served = client
        .any_connection()?
        .served(ApiKey::InitProducerId)
        .is_some();
    if acks != -1 || !is_served {
        return Ok(None);
    }
    let question = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: client.timeout_ms(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    client.patiently(|client| {
        let answer = client.ask_any(&question)?;
        Failure::check("producer id", answer.error_code, None)?;
        Ok(Some((
            ProducerId(answer.producer_id),
            ProducerEpoch(answer.producer_epoch),
        )))
    })
}
