//! Power cuts at every boundary: before, inside and after each change on the disk of a running broker; and at some of
//! its recovery's.
//!
//! **Owns** where cuts fall, what is counted about them, and the ledger's figures.
//! **Never** runs a workload again for a cut: the machine is copied where the cut falls, its bytes shared until one of
//! the two changes, and a recovery runs on the copy in a world of its own.
//! **Invariants**: looking on changes nothing; a run without cuts has the same trace. A cut's survivors are drawn from
//! the run's seed and the cut's number alone.
//! **Enter at** [`run`], then `image`.

mod image;
mod labels;
mod run;
mod stories;
mod tally;

pub use run::{Density, Report, run};
