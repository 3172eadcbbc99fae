//! Numbers about the broker, without transport: what is counted where, and what a scrape gets.
//!
//! **Owns** the catalogue of all metrics and labels, the cells each core counts in, the snapshot of one core.
//! **Never** encodes text, allocates while counting, or shares a cell between cores.
//! **Invariants**: names are `ottla_<area>_<what>_<unit>` in base units, counters end in `_total`; label sets are
//! closed, so the number of series does not grow with topics, groups or clients, but for those of `DETAIL`.
//! **Enter at** [`catalog`], then [`cells`]; admin reads [`snapshot`].

pub mod counter;
pub mod histogram;
pub mod label;
pub mod latency;

pub mod catalog;
pub mod cells;
pub mod snapshot;

pub use catalog::{CATALOG, DETAIL, Kind, Metric};
pub use cells::{NodeCells, PlaneCells, ShardCells, StoreCells};
pub use counter::{Count, Gauge, Ratio, Seconds};
pub use histogram::{Histogram, HistogramSnapshot};
pub use label::{Api, ErrorClass, Split, Stage};
pub use latency::{Latency, LatencySnapshot};
pub use snapshot::{Sample, ShardSnapshot, Value};
