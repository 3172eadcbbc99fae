//! A start that is played through and leaves no trace: the same code as a real one, on a disk that keeps to itself what
//! is written.
//!
//! For whoever wants to know what a start would do to a directory. Offline, blocking, one call at a time.

mod disk;
mod executor;

#[cfg(test)]
mod tests;

pub use disk::{RehearsalDisk, RehearsalFile};
pub use executor::Executor;
