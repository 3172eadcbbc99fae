//! The machine below a broker, as `doctor` and `tune` see it: the table of knobs, what is found, what to think of it.
//!
//! What reads (`root`, `scene`, `probe`) decides nothing; what decides (`wanted`, and the parsers of what the kernel writes)
//! reads nothing.

pub(crate) mod arguments;
pub(crate) mod finding;
pub(crate) mod knobs;
pub(crate) mod reading;
pub(crate) mod verdict;
pub(crate) mod wanted;

pub(crate) mod root;
pub(crate) mod scene;

pub(crate) mod direct;
mod probe;

// What the kernel writes, parsed.
pub(crate) mod cpus;
mod interrupts;
mod limits;
mod mounts;
