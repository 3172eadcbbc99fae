//! What is sent.
//!
//! **Owns** keys and their distribution, values, batches encoded and check-summed before the run, and the stamps by
//! which a record read back is recognised.
//! **Never** knows when anything is sent, or what became of it.
//! **Invariants**: a batch of the pool is complete but for its ids; with stamps, every record of a run is unique.
//! **Enter at** [`pool`], then [`stamp`].

pub(crate) mod crc_patch;
pub(crate) mod keys;
pub(crate) mod pool;
pub(crate) mod stamp;
pub(crate) mod values;
