//! A closed loop of connections: each keeps some requests under way and sends the next when one is answered.
#![allow(
    dead_code,
    reason = "shared by several programs, each of which uses a part"
)]

use super::harness::batches::{self, Record};
use super::harness::client::{Connection, Question};
use super::harness::kafka::{PRODUCE_VERSION, produce_request};
use ottla::wire::produce::ProduceResponse;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

/// Payload of one request, which is one batch.
#[derive(Clone, Copy)]
pub(crate) struct Payload {
    pub(crate) name: &'static str,
    pub(crate) records: usize,
    pub(crate) record_bytes: usize,
}

impl Payload {
    pub(crate) const ALL: [Payload; 4] = [
        Payload::new("1 x 100 B", 1, 100),
        Payload::new("1 x 1 KiB", 1, 1024),
        Payload::new("16 x 1 KiB", 16, 1024),
        Payload::new("64 x 1 KiB", 64, 1024),
    ];

    const fn new(name: &'static str, records: usize, record_bytes: usize) -> Payload {
        Payload {
            name,
            records,
            record_bytes,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records * self.record_bytes
    }

    pub(crate) fn batch(&self) -> Vec<u8> {
        let value: Vec<u8> = (0..self.record_bytes).map(|n| n as u8).collect();
        batches::batch(&vec![Record::value(value); self.records])
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) address: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) partitions: i32,
    pub(crate) payload: Payload,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    /// Of all connections together.
    pub(crate) requests: usize,
}

pub(crate) struct Outcome {
    /// Microseconds from send to answer, sorted.
    pub(crate) latencies: Vec<f64>,
    pub(crate) elapsed: Duration,
}

impl Load<'_> {
    pub(crate) fn run(self) -> Outcome {
        let started = Instant::now();
        let mut latencies = Vec::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|number| scope.spawn(move || self.connection(number)))
                .collect();
            for thread in threads {
                latencies.extend(thread.join().expect("a connection"));
            }
        });
        let elapsed = started.elapsed();
        latencies.sort_by(f64::total_cmp);
        Outcome { latencies, elapsed }
    }

    /// Its share of the requests, to partitions in turn; every answer must be an acknowledgement.
    fn connection(self, number: usize) -> Vec<f64> {
        let mut pipeline = Pipeline::open(self.address, self.in_flight, PRODUCE_VERSION);
        let count = self.requests / self.connections;
        let mut latencies = Vec::with_capacity(count);
        let mut check = |answered: Option<(ProduceResponse, Duration)>| {
            let Some((answer, latency)) = answered else {
                return false;
            };
            assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            latencies.push(latency.as_secs_f64() * 1e6);
            true
        };
        let mut request = produce_request(self.topic, 0, self.payload.batch(), -1);
        for sent in 0..count {
            let partition = (number + sent * self.connections) as i32 % self.partitions;
            request.topic_data[0].partition_data[0].index = partition;
            check(pipeline.send(&request));
        }
        while check(pipeline.receive()) {}
        latencies
    }
}

/// One connection with some requests of one kind under way.
pub(crate) struct Pipeline<Q> {
    client: Connection,
    in_flight: usize,
    version: i16,
    under_way: VecDeque<(i32, Instant)>,
    question: PhantomData<Q>,
}

impl<Q: Question> Pipeline<Q> {
    pub(crate) fn open(address: &str, in_flight: usize, version: i16) -> Pipeline<Q> {
        Pipeline {
            client: Connection::open(address),
            in_flight,
            version,
            under_way: VecDeque::new(),
            question: PhantomData,
        }
    }

    /// When as many are under way as may be: the answer to the oldest, and how long it took.
    pub(crate) fn send(&mut self, question: &Q) -> Option<(Q::Answer, Duration)> {
        let started = Instant::now();
        let correlation = self.client.send(question, self.version).expect("sent");
        self.under_way.push_back((correlation, started));
        match self.under_way.len() < self.in_flight {
            true => None,
            false => self.receive(),
        }
    }

    pub(crate) fn receive(&mut self) -> Option<(Q::Answer, Duration)> {
        let (correlation, started) = self.under_way.pop_front()?;
        let answer = self.client.receive::<Q>(self.version, correlation);
        Some((answer.expect("an answer"), started.elapsed()))
    }
}
