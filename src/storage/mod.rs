//! Executes log plans on disk, on the two seams `disk` and `runtime`.
//!
//! **Owns** the data directory: journal, segments, snapshots, superblock.
//! **Never** decides about Kafka or durability rules; `log` does. Never cancels an I/O, never borrows over an await.
//! **Invariants**: one journal write in flight; `durable` moves only when it has succeeded whole; a failed write or sync
//! fails the directory for good, for all its shards; a file open for writing is locked; nothing readable is trusted before it is synced.
//! **Enter at** `store`, then `open`.
#![allow(async_fn_in_trait)]

pub mod disk;
pub mod dma;
pub mod runtime;
// What everything else speaks in.
pub mod errors;
pub mod event;
pub mod failure;
pub mod settings;
// The directory.
pub mod directory;
pub mod file_system;
pub mod locking;
pub mod meta_log;
pub mod open;
mod recover;
pub mod rehearsal;
// One shard's store.
mod offline;
mod reads;
mod shared;
pub mod start;
mod state;
pub mod stats;
pub mod store;
// Its tasks.
mod commit;
mod compaction;
mod housekeeping;
mod lap;
mod removal;
mod rest;
// Its files.
mod ballast;
mod cold_pool;
mod cold_read;
mod cut;
mod index_tail;
mod journal;
mod journal_writes;
mod lead_in;
mod open_segments;
mod quarantine;
mod read_ahead;
pub mod reader;
mod ring_ledger_file;
mod scan;
mod segment_file;
mod segment_rewriter;
mod state_file;
mod stopped_readers;
mod tasks;
mod window;
mod write;
