//! Produce requests, encoded and check-summed before the run.
//!
//! A send copies the front of a frame and changes its ids; the records are shared. With stamps, records differ from
//! send to send: a copy of them is stamped and check-summed, and compressed when there is a codec, as the price of
//! knowing each one again.

use super::crc_patch::CrcPatch;
use super::keys::{self, Keys, PartitionKeys};
use super::stamp::{Stamp, Stream, rest_crc};
use super::values::Values;
use crate::client::connection::request_header;
use crate::net::outbound::Outbound;
use bytes::Bytes;
use ottla::base::checksum::crc32c;
use ottla::base::prng::Prng;
use ottla::base::time::Timestamp;
use ottla::record::iterate::Payload;
use ottla::record::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Codec, NewRecord, sequence_plus,
};
use ottla::wire::ApiKey;
use ottla::wire::frame::request_frame;
use ottla::wire::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use std::sync::Arc;

/// The batches of the pool together.
const POOL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Different batches for one partition.
const VARIANTS_MAX: usize = 16;
/// How long the broker may take for one request.
const PRODUCE_TIMEOUT_MS: i32 = 30_000;

const CORRELATION_AT: usize = 8;
/// In a batch: the checksum, what it covers, and producer id, epoch and sequence in one.
const CRC_AT: usize = 17;
const CRC_COVERS: usize = 21;
const PRODUCER_AT: usize = 43;
const PRODUCER_BYTES: usize = 14;

/// What a batch is made of.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) version: i16,
    pub(crate) acks: i16,
    pub(crate) records: usize,
    pub(crate) values: Values,
    pub(crate) keys: Keys,
    pub(crate) key_count: usize,
    pub(crate) codec: Codec,
    pub(crate) idempotent: bool,
    /// Names the run in the stamps; none leaves records unstamped.
    pub(crate) run: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) now_ms: i64,
}

pub(crate) struct Pool {
    recipe: Recipe,
    /// By partition, by variant.
    templates: Vec<Vec<Template>>,
    /// How much of the traffic each partition gets.
    pub(crate) weights: Vec<f64>,
}

struct Template {
    /// From the length of the frame to the end of the batch header.
    head: Vec<u8>,
    /// The records, then what closes the request.
    rest: Bytes,
    records_bytes: usize,
    payload_bytes: u64,
    patch: Option<Arc<CrcPatch<PRODUCER_BYTES>>>,
    plain: Arc<Vec<PlainRecord>>,
}

/// A record of a stamped batch.
struct PlainRecord {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    /// Of the value in `rest`, when there is no codec.
    value_at: usize,
    rest_crc: u32,
}

/// A batch on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parcel {
    pub(crate) stream: Stream,
    /// Counts the batches of the stream from 0.
    pub(crate) batch: u64,
}

/// Producer id and epoch.
pub(crate) type Producer = (i64, i16);

impl Pool {
    pub(crate) fn new(recipe: Recipe) -> Pool {
        let mut recipe = recipe;
        let mut prng = Prng::new(recipe.seed);
        let mut keys = keys::by_partition(recipe.keys, recipe.key_count, recipe.partitions);
        let weights = keys.iter().map(|keys| keys.weight).collect();
        let batch_bytes = recipe.records * (recipe.values.bytes_max() + 32) + BATCH_HEADER_BYTES;
        let is_keyed = keys.iter().any(PartitionKeys::is_keyed);
        let distinct = if is_keyed { recipe.partitions } else { 1 };
        let variants = (POOL_BYTES_MAX / (batch_bytes * distinct)).clamp(1, VARIANTS_MAX);
        let mut shared: Option<Vec<Made>> = None;
        let mut templates = Vec::new();
        for (partition, keys) in keys.iter_mut().enumerate() {
            let made = match (&shared, is_keyed) {
                (Some(shared), false) => shared.clone(),
                _ => (0..variants)
                    .map(|_| Made::new(&mut recipe, keys, &mut prng))
                    .collect(),
            };
            templates.push(
                made.iter()
                    .map(|made| made.template(&recipe, partition))
                    .collect(),
            );
            shared = Some(made);
        }
        Pool {
            recipe,
            templates,
            weights,
        }
    }

    /// Keys and values of a batch.
    pub(crate) fn payload_bytes(&self, parcel: &Parcel) -> u64 {
        self.template(parcel).payload_bytes
    }

    pub(crate) fn payload_bytes_mean(&self) -> f64 {
        let all = self.templates.iter().flatten();
        let (sum, count) = all.fold((0, 0), |(sum, count), template| {
            (sum + template.payload_bytes, count + 1)
        });
        sum as f64 / f64::from(count)
    }

    pub(crate) fn records(&self) -> u64 {
        self.recipe.records as u64
    }

