//! All members of a group: gathered before the window opens, reading through it, leaving afterwards.

use super::member::{Member, Pulse};
use crate::client::cluster::{Topic, error_name};
use crate::client::connection::Connection;
use crate::clock::now_ns;
use crate::consume::outcome::Outcome;
use crate::failure::Failure;
use crate::progress::{Reporter, Window};
use crate::run::measure::Consuming;
use ottla::record::Batches;
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A group may take so long to settle: members join one after the other, and brokers wait for more.
const SETTLE_WAIT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Between heartbeats, and between commits.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const FETCH_WAIT_MS: i32 = 100;

pub(crate) struct Group {
    starts: Vec<Sender<(Window, Reporter)>>,
    threads: Vec<Consuming>,
}

/// What every member of the group is told, and tells.
struct Common {
    bootstrap: String,
    group: String,
    topic: Topic,
    fetch_bytes: i32,
    stop: Arc<AtomicBool>,
    /// By partition: where its next reader goes on.
    positions: Vec<AtomicI64>,
    /// By member: generation and how many partitions it has.
    standing: Mutex<BTreeMap<usize, (i32, usize)>>,
}

impl Group {
    /// Returns when all members are in one generation that shares out every partition.
    pub(crate) fn gather(
        bootstrap: &str,
        topic: &Topic,
        from: &[i64],
        count: usize,
        fetch_bytes: usize,
        stop: &Arc<AtomicBool>,
    ) -> Result<Group, Failure> {
        let common = Arc::new(Common {
            bootstrap: bootstrap.to_owned(),
            group: format!("{}-{}", topic.name, now_ns()),
            topic: topic.clone(),
            fetch_bytes: i32::try_from(fetch_bytes).unwrap_or(i32::MAX),
            stop: stop.clone(),
            positions: from.iter().map(|&offset| AtomicI64::new(offset)).collect(),
            standing: Mutex::default(),
        });
        let mut group = Group {
            starts: Vec::new(),
            threads: Vec::new(),
        };
        for number in 0..count {
            let (start, started) = channel();
            let common = common.clone();
            let builder = thread::Builder::new().name("member".into());
            let thread = builder.spawn(move || live(&common, number, &started));
            group
                .threads
                .push(thread.map_err(|error| Failure::new(format!("a thread: {error}")))?);
            group.starts.push(start);
        }
        group.settle(&common, count)?;
        Ok(group)
    }

    fn settle(&mut self, common: &Common, count: usize) -> Result<(), Failure> {
        let deadline = Instant::now() + SETTLE_WAIT;
        loop {
            if let Some(index) = self.threads.iter().position(Consuming::is_finished) {
                let joined = self.threads.swap_remove(index).join();
                joined.map_err(|_| Failure::new("a member panicked"))??;
                return Err(Failure::new("a member left before the run"));
            }
            if common.is_settled(count) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                common.stop.store(true, Relaxed);
                let seconds = SETTLE_WAIT.as_secs();
                return Err(Failure::new(format!(
                    "the group did not settle within {seconds} s"
                )));
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Lets the members read.
    pub(crate) fn start(self, mut plan: impl FnMut() -> (Window, Reporter)) -> Vec<Consuming> {
        for start in &self.starts {
            // A member that has failed meanwhile says so when it is joined.
            let _ = start.send(plan());
        }
        self.threads
    }
}

impl Common {
    fn is_settled(&self, count: usize) -> bool {
        let standing = self.standing.lock().expect("no member panics holding it");
        let generations: Vec<i32> = standing
            .values()
            .map(|(generation, _)| *generation)
            .collect();
        let partitions: usize = standing.values().map(|(_, partitions)| *partitions).sum();
        let is_one = generations.windows(2).all(|pair| pair[0] == pair[1]);
        standing.len() == count && is_one && partitions == self.topic.partitions()
    }

    fn stands(&self, number: usize, member: &Member) {
        let standing = (member.generation, member.partitions.len());
        let mut all = self.standing.lock().expect("no member panics holding it");
        all.insert(number, standing);
    }
}

fn live(
    common: &Common,
    number: usize,
    started: &Receiver<(Window, Reporter)>,
) -> Result<Outcome, Failure> {
    let mut member = Member::join(&common.bootstrap, &common.group, &common.topic)?;
    common.stands(number, &member);
    let (window, reporter) = loop {
        match started.recv_timeout(Duration::from_millis(FETCH_WAIT_MS as u64)) {
            Ok(start) => break start,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new("the run was given up"));
            }
            Err(RecvTimeoutError::Timeout) => {
                if member.heartbeat()? == Pulse::Rejoin {
                    member.rejoin()?;
                    common.stands(number, &member);
                }
            }
        }
    };
    let mut reading = Reading {
        common,
        member,
        connections: BTreeMap::new(),
        outcome: Outcome::new(window, true),
        reporter,
        committed: Instant::now(),
    };
    while !common.stop.load(Relaxed) {
        reading.turn()?;
    }
    reading.commit()?;
    reading.reporter.finish(0);
    reading.member.leave();
    Ok(reading.outcome)
}

