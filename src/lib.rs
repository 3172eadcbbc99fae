//! ottla: a Kafka-wire-compatible broker for Linux.
//!
//! The code that decides does no I/O, the code that does I/O decides nothing. Modules stand in layer order, an
//! import only points up this list; `tests/tidy.rs` holds it.

// L0: vocabulary
pub mod base;
pub mod config;
pub mod metrics;
// L1: bytes with meaning
pub mod record;
pub mod wire;
// L2: deciders
pub mod control;
pub mod group;
pub mod log;
// L3: one replica's brain
pub mod partition;

// L4 and up: what performs
#[cfg(feature = "runtime")]
pub mod admin;
#[cfg(feature = "runtime")]
pub mod boot;
#[cfg(feature = "runtime")]
pub mod server;
#[cfg(feature = "runtime")]
pub mod shard;
#[cfg(feature = "runtime")]
pub mod storage;
