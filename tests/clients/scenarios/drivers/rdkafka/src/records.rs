//! Producing, reading, looking up.

use super::{
    Answer, Failure, POLL_TIME, REQUEST_TIME_MAX, by_partition, number, packed, text, unpacked,
};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR: for the caller to ask again.
const NOT_YET: [RDKafkaErrorCode; 3] = [
    RDKafkaErrorCode::CoordinatorLoadInProgress,
    RDKafkaErrorCode::CoordinatorNotAvailable,
    RDKafkaErrorCode::NotCoordinator,
];

/// Partition and offset.
type Place = Result<(i32, i64), KafkaError>;

/// Where each record went, by its number.
struct Places(Mutex<Vec<Option<Place>>>);

impl ClientContext for Places {}

impl ProducerContext for Places {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let place = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().expect("no thread panicked")[number] = Some(place);
    }
}

pub(crate) fn produce(address: &str, request: &Value) -> Answer {
    let records = request["records"].as_array().expect("records");
    let places = Places(Mutex::new(vec![None; records.len()]));
    let producer: ThreadedProducer<Places> =
        producing(address, request).create_with_context(places)?;
    let pause = request["pause"].as_array();
    for (index, record) in records.iter().enumerate() {
        send(&producer, text(&request["topic"]), index, record)?;
        if let Some([count, time]) = pause.map(Vec::as_slice)
            && index as i64 % number(count) == 0
        {
            std::thread::sleep(Duration::from_millis(number(time) as u64));
        }
    }
    producer.flush(Duration::from_millis(
        number(&request["timeout_ms"]) as u64 + 5_000,
    ))?;
    let places = producer.context().0.lock().expect("no thread panicked");
    let found: Result<Vec<_>, KafkaError> = places
        .iter()
        .map(|place| place.clone().expect("flushed"))
        .collect();
    Ok(json!({ "places": found? }))
}

fn producing(address: &str, request: &Value) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", address)
        .set("compression.codec", text(&request["codec"]))
        .set("acks", request["acks"].to_string())
        .set("enable.idempotence", request["idempotent"].to_string())
        .set(
            "message.max.bytes",
            request["request_bytes_max"].to_string(),
        )
        .set("message.timeout.ms", request["timeout_ms"].to_string())
        .set("linger.ms", "5")
        .set("topic.metadata.refresh.interval.ms", "1000")
        // How long a topic may be unknown before it is unknown.
        .set("topic.metadata.propagation.max.ms", "1000");
    settings
}

fn send(
    producer: &ThreadedProducer<Places>,
    topic: &str,
    index: usize,
    record: &Value,
) -> Result<(), Failure> {
    let (key, value) = (unpacked(&record[0]), unpacked(&record[1]));
    let mut built: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, index);
    built.key = key.as_deref();
    built.payload = value.as_deref();
    built.partition = record[3].as_i64().map(|partition| partition as i32);
    built.timestamp = record[4].as_i64();
    let mut headers = OwnedHeaders::new();
    for header in record[2].as_array().expect("headers") {
        let content = unpacked(&header[1]);
        headers = headers.insert(Header {
            key: text(&header[0]),
            value: content.as_ref(),
        });
    }
    built.headers = Some(headers);
    loop {
        match producer.send(built) {
            Ok(()) => return Ok(()),
            Err((error, back)) => {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                built = back;
                std::thread::sleep(POLL_TIME);
            }
        }
    }
}

fn consumer(
    address: &str,
    group: &str,
    wait_ms: &str,
    reset: &str,
) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", reset)
        .set("fetch.wait.max.ms", wait_ms)
        .set("fetch.error.backoff.ms", "100")
        .set("fetch.message.max.bytes", (8 << 20).to_string())
        .create()
}

