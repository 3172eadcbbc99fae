//! One page about one run, or about several beside each other: an HTML file that needs nothing else.
//!
//! - **Owns**: how results look on paper and on a screen; the style, the script and the data are all in the file.
//! - **Never**: measures, fetches anything, or trusts a label. Text of a result is escaped, the page forbids itself the
//!   network and every script but its own.
//! - **Invariants**: tables and bars are complete without the script, which draws the plots at the width there is.
//! - **Enter at**: [`command::report`], [`page::page`].
//!
//! The plots are drawn by 400 lines of our own: a percentile axis, marks of failed steps and lines that fade where
//! samples get few are what plotting libraries lack, and what would remain of one is less than its 50 kB.

pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod page;

mod curves;
mod html;
mod latency;
mod overview;
mod setup;
mod shown;
mod throughput;
mod verdict;

#[cfg(test)]
mod tests;
