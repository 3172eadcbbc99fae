//! Reads a topic from where it ended before the run to where it ends now, and shows the judge every record.

use super::judge::{Judge, Spot};
use crate::client::cluster::{Cluster, End, Topic, error_name};
use crate::failure::Failure;
use crate::produce::ledger::Ledger;
use crate::result::Verification;
use ottla::record::iterate::Payload;
use ottla::record::{Batches, crc_matches};
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use std::time::{Duration, Instant};

const FETCH_BYTES: i32 = 4 * 1024 * 1024;
const FETCH_WAIT_MS: i32 = 500;
/// A partition that gives nothing new for so long ends the reading; what is missing counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A broker that has just come back may take so long to answer.
const RETURN_WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// What the run promised.
pub(crate) struct Promise<'a> {
    pub(crate) run: u64,
    pub(crate) records_per_batch: u64,
    pub(crate) ledger: &'a Ledger,
    /// Ends of the partitions before the first request.
    pub(crate) from: &'a [i64],
}

pub(crate) fn verify(
    cluster: &mut Cluster,
    topic: &Topic,
    promise: &Promise<'_>,
) -> Result<Verification, Failure> {
    cluster.forget_connections();
    let ends = patiently(|| {
        let ends = cluster.offsets(topic, End::Latest);
        if ends.is_err() {
            cluster.forget_connections();
        }
        ends
    })?;
    let mut judge = Judge::new(promise.run, promise.records_per_batch, promise.ledger);
    for (partition, (&from, &end)) in promise.from.iter().zip(&ends).enumerate() {
        let span = Span {
            partition,
            from,
            end,
        };
        read(cluster, topic, span, &mut judge)?;
    }
    Ok(judge.verdict())
}

#[derive(Clone, Copy)]
struct Span {
    partition: usize,
    from: i64,
    end: i64,
}

fn read(
    cluster: &mut Cluster,
    topic: &Topic,
    span: Span,
    judge: &mut Judge<'_>,
) -> Result<(), Failure> {
    let mut offset = span.from;
    let mut last_news = Instant::now();
    while offset < span.end && last_news.elapsed() < SILENCE_MAX {
        let bytes = fetch(cluster, topic, span.partition, offset)?;
        let before = offset;
        for batch in Batches::new(&bytes) {
            let spot = Spot {
                partition: span.partition,
                offset,
            };
            let Ok((_, header, batch)) = batch else {
                // Nothing behind it can be found either: the rest of the partition counts as lost.
                judge.broken_batch(spot, "no batch lies here");
                return Ok(());
            };
            if header.last_offset().0 < offset {
                continue;
            }
            offset = header.next_offset().0;
            show(batch, span, judge);
        }
        if offset > before {
            last_news = Instant::now();
        }
    }
    Ok(())
}

fn show(batch: &[u8], span: Span, judge: &mut Judge<'_>) {
    let payload = Payload::open(batch);
    let base = payload
        .as_ref()
        .map_or(-1, |payload| payload.header().base_offset.0);
    let spot = Spot {
        partition: span.partition,
        offset: base,
    };
    if !crc_matches(batch) {
        return judge.broken_batch(spot, "the batch is not what its checksum says");
    }
    let Ok(payload) = payload else {
        return judge.broken_batch(spot, "the records cannot be decompressed");
    };
    for record in payload.records() {
        let Ok(record) = record else {
            return judge.broken_batch(spot, "a record cannot be read");
        };
        let offset = record.offset.0;
        if (span.from..span.end).contains(&offset) {
            let spot = Spot { offset, ..spot };
            judge.record(spot, record.key, record.value);
        }
    }
}

fn fetch(
    cluster: &mut Cluster,
    topic: &Topic,
    partition: usize,
    offset: i64,
) -> Result<bytes::Bytes, Failure> {
    let question = FetchRequest {
        max_wait_ms: FETCH_WAIT_MS,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        topics: vec![FetchTopic {
            topic: topic.name.clone(),
            partitions: vec![FetchPartition {
                partition: partition as i32,
                fetch_offset: offset,
                partition_max_bytes: FETCH_BYTES,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let answer = cluster.at(&topic.leaders[partition])?.ask(&question)?;
    let mut parts = answer
        .responses
        .into_iter()
        .flat_map(|topic| topic.partitions);
    let data = parts
        .next()
        .ok_or_else(|| Failure::new("a fetch was answered without its partition"))?;
    match data.error_code {
        0 => Ok(data.records.unwrap_or_default().into_bytes()),
        code => {
            let (name, error) = (&topic.name, error_name(code));
            Err(Failure::new(format!(
                "reading back {name}-{partition} at {offset}: {error}"
            )))
        }
    }
}

fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let deadline = Instant::now() + RETURN_WAIT;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
}
