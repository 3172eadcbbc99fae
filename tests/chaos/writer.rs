//! A connection that keeps eight requests under way and never sends a value twice.

use super::harness::batches::{self, Record};
use super::harness::client::Connection;
use super::harness::kafka::{PRODUCE_VERSION, produce_request};
use super::history::{History, Sent};
use super::{PARTITIONS, TOPIC};
use ottla::wire::produce::ProduceRequest;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const IN_FLIGHT_MAX: usize = 8;
/// REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND.
const POSSIBLY_WRITTEN: [i16; 2] = [7, 20];
const RECORDS_PER_BATCH_MAX: u64 = 3;

/// What happened in the world, as a count: it says what was before a batch was sent, and what before its answer.
pub(crate) type Clock = Arc<dyn Fn() -> usize + Send + Sync>;

pub(crate) struct Writer {
    name: usize,
    address: String,
    stopping: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    clock: Clock,
    /// Of a value. The largest is three times as long.
    bytes: usize,
    history: History,
}

impl Writer {
    pub(crate) fn new(
        name: usize,
        address: &str,
        stopping: Arc<AtomicBool>,
        acknowledged: Arc<AtomicUsize>,
    ) -> Writer {
        Writer {
            name,
            address: address.into(),
            stopping,
            acknowledged,
            clock: Arc::new(|| 0),
            bytes: 0,
            history: History::default(),
        }
    }

    pub(crate) fn by_clock(self, clock: Clock) -> Writer {
        Writer { clock, ..self }
    }

    /// Values of so many bytes, of twice and of three times as many.
    pub(crate) fn of_bytes(self, bytes: usize) -> Writer {
        Writer { bytes, ..self }
    }

    pub(crate) fn run(mut self) -> History {
        while !self.stopping.load(Ordering::Relaxed) {
            match Connection::try_open(&self.address) {
                // Whatever was under way when it broke stays without a verdict.
                Ok(mut connection) => drop(self.write(&mut connection)),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
        self.history
    }

    /// Until told to stop or the connection breaks.
    fn write(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut under_way: VecDeque<(i32, usize)> = VecDeque::new();
        loop {
            let stopping = self.stopping.load(Ordering::Relaxed);
            if !stopping && under_way.len() < IN_FLIGHT_MAX {
                let (sent, batch) = self.next();
                let request = produce_request(TOPIC, sent.partition, batch, -1);
                self.history.sent.push(sent);
                let correlation = connection.send(&request, PRODUCE_VERSION)?;
                under_way.push_back((correlation, self.history.sent.len() - 1));
                continue;
            }
            let Some((correlation, index)) = under_way.pop_front() else {
                return Ok(());
            };
            let answer = connection.receive::<ProduceRequest>(PRODUCE_VERSION, correlation)?;
            let part = &answer.responses[0].partition_responses[0];
            match part.error_code {
                0 => {
                    self.history.sent[index].answered_at = (self.clock)();
                    self.history.sent[index].acknowledged = Some(part.base_offset);
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                // Possibly written, says the broker; everything else promises that it is not.
                code if POSSIBLY_WRITTEN.contains(&code) => {}
                code => self.history.sent[index].refused = Some(code),
            }
        }
    }

    fn next(&self) -> (Sent, Vec<u8>) {
        let number = self.history.sent.len();
        let records = 1 + number as u64 % RECORDS_PER_BATCH_MAX;
        let values: Vec<String> = (0..records)
            .map(|record| self.value(number, record))
            .collect();
        let batch: Vec<Record> = values
            .iter()
            .map(|value| Record::value(value.as_str()))
            .collect();
        let sent = Sent {
            partition: (number % PARTITIONS as usize) as i32,
            values,
            acknowledged: None,
            refused: None,
            sent_at: (self.clock)(),
            answered_at: 0,
        };
        (sent, batches::batch(&batch))
    }

    /// Its name, repeated: a piece of it in the wrong place would show.
    fn value(&self, number: usize, record: u64) -> String {
        let name = format!("{}:{number}:{record}", self.name);
        let bytes = self.bytes * (1 + number % 3);
        let more = bytes.saturating_sub(name.len()) / (name.len() + 1);
        let mut value = name.clone();
        for _ in 0..more {
            value.push(' ');
            value.push_str(&name);
        }
        value
    }
}
