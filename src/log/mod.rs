//! The on-disk log as pure data: formats, plans and the recovery decision.
//!
//! **Owns** every byte on disk and every decision about one: what a commit cycle holds, what a lap flushes, what
//! frees the journal, what recovery concludes.
//! **Never** performs I/O, reads a clock, or knows of a device.
//! **Invariants**: a section at sequence `s` is exactly what replaying the journal up to `s` leaves, because replay and
//! the live commit loop change it by the same function.
//! **Enter at** `section`, then `recovery`.

pub mod directory_format;
pub mod epoch_table;
pub mod log_config;
pub mod meta_format;
pub mod note;
pub mod offline;
pub mod producer_table;
pub mod table_error;

pub use note::Note;
