//! Looks over the shoulder of the journals, to tell what really was written. It decides nothing.

use crate::counters::counters;
use bytes::Bytes;
use ottla::base::ids::{PartitionId, ShardId};
use ottla::log::entry::{Change, FoundBody, decode_entries};
use ottla::log::journal_format::{RECORD_HEADER_BYTES, RecordHeader};
use std::collections::BTreeMap;
use std::path::Path;

counters! {
    /// Entries by kind, of all journals of a run.
    pub struct JournalCounters {
        records,
        /// Records whose cycle goes on in the next one.
        continued,
        empty_cycles,
        data,
        /// `Data` that repeats what precedes it in its block.
        lead_ins,
        rolls,
        sealed,
        epoch_starts,
        log_starts,
        replaced,
        truncates,
        promises,
        drops,
        snapshots,
        /// Cycles with batches of more than one partition.
        shared_cycles,
    }
}

#[derive(Default)]
pub struct JournalWatch {
    /// Bodies of an unfinished cycle.
    unfinished: BTreeMap<ShardId, Vec<u8>>,
    counters: JournalCounters,
}

impl JournalWatch {
    pub fn on_write(&mut self, path: &Path, bytes: &[u8]) {
        let folder = path.parent().and_then(Path::file_name);
        if folder.is_some_and(|folder| folder == "journal") {
            self.on_journal_write(bytes);
        }
    }

    pub fn counters(&self) -> JournalCounters {
        self.counters
    }

    fn on_journal_write(&mut self, mut bytes: &[u8]) {
        while let Some((header, _)) = RecordHeader::decode(bytes) {
            let body_end = RECORD_HEADER_BYTES + header.body_bytes as usize;
            self.on_record(&header, &bytes[RECORD_HEADER_BYTES..body_end]);
            bytes = &bytes[header.record_bytes() as usize..];
        }
    }

    fn on_record(&mut self, header: &RecordHeader, body: &[u8]) {
        let unfinished = self.unfinished.entry(header.owner.shard).or_default();
        if header.sequence == 1 {
            unfinished.clear();
        }
        unfinished.extend_from_slice(body);
        self.counters.records += 1;
        if header.continues {
            self.counters.continued += 1;
            return;
        }
        let cycle = Bytes::from(std::mem::take(unfinished));
        let entries = decode_entries(&cycle).expect("what was just written can be read");
        assert_eq!(
            entries.len(),
            header.entry_count as usize,
            "entries of a cycle"
        );
        self.counters.empty_cycles += u64::from(entries.is_empty());
        let mut partitions: Vec<PartitionId> = Vec::new();
        for entry in &entries {
            self.on_entry(&entry.body);
            if matches!(entry.body, FoundBody::Data { .. }) {
                partitions.push(entry.partition);
            }
        }
        partitions.dedup();
        self.counters.shared_cycles += u64::from(partitions.len() > 1);
    }

    fn on_entry(&mut self, body: &FoundBody) {
        let counters = &mut self.counters;
        let counter = match body {
            FoundBody::Data { lead_in, .. } => {
                counters.lead_ins += u64::from(*lead_in > 0);
                &mut counters.data
            }
            FoundBody::Snapshot(_) => &mut counters.snapshots,
            FoundBody::Change(Change::Roll { .. }) => &mut counters.rolls,
            FoundBody::Change(Change::Sealed { .. }) => &mut counters.sealed,
            FoundBody::Change(Change::EpochStart { .. }) => &mut counters.epoch_starts,
            FoundBody::Change(Change::LogStart(_)) => &mut counters.log_starts,
            FoundBody::Change(Change::Replace(_)) => &mut counters.replaced,
            FoundBody::Change(Change::Drop) => &mut counters.drops,
            FoundBody::Change(Change::Truncate { .. }) => &mut counters.truncates,
            FoundBody::Change(Change::Promise(_)) => &mut counters.promises,
            other => panic!("nobody writes {other:?}"),
        };
        *counter += 1;
    }
}
