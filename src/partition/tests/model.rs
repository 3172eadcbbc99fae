//! A partition under random commands, slow durability, duplicates, deletions and crashes, compared after each step
//! with a model that remembers every batch and every request in plain lists.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::prng::Prng;
use crate::log::epoch_table::EpochTable;
use crate::log::producer_table::ProducerTable;
use crate::record::BatchHeader;

const SEEDS: u64 = 150;
const STEPS: usize = 300;
const PRODUCERS: u64 = 3;

/// A batch in the model's log.
#[derive(Clone, Copy, Debug)]
struct Logged {
    header: BatchHeader,
    producer: i64,
    epoch: i16,
    first: i64,
    count: i64,
    base: i64,
}

impl Logged {
    fn end(&self) -> i64 {
        self.base + self.count
    }

    /// The sequence after it, counted in the naive way: a circle of 2^31.
    fn next_sequence(&self) -> i64 {
        (self.first + self.count) % (1 << 31)
    }
}

/// A request that has no answer yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Appended { base: i64, end: i64, deadline: u64 },
    Deleted { before: i64, deadline: u64 },
    Data { from: i64, seen: i64 },
}

struct Model {
    prng: Prng,
    now: u64,
    partition: Partition,
    settings: PartitionSettings,
    leader_epoch: i32,
    log: Vec<Logged>,
    /// (epoch, start) of every epoch that wrote.
    epochs: Vec<(i32, i64)>,
    log_start: i64,
    high_watermark: i64,
    durable: i64,
    durable_log_start: i64,
    wishes: BTreeMap<u64, Wish>,
    next_ticket: u64,
    duplicates: u64,
    acknowledged: u64,
    crashes: u64,
}

impl Model {
    fn new(seed: u64) -> Model {
        Model {
            prng: Prng::new(seed),
            now: 0,
            partition: empty(FLUSHED),
            settings: FLUSHED,
            leader_epoch: EPOCH.0,
            log: Vec::new(),
            epochs: Vec::new(),
            log_start: 0,
            high_watermark: 0,
            durable: 0,
            durable_log_start: 0,
            wishes: BTreeMap::new(),
            next_ticket: 1,
            duplicates: 0,
            acknowledged: 0,
            crashes: 0,
        }
    }

    fn log_end(&self) -> i64 {
        self.log.last().map_or(0, Logged::end)
    }

    fn caller(&mut self) -> Caller {
        self.next_ticket += 1;
        patient(self.next_ticket, self.now + 1 + self.prng.below(60))
    }

    fn pick(&mut self, low: i64, high: i64) -> i64 {
        low + self.prng.below((high - low + 1) as u64) as i64
    }

    fn step(&mut self) {
        self.now += self.prng.below(5);
        match self.prng.below(100) {
            0..15 => self.append(plain(1 + self.now as i32 % 4)),
            15..50 => self.append_of_producer(),
            50..65 => self.become_durable(),
            65..72 => self.delete(),
            72..76 => self.log_start_becomes_durable(),
            76..79 => self.retain(),
            79..87 => self.wait(),
            87..90 => self.cancel(),
            90..95 => self.pass_deadlines(),
            95..97 => self.configure(),
            97..99 => self.read(),
            _ => self.crash(),
        }
        self.settle();
    }

    /// The next batch, one of the recent ones again, one too far, or a new session.
    fn append_of_producer(&mut self) {
        let producer = 1 + self.prng.below(PRODUCERS) as i64;
        let mine: Vec<Logged> = self.of_producer(producer);
        let count = 1 + self.prng.below(3) as i32;
        let Some(last) = mine.last() else {
            let first = [0, 7, i32::MAX - 3][self.prng.below(3) as usize];
            return self.append(from_producer(producer, 0, first, count));
        };
        let next = last.next_sequence() as i32;
        let batch = match self.prng.below(10) {
            0..5 => from_producer(producer, last.epoch, next, count),
            5..8 => {
                let back = self.prng.below(8) as usize;
                let again = mine[mine.len().saturating_sub(1 + back)];
                let (first, count) = (again.first as i32, again.count as i32);
                from_producer(producer, again.epoch, first, count)
            }
            8 => from_producer(producer, last.epoch, next / 2 + 9, count),
            _ => {
                let first = self.prng.below(2) as i32;
                from_producer(producer, last.epoch + 1, first, count)
            }
        };
        self.append(batch);
    }

