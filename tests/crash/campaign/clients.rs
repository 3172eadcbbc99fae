//! Everybody who uses the broker: producers that repeat themselves, deleters, readers, an operator.

use super::broker::{Admin, Shards, read_range};
use super::coverage::Coverage;
use super::left::Moment;
use super::model::{Model, Written};
use super::shard::{Refused, checked};
use super::topics::Topics;
use crate::sim::SimRuntime;
use bytes::Bytes;
use ottla::base::epoch::ProducerEpoch;
use ottla::base::ids::{PartitionId, ProducerId, Uuid};
use ottla::base::offset::Offset;
use ottla::base::prng::Prng;
use ottla::base::time::Timestamp;
use ottla::partition::Dispatched;
use ottla::record::{BatchBuilder, Codec, NewRecord, ValidBatch};
use ottla::storage::errors::{NoRoom, OpenError, ReadError};
use ottla::storage::runtime::{Notify, Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// The topic that stays and the one that comes and goes: eight partitions in all.
pub const TOPICS: [(&str, u32); 2] = [("stays", 5), ("comes-and-goes", 3)];
const PRODUCERS: u64 = 4;
const WINDOW: usize = 5;
const ANSWERED_WITHIN_MS: u128 = 10_000;

/// How much a life does, if it is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Batches of each producer.
    pub batches: u64,
    /// Most values are smaller.
    pub value_bytes_max: u64,
    pub deletes_topic: bool,
    /// Somebody cuts logs and promises epochs, as replication will.
    pub cuts_logs: bool,
    /// How long everybody rests between two calls, at most.
    pub pause_micros_max: u64,
    /// Every record has one of so many keys, and some delete theirs.
    pub keys: Option<u64>,
    /// The disk stands still once for so long, and whoever waits for it as long.
    pub stall: Duration,
}

/// Clones are the same clients.
#[derive(Clone)]
pub struct Clients {
    shards: Shards,
    topics: Rc<RefCell<Topics>>,
    model: Rc<RefCell<Model>>,
    runtime: SimRuntime,
    coverage: Rc<RefCell<Coverage>>,
    plan: Plan,
    busy: Rc<Cell<u64>>,
    idle: Notify,
}

impl Clients {
    pub fn new(
        shards: &Shards,
        topics: &Rc<RefCell<Topics>>,
        model: &Rc<RefCell<Model>>,
        runtime: &SimRuntime,
        coverage: &Rc<RefCell<Coverage>>,
        plan: Plan,
    ) -> Clients {
        Clients {
            shards: shards.clone(),
            topics: topics.clone(),
            model: model.clone(),
            runtime: runtime.clone(),
            coverage: coverage.clone(),
            plan,
            busy: Rc::default(),
            idle: Notify::default(),
        }
    }

    /// Lets everybody do what the plan says; `in_doubt` are the batches that the last crash left without an answer.
    pub async fn work(&self, admin: &mut Admin, in_doubt: Vec<(PartitionId, Written)>) {
        self.repeat_in_doubt(in_doubt).await;
        for number in 0..PRODUCERS {
            let producer = Producer::new(self.clone(), number);
            self.begin(async move { producer.produce().await });
        }
        for (number, reads) in [(10, 40), (11, 10)] {
            let clients = self.clone();
            self.begin(async move { clients.read(number, reads).await });
        }
        let clients = self.clone();
        self.begin(async move { clients.delete_records(20).await });
        if self.plan.cuts_logs {
            let clients = self.clone();
            self.begin(async move { clients.cut_logs(40).await });
        }
        let operated = self.operate(admin).await;
        if let Err(error) = operated {
            let coverage = self.coverage.borrow();
            let excuses = coverage.faults + coverage.full_disks;
            assert!(excuses > 0, "metadata: {error:?}");
        }
        while self.busy.get() > 0 {
            self.idle.notified().await;
        }
        self.all_answered().await;
    }

    fn begin(&self, client: impl Future<Output = ()> + 'static) {
        self.busy.set(self.busy.get() + 1);
        let clients = self.clone();
        self.runtime.spawn(TaskClass::Foreground, async move {
            client.await;
            clients.busy.set(clients.busy.get() - 1);
            clients.idle.notify();
        });
    }

    /// Every request ends, and soon; or the directory has failed.
    async fn all_answered(&self) {
        for shard in self.shards.iter() {
            for _ in 0..ANSWERED_WITHIN_MS + self.plan.stall.as_millis() {
                if !shard.is_unanswered() {
                    break;
                }
                self.runtime.sleep(Duration::from_millis(1)).await;
            }
            assert!(!shard.is_unanswered(), "a request is never answered");
            let damaged = shard.damaged();
            if self.coverage.borrow().lies > 0 {
                continue;
            }
            assert!(damaged.is_empty(), "offline while served: {damaged:?}");
        }
    }

