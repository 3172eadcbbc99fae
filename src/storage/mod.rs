//! Executes log plans on disk, on the two seams `disk` and `runtime`.
//!
//! **Owns** the data directory: journal, segments, snapshots, superblock.
//! **Never** decides about Kafka or durability rules; `log` does. Never cancels an I/O, never borrows over an await.
//! **Invariants**: one journal write in flight; `durable` moves only when it has succeeded whole; a failed write or sync
//! fails the directory for good; a file open for writing is locked; nothing readable is trusted before it is synced.
//! **Enter at** `store`, then `open`.
#![allow(async_fn_in_trait)]

pub mod disk;
pub mod dma;
pub mod runtime;
// What everything else speaks in.
pub mod errors;
pub mod event;
pub mod settings;
// The directory.
pub mod directory;
pub mod file_system;
pub mod locking;
pub mod meta_log;
pub mod open;
pub mod paths;
// One shard's store.
pub mod reader;
pub mod start;
pub mod stats;
pub mod store;
