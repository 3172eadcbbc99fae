//! A machine in one thread: virtual time, tasks in random order, a disk with the faults of real ones.
//!
//! **Owns** time, scheduling and every byte "on disk"; both are drawn from one seed.
//! **Never** looks at a real clock, file or thread.
//! **Enter at** [`World`], then [`SimDisk`].

mod content;
mod disk;
mod machine;
mod names;
mod stories;
mod world;

pub use disk::{SimBuffer, SimDisk, SimFile};
pub use machine::DiskCounters;
pub use world::{SimRuntime, World};