    /// Queues the request that carries the parcel.
    pub(crate) fn write(
        &self,
        parcel: &Parcel,
        correlation: i32,
        producer: Option<Producer>,
        out: &mut Outbound,
    ) {
        let template = self.template(parcel);
        let producer = producer.map(|producer| self.producer_bytes(producer, parcel));
        match self.recipe.run {
            None => template.write_shared(correlation, producer.as_ref(), out),
            Some(run) if self.recipe.codec == Codec::None => {
                out.edit(|out| {
                    template.write_stamped(correlation, producer.as_ref(), out, |record| {
                        self.stamp(run, parcel, record)
                    })
                });
            }
            Some(run) => {
                out.copy(&self.compressed(template, run, parcel, correlation, producer.as_ref()))
            }
        }
    }

    fn template(&self, parcel: &Parcel) -> &Template {
        let variants = &self.templates[usize::from(parcel.stream.partition)];
        &variants[(parcel.batch % variants.len() as u64) as usize]
    }

    fn stamp(&self, run: u64, parcel: &Parcel, record: usize) -> Stamp {
        Stamp {
            run,
            stream: parcel.stream,
            sequence: parcel.batch * self.recipe.records as u64 + record as u64,
        }
    }

    fn producer_bytes(&self, (id, epoch): Producer, parcel: &Parcel) -> [u8; PRODUCER_BYTES] {
        let sequence = parcel.batch * self.recipe.records as u64 % (1 << 31);
        let mut bytes = [0; PRODUCER_BYTES];
        bytes[..8].copy_from_slice(&id.to_be_bytes());
        bytes[8..10].copy_from_slice(&epoch.to_be_bytes());
        bytes[10..].copy_from_slice(&sequence_plus(0, sequence as i32).to_be_bytes());
        bytes
    }

    fn compressed(
        &self,
        template: &Template,
        run: u64,
        parcel: &Parcel,
        correlation: i32,
        producer: Option<&[u8; PRODUCER_BYTES]>,
    ) -> Bytes {
        let mut records: Vec<(Option<Vec<u8>>, Vec<u8>)> = Vec::new();
        for (number, record) in template.plain.iter().enumerate() {
            let mut value = record.value.clone();
            self.stamp(run, parcel, number)
                .write(&mut value, record.rest_crc);
            records.push((record.key.clone(), value));
        }
        let mut batch = batch(&self.recipe, &records).to_vec();
        if let Some(producer) = producer {
            batch[PRODUCER_AT..][..PRODUCER_BYTES].copy_from_slice(producer);
            seal(&mut batch);
        }
        let partition = usize::from(parcel.stream.partition);
        frame(&self.recipe, partition, correlation, batch.into())
    }
}

impl Template {
    fn write_shared(
        &self,
        correlation: i32,
        producer: Option<&[u8; PRODUCER_BYTES]>,
        out: &mut Outbound,
    ) {
        out.edit(|out| {
            let start = out.len();
            out.extend_from_slice(&self.head);
            self.patch(&mut out[start..], correlation, producer);
        });
        out.share(self.rest.clone());
    }

    /// Ids in a copy of the head; the checksum follows the producer's.
    fn patch(&self, head: &mut [u8], correlation: i32, producer: Option<&[u8; PRODUCER_BYTES]>) {
        head[CORRELATION_AT..][..4].copy_from_slice(&correlation.to_be_bytes());
        let (Some(to), Some(patch)) = (producer, &self.patch) else {
            return;
        };
        let batch = head.len() - BATCH_HEADER_BYTES;
        let from: &[u8; PRODUCER_BYTES] =
            head[batch + PRODUCER_AT..].first_chunk().expect("a header");
        let crc = patch.change(from, to);
        head[batch + PRODUCER_AT..][..PRODUCER_BYTES].copy_from_slice(to);
        let old: [u8; 4] = *head[batch + CRC_AT..].first_chunk().expect("a header");
        let crc = u32::from_be_bytes(old) ^ crc;
        head[batch + CRC_AT..][..4].copy_from_slice(&crc.to_be_bytes());
    }

    fn write_stamped(
        &self,
        correlation: i32,
        producer: Option<&[u8; PRODUCER_BYTES]>,
        out: &mut Vec<u8>,
        stamp: impl Fn(usize) -> Stamp,
    ) {
        let start = out.len();
        out.extend_from_slice(&self.head);
        out[start + CORRELATION_AT..][..4].copy_from_slice(&correlation.to_be_bytes());
        let batch = out.len() - BATCH_HEADER_BYTES;
        if let Some(producer) = producer {
            out[batch + PRODUCER_AT..][..PRODUCER_BYTES].copy_from_slice(producer);
        }
        let records = out.len();
        out.extend_from_slice(&self.rest);
        for (number, record) in self.plain.iter().enumerate() {
            let value = &mut out[records + record.value_at..][..record.value.len()];
            stamp(number).write(value, record.rest_crc);
        }
        seal(&mut out[batch..records + self.records_bytes]);
    }
}

