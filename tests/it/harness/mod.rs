//! What every story needs: a real broker of its own, a small blocking client, and waiting with a deadline.
//!
//! **Owns** the processes, directories and sockets of tests. **Never** sleeps for a fixed time in place of a
//! condition, binds a fixed port, or ends a process it did not start. **Invariants**: a directory is on the file
//! system of the build (tmpfs has no direct I/O) and survives a failed test. **Enter at** [`broker`].
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several test programs, each of which uses a part"
)]

pub mod admin;
pub mod batches;
pub mod broker;
pub mod client;
pub mod data;
pub mod directory;
pub mod groups;
pub mod host;
pub mod kafka;
pub mod mount;
pub mod operator;
pub mod stream;
pub mod tool;
pub mod wait;
