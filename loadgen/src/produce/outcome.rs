//! What one producing thread measured. Merged when the run is over.

use super::ledger::Ledger;
use crate::latency::{Values, new_histogram};
use crate::progress::{Reporter, Window};
use std::collections::BTreeMap;

/// The generator took a request up later than this after its time: a late start.
pub(crate) const LATE_NS: u64 = 1_000_000;

/// Acknowledged batches whose places are remembered for end-to-end latency, by one thread: 24 bytes each.
pub(crate) const PLACES_MAX: usize = 20_000_000;

/// Latencies that one thread keeps singly: eight bytes each.
pub(crate) const SAMPLES_MAX: usize = 100_000_000;

/// Where the records of a request went, for whoever meets them in a consumer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) partition: u32,
    pub(crate) base_offset: i64,
    /// Of a producer: when the request was due. Of a consumer: when it arrived.
    pub(crate) time_ns: u64,
}

pub(crate) struct Outcome {
    window: Window,
    /// By requests due in the window, whenever they were acknowledged.
    pub(crate) latency: Values,
    pub(crate) service: Values,
    /// By acknowledgements in the window.
    pub(crate) requests: u64,
    pub(crate) records: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) unanswered: u64,
    /// Requests taken up in the window, and those of them that were late.
    pub(crate) started: u64,
    pub(crate) late: u64,
    /// Every latency in nanoseconds, when asked for.
    pub(crate) samples: Option<Vec<u64>>,
    pub(crate) places: Option<Vec<Place>>,
    pub(crate) ledger: Option<Ledger>,
}

/// What is kept beside histograms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keep {
    pub(crate) samples: bool,
    pub(crate) places: bool,
    pub(crate) ledger: bool,
}

/// Times of one answered request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) due_ns: u64,
    pub(crate) written_ns: u64,
    pub(crate) answered_ns: u64,
}

impl Outcome {
    pub(crate) fn new(window: Window, keep: Keep) -> Outcome {
        Outcome {
            window,
            latency: new_histogram(),
            service: new_histogram(),
            requests: 0,
            records: 0,
            payload_bytes: 0,
            errors: BTreeMap::new(),
            unanswered: 0,
            started: 0,
            late: 0,
            samples: keep.samples.then(Vec::new),
            places: keep.places.then(Vec::new),
            ledger: keep.ledger.then(Ledger::default),
        }
    }

    pub(crate) fn started(&mut self, due_ns: u64, now_ns: u64) {
        if self.window.contains(due_ns) {
            self.started += 1;
            self.late += u64::from(now_ns.saturating_sub(due_ns) > LATE_NS);
        }
    }

    pub(crate) fn acknowledged(
        &mut self,
        times: Times,
        records: u64,
        bytes: u64,
        reporter: &mut Reporter,
    ) {
        let latency = times.answered_ns.saturating_sub(times.due_ns);
        if self.window.contains(times.due_ns) {
            let service = times.answered_ns.saturating_sub(times.written_ns);
            self.latency.saturating_record(latency);
            self.service.saturating_record(service);
            if let Some(samples) = &mut self.samples
                && samples.len() < SAMPLES_MAX
            {
                samples.push(latency);
            }
        }
        if self.window.contains(times.answered_ns) {
            self.requests += 1;
            self.records += records;
            self.payload_bytes += bytes;
        }
        reporter.counts.requests += 1;
        reporter.counts.records += records;
        reporter.counts.payload_bytes += bytes;
        reporter.latency(latency);
    }

    pub(crate) fn place(&mut self, place: Place) {
        if let Some(places) = &mut self.places
            && places.len() < PLACES_MAX
        {
            places.push(place);
        }
    }

    pub(crate) fn failed(&mut self, name: &str, count: u64, reporter: &mut Reporter) {
        match self.errors.get_mut(name) {
            Some(seen) => *seen += count,
            None => drop(self.errors.insert(name.to_owned(), count)),
        }
        reporter.counts.errors += count;
    }

    pub(crate) fn merge(&mut self, other: Outcome) {
        self.latency
            .add(&other.latency)
            .expect("histograms of one shape");
        self.service
            .add(&other.service)
            .expect("histograms of one shape");
        self.requests += other.requests;
        self.records += other.records;
        self.payload_bytes += other.payload_bytes;
        for (name, count) in other.errors {
            *self.errors.entry(name).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.started += other.started;
        self.late += other.late;
        extend(&mut self.samples, other.samples);
        extend(&mut self.places, other.places);
        if let (Some(ledger), Some(other)) = (&mut self.ledger, other.ledger) {
            ledger.merge(other);
        }
    }

    pub(crate) fn late_share(&self) -> f64 {
        self.late as f64 / self.started.max(1) as f64
    }
}

fn extend<T>(all: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
    if let (Some(all), Some(more)) = (all, more) {
        all.extend(more);
    }
}
