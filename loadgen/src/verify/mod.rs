//! Reading everything back: each acknowledged record once, in order, intact.
//!
//! **Owns** the second look at a run's records, after it.
//! **Never** trusts what the run knew: stamps are read from the log alone.
//! **Invariants**: a record is judged once; a batch whose fate is unknown may be there or not, but whole and in order.
//! **Enter at** [`read_back`], then [`judge`].

pub(crate) mod judge;
pub(crate) mod read_back;
