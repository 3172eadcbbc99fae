//! A run as it goes on, on standard error.
//!
//! - **Owns**: one thread that wakes a few times a second, and the lines it last wrote.
//! - **Never**: touches the terminal's modes. No raw mode, no other screen, no hidden cursor: lines are written over
//!   the last ones, so whatever ends the process leaves a terminal that works. It is a tenth of what a library of
//!   widgets would be, and takes nothing from the run but a snapshot of its counters.
//! - **Invariants**: lines are no longer than the terminal is wide, or going up by their number would miss the first.
//! - **Enter at**: [`screen::Live::start`].

pub(crate) mod frame;
pub(crate) mod screen;
