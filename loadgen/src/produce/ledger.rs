//! What became of each batch of a connection, by partition: kept when it is asked for afterwards.

use crate::workload::pool::Parcel;
use crate::workload::stamp::Stream;
use std::collections::BTreeMap;

/// Batches of one run that a ledger remembers at most, all connections together: eight bytes each.
pub(crate) const BATCHES_MAX: usize = 200_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// The offset of its first record; none when the broker only said that it has the batch already.
    Acknowledged { base_offset: Option<i64> },
    /// Sent, never answered, or answered with an error: it may be in the log or not.
    Unknown,
}

/// By stream, by batch.
#[derive(Default)]
pub(crate) struct Ledger(BTreeMap<Stream, Vec<i64>>);

const UNKNOWN: i64 = -1;
const WITHOUT_OFFSET: i64 = -2;

impl Ledger {
    pub(crate) fn sent(&mut self, parcel: &Parcel) {
        let batches = self.0.entry(parcel.stream).or_default();
        assert_eq!(
            batches.len() as u64,
            parcel.batch,
            "batches of a stream are sent in order"
        );
        batches.push(UNKNOWN);
    }

    pub(crate) fn acknowledged(&mut self, parcel: &Parcel, base_offset: Option<i64>) {
        let batches = self.0.get_mut(&parcel.stream).expect("it was sent");
        batches[parcel.batch as usize] = base_offset.unwrap_or(WITHOUT_OFFSET);
    }

    /// Takes in another connection's; streams are never shared.
    pub(crate) fn merge(&mut self, other: Ledger) {
        for (stream, batches) in other.0 {
            let before = self.0.insert(stream, batches);
            assert!(before.is_none(), "a stream belongs to one connection");
        }
    }

    /// None for a batch that was never sent.
    pub(crate) fn fate(&self, stream: Stream, batch: u64) -> Option<Fate> {
        let batches = self.0.get(&stream)?;
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
        self.0
            .iter()
            .map(|(stream, batches)| (*stream, batches.len() as u64))
    }
}
