//! An executor as boot makes them, on a thread of its own.

use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};
use ottla::shard::clock::Clock;
use ottla::shard::heartbeat::Heartbeat;
use ottla::shard::runtime::ShardRuntime;
use std::future::Future;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const IO_MEMORY_BYTES: usize = 4 << 20;

/// Runs `work` to its end. Returns once the executor stands, so that the order of calls is that of executors.
pub(crate) fn start<T: Send + 'static, F: Future<Output = T>>(
    cpu: usize,
    clock: Clock,
    work: impl FnOnce(ShardRuntime) -> F + Send + 'static,
) -> JoinHandle<T> {
    let (made, is_made) = mpsc::channel();
    let thread = thread::spawn(move || {
        let executor = LocalExecutorBuilder::new(Placement::Fixed(cpu))
            .preempt_timer(Duration::from_secs(3600))
            .ring_depth(256)
            .io_memory(IO_MEMORY_BYTES)
            .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
            .make();
        let executor = executor.expect("io_uring");
        let heartbeat = Heartbeat::start().expect("a thread");
        made.send(()).expect("somebody waits");
        executor.run(async move {
            let runtime = ShardRuntime::start(clock);
            heartbeat.beside(work(runtime)).await
        })
    });
    is_made.recv().expect("an executor");
    thread
}

/// On one executor alone.
pub(crate) fn run<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce(ShardRuntime) -> F + Send + 'static,
) -> T {
    start(0, Clock::start(), work).join().expect("no panic")
}
