//! A closed loop of connections: each keeps some requests under way and sends the next when one is answered.

use super::harness::batches::{self, Record};
use super::harness::client::Connection;
use super::harness::kafka::{PRODUCE_VERSION, produce_request};
use ottla::wire::produce::ProduceRequest;
use std::collections::VecDeque;
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
        let mut client = Connection::open(self.address);
        let batch = self.payload.batch();
        let count = self.requests / self.connections;
        let mut latencies = Vec::with_capacity(count);
        let mut under_way = VecDeque::new();
        let mut request = produce_request(self.topic, 0, batch, -1);
        for sent in 0..count + self.in_flight {
            if sent < count {
                let partition = (number + sent * self.connections) as i32 % self.partitions;
                request.topic_data[0].partition_data[0].index = partition;
                let started = Instant::now();
                let correlation = client.send(&request, PRODUCE_VERSION).expect("sent");
                under_way.push_back((correlation, started));
            }
            if under_way.len() >= self.in_flight || sent >= count {
                let Some((correlation, started)) = under_way.pop_front() else {
                    break;
                };
                let answer = client.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
                latencies.push(started.elapsed().as_secs_f64() * 1e6);
                let answer = answer.expect("an answer");
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            }
        }
        latencies
    }
}