/// A batch that may serve several partitions.
#[derive(Clone)]
struct Made {
    batch: Bytes,
    /// Its records, then what closes a request: shared by all partitions.
    rest: Bytes,
    payload_bytes: u64,
    patch: Option<Arc<CrcPatch<PRODUCER_BYTES>>>,
    plain: Arc<Vec<PlainRecord>>,
}

impl Made {
    fn new(recipe: &mut Recipe, keys: &mut PartitionKeys, prng: &mut Prng) -> Made {
        let records: Vec<(Option<Vec<u8>>, Vec<u8>)> = (0..recipe.records)
            .map(|_| {
                (
                    keys.next(prng).map(<[u8]>::to_vec),
                    recipe.values.next(prng),
                )
            })
            .collect();
        let sizes = records.iter();
        let payload = sizes.map(|(key, value)| key.as_ref().map_or(0, Vec::len) + value.len());
        let payload_bytes = payload.sum::<usize>() as u64;
        let batch = batch(recipe, &records);
        let after = batch.len() - PRODUCER_AT - PRODUCER_BYTES;
        let patch = recipe.idempotent && recipe.run.is_none();
        let plain = match recipe.run {
            None => Vec::new(),
            Some(_) => plain(&batch, recipe.codec, records),
        };
        let mut rest = batch[BATCH_HEADER_BYTES..].to_vec();
        rest.resize(rest.len() + close_bytes(recipe.version), 0);
        Made {
            batch,
            rest: rest.into(),
            payload_bytes,
            patch: patch.then(|| Arc::new(CrcPatch::new(after))),
            plain: Arc::new(plain),
        }
    }

    fn template(&self, recipe: &Recipe, partition: usize) -> Template {
        let frame = frame(recipe, partition, 0, self.batch.clone());
        let close = close_bytes(recipe.version);
        let head_bytes = frame.len() - close - self.batch.len() + BATCH_HEADER_BYTES;
        assert_eq!(
            frame[head_bytes..],
            self.rest,
            "what follows the head is the same everywhere"
        );
        Template {
            head: frame[..head_bytes].to_vec(),
            rest: self.rest.clone(),
            records_bytes: self.batch.len() - BATCH_HEADER_BYTES,
            payload_bytes: self.payload_bytes,
            patch: self.patch.clone(),
            plain: self.plain.clone(),
        }
    }
}

fn batch(recipe: &Recipe, records: &[(Option<Vec<u8>>, Vec<u8>)]) -> Bytes {
    let mut builder = BatchBuilder::new(recipe.codec);
    for (key, value) in records {
        builder.push(&NewRecord {
            timestamp: Timestamp(recipe.now_ms),
            key: key.as_deref(),
            value: Some(value),
            headers: &[],
        });
    }
    builder.build()
}

fn plain(batch: &[u8], codec: Codec, records: Vec<(Option<Vec<u8>>, Vec<u8>)>) -> Vec<PlainRecord> {
    let payload = Payload::open(batch).expect("a batch of our own");
    let body = batch[BATCH_HEADER_BYTES..].as_ptr() as usize;
    let views = payload
        .records()
        .map(|record| record.expect("a record of our own"));
    views
        .zip(records)
        .map(|(view, (key, value))| {
            let at = view.value.expect("it has a value").as_ptr() as usize;
            PlainRecord {
                value_at: if codec == Codec::None { at - body } else { 0 },
                rest_crc: rest_crc(key.as_deref(), &value),
                key,
                value,
            }
        })
        .collect()
}

fn frame(recipe: &Recipe, partition: usize, correlation: i32, batch: Bytes) -> Bytes {
    let header = request_header(ApiKey::Produce, recipe.version, correlation);
    let request = ProduceRequest {
        acks: recipe.acks,
        timeout_ms: PRODUCE_TIMEOUT_MS,
        topic_data: [TopicProduceData {
            name: recipe.topic.as_str().into(),
            partition_data: [PartitionProduceData {
                index: partition as i32,
                records: Some(batch),
                ..PartitionProduceData::default()
            }]
            .into(),
            ..TopicProduceData::default()
        }]
        .into(),
        ..ProduceRequest::default()
    };
    request_frame(&header, &request)
}

/// A flexible request ends with the empty tagged fields of partition, topic and request.
fn close_bytes(version: i16) -> usize {
    if ApiKey::Produce.is_flexible(version) {
        3
    } else {
        0
    }
}

/// Makes the checksum that of the bytes.
fn seal(batch: &mut [u8]) {
    let crc = crc32c(&batch[CRC_COVERS..]);
    batch[CRC_AT..][..4].copy_from_slice(&crc.to_be_bytes());
    debug_assert!(
        BatchHeader::parse(batch).is_ok_and(|header| header.total_bytes() == batch.len())
    );
}

#[cfg(test)]
mod tests;
