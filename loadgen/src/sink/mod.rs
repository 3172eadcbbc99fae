//! A minimal broker that answers at once, in memory: what the generator could do if the broker cost nothing.
//!
//! **Owns** its topics, whatever of their batches still fits, and its one thread.
//! **Never** writes to a disk, checks a batch, or knows groups.
//! **Invariants**: offsets of a partition are dense; a fetch that cannot be answered waits, bounded by its own limit.
//! **Enter at** [`serve`], then [`api`].

pub(crate) mod api;
pub(crate) mod serve;
pub(crate) mod store;
