//! A machine in one thread: virtual time, tasks in random order, a disk with the faults of real ones.
//!
//! **Owns** time, scheduling and every byte "on disk"; both are drawn from one seed.
//! **Never** looks at a real clock, file or thread.
//! **Enter at** [`World`], then [`SimDisk`].

mod boundary;
mod content;
mod disk;
mod faults;
mod machine;
mod names;
mod stories;
mod world;

pub use boundary::{BoundaryWatch, Moment};
pub use disk::{SimBuffer, SimDisk, SimFile};
pub use faults::{EIO, ENOSPC, Lie};
pub use machine::{DiskCounters, Machine, Operation, is_segment_path};
pub use world::{SimRuntime, World};
