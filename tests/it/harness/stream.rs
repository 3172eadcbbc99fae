//! A producer and a consumer beside whatever a story does: every record is acknowledged, read back and compared, and
//! how long each round took is kept.

use super::client::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub struct Stream {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

/// How long the rounds of a stream took.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    pub count: usize,
    pub median: Duration,
    pub longest: Duration,
}

impl Stream {
    /// Runs in a topic of its own until stopped.
    pub fn start(address: &str, topic: &str) -> Stream {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut client = Connection::open(address);
        client.create_topic(topic, 2, &[]);
        let (topic, stop) = (topic.to_string(), stopping.clone());
        let thread = thread::spawn(move || {
            let mut rounds = Vec::new();
            // One round at least, however late this thread gets its turn.
            loop {
                let started = Instant::now();
                round(&mut client, &topic, rounds.len() as i64);
                rounds.push(started.elapsed());
                if stop.load(Ordering::Relaxed) {
                    return rounds;
                }
            }
        });
        Stream { stopping, thread }
    }

    /// Panics when any round failed.
    pub fn stop(self) -> Rounds {
        self.stopping.store(true, Ordering::Relaxed);
        let mut rounds = self.thread.join().expect("the stream beside met no error");
        rounds.sort();
        Rounds {
            count: rounds.len(),
            median: rounds[rounds.len() / 2],
            longest: rounds[rounds.len() - 1],
        }
    }
}

/// Writes one record, reads it back.
fn round(client: &mut Connection, topic: &str, number: i64) {
    let partition = (number % 2) as i32;
    let value = format!("record {number}");
    let offset = client.produce_values(topic, partition, &[&value]);
    assert_eq!(offset, number / 2);
    let data = client.fetch(topic, partition, offset);
    let batches = super::batches::read(&super::kafka::record_bytes(&data));
    assert_eq!(batches[0].records[0].value, Some(value.into_bytes()));
}
