//! The on-disk log as pure data: formats, plans and the recovery decision.
//!
//! **Owns** every byte on disk and every decision about one: what a commit cycle holds, what a lap flushes, what
//! frees the journal, what recovery concludes.
//! **Never** performs I/O, reads a clock, or knows of a device.
//! **Invariants**: a section at sequence `s` is exactly what replaying the journal up to `s` leaves, because replay and
//! the live commit loop change it by the same function.
//! **Enter at** `section`, then `recovery`.

// Small pieces.
pub(crate) mod cursor;
pub mod log_config;
pub mod note;
pub mod offline;
pub mod table_error;
// What a partition is: tables, segments, and the section that has them all.
pub mod epoch_table;
pub mod index;
pub mod producer_table;
pub mod section;
pub mod segment;
// The journal and what frees it.
pub mod entry;
pub mod journal_format;
pub mod journal_ring;
pub mod ring_ledger;
mod shard_header;
pub mod snapshot_format;
// A running partition.
pub mod compaction;
pub mod pace;
pub mod partition_log;
pub mod read_streams;
pub mod retention;
// After a crash.
pub mod recovery;
pub mod tail;
#[cfg(test)]
pub(crate) mod testing;
// The node.
pub mod directory_format;
pub mod meta_format;
pub mod paths;

pub use note::Note;