    fn of_producer(&self, producer: i64) -> Vec<Logged> {
        let mine = self.log.iter().filter(|batch| batch.producer == producer);
        mine.copied().collect()
    }

    /// What Kafka's rules say: `Some(Some(original))` duplicate, `Some(None)` new, `None` refused.
    fn verdict(&self, header: &BatchHeader) -> Option<Option<Logged>> {
        let mine = self.of_producer(header.producer_id.0);
        let (Some(last), true) = (mine.last(), header.producer_id.is_some()) else {
            return Some(None);
        };
        let epoch = header.producer_epoch.0;
        let (first, count) = (
            i64::from(header.base_sequence),
            i64::from(header.record_count),
        );
        if epoch != last.epoch {
            return (epoch > last.epoch && first == 0).then_some(None);
        }
        let session = mine.iter().rev().take_while(|batch| batch.epoch == epoch);
        let again = session
            .take(5)
            .find(|batch| (batch.first, batch.count) == (first, count));
        match again {
            Some(original) => Some(Some(*original)),
            None => (first == last.next_sequence()).then_some(None),
        }
    }

    fn append(&mut self, batch: ValidBatch) {
        let caller = self.caller();
        let deadline = caller.deadline.0 / 1_000_000;
        let verdict = self.verdict(batch.header());
        let (base, log_end) = (self.log_end(), self.log_end());
        let dispatched = self.partition.append(&batch, caller, at(self.now));
        let Some(original) = verdict else {
            assert!(matches!(dispatched, Err(AppendError::Sequence(_))));
            return;
        };
        let dispatched = dispatched.expect("the model takes it");
        assert_eq!(dispatched.is_duplicate, original.is_some());
        let (base, end) = match original {
            Some(original) => (original.base, original.end()),
            None => (base, log_end + i64::from(batch.header().record_count)),
        };
        assert_eq!(dispatched.base_offset, Offset(base));
        let wish = Wish::Appended {
            base,
            end,
            deadline,
        };
        self.wishes.insert(caller.ticket.0, wish);
        if original.is_some() {
            self.duplicates += 1;
            return;
        }
        if self
            .epochs
            .last()
            .is_none_or(|last| last.0 != self.leader_epoch)
        {
            self.epochs.push((self.leader_epoch, base));
        }
        let header = *batch.header();
        self.log.push(Logged {
            header: BatchHeader {
                base_offset: Offset(base),
                ..header
            },
            producer: header.producer_id.0,
            epoch: header.producer_epoch.0,
            first: i64::from(header.base_sequence),
            count: i64::from(header.record_count),
            base,
        });
    }

    /// A commit cycle ends at some batch.
    fn become_durable(&mut self) {
        let ends = self.log.iter().map(Logged::end);
        let later: Vec<i64> = ends.filter(|end| *end >= self.durable).collect();
        if later.is_empty() {
            return;
        }
        self.durable = later[self.prng.below(later.len() as u64) as usize];
        self.partition
            .on_durable(Offset(self.durable), at(self.now));
    }

    fn delete(&mut self) {
        let (high_watermark, log_end) = (self.high_watermark, self.log_end());
        let before = self.pick(-2, log_end + 1);
        let caller = self.caller();
        let answer = self.partition.delete_records(Offset(before), caller);
        let before = if before == -1 { high_watermark } else { before };
        if before < 0 || before > high_watermark {
            assert!(matches!(
                answer,
                Err(DeleteRecordsError::OffsetOutOfRange { .. })
            ));
            return;
        }
        assert_eq!(answer, Ok(()));
        self.log_start = self.log_start.max(before);
        let deadline = caller.deadline.0 / 1_000_000;
        let wish = Wish::Deleted { before, deadline };
        self.wishes.insert(caller.ticket.0, wish);
    }