    /// A producer without an answer sends its last batches again, as the protocol asks: what is there already must be
    /// recognised, what is not must be taken.
    async fn repeat_in_doubt(&self, in_doubt: Vec<(PartitionId, Written)>) {
        for (id, written) in in_doubt {
            if !self.topics.borrow().live.contains_key(&id.topic) {
                continue;
            }
            let batch = checked(&as_sent(&written), Timestamp(0));
            let expected = self.original_of(id, &batch);
            let Some(dispatched) = self.send(id, &batch).await else {
                continue;
            };
            assert_eq!(
                expected,
                dispatched.is_duplicate.then_some(dispatched.base_offset),
                "{id}: a batch sent again"
            );
            let mut coverage = self.coverage.borrow_mut();
            coverage.repeated_after_crash += 1;
            coverage.duplicates += u64::from(dispatched.is_duplicate);
        }
    }

    fn original_of(&self, id: PartitionId, batch: &ValidBatch) -> Option<Offset> {
        let header = batch.header();
        let producers = self.model.borrow_mut().log(id).producers(false);
        let (_, batches) = producers.get(&header.producer_id)?;
        let original = batches
            .iter()
            .find(|seen| seen.base_sequence == header.base_sequence);
        original.map(|seen| seen.base_offset)
    }

    /// Sends until there is room. `None`: the topic is gone, the log was cut, or the directory failed.
    async fn send(&self, id: PartitionId, batch: &ValidBatch) -> Option<Dispatched> {
        let cuts = self.shards.shard(id).cut_count(id);
        loop {
            if self.shards.shard(id).cut_count(id) != cuts {
                return None;
            }
            match self.shards.shard(id).produce(id, batch) {
                Ok(dispatched) => return Some(dispatched),
                Err(Refused::NoRoom(NoRoom::Busy | NoRoom::DiskFull)) => {
                    self.coverage.borrow_mut().waits_for_room += 1;
                    self.runtime.sleep(Duration::from_millis(1)).await;
                }
                Err(Refused::Unknown | Refused::NoRoom(NoRoom::Unavailable)) => return None,
                Err(_) if self.shards.is_failed() => return None,
                Err(refused) => panic!("{id}: {refused:?}"),
            }
        }
    }

    async fn read(&self, number: u64, reads: u64) {
        let mut prng = Prng::new(self.plan.seed ^ number << 40);
        for _ in 0..reads {
            self.rest(&mut prng, 4).await;
            let id = self.any_partition(&mut prng);
            let Some((log_start, end)) = self.shards.shard(id).readable(id) else {
                continue;
            };
            if log_start == end {
                continue;
            }
            let from = Offset(log_start.0 + prng.below(end.since(log_start) as u64) as i64);
            let bytes_max = 1 << (9 + prng.below(9));
            let shard = self.shards.shard(id);
            let cuts = shard.cut_count(id);
            match read_range(shard, id, from, end, bytes_max).await {
                // A log that is cut meanwhile gives what it was, what it is, or nothing.
                _ if shard.cut_count(id) != cuts => {}
                Ok(bytes) => self.check_read(id, from, end, &bytes),
                Err(ReadError::Disk(_)) if self.coverage.borrow().read_faults > 0 => {}
                Err(_) if self.coverage.borrow().lies > 0 => {}
                Err(ReadError::OutOfRange { log_start, .. }) if log_start > from => {}
                Err(ReadError::Unknown) if shard.readable(id).is_none() => {}
                Err(_) if self.shards.is_failed() => return,
                Err(error) => panic!("{id}: reading {from}..{end}: {error:?}"),
            }
        }
    }

    fn check_read(&self, id: PartitionId, from: Offset, end: Offset, bytes: &[u8]) {
        let mut model = self.model.borrow_mut();
        let log = model.log(id);
        let read = log.check_read(from, end, bytes, Moment::Running);
        read.unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
        let last = log.last_base_offset(end);
        model.answered(id, last);
        self.coverage.borrow_mut().reads += 1;
    }

    async fn delete_records(&self, number: u64) {
        let mut prng = Prng::new(self.plan.seed ^ number << 40);
        for _ in 0..1 + self.plan.batches / 16 {
            self.rest(&mut prng, 8).await;
            let id = self.any_partition(&mut prng);
            let shard = self.shards.shard(id);
            let Some((log_start, end)) = shard.readable(id) else {
                continue;
            };
            // A little mostly, now and then everything.
            let span = end.since(log_start) as u64;
            let step = if prng.chance(10) { span } else { span / 4 };
            let before = Offset(log_start.0 + prng.below(step + 1) as i64);
            if before > log_start && shard.delete_records(id, before) {
                self.coverage.borrow_mut().record_deletions += 1;
            }
        }
    }

