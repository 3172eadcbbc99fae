//! Which CPUs run shards, and how each executor is built.

use crate::base::limits::SHARD_IO_MEMORY_BYTES;
use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};
use std::time::Duration;

/// Never: the task queues of a shard bring their own preemption. A timer that fires before the first task of an executor
/// has run would park it for good (see `shard::heartbeat`).
const PREEMPT_AFTER: Duration = Duration::from_secs(3600);
/// Submissions of one turn, and the number of completions that ask a running task to yield. The runtime cancels a timer in
/// every turn, and to find it the kernel walks every 256th connection that waits for a request in a ring of this depth,
/// every 16th in the smallest one.
const RING_DEPTH: usize = 4096;
const RING_DEPTH_MIN: usize = 256;
/// Of each submission that a ring can hold: itself, its number, and two completions. Some kernels count it as locked.
const RING_ENTRY_BYTES: u64 = 64 + 4 + 2 * 16;
/// What rings may take of the memory that may be locked: one part of so many.
const RINGS_PART: u64 = 4;
/// Each executor registers its I/O memory with three rings.
const RINGS: u64 = 3;
/// Left for what else the user locks.
const MEMLOCK_SPARE_BYTES: u64 = 512 << 10;
/// Registering less than this gains nothing.
const IO_MEMORY_BYTES_MIN: usize = 64 << 10;

/// The CPUs this process may run on, in order.
pub(super) fn affinity() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None);
    let cpus = set.map(|set| {
        let all = 0..rustix::thread::CpuSet::MAX_CPU;
        all.filter(|cpu| set.is_set(*cpu)).collect::<Vec<_>>()
    });
    // Without an answer there is at least the CPU this runs on.
    cpus.ok()
        .filter(|cpus| !cpus.is_empty())
        .unwrap_or_else(|| vec![0])
}

/// The CPU of each shard: one shard per CPU but the first, in turn when more shards are wanted than there are CPUs. The
/// first CPU is the one that Linux gives what belongs to none: interrupts, timers, kernel workers. A shard there waits for
/// them and they for it, and one shard less hands over less.
pub(super) fn place(cpus: &[usize], shards: Option<u16>) -> Vec<usize> {
    let spared = usize::from(cpus.len() > 1);
    let count = shards.map_or(
        (cpus.len() - spared).min(usize::from(u16::MAX)),
        usize::from,
    );
    let in_turn = cpus.iter().copied().cycle();
    in_turn.skip(spared).take(count).collect()
}

/// Locked memory: what the limit allows each shard, and whether that is less than wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LockedMemory {
    /// To be registered.
    pub(super) io_bytes: usize,
    pub(super) ring_depth: usize,
    /// What all shards want to lock, when the limit does not allow it.
    pub(super) short_of: Option<u64>,
}

/// What this number of shards locks when nothing limits it.
pub(super) fn locked_memory_wanted(shards: usize) -> u64 {
    let io_bytes = SHARD_IO_MEMORY_BYTES as u64 * RINGS * shards as u64;
    io_bytes + ring_bytes(RING_DEPTH, shards) + MEMLOCK_SPARE_BYTES
}

/// Of all rings of all shards.
fn ring_bytes(depth: usize, shards: usize) -> u64 {
    depth as u64 * RING_ENTRY_BYTES * RINGS * shards as u64
}

/// `limit` is the soft limit of locked memory, `None` when there is none.
pub(super) fn locked_memory(limit: Option<u64>, shards: usize) -> LockedMemory {
    let shards = shards.max(1);
    let wanted = locked_memory_wanted(shards);
    let Some(limit) = limit.filter(|limit| *limit < wanted) else {
        return LockedMemory {
            io_bytes: SHARD_IO_MEMORY_BYTES,
            ring_depth: RING_DEPTH,
            short_of: None,
        };
    };
    let mut ring_depth = RING_DEPTH;
    while ring_depth > RING_DEPTH_MIN && ring_bytes(ring_depth, shards) > limit / RINGS_PART {
        ring_depth /= 2;
    }
    let left = limit.saturating_sub(ring_bytes(ring_depth, shards) + MEMLOCK_SPARE_BYTES);
    let allowed = left / (RINGS * shards as u64);
    // The runtime cuts powers of two out of it.
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let io_bytes = match allowed.checked_ilog2() {
        Some(bits) => (1 << bits).max(IO_MEMORY_BYTES_MIN),
        None => IO_MEMORY_BYTES_MIN,
    };
    LockedMemory {
        io_bytes: io_bytes.min(SHARD_IO_MEMORY_BYTES),
        ring_depth,
        short_of: Some(wanted - MEMLOCK_SPARE_BYTES),
    }
}

pub(super) fn builder(cpu: usize, memory: LockedMemory) -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .name("shard")
        .preempt_timer(PREEMPT_AFTER)
        .ring_depth(memory.ring_depth)
        .io_memory(memory.io_bytes)
        // Renames, truncations and directories: rare, and never on the core of a shard.
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shard_per_allowed_cpu_but_the_first_unless_told_otherwise() {
        assert_eq!(place(&[2], None), [2]);
        assert_eq!(place(&[2, 5], None), [5]);
        assert_eq!(place(&[2, 5, 6], None), [5, 6]);
        assert_eq!(place(&[2, 5], Some(1)), [5]);
        assert_eq!(place(&[2, 5], Some(2)), [5, 2]);
        assert_eq!(place(&[2, 5], Some(3)), [5, 2, 5]);
    }

    #[test]
    fn io_memory_and_rings_shrink_to_what_may_be_locked() {
        let mib = 1 << 20;
        let wanted = |shards: u64| shards * (3 * SHARD_IO_MEMORY_BYTES as u64 + 1_228_800);
        for (limit, shards, io_bytes, ring_depth, short_of) in [
            (None, 4, SHARD_IO_MEMORY_BYTES, 4096, None),
            (Some(1 << 30), 4, SHARD_IO_MEMORY_BYTES, 4096, None),
            (Some(8 * mib), 1, 2 << 20, 4096, Some(wanted(1))),
            (Some(8 * mib), 2, 1 << 20, 2048, Some(wanted(2))),
            (Some(8 * mib), 16, 128 << 10, 256, Some(wanted(16))),
            (Some(mib / 2), 2, IO_MEMORY_BYTES_MIN, 256, Some(wanted(2))),
        ] {
            let expected = LockedMemory {
                io_bytes,
                ring_depth,
                short_of,
            };
            assert_eq!(locked_memory(limit, shards), expected, "{limit:?} {shards}");
        }
    }
}
