//! The consuming side of a run.
//!
//! **Owns** connections that fetch, what they met and when, and the join with what producers know.
//! **Never** looks inside a batch: its header says what is needed, so that a consumer costs little per record.
//! **Invariants**: a consumer asks for the offset after the last batch it met, so it meets each once.
//! **Enter at** [`worker`], then [`fetcher`].

pub(crate) mod fetcher;
pub(crate) mod join;
pub(crate) mod outcome;
pub(crate) mod worker;
