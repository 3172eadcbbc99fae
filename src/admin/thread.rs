//! The thread, its runtime and its routes.

use super::bridge::{AdminEnd, ShardEnd, bridge};
use super::{health, latency, metrics};
use axum::Router;
use axum::routing::get;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Stopping waits this long for answers that are being written.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// What boot holds of the plane.
pub struct Admin {
    state: Arc<State>,
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the routes are told at the start.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    pub data_dir: PathBuf,
    /// The most series `/metrics/detail` shows.
    pub series_max: usize,
}

/// What the routes share.
pub(super) struct State {
    pub(super) shards: AdminEnd,
    settings: AdminSettings,
    is_ready: AtomicBool,
    started_in_micros: AtomicU64,
}

/// Listens at once, and answers "not ready" until it is told otherwise. One end for each shard, in their order.
pub fn start(
    addresses: &[SocketAddr],
    shards: u16,
    settings: AdminSettings,
) -> io::Result<(Admin, Vec<ShardEnd>)> {
    let listeners = addresses.iter().map(|address| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr);
    let addresses = addresses.collect::<io::Result<Vec<_>>>()?;
    let (shards, ends) = bridge(shards);
    let state = Arc::new(State {
        shards,
        settings,
        is_ready: AtomicBool::new(false),
        started_in_micros: AtomicU64::new(0),
    });
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let serving = serve(listeners, state.clone(), stopped);
    let thread = std::thread::Builder::new()
        .name("ottla-admin".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                tracing::error!(%error, "the admin listener ended");
            }
            runtime.shutdown_timeout(STOP_WAIT);
        })?;
    let admin = Admin {
        state,
        addresses,
        stop,
        thread: Some(thread),
    };
    Ok((admin, ends))
}

impl Admin {
    /// Where it listens; a port of 0 has become a real one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Every shard serves, `started_in` after the start of the process.
    pub fn ready(&self, started_in: Duration) {
        let micros = u64::try_from(started_in.as_micros()).unwrap_or(u64::MAX);
        let started = &self.state.started_in_micros;
        started.store(micros, Ordering::Relaxed);
        self.state.is_ready.store(true, Ordering::Release);
    }

    /// The broker is about to stop: balancers should look elsewhere.
    pub fn not_ready(&self) {
        self.state.is_ready.store(false, Ordering::Release);
    }

    /// Ends the thread. Blocks for a moment.
    pub fn stop(mut self) {
        self.not_ready();
        // Nobody listens when the thread has ended already.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin thread panicked");
        }
    }
}

impl State {
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    pub(super) fn series_max(&self) -> usize {
        self.settings.series_max
    }

    pub(super) fn started_in(&self) -> Duration {
        Duration::from_micros(self.started_in_micros.load(Ordering::Relaxed))
    }
}

async fn serve(
    listeners: Vec<TcpListener>,
    state: Arc<State>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .route("/metrics/detail", get(metrics::detail))
        .route("/v1/latency", get(latency::latency))
        .with_state(state);
    let mut serving = Vec::new();
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (routes, mut stopped) = (routes.clone(), stopped.clone());
        serving.push(tokio::spawn(async move {
            let stop = async move {
                // An error means that boot is gone: stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let serve = axum::serve(listener, routes).with_graceful_shutdown(stop);
            serve.await
        }));
    }
    let mut stopped = stopped;
    let _ = stopped.wait_for(|stop| *stop).await;
    for serving in serving {
        // A client that keeps its connection open does not keep the process.
        if let Ok(Ok(Err(error))) = tokio::time::timeout(STOP_WAIT, serving).await {
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
