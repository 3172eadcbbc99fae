//! The partition itself: its state, what happens to it, and how parked requests are answered.

use std::collections::VecDeque;

use super::action::{Action, Appended, Caller, Outcome, Unavailable, UnknownCause};
use super::producer_state::{ActiveProducer, ProducerState};
use super::stats::PartitionStats;
use super::waiters::{DataWaiters, Parked};
use super::watermarks::Watermarks;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::Ticket;
use crate::base::offset::Offset;
use crate::base::time::{Instant, Now, Timestamp};
use crate::config::topic::Durability;
use crate::log::epoch_table::EpochTable;
use crate::log::offline::Offline;
use crate::log::producer_table::ProducerTable;
use crate::record::TimestampKind;

/// What recovery found, or `EMPTY` for a new partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionState {
    pub log_start: Offset,
    pub next_offset: Offset,
    pub epochs: EpochTable,
    pub producers: ProducerTable,
    pub offline: Option<Offline>,
}

/// The part of a topic's configuration that a partition obeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionSettings {
    pub durability: Durability,
    pub timestamps: TimestampKind,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
}

/// The only replica of a partition and so its leader. Owned by one core.
///
/// Give it a command or an event, then drain `poll_action` before the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    pub(super) settings: PartitionSettings,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) unavailable: Option<Unavailable>,
    pub(super) watermarks: Watermarks,
    pub(super) epochs: EpochTable,
    pub(super) producers: ProducerState,
    /// Released by the high watermark.
    pub(super) produces: Parked<ParkedProduce>,
    /// Released by the durable log start.
    pub(super) deletions: Parked<Ticket>,
    pub(super) readers: DataWaiters,
    /// The log start that a restart finds, at least.
    pub(super) durable_log_start: Offset,
    pub(super) stats: PartitionStats,
    actions: VecDeque<Action>,
}

/// A produce that has its offset and waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ParkedProduce {
    pub(super) ticket: Ticket,
    pub(super) base_offset: Offset,
    pub(super) log_append_time: Timestamp,
    pub(super) appended_at: Instant,
}

impl Partition {
    /// Starts to lead in `leader_epoch`. The epoch is noted before its first batch, not now: most starts write nothing.
    pub fn new(
        state: PartitionState,
        settings: PartitionSettings,
        leader_epoch: LeaderEpoch,
        now: Now,
    ) -> Partition {
        let last_epoch = state.epochs.last().map(|entry| entry.epoch);
        assert!(
            last_epoch.is_none_or(|last| last <= leader_epoch),
            "a leader epoch never goes back: {last_epoch:?}, then {leader_epoch}"
        );
        // A log that is not trusted may end anywhere; it is not read.
        let log_end = match state.offline {
            None => state.next_offset,
            Some(_) => state.next_offset.max(state.log_start),
        };
        Partition {
            settings,
            leader_epoch,
            unavailable: state.offline.map(Unavailable::Offline),
            watermarks: Watermarks::recovered(state.log_start, log_end),
            epochs: state.epochs,
            producers: ProducerState::recovered(state.producers, now.wall),
            produces: Parked::new(),
            deletions: Parked::new(),
            readers: DataWaiters::new(),
            durable_log_start: state.log_start,
            stats: PartitionStats::default(),
            actions: VecDeque::new(),
        }
    }

    /// Obeys new settings from the next batch on. A weaker durability releases what only waited for the stronger one.
    pub fn configure(&mut self, settings: PartitionSettings, now: Now) {
        self.settings = settings;
        if self.unavailable.is_none() {
            self.commit(now);
        }
    }

    /// All batches below `up_to` are durable.
    pub fn on_durable(&mut self, up_to: Offset, now: Now) {
        if self.unavailable.is_some() {
            return;
        }
        self.watermarks.advance_durable(up_to);
        self.commit(now);
    }

    /// The log start is durable up to `offset`.
    pub fn on_log_start_durable(&mut self, offset: Offset) {
        if self.unavailable.is_some() {
            return;
        }
        assert!(
            offset <= self.watermarks.log_start(),
            "only what was noted becomes durable"
        );
        self.durable_log_start = self.durable_log_start.max(offset);
        self.release_deletions();
    }

    /// A parked request whose deadline has passed learns that its fate is unknown.
    pub fn on_deadline(&mut self, now: Now) {
        while let Some(produce) = self.produces.expire(now.instant) {
            self.complete_unknown(produce.ticket, UnknownCause::Deadline);
        }
        while let Some(ticket) = self.deletions.expire(now.instant) {
            self.complete_unknown(ticket, UnknownCause::Deadline);
        }
    }

    /// The log turned out to be damaged.
    pub fn on_offline(&mut self, offline: Offline) {
        self.end(Unavailable::Offline(offline), UnknownCause::Failed);
    }

