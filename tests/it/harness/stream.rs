//! A producer and a consumer beside whatever a story does: every record is acknowledged, read back and compared, and
//! how long each round took is kept.

use super::client::Connection;
use super::wait::wait_until;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub struct Stream {
    stopping: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
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
        let done = Arc::new(AtomicUsize::new(0));
        let (topic, stop, count) = (topic.to_string(), stopping.clone(), done.clone());
        let thread = thread::spawn(move || {
            let mut rounds = Vec::new();
            // One round at least, however late this thread gets its turn.
            loop {
                let started = Instant::now();
                round(&mut client, &topic, rounds.len() as i64);
                rounds.push(started.elapsed());
                count.store(rounds.len(), Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    return rounds;
                }
            }
        });
        Stream {
            stopping,
            done,
            thread,
        }
    }

    /// Stops when it has gone so many rounds from its start.
    pub fn stop_after(self, rounds: usize) -> Rounds {
        wait_until("the rounds of the stream beside", || {
            self.thread.is_finished() || self.done.load(Ordering::Relaxed) >= rounds
        });
        self.stop()
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
