//! What one consuming thread measured.

use crate::latency::{Values, new_histogram};
use crate::produce::outcome::{PLACES_MAX, Place};
use crate::progress::{Reporter, Window};
use ottla::record::{BATCH_HEADER_BYTES, BatchHeader};
use std::collections::BTreeMap;

pub(crate) struct Outcome {
    window: Window,
    /// From a fetch to its answer, of fetches answered in the window.
    pub(crate) latency: Values,
    pub(crate) requests: u64,
    pub(crate) records: u64,
    /// Of the records as they are stored.
    pub(crate) stored_bytes: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Where batches were met, and when.
    pub(crate) places: Option<Vec<Place>>,
    /// When the last record came, for a reader that ends before the window does.
    pub(crate) last_ns: u64,
}

impl Outcome {
    pub(crate) fn new(window: Window, keep_places: bool) -> Outcome {
        Outcome {
            window,
            latency: new_histogram(),
            requests: 0,
            records: 0,
            stored_bytes: 0,
            errors: BTreeMap::new(),
            places: keep_places.then(Vec::new),
            last_ns: 0,
        }
    }

    pub(crate) fn fetched(&mut self, sent_ns: u64, now_ns: u64) {
        if self.window.contains(now_ns) {
            self.requests += 1;
            self.latency.saturating_record(now_ns - sent_ns);
        }
    }

    pub(crate) fn met(
        &mut self,
        partition: usize,
        batch: &BatchHeader,
        now_ns: u64,
        reporter: &mut Reporter,
    ) {
        let records = u64::try_from(batch.record_count).unwrap_or(0);
        if self.window.contains(now_ns) {
            self.records += records;
            self.stored_bytes += (batch.total_bytes() - BATCH_HEADER_BYTES) as u64;
        }
        self.last_ns = now_ns;
        reporter.counts.consumed_records += records;
        if let Some(places) = &mut self.places
            && places.len() < PLACES_MAX
        {
            places.push(Place {
                partition: partition as u32,
                base_offset: batch.base_offset.0,
                time_ns: now_ns,
            });
        }
    }

    pub(crate) fn failed(&mut self, name: &str, reporter: &mut Reporter) {
        *self.errors.entry(name.to_owned()).or_default() += 1;
        reporter.counts.errors += 1;
    }

    pub(crate) fn merge(&mut self, other: Outcome) {
        self.latency
            .add(&other.latency)
            .expect("histograms of one shape");
        self.requests += other.requests;
        self.records += other.records;
        self.stored_bytes += other.stored_bytes;
        for (name, count) in other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        if let (Some(places), Some(other)) = (&mut self.places, other.places) {
            places.extend(other);
        }
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}
