//! The storage code on a disk that may do everything a real one may: lose what was not synced, tear, return garbage,
//! finish a dead process's write late. One seed is one history; it fails with its seed, and again the same way.
#![allow(
    unreachable_pub,
    reason = "a test binary has no outside; `pub` marks what a folder offers"
)]

#[path = "../../bench/batch.rs"]
mod batch;
mod bench;
mod campaign;
mod cold;
mod counters;
mod cuts;
mod directory;
mod index;
mod lap;
mod metadata;
mod one_log;
mod pool;
mod removal;
mod rest;
mod sim;
mod start;
mod sync;
