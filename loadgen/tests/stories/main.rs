//! Stories of the load generator: its binary, against its sink, a proxy that lies, and a real broker.
//!
//! **Owns** the processes it starts, each on a port of its own.
//! **Never** asserts how fast this machine is.
//! **Invariants**: what is compared was measured in the same run.
//! **Enter at** [`harness`], then a file of stories.

mod broker;
mod broker_stories;
mod harness;
mod latency_stories;
mod mode_stories;
mod proxy;
mod verify_stories;
