//! What compaction may take from a log, and what it must leave.

use super::model::LogModel;
use bytes::Bytes;
use ottla::base::offset::Offset;
use ottla::record::{BatchHeader, Batches, Record, crc_matches, records};
use std::collections::{BTreeMap, BTreeSet};

/// When a log was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nothing else ran.
    Still,
    /// Somebody wrote and compacted meanwhile.
    Running,
}

impl LogModel {
    /// Says what is wrong with what was read of `from..end`.
    pub fn check_read(
        &self,
        from: Offset,
        end: Offset,
        bytes: &[u8],
        moment: Moment,
    ) -> Result<(), String> {
        if !self.is_compacted {
            let is_same = bytes == self.bytes(from, end);
            return is_same
                .then_some(())
                .ok_or(format!("{from}..{end} reads back wrong"));
        }
        let known_below = match moment {
            Moment::Still => end,
            Moment::Running => Offset::MAX,
        };
        let found = self.check_found(bytes)?;
        self.check_missing(from..end, known_below, &found, moment)
    }

    /// Every batch read is one that was written, with some of its records. Answers them by their offsets.
    fn check_found(&self, bytes: &[u8]) -> Result<Found, String> {
        let mut found = Found::default();
        let mut next = Offset::ZERO;
        for batch in Batches::new(bytes) {
            let (_, header, batch) = batch.map_err(|error| error.to_string())?;
            let base = header.base_offset;
            if base < next || !crc_matches(batch) {
                return Err(format!("the batch at {base} is not sound, or not in order"));
            }
            next = header.next_offset();
            let index = self
                .batches
                .binary_search_by_key(&base, |it| it.header.base_offset);
            let written = &self.batches[index.map_err(|_| format!("nobody wrote {base}"))?];
            if identity(&written.header) != identity(&header) {
                return Err(format!("{header:?} was {:?}", written.header));
            }
            let all = records_of(&written.bytes);
            for record in records(batch).map_err(|error| format!("{base}: {error:?}"))? {
                if !all.contains(&record) {
                    return Err(format!("nobody wrote {record:?}"));
                }
                found.records.insert(record.offset, record);
            }
            found.batches.insert(base);
        }
        Ok(found)
    }

    /// What is not there was void: by a later record of its key, or as a marker whose time has come.
    fn check_missing(
        &self,
        range: std::ops::Range<Offset>,
        known_below: Offset,
        found: &Found,
        moment: Moment,
    ) -> Result<(), String> {
        let known = self
            .batches
            .iter()
            .filter(|it| it.header.base_offset < known_below);
        let all: Vec<Record> = known.flat_map(|it| records_of(&it.bytes)).collect();
        let latest: BTreeMap<&Option<Bytes>, &Record> =
            all.iter().map(|record| (&record.key, record)).collect();
        for record in all.iter().filter(|record| range.contains(&record.offset)) {
            let last = latest[&record.key];
            let is_void = last.offset > record.offset || record.value.is_none();
            match found.records.get(&record.offset) {
                None if !is_void => return Err(format!("{record:?} is lost")),
                Some(_) if moment == Moment::Still => {
                    // A marker that went before what it deletes brings that back.
                    let is_known =
                        last.offset < range.start || found.records.contains_key(&last.offset);
                    if !is_known && last.offset < range.end {
                        return Err(format!("{record:?} is back from before {last:?}"));
                    }
                }
                _ => {}
            }
        }
        match moment {
            Moment::Still => self.check_ends(range, found),
            Moment::Running => Ok(()),
        }
    }

    /// The last batch of the log is there, and the last one of every producer.
    fn check_ends(&self, range: std::ops::Range<Offset>, found: &Found) -> Result<(), String> {
        let kept = self.up_to(range.end);
        let producers = kept.producers(false).into_values();
        let mut last: Vec<Offset> = producers
            .filter_map(|(_, batches)| Some(batches.back()?.base_offset))
            .collect();
        last.extend(kept.batches.last().map(|batch| batch.header.base_offset));
        let is_missing = |base: &Offset| range.contains(base) && !found.batches.contains(base);
        match last.into_iter().find(is_missing) {
            Some(base) => Err(format!("{base}, a last one, is lost")),
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Found {
    batches: BTreeSet<Offset>,
    records: BTreeMap<Offset, Record>,
}

/// What stays of a batch whatever goes.
fn identity(header: &BatchHeader) -> impl PartialEq + use<> {
    let producer = (
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    let offsets = (header.base_offset, header.last_offset());
    (offsets, header.leader_epoch, producer)
}

fn records_of(batch: &[u8]) -> Vec<Record> {
    records(batch).expect("our clients do not lie")
}