    /// The data directory failed: whatever was not answered may be on the medium or not.
    pub fn on_failed(&mut self) {
        self.end(Unavailable::Failed, UnknownCause::Failed);
    }

    /// The topic is deleted.
    pub fn close(&mut self) {
        self.end(Unavailable::Closed, UnknownCause::Closed);
    }

    fn end(&mut self, unavailable: Unavailable, cause: UnknownCause) {
        // A deletion is final; of two failures the first is the reason.
        if self.unavailable.is_none() || unavailable == Unavailable::Closed {
            self.unavailable = Some(unavailable);
        }
        while let Some(produce) = self.produces.release(Offset::MAX) {
            self.complete_unknown(produce.ticket, cause);
        }
        while let Some(ticket) = self.deletions.release(Offset::MAX) {
            self.complete_unknown(ticket, cause);
        }
        for ticket in self.readers.drain() {
            self.complete(ticket, Outcome::DataReady);
        }
        assert_eq!(
            self.parked(),
            0,
            "nobody waits for a partition that has ended"
        );
    }

    /// The next thing to do. Drained until `None` after every command and event.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `on_deadline` has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.produces.next_deadline(),
            self.deletions.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    pub fn watermarks(&self) -> &Watermarks {
        &self.watermarks
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    pub fn epochs(&self) -> &EpochTable {
        &self.epochs
    }

    /// Includes batches that are not durable yet.
    pub fn producers(&self) -> &ProducerTable {
        self.producers.table()
    }

    /// Producers that may write again. Unlike the table, without those that have expired.
    pub fn active_producers(&self, now: Timestamp) -> impl Iterator<Item = ActiveProducer> {
        let expiration_ms = self.settings.producer_expiration_ms;
        self.producers.active(now, expiration_ms)
    }

    pub fn settings(&self) -> &PartitionSettings {
        &self.settings
    }

    /// Why nothing is served, if so.
    pub fn unavailable(&self) -> Option<Unavailable> {
        self.unavailable
    }

    pub fn stats(&self) -> PartitionStats {
        PartitionStats {
            producers: self.producers.table().len(),
            parked_writes: self.produces.len() + self.deletions.len(),
            parked_reads: self.readers.len(),
            ..self.stats
        }
    }

    fn parked(&self) -> usize {
        self.produces.len() + self.deletions.len() + self.readers.len()
    }

    /// Moves the high watermark to what the durability asks for, and answers whoever waited for it.
    pub(super) fn commit(&mut self, now: Now) {
        let committed = match self.settings.durability {
            Durability::Flushed => self.watermarks.durable(),
            Durability::Memory => self.watermarks.log_end(),
        };
        if committed <= self.watermarks.high_watermark() {
            return;
        }
        self.watermarks.commit(committed);
        while let Some(produce) = self.produces.release(self.watermarks.high_watermark()) {
            self.complete_produce(&produce, now);
        }
        self.release_readers();
    }

    pub(super) fn release_deletions(&mut self) {
        while let Some(ticket) = self.deletions.release(self.durable_log_start) {
            let log_start = self.watermarks.log_start();
            self.complete(ticket, Outcome::RecordsDeleted { log_start });
        }
    }

    pub(super) fn release_readers(&mut self) {
        let (high_watermark, log_start) = (
            self.watermarks.high_watermark(),
            self.watermarks.log_start(),
        );
        for ticket in self.readers.release(high_watermark, log_start) {
            self.complete(ticket, Outcome::DataReady);
        }
    }

    /// Answers at once when the high watermark is there already, else parks.
    pub(super) fn answer_when_committed(
        &mut self,
        end: Offset,
        produce: ParkedProduce,
        caller: Caller,
        now: Now,
    ) {
        if end <= self.watermarks.high_watermark() {
            self.complete_produce(&produce, now);
        } else {
            self.produces.park(end, caller.deadline, produce);
        }
    }

    fn complete_produce(&mut self, produce: &ParkedProduce, now: Now) {
        let appended = Appended {
            base_offset: produce.base_offset,
            log_append_time: produce.log_append_time,
            log_start: self.watermarks.log_start(),
            appended_at: produce.appended_at,
            committed_at: now.instant,
        };
        self.complete(produce.ticket, Outcome::Appended(appended));
    }

    fn complete_unknown(&mut self, ticket: Ticket, cause: UnknownCause) {
        self.stats.unknown_answers += 1;
        self.complete(ticket, Outcome::Unknown(cause));
    }

    pub(super) fn complete(&mut self, ticket: Ticket, outcome: Outcome) {
        self.act(Action::Complete { ticket, outcome });
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn check_available(&self) -> Result<(), Unavailable> {
        self.unavailable.map_or(Ok(()), Err)
    }
}
