//! What a log must hold after a run, against what it holds.
//!
//! Records are shown to the judge as they lie in the log, partition by partition. Memory is a bit for each record
//! sent, and what the ledger knows of each batch.

use crate::produce::ledger::{Fate, Ledger};
use crate::result::Verification;
use crate::workload::stamp::{Stamp, Stream};
use std::collections::BTreeMap;

/// Findings of one kind that are told in words: the first few show where to look.
const FINDINGS_MAX: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    Lost,
    Duplicated,
    Reordered,
    Corrupted,
}

pub(crate) struct Judge<'a> {
    run: u64,
    records_per_batch: u64,
    ledger: &'a Ledger,
    streams: BTreeMap<Stream, Seen>,
    read_back: u64,
    faults: BTreeMap<Fault, u64>,
    unacknowledged_found: u64,
    findings: Vec<String>,
}

/// Of one stream.
struct Seen {
    records: Vec<u64>,
    /// One past the highest sequence met.
    next: u64,
}

/// Where a record was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) partition: usize,
    pub(crate) offset: i64,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(run: u64, records_per_batch: u64, ledger: &'a Ledger) -> Judge<'a> {
        let streams = ledger.streams().map(|(stream, batches)| {
            let words = (batches * records_per_batch).div_ceil(64) as usize;
            let seen = Seen {
                records: vec![0; words],
                next: 0,
            };
            (stream, seen)
        });
        Judge {
            run,
            records_per_batch,
            ledger,
            streams: streams.collect(),
            read_back: 0,
            faults: BTreeMap::new(),
            unacknowledged_found: 0,
            findings: Vec::new(),
        }
    }

    /// A batch that is not what its checksum says, or no batch at all.
    pub(crate) fn broken_batch(&mut self, spot: Spot, what: &str) {
        self.find(Fault::Corrupted, spot, what);
    }

    pub(crate) fn record(&mut self, spot: Spot, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.read_back += 1;
        let Some(stamp) = value.and_then(|value| Stamp::read(key, value)) else {
            let what = "the record was changed, or nobody in this run sent it";
            return self.find(Fault::Corrupted, spot, what);
        };
        if stamp.run != self.run {
            // Another run's, and intact: two runs may share a topic.
            return;
        }
        let batch = stamp.sequence / self.records_per_batch;
        let Some(fate) = self.ledger.fate(stamp.stream, batch) else {
            let what = "the record claims a sequence that was never sent";
            return self.find(Fault::Corrupted, spot, what);
        };
        if usize::from(stamp.stream.partition) != spot.partition {
            let what = format!(
                "the record was sent to partition {}",
                stamp.stream.partition
            );
            return self.find(Fault::Reordered, spot, &what);
        }
        if self.first_time(&stamp, spot) {
            self.place(&stamp, fate, spot);
        }
    }

    fn first_time(&mut self, stamp: &Stamp, spot: Spot) -> bool {
        let seen = self
            .streams
            .get_mut(&stamp.stream)
            .expect("the ledger knows it");
        let (word, bit) = ((stamp.sequence / 64) as usize, 1 << (stamp.sequence % 64));
        if seen.records[word] & bit != 0 {
            let what = format!(
                "record {} of {} once more",
                stamp.sequence,
                named(stamp.stream)
            );
            self.find(Fault::Duplicated, spot, &what);
            return false;
        }
        seen.records[word] |= bit;
        true
    }

    fn place(&mut self, stamp: &Stamp, fate: Fate, spot: Spot) {
        let seen = self
            .streams
            .get_mut(&stamp.stream)
            .expect("the ledger knows it");
        let is_behind = stamp.sequence < seen.next;
        seen.next = seen.next.max(stamp.sequence + 1);
        let within = (stamp.sequence % self.records_per_batch) as i64;
        match fate {
            Fate::Unknown => self.unacknowledged_found += 1,
            Fate::Acknowledged { .. } if is_behind => {
                let (sequence, stream) = (stamp.sequence, named(stamp.stream));
                let what = format!("record {sequence} of {stream} comes behind a later one");
                self.find(Fault::Reordered, spot, &what);
            }
            Fate::Acknowledged {
                base_offset: Some(base),
            } if base + within != spot.offset => {
                let what = format!("the record was acknowledged at offset {}", base + within);
                self.find(Fault::Reordered, spot, &what);
            }
            Fate::Acknowledged { .. } => {}
        }
    }

    /// The last word, when everything was shown.
    pub(crate) fn verdict(mut self) -> Verification {
        let mut acknowledged = 0;
        for (stream, batches) in self.ledger.streams() {
            for batch in 0..batches {
                if let Some(Fate::Acknowledged { base_offset }) = self.ledger.fate(stream, batch) {
                    acknowledged += self.records_per_batch;
                    self.look_for(stream, batch, base_offset);
                }
            }
        }
        let count = |fault| self.faults.get(&fault).copied().unwrap_or(0);
        Verification {
            acknowledged,
            read_back: self.read_back,
            lost: count(Fault::Lost),
            duplicated: count(Fault::Duplicated),
            reordered: count(Fault::Reordered),
            corrupted: count(Fault::Corrupted),
            unacknowledged_found: self.unacknowledged_found,
            findings: self.findings,
        }
    }

    /// Every record of an acknowledged batch was met.
    fn look_for(&mut self, stream: Stream, batch: u64, base_offset: Option<i64>) {
        for within in 0..self.records_per_batch {
            let sequence = batch * self.records_per_batch + within;
            let seen = &self.streams[&stream];
            if seen.records[(sequence / 64) as usize] & 1 << (sequence % 64) == 0 {
                let spot = Spot {
                    partition: usize::from(stream.partition),
                    offset: base_offset.map_or(-1, |base| base + within as i64),
                };
                let what = format!("record {sequence} of {} is lost", named(stream));
                self.find(Fault::Lost, spot, &what);
            }
        }
    }

    fn find(&mut self, fault: Fault, spot: Spot, what: &str) {
        let count = self.faults.entry(fault).or_default();
        *count += 1;
        if *count <= FINDINGS_MAX {
            let Spot { partition, offset } = spot;
            self.findings
                .push(format!("partition {partition} offset {offset}: {what}"));
        }
    }
}

fn named(stream: Stream) -> String {
    format!("connection {}", stream.connection)
}

#[cfg(test)]
mod tests;