    /// What a follower does whose leader tells it where their logs part, and what a voter does.
    async fn cut_logs(&self, number: u64) {
        let mut prng = Prng::new(self.plan.seed ^ number << 40);
        for _ in 0..2 + self.plan.batches / 16 {
            self.rest(&mut prng, 8).await;
            let id = self.any_partition(&mut prng);
            let shard = self.shards.shard(id);
            // Compaction reaches up to the high watermark, where no cut does.
            if self.plan.keys.is_some() || prng.chance(50) {
                let promised = shard.promise(id);
                self.coverage.borrow_mut().promises += u64::from(promised);
                continue;
            }
            let offset = self.model.borrow_mut().log(id).any_cut(&mut prng);
            if !shard.cut(id, offset) {
                continue;
            }
            while !shard.lead_after_cut(id) {
                let is_there = self.topics.borrow().live.contains_key(&id.topic);
                if !is_there || self.shards.is_failed() {
                    return;
                }
                self.runtime.sleep(Duration::from_millis(1)).await;
            }
            self.coverage.borrow_mut().logs_cut += 1;
        }
    }

    /// Creates what is missing, deletes a topic and creates it again.
    async fn operate(&self, admin: &mut Admin) -> Result<(), OpenError> {
        let mut prng = Prng::new(self.plan.seed ^ 30 << 40);
        for (name, partitions) in TOPICS {
            self.create(admin, &mut prng, name, partitions).await?;
        }
        if !self.plan.deletes_topic {
            return Ok(());
        }
        let (name, partitions) = TOPICS[1];
        for _ in 0..prng.below(self.plan.batches + 1) {
            self.rest(&mut prng, 4).await;
        }
        let id = self.topics.borrow().find(name).expect("created above");
        let gone = admin.delete_topic(&self.shards, id).await?;
        if prng.chance(50) {
            self.create(admin, &mut prng, name, partitions).await?;
        }
        for partition in gone {
            let shard = self.shards.shard(partition);
            while !shard.is_removed(partition) && !self.shards.is_failed() {
                shard.progress.notified().await;
            }
        }
        if self.shards.is_failed() {
            return Ok(());
        }
        admin.forget_topic(&self.shards, id).await?;
        self.coverage.borrow_mut().topics_deleted += 1;
        self.create(admin, &mut prng, name, partitions).await
    }

    async fn create(
        &self,
        admin: &mut Admin,
        prng: &mut Prng,
        name: &str,
        partitions: u32,
    ) -> Result<(), OpenError> {
        if self.topics.borrow().find(name).is_some() {
            return Ok(());
        }
        let halves = [prng.next_u64().to_le_bytes(), prng.next_u64().to_le_bytes()];
        let random: [u8; 16] = halves.concat().try_into().expect("sixteen bytes");
        let id = Uuid::from_random(random);
        admin
            .create_topic(&self.shards, id, name, partitions)
            .await?;
        self.coverage.borrow_mut().topics_created += 1;
        Ok(())
    }

    fn any_partition(&self, prng: &mut Prng) -> PartitionId {
        let topics = self.topics.borrow();
        let count = topics.partitions().count() as u64;
        if count == 0 {
            // Nothing yet; an id that nobody knows is as good as any.
            return PartitionId {
                topic: Uuid::ZERO,
                index: 0,
            };
        }
        let index = prng.below(count) as usize;
        topics.partitions().nth(index).expect("below the count")
    }

    async fn rest(&self, prng: &mut Prng, factor: u64) {
        let micros = prng.below(self.plan.pause_micros_max * factor + 1);
        if prng.chance(2) {
            // Long enough for a store to call itself idle.
            self.runtime.sleep(Duration::from_millis(45)).await;
        } else {
            self.runtime.sleep(Duration::from_micros(micros)).await;
        }
    }
}

/// One producer session; its id is its own in all lives.
struct Producer {
    clients: Clients,
    id: ProducerId,
    prng: RefCell<Prng>,
    /// Next sequence and the last few batches, by partition.
    sent: RefCell<BTreeMap<PartitionId, Sent>>,
}

struct Sent {
    /// Cuts of the log that this was sent to.
    cuts: u64,
    next_sequence: i32,
    window: VecDeque<(ValidBatch, Offset)>,
}

impl Producer {
    fn new(clients: Clients, number: u64) -> Producer {
        Producer {
            id: ProducerId(1000 + number as i64),
            prng: RefCell::new(Prng::new(clients.plan.seed ^ (number + 1) << 50)),
            sent: RefCell::default(),
            clients,
        }
    }

