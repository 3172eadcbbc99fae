//! Closed label sets, and cells split by them.

use super::catalog::Metric;
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
    ErrorClass "error" {
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
    /// Stages of a request.
    Stage "stage" {
        /// From its first byte to the hand-over to the shards.
        Receive "receive",
        /// From the hand-over to the answer.
        Answer "answer",
        /// From the answer to its last byte in the socket.
        Send "send",
        /// All of it.
        Total "total",
    }
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
}
