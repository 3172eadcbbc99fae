//! Start and stop: what is wired to what, and in which order.
//!
//! **Owns** the order directory, recovery, shards, listeners (and back again), the checks of the host, the line a failed
//! start prints.
//! **Never** decides anything about Kafka, durability or partitions.
//! **Invariants**: nothing is served before recovery has ended and every shard runs; a store stops only after the last
//! connection has its answers.
//! **Enter at** [`start`], then `stop`.

pub mod start;

// What a start would do, without doing it.
pub mod rehearsal;

mod directory;
mod shards;
mod stop;

mod addresses;
mod host;
mod placement;

pub mod failure;
pub mod logging;
pub mod panics;
pub mod survey;

pub use addresses::Listen;
pub use failure::StartError;
pub use start::{Ready, serve};