    async fn produce(&self) {
        for _ in 0..self.clients.plan.batches {
            if self.clients.shards.is_failed() {
                return;
            }
            let id = self.choose_partition();
            if id.topic.is_zero() {
                self.clients.runtime.sleep(Duration::from_millis(1)).await;
                continue;
            }
            if self.chance(70) {
                self.produce_once(id).await;
                while self.chance(15) {
                    self.repeat_one(id).await;
                }
            } else {
                let batch = self.batch(None);
                self.clients.send(id, &batch).await;
            }
            let pause = self.prng.borrow_mut().next_u64();
            if !pause.is_multiple_of(3) {
                let mut prng = Prng::new(pause);
                self.clients.rest(&mut prng, 1).await;
            }
        }
    }

    async fn produce_once(&self, id: PartitionId) {
        let sequence = self.next_sequence(id);
        let batch = self.batch(Some(sequence));
        let Some(dispatched) = self.clients.send(id, &batch).await else {
            return;
        };
        assert!(!dispatched.is_duplicate, "{id}: sequence {sequence} is new");
        let mut sent = self.sent.borrow_mut();
        let sent = sent.get_mut(&id).expect("made by next_sequence");
        sent.next_sequence += batch.header().last_offset_delta + 1;
        if sent.window.len() == WINDOW {
            sent.window.pop_front();
        }
        sent.window.push_back((batch, dispatched.base_offset));
    }

    /// Sends one of the last batches again, answered or not.
    async fn repeat_one(&self, id: PartitionId) {
        let chosen = {
            let sent = self.sent.borrow();
            let cuts = self.clients.shards.shard(id).cut_count(id);
            let is_known = |sent: &&Sent| sent.cuts == cuts && !sent.window.is_empty();
            let Some(sent) = sent.get(&id).filter(is_known) else {
                return;
            };
            let newest = self.prng.borrow_mut().below(sent.window.len() as u64);
            sent.window[newest as usize].clone()
        };
        let (batch, base_offset) = chosen;
        let Some(dispatched) = self.clients.send(id, &batch).await else {
            return;
        };
        assert!(dispatched.is_duplicate, "{id}: a batch sent twice");
        assert_eq!(dispatched.base_offset, base_offset);
        self.clients.coverage.borrow_mut().duplicates += 1;
    }

    fn next_sequence(&self, id: PartitionId) -> i32 {
        let cuts = self.clients.shards.shard(id).cut_count(id);
        let mut sent = self.sent.borrow_mut();
        if sent.get(&id).is_none_or(|sent| sent.cuts != cuts) {
            let last = self
                .clients
                .model
                .borrow_mut()
                .log(id)
                .last_sequence(self.id);
            let anew = Sent {
                cuts,
                next_sequence: last.map_or(0, |last| last + 1),
                window: VecDeque::new(),
            };
            sent.insert(id, anew);
        }
        sent[&id].next_sequence
    }

    /// A few partitions get most of the load.
    fn choose_partition(&self) -> PartitionId {
        let mut prng = self.prng.borrow_mut();
        let first = self.clients.any_partition(&mut prng);
        if prng.chance(60) {
            return first;
        }
        let topics = self.clients.topics.borrow();
        topics.partitions().next().unwrap_or(first)
    }

    fn batch(&self, sequence: Option<i32>) -> ValidBatch {
        let now = self.clients.runtime.now().wall;
        let mut prng = self.prng.borrow_mut();
        let keys = self.clients.plan.keys;
        let codec = match keys {
            Some(_) => Codec::ALL[prng.below(Codec::ALL.len() as u64) as usize],
            None => Codec::None,
        };
        let mut builder = BatchBuilder::new(codec);
        if let Some(sequence) = sequence {
            builder = builder.producer(self.id, ProducerEpoch(0), sequence);
        }
        let scale = self.clients.plan.value_bytes_max >> prng.below(6);
        for _ in 0..1 + prng.below(3) {
            let letter = prng.next_u64() as u8;
            let value = vec![letter; 1 + prng.below(scale) as usize];
            // Clients' clocks differ.
            let stamp = Timestamp(now.0 - prng.below(50) as i64);
            let key = keys.map(|keys| prng.below(keys).to_be_bytes());
            let is_marker = keys.is_some() && prng.chance(15);
            builder.push(&NewRecord {
                key: key.as_ref().map(|key| &key[..]),
                value: (!is_marker).then_some(&value),
                ..NewRecord::value(stamp, &value)
            });
        }
        checked(&builder.build(), now)
    }

    fn chance(&self, percent: u64) -> bool {
        self.prng.borrow_mut().chance(percent)
    }
}

/// The batch as its producer sent it: no offset, no epoch.
fn as_sent(written: &Written) -> Bytes {
    let mut header = written.header;
    header.base_offset = Offset::ZERO;
    header.leader_epoch = ottla::base::epoch::LeaderEpoch::NONE;
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(&written.bytes[bytes.len()..]);
    bytes.into()
}