    fn log_start_becomes_durable(&mut self) {
        self.durable_log_start = self.pick(self.durable_log_start, self.log_start);
        let offset = Offset(self.durable_log_start);
        self.partition.on_log_start_durable(offset);
    }

    fn retain(&mut self) {
        let offered = self.pick(0, self.log_end());
        self.partition.on_retention_due(Offset(offered));
        self.log_start = self.log_start.max(offered.min(self.high_watermark));
    }

    fn wait(&mut self) {
        let from = self.pick(self.log_start, self.log_end());
        let seen = self.pick((self.high_watermark - 2).max(0), self.high_watermark);
        let ticket = self.caller().ticket;
        let wish = Wish::Data { from, seen };
        self.wishes.insert(ticket.0, wish);
        self.partition
            .wait_for_data(ticket, Offset(from), Offset(seen));
    }

    fn cancel(&mut self) {
        let mut wishes = self.wishes.iter();
        let reader = wishes.find(|(_, wish)| matches!(wish, Wish::Data { .. }));
        if let Some((&ticket, _)) = reader {
            self.wishes.remove(&ticket);
            assert!(self.partition.cancel(Ticket(ticket)));
        }
    }

    fn pass_deadlines(&mut self) {
        let now = self.now;
        self.partition.on_deadline(at(now));
        let mut unknown: BTreeSet<u64> = BTreeSet::new();
        self.wishes.retain(|ticket, wish| match wish {
            Wish::Appended { deadline, .. } | Wish::Deleted { deadline, .. }
                if *deadline <= now =>
            {
                unknown.insert(*ticket);
                false
            }
            _ => true,
        });
        for _ in 0..unknown.len() {
            let action = self.partition.poll_action();
            let Some(Action::Complete { ticket, outcome }) = action else {
                panic!("{action:?} instead of an answer");
            };
            assert_eq!(outcome, Outcome::Unknown(UnknownCause::Deadline));
            assert!(unknown.remove(&ticket.0), "{ticket} was not due");
        }
    }

    fn configure(&mut self) {
        let memory = self.settings == MEMORY;
        self.settings = if memory { FLUSHED } else { MEMORY };
        self.partition.configure(self.settings, at(self.now));
    }

    fn read(&mut self) {
        let from = self.pick(-1, self.log_end() + 1);
        let view = self.partition.read(want(from, -1));
        if from < self.log_start || from > self.log_end() {
            assert!(matches!(view, Err(ReadError::OffsetOutOfRange { .. })));
        } else {
            let below = self.high_watermark.max(from);
            assert_eq!(view.map(|view| view.below), Ok(Offset(below)));
        }
    }

    /// The process dies. What was durable is what the next one finds; nobody waiting hears of it.
    fn crash(&mut self) {
        self.crashes += 1;
        while self.partition.poll_action().is_some() {}
        self.wishes.clear();
        self.log.retain(|batch| batch.base < self.durable);
        self.epochs.retain(|epoch| epoch.1 < self.durable);
        self.leader_epoch += 1;
        self.log_start = self.durable_log_start.min(self.durable);
        self.durable_log_start = self.log_start;
        self.high_watermark = self.durable;
        let (mut epochs, mut producers) = (EpochTable::default(), ProducerTable::default());
        for &(epoch, start) in &self.epochs {
            epochs.begin(LeaderEpoch(epoch), Offset(start));
        }
        epochs.raise_start(Offset(self.log_start));
        for batch in &self.log {
            producers.apply(&batch.header, batch.header.max_timestamp);
        }
        let state = PartitionState {
            log_start: Offset(self.log_start),
            next_offset: Offset(self.durable),
            epochs,
            producers,
            offline: None,
        };
        let epoch = LeaderEpoch(self.leader_epoch);
        self.partition = Partition::new(state, self.settings, epoch, at(self.now));
    }

