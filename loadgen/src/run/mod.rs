//! One run, from the first connection to its result.
//!
//! **Owns** the order of things: topic, batches, threads, the window, reading back, the sink, the document.
//! **Never** touches a socket while latencies are measured: its thread sleeps then.
//! **Invariants**: every measurement has a window fixed before its first request.
//! **Enter at** [`conduct`], then [`measure`].

pub(crate) mod conduct;
pub(crate) mod floor;
pub(crate) mod measure;
pub(crate) mod parts;
pub(crate) mod report;
pub(crate) mod slo;
