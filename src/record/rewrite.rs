//! A batch as compaction leaves it: without the records that a later one of their key has made void.
//!
//! By the rules of Kafka's cleaner: base offset, last offset, leader epoch and producer fields of a batch stay, whatever
//! goes, so that offsets and sequences keep their meaning. A record without a value marks its key as deleted. The first
//! rewrite that leaves such a marker gives its batch a delete horizon (KIP-534), from which on markers of that batch go.
//! The horizon takes the place of the base timestamp, so the records' deltas change with it.

use super::batch::{BatchHeader, Codec};
use super::builder::{assemble, batch_length};
use super::compression::compress;
use super::iterate::{Payload, RecordError, RecordView};
use super::varint::{put_i32, put_i64};
use crate::base::offset::Offset;
use crate::base::time::Timestamp;

/// How the batches of one compaction are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RewriteRules {
    /// Records from here on stay: nobody has looked for later ones of their keys.
    pub known_below: Offset,
    /// The wall clock. `None` while it is not believed: no marker goes, and none begins to age.
    pub now: Option<Timestamp>,
    /// `delete.retention.ms`
    pub marker_retention_ms: u64,
}

/// What is left of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rewritten {
    /// All of it, to the byte.
    Same,
    /// This batch instead, with as many offsets.
    Changed(Vec<u8>),
    Gone,
}

/// What the first look at a batch finds.
#[derive(Default)]
struct Verdict {
    /// By record: whether it stays.
    stays: Vec<bool>,
    kept: usize,
    has_marker: bool,
    /// Of the records that stay.
    smallest: Option<Timestamp>,
    largest: Option<Timestamp>,
}

/// Takes what is void out of one whole batch of the log. `is_latest` says of a record's offset and key whether no later
/// record of that key is known. A batch that `must_stay` (the last of its producer) is kept empty when nothing is left.
///
/// Control batches stay as they are, and so does what is part of a transaction: which of them are void is nothing that a
/// batch alone tells.
pub fn rewrite(
    batch: &[u8],
    rules: &RewriteRules,
    must_stay: bool,
    is_latest: impl FnMut(Offset, &[u8]) -> bool,
) -> Result<Rewritten, RecordError> {
    let header = BatchHeader::parse(batch).map_err(RecordError::Batch)?;
    let attributes = header.attributes;
    if header.base_offset >= rules.known_below
        || attributes.is_control()
        || attributes.is_transactional()
    {
        return Ok(Rewritten::Same);
    }
    let payload = Payload::open(batch)?;
    let verdict = judge(&payload, rules, is_latest)?;
    let horizon = rules.horizon(&header, &verdict);
    let is_whole = verdict.kept == verdict.stays.len();
    match (verdict.kept, must_stay) {
        (0, false) => Ok(Rewritten::Gone),
        (0, true) if is_whole => Ok(Rewritten::Same),
        (0, true) => Ok(Rewritten::Changed(emptied(&header))),
        _ if is_whole && horizon.is_none() => Ok(Rewritten::Same),
        _ => reduced(&payload, &verdict, horizon).map(Rewritten::Changed),
    }
}

impl RewriteRules {
    /// The delete horizon that the batch gets now, if it needs one and has none.
    fn horizon(&self, header: &BatchHeader, verdict: &Verdict) -> Option<Timestamp> {
        let is_due = verdict.has_marker && header.delete_horizon().is_none();
        let keep = i64::try_from(self.marker_retention_ms).unwrap_or(i64::MAX);
        let now = self.now.filter(|_| is_due)?;
        let horizon = Timestamp(now.0.saturating_add(keep));
        // A record of a time that cannot be told from there keeps its markers for ever.
        let is_told = verdict.smallest?.0.checked_sub(horizon.0).is_some();
        is_told.then_some(horizon)
    }
}

fn judge(
    payload: &Payload<'_>,
    rules: &RewriteRules,
    mut is_latest: impl FnMut(Offset, &[u8]) -> bool,
) -> Result<Verdict, RecordError> {
    let horizon = payload.header().delete_horizon();
    let markers_go = horizon
        .zip(rules.now)
        .is_some_and(|(horizon, now)| now >= horizon);
    let mut verdict = Verdict::default();
    for record in payload.records() {
        let record = record?;
        let is_marker = record.value.is_none();
        let stays = record.offset >= rules.known_below
            || record
                .key
                .is_some_and(|key| !(is_marker && markers_go) && is_latest(record.offset, key));
        verdict.stays.push(stays);
        if stays {
            verdict.kept += 1;
            verdict.has_marker |= is_marker;
            let timestamp = record.timestamp;
            verdict.smallest = Some(verdict.smallest.map_or(timestamp, |s| s.min(timestamp)));
            verdict.largest = verdict.largest.max(Some(timestamp));
        }
    }
    Ok(verdict)
}

/// The records that stay, under the header of all of them.
fn reduced(
    payload: &Payload<'_>,
    verdict: &Verdict,
    horizon: Option<Timestamp>,
) -> Result<Vec<u8>, RecordError> {
    let mut header = *payload.header();
    let codec = header.attributes.codec().map_err(RecordError::Codec)?;
    if let Some(horizon) = horizon {
        header.attributes = header.attributes.with_delete_horizon();
        header.base_timestamp = horizon;
    }
    let mut records = Vec::new();
    let mut scratch = Vec::new();
    for (record, stays) in payload.records().zip(&verdict.stays) {
        let record = record?;
        match horizon {
            _ if !stays => {}
            None => records.extend_from_slice(record.raw.bytes),
            Some(base) => put_record(&mut records, &mut scratch, &record, base),
        }
    }
    let body = compress(codec, &records);
    header.batch_length = batch_length(body.len());
    header.record_count = i32::try_from(verdict.kept).expect("not more than there were");
    header.max_timestamp = verdict.largest.expect("a record stays");
    Ok(assemble(&header, &body))
}

/// The record with its time told from another base.
fn put_record(out: &mut Vec<u8>, scratch: &mut Vec<u8>, record: &RecordView<'_>, base: Timestamp) {
    scratch.clear();
    scratch.push(record.raw.attributes);
    put_i64(scratch, record.timestamp.0 - base.0);
    put_i32(scratch, record.raw.offset_delta);
    scratch.extend_from_slice(record.raw.payload);
    put_i32(
        out,
        i32::try_from(scratch.len()).expect("a few bytes longer than it was"),
    );
    out.extend_from_slice(scratch);
}

/// No record: what is left says where its producer's sequence stands.
fn emptied(header: &BatchHeader) -> Vec<u8> {
    let attributes = header.attributes.with_codec(Codec::None);
    let header = BatchHeader {
        attributes: attributes.without_delete_horizon(),
        batch_length: batch_length(0),
        base_timestamp: Timestamp::NONE,
        record_count: 0,
        ..*header
    };
    assemble(&header, &[])
}

/// Tells offset and key of every record that has one, in order, until `tell` answers false; true when it never did.
pub fn keys(
    batch: &[u8],
    mut tell: impl FnMut(Offset, &[u8]) -> bool,
) -> Result<bool, RecordError> {
    for record in Payload::open(batch)?.records() {
        let record = record?;
        if record.key.is_some_and(|key| !tell(record.offset, key)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