    /// Takes the actions, and then nobody waits whose condition holds.
    fn settle(&mut self) {
        let committed = if self.settings == MEMORY {
            self.log_end()
        } else {
            self.durable
        };
        self.high_watermark = self.high_watermark.max(committed);
        while let Some(action) = self.partition.poll_action() {
            match action {
                Action::Append { batch, .. } => self.check_append(&batch.header),
                Action::Note(Note::EpochStart { epoch, offset }) => {
                    assert_eq!(Some(&(epoch.0, offset.0)), self.epochs.last());
                }
                Action::Note(Note::LogStart(offset)) => assert_eq!(offset.0, self.log_start),
                Action::Note(note) => panic!("a single replica never notes {note:?}"),
                Action::Complete { ticket, outcome } => self.check_answer(ticket.0, outcome),
            }
        }
        for (ticket, wish) in &self.wishes {
            assert!(!self.is_due(wish), "{ticket} still waits for {wish:?}");
        }
        let end = self.log_end();
        let high = self.high_watermark;
        assert_eq!(
            marks(&self.partition),
            [self.log_start, high, high, self.durable, end]
        );
        self.check_epochs();
    }

    fn is_due(&self, wish: &Wish) -> bool {
        match *wish {
            Wish::Appended { end, .. } => end <= self.high_watermark,
            Wish::Deleted { before, .. } => before <= self.durable_log_start,
            Wish::Data { from, seen } => seen < self.high_watermark || from < self.log_start,
        }
    }

    fn check_append(&self, header: &BatchHeader) {
        let last = self.log.last().expect("the model appended it");
        assert_eq!(header.base_offset, Offset(last.base));
        assert_eq!(header.next_offset(), Offset(last.end()));
        assert_eq!(header.leader_epoch, LeaderEpoch(self.leader_epoch));
    }

    fn check_answer(&mut self, ticket: u64, outcome: Outcome) {
        let wish = self
            .wishes
            .remove(&ticket)
            .expect("somebody waits for this");
        assert!(self.is_due(&wish), "{wish:?} answered early: {outcome:?}");
        match (wish, outcome) {
            (Wish::Appended { base, .. }, Outcome::Appended(appended)) => {
                assert_eq!(appended.base_offset, Offset(base));
                assert_eq!(appended.log_start, Offset(self.log_start));
                self.acknowledged += 1;
            }
            (Wish::Deleted { .. }, Outcome::RecordsDeleted { log_start }) => {
                assert_eq!(log_start, Offset(self.log_start));
            }
            (Wish::Data { .. }, Outcome::DataReady) => {}
            (wish, outcome) => panic!("{wish:?} answered with {outcome:?}"),
        }
    }

    /// The epoch of each readable batch, and where each epoch ends.
    fn check_epochs(&self) {
        for batch in self.log.iter().filter(|batch| batch.base >= self.log_start) {
            let epoch = self
                .epochs
                .iter()
                .rfind(|epoch| epoch.1 <= batch.base)
                .unwrap()
                .0;
            assert_eq!(
                self.partition.epoch_at(Offset(batch.base)),
                LeaderEpoch(epoch)
            );
            let end = self.epochs.iter().find(|later| later.0 > epoch);
            let end = end.map_or(self.log_end(), |later| later.1);
            let found = self
                .partition
                .epoch_end(LeaderEpoch::NONE, LeaderEpoch(epoch));
            assert_eq!(found.map(|found| found.end), Ok(Offset(end)));
        }
    }
}

#[test]
fn partition_agrees_with_a_model_that_remembers_everything() {
    let (mut duplicates, mut acknowledged, mut crashes) = (0, 0, 0);
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        duplicates += model.duplicates;
        acknowledged += model.acknowledged;
        crashes += model.crashes;
    }
    // A model that never reached these would prove nothing.
    assert!(duplicates > 500, "{duplicates} duplicates");
    assert!(acknowledged > 5_000, "{acknowledged} acknowledged");
    assert!(crashes > 200, "{crashes} crashes");
}
