//! The three system calls of io_uring, between the crate `io-uring` and the kernel.
//!
//! **Owns** the flags that a ring is set up with, for which the runtime has no setting.
//! **Never** looks at what is submitted or completed.
//! **Invariants**: a kernel that does not know a flag gives a ring without it.
//! **Enter at** `calls`.

mod calls;

pub use calls::{syscall2, syscall4, syscall6};
