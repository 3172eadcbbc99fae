//! Vocabulary that every layer may use.
//!
//! **Owns** identifiers, positions, times as values, short lists, memory used again, limits, block alignment, CRC-32C, a keyed hash, a seeded generator.
//! **Never** depends on another folder, reads a clock or performs I/O.
//! **Invariants**: ids, offsets and positions are distinct types that do not add up with each other.
//! **Enter at** [`ids`], then [`limits`].

pub mod align;
pub mod checksum;
pub mod endpoint;
pub mod epoch;
pub mod few;
pub mod ids;
pub mod limits;
pub mod offset;
pub mod prng;
pub mod recycler;
pub mod siphash;
pub mod time;
