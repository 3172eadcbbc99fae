//! The producing side of a run.
//!
//! **Owns** connections that send the pool's batches when they are due, or when an answer makes room, and what each
//! request became.
//! **Never** decides what is due: that was decided before the run.
//! **Invariants**: a due request is never skipped; an answer is matched to its request by order and correlation id;
//! each request ends as acknowledged, refused or unknown.
//! **Enter at** [`worker`], then [`producer`].

pub(crate) mod answer;
pub(crate) mod ledger;
pub(crate) mod outcome;
pub(crate) mod producer;
pub(crate) mod worker;