/// A member at work.
struct Reading<'a> {
    common: &'a Common,
    member: Member,
    connections: BTreeMap<String, Connection>,
    outcome: Outcome,
    reporter: Reporter,
    committed: Instant,
}

impl Reading<'_> {
    fn turn(&mut self) -> Result<(), Failure> {
        for (address, partitions) in self.common.topic.by_leader() {
            let own: Vec<usize> = partitions
                .into_iter()
                .filter(|partition| self.member.partitions.contains(partition))
                .collect();
            if !own.is_empty() {
                self.fetch(address, &own)?;
            }
        }
        if self.member.partitions.is_empty() {
            thread::sleep(LOOK_INTERVAL);
        }
        self.reporter.tick(now_ns(), 0);
        if self.committed.elapsed() >= HEARTBEAT_INTERVAL {
            self.commit()?;
            if self.member.heartbeat()? == Pulse::Rejoin {
                self.member.rejoin()?;
            }
            self.committed = Instant::now();
        }
        Ok(())
    }

    fn fetch(&mut self, address: &str, partitions: &[usize]) -> Result<(), Failure> {
        let positions = &self.common.positions;
        let wanted = partitions.iter().map(|&partition| FetchPartition {
            partition: partition as i32,
            fetch_offset: positions[partition].load(Relaxed),
            partition_max_bytes: self.common.fetch_bytes,
            ..FetchPartition::default()
        });
        let request = FetchRequest {
            max_wait_ms: FETCH_WAIT_MS,
            min_bytes: 1,
            max_bytes: self.common.fetch_bytes,
            topics: vec![FetchTopic {
                topic: self.common.topic.name.clone(),
                partitions: wanted.collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        if !self.connections.contains_key(address) {
            self.connections
                .insert(address.to_owned(), Connection::open(address)?);
        }
        let connection = self.connections.get_mut(address).expect("it was opened");
        let sent_ns = now_ns();
        let answer = connection.ask(&request)?;
        let now = now_ns();
        self.outcome.fetched(sent_ns, now);
        for data in answer
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
        {
            if data.error_code != 0 {
                self.outcome
                    .failed(&error_name(data.error_code), &mut self.reporter);
                continue;
            }
            let partition = data.partition_index as usize;
            let position = &positions[partition];
            let bytes = data.records.unwrap_or_default().into_bytes();
            for (_, header, _) in Batches::new(&bytes).flatten() {
                if header.last_offset().0 >= position.load(Relaxed) {
                    position.store(header.next_offset().0, Relaxed);
                    self.outcome
                        .met(partition, &header, now, &mut self.reporter);
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        let positions = &self.common.positions;
        let partitions = self.member.partitions.iter();
        let offsets: Vec<(usize, i64)> = partitions
            .map(|&partition| (partition, positions[partition].load(Relaxed)))
            .collect();
        if offsets.is_empty() {
            return Ok(());
        }
        if let Some(error) = self.member.commit(&offsets)? {
            self.outcome.failed(&error, &mut self.reporter);
        }
        Ok(())
    }
}
