//! Records on their way to the log: one batch under way, everything else that is decided meanwhile is the next one.
//!
//! So the order of the log is the order of decisions, a slow disk makes batches larger instead of more, and between two
//! batches the state is exactly what the log says, which is when it may be said again (`rewrite`).

use super::action::{Answer, GroupId};
use super::classic::Group;
use super::error::GroupError;
use super::offsets::OffsetKey;
use super::rewrite::Rewrite;
use super::settings::GroupSettings;
use super::state_records::StateRecord;
use crate::base::ids::Ticket;
use crate::base::offset::Offset;
use crate::base::time::Timestamp;
use crate::record::batch::Codec;
use crate::record::{BatchBuilder, NewRecord};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Decided together: all records are in one batch, the effect comes when they are durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Write {
    pub(super) records: Vec<StateRecord>,
    pub(super) effect: Effect,
    encoded: Vec<(Bytes, Option<Bytes>)>,
    bytes: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    None,
    Join {
        ticket: Ticket,
        answer: Answer,
    },
    Assign {
        generation: i32,
        assignment: BTreeMap<String, Bytes>,
    },
    Commit {
        ticket: Ticket,
        results: Vec<Result<(), GroupError>>,
    },
    DeleteOffsets {
        ticket: Ticket,
        results: Vec<Result<(), GroupError>>,
    },
    /// Without a ticket: it had expired.
    DeleteGroup {
        ticket: Option<Ticket>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Writes {
    queued: VecDeque<Write>,
    queued_bytes: usize,
    in_flight: Option<Vec<Write>>,
    in_flight_bytes: u64,
    /// How many writes of a group wait or are under way.
    pending: BTreeMap<GroupId, usize>,
    /// What a restart would read.
    log_bytes: u64,
    rewrite_above: u64,
    rewrite: Option<Rewrite>,
}

/// A record's lengths and deltas, at most.
const RECORD_OVERHEAD_BYTES: usize = 32;
/// How many times the live state a log may be before it is written anew.
const REWRITE_FACTOR: u64 = 4;

impl Write {
    pub(super) fn new(records: Vec<StateRecord>, effect: Effect) -> Write {
        let encoded: Vec<_> = records.iter().map(StateRecord::encode).collect();
        Write {
            bytes: encoded.iter().map(encoded_bytes).sum(),
            records,
            effect,
            encoded,
        }
    }

    pub(super) fn group(&self) -> &GroupId {
        self.records[0].group()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

pub(super) fn encoded_bytes((key, value): &(Bytes, Option<Bytes>)) -> usize {
    RECORD_OVERHEAD_BYTES + key.len() + value.as_ref().map_or(0, Bytes::len)
}

impl Writes {
    pub(super) fn new(settings: &GroupSettings) -> Writes {
        Writes {
            queued: VecDeque::new(),
            queued_bytes: 0,
            in_flight: None,
            in_flight_bytes: 0,
            pending: BTreeMap::new(),
            log_bytes: 0,
            rewrite_above: settings.log_bytes_min as u64,
            rewrite: None,
        }
    }

    pub(super) fn push(&mut self, write: Write) {
        assert!(
            !write.records.is_empty(),
            "what changes nothing is not written"
        );
        self.queued_bytes += write.bytes;
        *self.pending.entry(write.group().clone()).or_default() += 1;
        self.queued.push_back(write);
    }

    /// The log was read.
    pub(super) fn recovered(&mut self, log_bytes: u64, live_bytes: u64, settings: &GroupSettings) {
        self.log_bytes = log_bytes;
        self.rewrite_above = rewrite_above(live_bytes, settings);
    }

    /// The next batch, unless one is under way or there is nothing to say.
    pub(super) fn next_batch(
        &mut self,
        groups: &BTreeMap<GroupId, Group>,
        settings: &GroupSettings,
        now: Timestamp,
    ) -> Option<Bytes> {
        if self.in_flight.is_some() {
            return None;
        }
        if self.rewrite.is_none() && self.log_bytes > self.rewrite_above {
            self.rewrite = Some(Rewrite::default());
        }
        let mut builder = BatchBuilder::new(Codec::None);
        if let Some(rewrite) = &mut self.rewrite {
            for record in rewrite.take(groups, settings.batch_bytes_max / 4) {
                push(&mut builder, &record.encode(), now);
            }
        }
        let mut taken = Vec::new();
        while let Some(write) = self.queued.front() {
            let bytes = builder.plain_bytes() + write.bytes;
            if builder.record_count() > 0 && bytes > settings.batch_bytes_max {
                break;
            }
            let write = self.queued.pop_front().expect("just seen");
            self.queued_bytes -= write.bytes;
            for encoded in &write.encoded {
                push(&mut builder, encoded, now);
            }
            taken.push(write);
        }
        if builder.record_count() == 0 {
            if self.rewrite.take().is_some() {
                // Nothing is live: there is nothing to begin the log with.
                self.rewrite_above = rewrite_above(self.log_bytes, settings);
            }
            return None;
        }
        let batch = builder.build();
        self.in_flight = Some(taken);
        self.in_flight_bytes = batch.len() as u64;
        Some(batch)
    }

    /// The batch begins at `base` and is durable. With the last part of a rewrite: where the log may begin.
    pub(super) fn written(
        &mut self,
        base: Offset,
        settings: &GroupSettings,
    ) -> (Vec<Write>, Option<Offset>) {
        let writes = self.in_flight.take().expect("a batch was under way");
        self.settled(&writes);
        self.log_bytes += self.in_flight_bytes;
        let Some(rewrite) = &mut self.rewrite else {
            return (writes, None);
        };
        rewrite.written(base, self.in_flight_bytes);
        let ended = rewrite.ended();
        if let Some((_, live_bytes)) = ended {
            self.rewrite = None;
            self.log_bytes = live_bytes;
            self.rewrite_above = rewrite_above(live_bytes, settings);
        }
        (writes, ended.map(|(start, _)| start))
    }

    /// Nothing of the batch counts. What waits behind it was decided as if it did, so it goes too.
    pub(super) fn failed(&mut self) -> Vec<Write> {
        let mut writes = self.in_flight.take().expect("a batch was under way");
        self.settled(&writes);
        if self.rewrite.take().is_some() {
            self.rewrite_above = 2 * self.log_bytes;
        }
        writes.extend(self.drain());
        writes
    }

    /// What has not been given to the log.
    pub(super) fn drain(&mut self) -> Vec<Write> {
        self.queued_bytes = 0;
        let writes: Vec<Write> = std::mem::take(&mut self.queued).into();
        self.settled(&writes);
        writes
    }

    fn settled(&mut self, writes: &[Write]) {
        for write in writes {
            let count = self.pending.get_mut(write.group()).expect("it was pushed");
            *count -= 1;
            if *count == 0 {
                self.pending.remove(write.group());
            }
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Whether something of this group is not yet decided by the disk.
    pub(super) fn has_pending(&self, group: &GroupId) -> bool {
        self.pending.contains_key(group)
    }

    /// Offsets that may come to be.
    pub(super) fn pending_offsets(&self) -> impl Iterator<Item = (GroupId, OffsetKey)> {
        let pending = self.in_flight.iter().flatten().chain(&self.queued);
        let records = pending.flat_map(|write| &write.records);
        records.filter_map(|record| match record {
            StateRecord::Offset {
                group,
                topic,
                partition,
                value: Some(_),
            } => Some((group.clone(), (topic.clone(), *partition))),
            _ => None,
        })
    }
}

fn rewrite_above(live_bytes: u64, settings: &GroupSettings) -> u64 {
    (REWRITE_FACTOR * live_bytes).max(settings.log_bytes_min as u64)
}

fn push(builder: &mut BatchBuilder, (key, value): &(Bytes, Option<Bytes>), now: Timestamp) {
    builder.push(&NewRecord {
        timestamp: now,
        key: Some(key),
        value: value.as_deref(),
        headers: &[],
    });
}
