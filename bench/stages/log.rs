//! One commit cycle, step by step, and what reads make of the tail.

use super::batch::{BYTES_100, batch, valid};
use super::stage::{REQUESTS, Work, each, work};
use bytes::Bytes;
use ottla::base::epoch::LeaderEpoch;
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::offset::Offset;
use ottla::log::entry::{PlannedEntry, decode_entries};
use ottla::log::log_config::LogConfig;
use ottla::log::partition_log::{Committed, PartitionLog};
use ottla::log::section::Section;
use ottla::log::snapshot_format::SnapshotBody;
use ottla::record::{StampedBatch, ValidBatch};
use std::hint::black_box;

/// Cycles between two laps, which empty the tails.
const CYCLES_PER_LAP: usize = 64;
const READ_BYTES_MAX: usize = 1 << 20;

/// The copy into the tail.
pub(crate) fn append() -> Box<dyn Work> {
    work(
        (Shard::new(1), Vec::new()),
        |(shard, stamped)| {
            shard.end_cycle();
            stamped.clear();
            stamped.extend((0..REQUESTS as i64).map(|ahead| shard.stamp(0, ahead)));
        },
        |(shard, stamped)| {
            for batch in stamped.iter() {
                shard.logs[0].append(batch);
            }
        },
    )
}

pub(crate) fn plan_one_partition() -> Box<dyn Work> {
    plans(1)
}

pub(crate) fn plan_many_partitions() -> Box<dyn Work> {
    plans(REQUESTS)
}

fn plans(partitions: usize) -> Box<dyn Work> {
    work(
        Shard::new(partitions),
        |shard| {
            shard.end_cycle();
            shard.append_all();
        },
        Shard::plan,
    )
}

/// The entries of a cycle over as many partitions, as they are copied into the journal's buffer.
pub(crate) fn encode_entries() -> Box<dyn Work> {
    let mut shard = Shard::new(REQUESTS);
    shard.append_all();
    shard.plan();
    let body = Vec::with_capacity(1 << 20);
    work(
        (shard, body),
        |(_, body)| body.clear(),
        |(shard, body)| {
            for entry in &shard.entries {
                entry.encode(&mut |bytes, _| body.extend_from_slice(bytes));
            }
        },
    )
}

/// The cycle is durable.
pub(crate) fn commit() -> Box<dyn Work> {
    work(
        Shard::new(REQUESTS),
        |shard| {
            shard.end_lap();
            shard.entries.clear();
            shard.append_all();
            shard.plan();
        },
        Shard::commit,
    )
}

pub(crate) fn read_tail() -> Box<dyn Work> {
    let mut shard = Shard::new(1);
    shard.append_all();
    shard.plan();
    let (from, below) = (Offset(0), Offset(REQUESTS as i64));
    each((), move |()| {
        let tail = shard.logs[0].tail_mut();
        tail.read(from, below, READ_BYTES_MAX, true)
            .expect("it is all in the tail")
    })
}

/// The entries of one cycle, as recovery reads them.
pub(crate) fn decode_cycle() -> Box<dyn Work> {
    let mut shard = Shard::new(REQUESTS);
    shard.append_all();
    shard.plan();
    let mut body = Vec::new();
    for entry in &shard.entries {
        entry.encode(&mut |bytes, _| body.extend_from_slice(bytes));
    }
    work(
        Bytes::from(body),
        |_| {},
        |body| {
            black_box(decode_entries(body).expect("what was encoded"));
        },
    )
}

/// The logs of one shard. A cycle has one batch for each of [`REQUESTS`] requests, spread evenly.
struct Shard {
    logs: Vec<PartitionLog>,
    small: ValidBatch,
    entries: Vec<PlannedEntry>,
    cycles: usize,
}

impl Shard {
    fn new(partitions: usize) -> Shard {
        let log = |index: usize| {
            let id = PartitionId {
                topic: Uuid([7; 16]),
                index: index as u32,
            };
            PartitionLog::new(Section::new(id, Offset::ZERO), LogConfig::DEFAULT)
        };
        Shard {
            logs: (0..partitions).map(log).collect(),
            small: valid(batch(1, BYTES_100)),
            entries: Vec::new(),
            cycles: 0,
        }
    }

    /// As it will be after so many others.
    fn stamp(&self, log: usize, ahead: i64) -> StampedBatch {
        let offset = self.logs[log].tail().next_offset().plus(ahead);
        self.small.stamp(offset, LeaderEpoch(0), None)
    }

    fn append_all(&mut self) {
        for request in 0..REQUESTS {
            let log = request % self.logs.len();
            let stamped = self.stamp(log, 0);
            self.logs[log].append(&stamped);
        }
    }

    fn plan(&mut self) {
        for log in &mut self.logs {
            log.plan(usize::MAX, true, &mut self.entries);
        }
    }

    fn commit(&mut self) {
        assert!(
            self.entries.len() >= self.logs.len(),
            "an entry for each log"
        );
        for entry in &self.entries {
            let mut committed = Committed::default();
            let log = entry.partition.index as usize;
            self.logs[log].commit(entry.number, &entry.change, &mut committed);
            black_box(committed);
        }
    }

    /// What was appended is planned, if it is not yet, and durable.
    fn end_cycle(&mut self) {
        self.plan();
        if !self.entries.is_empty() {
            self.commit();
        }
        self.entries.clear();
        self.end_lap();
    }

    /// Now and then everything is in segments, and the tails are empty. Nothing is in flight.
    fn end_lap(&mut self) {
        self.cycles += 1;
        if !self.cycles.is_multiple_of(CYCLES_PER_LAP) {
            return;
        }
        let mut snapshot = SnapshotBody::default();
        for log in &mut self.logs {
            log.capture(self.cycles as u64, &mut snapshot);
            log.lap_synced();
            let synced = log.section().synced;
            while log.tail_mut().evict(synced) {}
        }
    }
}
