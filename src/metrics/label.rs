//! Closed label sets, and cells split by them.

use super::catalog::Metric;
use super::counter::Gauge;
use super::latency::Latency;
use super::snapshot::{Collect, Labels, Sample};
use std::marker::PhantomData;

/// A label with a fixed set of values.
pub trait Label: Copy {
    const NAME: &'static str;
    const VALUES: &'static [&'static str];
    /// Whether a scrape leaves out a value that was never counted (all but the first).
    const SPARSE: bool = false;

    fn index(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident $label:literal { $($(#[$value_doc:meta])* $value:ident $text:literal,)* }
     $($sparse:item)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl Label for $name {
            const NAME: &'static str = $label;
            const VALUES: &'static [&'static str] = &[$($text,)*];
            $($sparse)?

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Groups of Kafka APIs.
    Api "api" {
        Produce "produce",
        Fetch "fetch",
        ListOffsets "list_offsets",
        Metadata "metadata",
        /// OffsetCommit and OffsetFetch.
        Commit "commit",
        Group "group",
        Transaction "txn",
        Admin "admin",
        Other "other",
    }
}

label! {
    /// How a request ended; of a request with several parts, the first part that failed.
    #[derive(Default)]
    ErrorClass "error" {
        #[default]
        None "none",
        /// A version or API that is not served.
        Unsupported "unsupported",
        /// A request, name, config or batch that breaks a rule.
        Invalid "invalid",
        /// A topic, partition, id or offset that is not there.
        NotFound "not_found",
        /// What exists already, a gap in a sequence, a fenced epoch.
        Conflict "conflict",
        TooLarge "too_large",
        Unauthorized "unauthorized",
        /// Not now: too busy, or the leader is not known.
        Unavailable "unavailable",
        /// The fate is unknown.
        Timeout "timeout",
        /// The disk, or a failed directory.
        Storage "storage",
        /// A defect of this broker.
        Unknown "unknown",
    }
    const SPARSE: bool = true;
}

label! {
    /// Stages of a request; without `Total` they add up to it.
    Stage "stage" {
        /// From the first byte of the request to the last byte of the answer.
        Total "total",
        /// From its first byte until all of it is here and may start.
        Receive "receive",
        /// Produce: checked, brought to the core that owns the partition, put into its log.
        Append "append",
        /// Produce: until what was put there is as durable as its topic asks.
        Durable "durable",
        /// Fetch: waiting for data, as long as the client allows.
        Wait "wait",
        /// What else it takes until the answer is known and its turn has come.
        Answer "answer",
        /// From the answer to its last byte in the socket.
        Send "send",
    }
    const SPARSE: bool = true;
}

label! {
    /// States of consumer groups.
    GroupPhase "state" {
        Empty "empty",
        PreparingRebalance "preparing_rebalance",
        CompletingRebalance "completing_rebalance",
        Stable "stable",
        Dead "dead",
    }
}

label! {
    /// What a coordinator of groups does.
    CoordinatorPhase "phase" {
        /// Reads what earlier runs wrote.
        Loading "loading",
        Serving "serving",
        /// Its log cannot be read, or nobody knows what it holds.
        Failed "failed",
        /// The broker stops.
        Closed "closed",
    }
}

label! {
    /// Task queues of a core.
    TaskQueue "class" {
        /// Requests, commits, deciders, and everything else at once.
        Foreground "foreground",
        /// Laps.
        Flush "flush",
        /// Reads from segments.
        Read "read",
        Housekeeping "housekeeping",
    }
}

/// What a label may say; `None`: it names a shard, a topic, or something else there is no list of.
pub fn values_of(label: &str) -> Option<&'static [&'static str]> {
    let sets = [
        (Api::NAME, Api::VALUES),
        (ErrorClass::NAME, ErrorClass::VALUES),
        (Stage::NAME, Stage::VALUES),
        (GroupPhase::NAME, GroupPhase::VALUES),
        (CoordinatorPhase::NAME, CoordinatorPhase::VALUES),
        (TaskQueue::NAME, TaskQueue::VALUES),
    ];
    let set = sets.into_iter().find(|(name, _)| *name == label);
    set.map(|(_, values)| values)
}

/// One cell per value of a label.
#[derive(Debug)]
pub struct Split<L, T> {
    cells: Box<[T]>,
    label: PhantomData<L>,
}

impl<L: Label, T: Default> Default for Split<L, T> {
    fn default() -> Split<L, T> {
        Split {
            cells: L::VALUES.iter().map(|_| T::default()).collect(),
            label: PhantomData,
        }
    }
}

impl<L: Label, T> Split<L, T> {
    pub fn at(&self, value: L) -> &T {
        &self.cells[value.index()]
    }
}

impl<L: Label> Split<L, Gauge> {
    /// One number for each value, in their order.
    pub fn set_all(&self, numbers: &[u64]) {
        assert_eq!(numbers.len(), self.cells.len());
        for (cell, number) in self.cells.iter().zip(numbers) {
            cell.set(*number);
        }
    }
}

impl<L: Label, T: Collect> Collect for Split<L, T> {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        for (index, cell) in self.cells.iter().enumerate() {
            if L::SPARSE && index > 0 && cell.is_untouched() {
                continue;
            }
            let mut labels = labels.clone();
            labels.push((L::NAME, L::VALUES[index].into()));
            cell.collect(metric, &labels, samples);
        }
    }

    fn is_untouched(&self) -> bool {
        self.cells.iter().all(Collect::is_untouched)
    }

    fn latencies<'a>(
        &'a self,
        metric: &'static Metric,
        labels: &Labels,
        found: &mut Vec<(&'static Metric, Labels, &'a Latency)>,
    ) {
        for (index, cell) in self.cells.iter().enumerate() {
            let mut labels = labels.clone();
            labels.push((L::NAME, L::VALUES[index].into()));
            cell.latencies(metric, &labels, found);
        }
    }
}
