//! The threads of the shards, and the few orders boot gives them.

use super::failure::StartError;
use super::host;
use super::placement::{self, LockedMemory};
use crate::admin::ShardEnd;
use crate::server::{self, ConnectionCounts};
use crate::shard::clock::Clock;
use crate::shard::heartbeat::Heartbeat;
use crate::shard::runtime::ShardRuntime;
use crate::shard::{Seed, ShardHandle};
use crate::storage::dma::DmaDisk;
use crate::storage::errors::OpenError;
use crate::storage::start::Stopped;
use flume::{Receiver, Sender};
use std::future::Future;
use std::net::SocketAddr;
use std::thread::JoinHandle;

/// What boot tells a shard that serves; each is acknowledged.
enum Order {
    Listen(Listening, Sender<std::io::Result<()>>),
    /// Answer what is under way, take nothing new.
    Drain(Sender<()>),
    /// The last order.
    Stop(Sender<Result<Stopped, OpenError>>),
}

/// Where the Kafka plane listens, and the connections of all shards.
#[derive(Clone)]
struct Listening {
    addresses: Vec<SocketAddr>,
    counts: ConnectionCounts,
}

/// A shard's end of the lines to boot.
pub(super) struct Post {
    operators: Option<ShardEnd>,
    seeds: Receiver<Seed>,
    started: Sender<Result<(), OpenError>>,
    orders: Receiver<Order>,
}

/// Boot's end, to all shards.
pub(super) struct Crew {
    lines: Vec<Line>,
}

struct Line {
    seeds: Sender<Seed>,
    started: Receiver<Result<(), OpenError>>,
    orders: Sender<Order>,
}

/// `operators`: the ends of the admin plane, when there is one.
pub(super) fn crew(shards: usize, operators: Vec<ShardEnd>) -> (Vec<Post>, Crew) {
    let operators = operators.into_iter().map(Some);
    let operators = operators.chain(std::iter::repeat_with(|| None));
    let (posts, lines) = operators.take(shards).map(line).unzip();
    (posts, Crew { lines })
}

fn line(operators: Option<ShardEnd>) -> (Post, Line) {
    let (seeds, seed_receiver) = flume::bounded(1);
    let (started_sender, started) = flume::bounded(1);
    let (orders, order_receiver) = flume::bounded(1);
    let post = Post {
        operators,
        seeds: seed_receiver,
        started: started_sender,
        orders: order_receiver,
    };
    let line = Line {
        seeds,
        started,
        orders,
    };
    (post, line)
}

/// Makes an executor on a thread of its own and runs `work` there to its end. Returns once the executor stands.
pub(super) fn launch<F>(
    index: usize,
    cpu: usize,
    memory: LockedMemory,
    shards: usize,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, StartError>
where
    F: Future<Output = ()> + 'static,
{
    let (made, is_made) = flume::bounded(1);
    let thread = std::thread::Builder::new().name(format!("shard-{index}"));
    let thread = thread.spawn(move || {
        let executor = placement::builder(cpu, memory).make();
        let executor = executor.map_err(|error| host::explain(&error, shards));
        match executor.and_then(|executor| Ok((executor, Heartbeat::start().map_err(no_thread)?))) {
            Err(error) => {
                let _ = made.send(Err(error));
            }
            Ok((executor, heartbeat)) => {
                let _ = made.send(Ok(()));
                executor.run(async move { heartbeat.beside(work()).await });
            }
        }
    });
    let thread = thread.map_err(no_thread)?;
    let made = is_made.recv();
    made.unwrap_or_else(|_| Err(died()))?;
    Ok(thread)
}

fn no_thread(error: std::io::Error) -> StartError {
    StartError::Runtime {
        reason: error.to_string(),
    }
}

fn died() -> StartError {
    StartError::Shard {
        reason: "its thread ended".to_owned(),
    }
}

impl Post {
    /// A whole shard but shard 0: from its seed to its last order.
    pub(super) async fn serve(self, clock: Clock) {
        let runtime = ShardRuntime::start(clock);
        let Ok(seed) = self.seeds.recv_async().await else {
            return;
        };
        if let Some(handle) = self.start(runtime, seed).await {
            self.follow(handle).await;
        }
    }

    /// Tells boot how it went.
    pub(super) async fn start(&self, runtime: ShardRuntime, seed: Seed) -> Option<ShardHandle> {
        let started = ShardHandle::start(runtime, DmaDisk::new(), seed).await;
        let (handle, report) = match started {
            Ok(handle) => (Some(handle), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let _ = self.started.send(report);
        handle
    }

    pub(super) async fn follow(self, handle: ShardHandle) {
        if let Some(operators) = self.operators {
            handle.spawn(operators.serve(handle.clone()));
        }
        let mut listener = None;
        while let Ok(order) = self.orders.recv_async().await {
            match order {
                Order::Listen(listen, done) => {
                    let started = server::start(handle.clone(), &listen.addresses, listen.counts);
                    let _ = done.send(started.map(|started| listener = Some(started)));
                }
                Order::Drain(done) => {
                    handle.begin_stop();
                    if let Some(listener) = listener.take() {
                        listener.stop().await;
                    }
                    let _ = done.send(());
                }
                Order::Stop(done) => {
                    let _ = done.send(handle.stop().await);
                    return;
                }
            }
        }
    }
}

impl Crew {
    pub(super) fn shards(&self) -> u16 {
        u16::try_from(self.lines.len()).expect("placed as u16")
    }

    /// To all but shard 0, which has it.
    pub(super) fn send_seeds(&self, seed: &Seed) {
        for line in self.lines.iter().skip(1) {
            // A shard that is gone is found by `wait_started`.
            let _ = line.seeds.send(seed.clone());
        }
    }

    pub(super) async fn wait_started(&self) -> Result<(), OpenError> {
        for line in &self.lines {
            let started = line.started.recv_async().await;
            started.unwrap_or(Err(OpenError::Failed))?;
        }
        Ok(())
    }

    pub(super) async fn listen(&self, addresses: &[SocketAddr]) -> Result<(), StartError> {
        let listening = Listening {
            addresses: addresses.to_vec(),
            counts: ConnectionCounts::default(),
        };
        for answer in self.order_all(|done| Order::Listen(listening.clone(), done)) {
            let started = answer.recv_async().await.map_err(|_| died())?;
            started.map_err(|error| StartError::AddressUnusable {
                address: addresses[0],
                reason: error.to_string(),
            })?;
        }
        Ok(())
    }

    pub(super) async fn drain(&self) {
        for answer in self.order_all(Order::Drain) {
            let _ = answer.recv_async().await;
        }
    }

    /// In the order of the shards.
    pub(super) async fn stop(&self) -> Result<Vec<Stopped>, OpenError> {
        let mut stopped = Vec::new();
        let mut full = None;
        for answer in self.order_all(Order::Stop) {
            let answer = answer.recv_async().await;
            match answer.unwrap_or(Err(OpenError::Failed)) {
                // The others still do what they can.
                Err(error @ OpenError::NoSpace { .. }) => full = Some(error),
                answer => stopped.push(answer?),
            }
        }
        stopped.sort_by_key(|stopped| stopped.shard);
        full.map_or(Ok(stopped), Err)
    }

    /// To all at once; the answers may be awaited one by one.
    fn order_all<T>(&self, order: impl Fn(Sender<T>) -> Order) -> Vec<Receiver<T>> {
        let ordered = self.lines.iter().map(|line| {
            let (done, answer) = flume::bounded(1);
            let _ = line.orders.send(order(done));
            answer
        });
        ordered.collect()
    }
}
