//! What became of each batch of a connection, by partition: kept when it is asked for afterwards.

use crate::workload::pool::Parcel;
use crate::workload::stamp::Stream;
use std::collections::BTreeMap;

/// Batches that one thread's ledger remembers: eight bytes each.
pub(crate) const BATCHES_MAX: usize = 100_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// The offset of its first record; none when the broker only said that it has the batch already.
    Acknowledged { base_offset: Option<i64> },
    /// Sent, never answered, or answered with an error: it may be in the log or not.
    Unknown,
}

/// By stream, by batch.
#[derive(Default)]
pub(crate) struct Ledger {
    streams: BTreeMap<Stream, Vec<i64>>,
    batches: usize,
}

const UNKNOWN: i64 = -1;
const WITHOUT_OFFSET: i64 = -2;

impl Ledger {
    pub(crate) fn sent(&mut self, parcel: &Parcel) {
        let batches = self.streams.entry(parcel.stream).or_default();
        assert_eq!(
            batches.len() as u64,
            parcel.batch,
            "batches of a stream are sent in order"
        );
        batches.push(UNKNOWN);
        self.batches += 1;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.batches >= BATCHES_MAX
    }

    pub(crate) fn acknowledged(&mut self, parcel: &Parcel, base_offset: Option<i64>) {
        let batches = self.streams.get_mut(&parcel.stream).expect("it was sent");
        batches[parcel.batch as usize] = base_offset.unwrap_or(WITHOUT_OFFSET);
    }

    /// Takes in another connection's; streams are never shared.
    pub(crate) fn merge(&mut self, other: Ledger) {
        for (stream, batches) in other.streams {
            let before = self.streams.insert(stream, batches);
            assert!(before.is_none(), "a stream belongs to one connection");
        }
    }

    /// None for a batch that was never sent.
    pub(crate) fn fate(&self, stream: Stream, batch: u64) -> Option<Fate> {
        let batches = self.streams.get(&stream)?;
        let told = *batches.get(usize::try_from(batch).ok()?)?;
        Some(match told {
            UNKNOWN => Fate::Unknown,
            WITHOUT_OFFSET => Fate::Acknowledged { base_offset: None },
            offset => Fate::Acknowledged {
                base_offset: Some(offset),
            },
        })
    }

    pub(crate) fn streams(&self) -> impl Iterator<Item = (Stream, u64)> {
        self.streams
            .iter()
            .map(|(stream, batches)| (*stream, batches.len() as u64))
    }
}
