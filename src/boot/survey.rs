//! What the host gives a broker, asked without starting one.

use super::failure::StartError;
use super::{host, placement};

/// The CPU of each shard, when this process may run where the broker will.
pub fn shard_cpus(shards: Option<u16>) -> Vec<usize> {
    placement::place(&placement::affinity(), shards)
}

/// Bytes that this process may lock; `None`: any number.
pub fn locked_memory() -> Option<u64> {
    host::memlock()
}

/// Bytes that this number of shards would lock.
pub fn locked_memory_wanted(shards: usize) -> u64 {
    placement::locked_memory_wanted(shards)
}

/// Files that this process may open once it raises its own limit; `None`: any number.
pub fn open_files() -> Option<u64> {
    host::open_files()
}

/// Makes the executor of a shard, and lets it go.
pub fn try_executor(cpu: usize, shards: usize) -> Result<(), StartError> {
    let memory = placement::locked_memory(host::memlock(), shards);
    let made = move || {
        let executor = placement::builder(cpu, memory).make();
        executor
            .map(drop)
            .map_err(|error| host::explain(&error, shards))
    };
    // It binds its thread to the CPU.
    let thread = std::thread::spawn(made).join();
    thread.unwrap_or_else(|_| {
        Err(StartError::Runtime {
            reason: "the thread that tried it ended".to_owned(),
        })
    })
}