pub(crate) fn consume(address: &str, request: &Value) -> Answer {
    let wait_ms = request["wait_ms"].to_string();
    let consumer = consumer(address, "unused", &wait_ms, text(&request["reset"]))?;
    let mut places = TopicPartitionList::new();
    for (partition, wanted) in by_partition(&request["from"]) {
        let offset = match wanted.as_str() {
            Some("beginning") => Offset::Beginning,
            Some(_) => Offset::End,
            None => Offset::Offset(number(wanted)),
        };
        places.add_partition_offset(text(&request["topic"]), partition, offset)?;
    }
    consumer.assign(&places)?;
    let deadline = Instant::now() + Duration::from_secs(number(&request["seconds"]) as u64);
    let mut records = Vec::new();
    while records.len() < number(&request["count"]) as usize && Instant::now() < deadline {
        if let Some(message) = consumer.poll(POLL_TIME) {
            records.push(row(&message?));
        }
    }
    Ok(json!({ "records": records }))
}

fn row(message: &BorrowedMessage<'_>) -> Value {
    let headers: Vec<Value> = message
        .headers()
        .map(|headers| {
            headers
                .iter()
                .map(|header| json!([header.key, packed(header.value)]))
                .collect()
        })
        .unwrap_or_default();
    json!([
        message.partition(),
        message.offset(),
        message.timestamp().to_millis(),
        packed(message.key()),
        packed(message.payload()),
        headers
    ])
}

pub(crate) fn seek(address: &str, request: &Value) -> Answer {
    let topic = text(&request["topic"]);
    let consumer = consumer(address, "unused", "500", "earliest")?;
    let mut found: Vec<Vec<i64>> = Vec::new();
    for position in request["positions"].as_array().expect("positions") {
        let offset = Offset::Offset(number(position));
        if found.is_empty() {
            let mut place = TopicPartitionList::new();
            place.add_partition_offset(topic, 0, offset)?;
            consumer.assign(&place)?;
        } else {
            consumer.seek(topic, 0, offset, REQUEST_TIME_MAX)?;
        }
        let mut offsets = Vec::new();
        while offsets.len() < number(&request["count"]) as usize {
            let message = consumer.poll(REQUEST_TIME_MAX);
            offsets.push(
                message
                    .ok_or(Failure::Other("nothing to read".into()))??
                    .offset(),
            );
        }
        found.push(offsets);
    }
    Ok(json!({ "offsets": found }))
}

pub(crate) fn lookup(address: &str, request: &Value) -> Answer {
    let mut asked = TopicPartitionList::new();
    for (partition, time) in by_partition(&request["times"]) {
        asked.add_partition_offset(
            text(&request["topic"]),
            partition,
            Offset::Offset(number(time)),
        )?;
    }
    let consumer = consumer(address, "unused", "500", "earliest")?;
    offsets(consumer.offsets_for_times(asked, REQUEST_TIME_MAX)?)
}

pub(crate) fn committed(address: &str, request: &Value) -> Answer {
    let consumer = consumer(address, text(&request["group"]), "500", "earliest")?;
    let mut asked = TopicPartitionList::new();
    for partition in request["partitions"].as_array().expect("partitions") {
        asked.add_partition(text(&request["topic"]), number(partition) as i32);
    }
    let deadline = Instant::now() + REQUEST_TIME_MAX;
    loop {
        match consumer.committed_offsets(asked.clone(), REQUEST_TIME_MAX) {
            Ok(found) => return offsets(found),
            Err(error) => {
                let again = error
                    .rdkafka_error_code()
                    .is_some_and(|code| NOT_YET.contains(&code));
                if !again || Instant::now() > deadline {
                    return Err(error.into());
                }
                std::thread::sleep(POLL_TIME);
            }
        }
    }
}

/// -1 where there is none.
fn offsets(found: TopicPartitionList) -> Answer {
    let mut offsets = serde_json::Map::new();
    for place in found.elements() {
        place.error()?;
        let offset = if let Offset::Offset(offset) = place.offset() {
            offset
        } else {
            -1
        };
        offsets.insert(place.partition().to_string(), offset.into());
    }
    Ok(json!({ "offsets": offsets }))
}
