//! Accepting connections on every shard, and the life of this plane on one shard.

use super::connection::{Connection, End};
use super::connections::{ConnectionCounts, Seat};
use super::plane::Server;
use crate::base::limits::{CONNECTION_SWEEP_MS, MEMORY_SWEEP_MS, STOP_MS_MAX};
use crate::shard::ShardHandle;
use crate::wire::frame::FrameError;
use futures_lite::future;
use glommio::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// After a failed accept (no file descriptor is free) the next try waits.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// A connection that is cut off ends within this time.
const CUT_MAX: Duration = Duration::from_secs(1);

/// The Kafka plane of one shard.
pub struct Listener {
    server: Rc<Server>,
}

/// Listens on this shard. Every shard binds the same addresses (SO_REUSEPORT), the kernel spreads the connections.
pub fn start(
    handle: ShardHandle,
    addresses: &[SocketAddr],
    counts: ConnectionCounts,
) -> io::Result<Listener> {
    let server = Server::new(handle);
    for &address in addresses {
        let listener = TcpListener::bind(address).map_err(io::Error::from)?;
        let accepting = accept(server.clone(), listener, counts.clone());
        server.handle.spawn(accepting);
    }
    let plane = Rc::downgrade(&server);
    server.handle.observe_with(move || {
        if let Some(plane) = plane.upgrade() {
            plane.observe();
        }
    });
    server.handle.spawn(sweep(server.clone()));
    Ok(Listener { server })
}

impl Listener {
    /// No connection is accepted and no request read any more; what is in flight is answered, within bounds.
    pub async fn stop(self) {
        let connections = &self.server.connections;
        connections.stop();
        self.emptied_within(Duration::from_millis(STOP_MS_MAX))
            .await;
        connections.cut();
        self.emptied_within(CUT_MAX).await;
    }

    async fn emptied_within(&self, wait: Duration) {
        let handle = &self.server.handle;
        let deadline = handle.sleep_until(handle.instant().plus(wait));
        let deadline = async {
            deadline.await;
        };
        future::or(self.server.connections.emptied(), deadline).await;
    }
}

async fn accept(server: Rc<Server>, listener: TcpListener, counts: ConnectionCounts) {
    while !server.connections.is_stopping() {
        let stopped = async {
            server.connections.stop_requested().await;
            None
        };
        match future::or(accept_one(&listener), stopped).await {
            Some(Ok(stream)) => serve(&server, stream, &counts),
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot accept a connection");
                let retry = server.handle.instant().plus(ACCEPT_RETRY);
                server.handle.sleep_until(retry).await;
            }
            None => break,
        }
    }
}

async fn accept_one(listener: &TcpListener) -> Option<io::Result<TcpStream>> {
    Some(listener.accept().await.map_err(io::Error::from))
}

fn serve(server: &Rc<Server>, stream: TcpStream, counts: &ConnectionCounts) {
    let stats = server.handle.stats();
    let Some((seat, peer)) = admit(server, &stream, counts) else {
        stats.connections_refused.add(1);
        return;
    };
    stats.connections_opened.add(1);
    let connection = Connection::new(server.clone(), stream, peer);
    let handle = server.handle.clone();
    server.handle.spawn(async move {
        let end = connection.run().await;
        drop(seat);
        handle.stats().connections_closed.add(1);
        report(peer, &end);
    });
}

fn admit(
    server: &Server,
    stream: &TcpStream,
    counts: &ConnectionCounts,
) -> Option<(Seat, SocketAddr)> {
    let peer = stream.peer_addr().ok()?;
    let per_ip_max = server.handle.image().config.connections_per_ip_max;
    let Some(seat) = counts.sit(peer.ip(), per_ip_max) else {
        tracing::warn!(%peer, "too many connections, this one is refused");
        return None;
    };
    // An answer is written whole; waiting to fill a segment only delays it.
    stream.set_nodelay(true).ok()?;
    Some((seat, peer))
}

fn report(peer: SocketAddr, end: &End) {
    match end {
        // A refusal has its own line where the reason is known.
        End::Closed | End::Refused => tracing::debug!(%peer, "connection closed"),
        End::InvalidFrame(FrameError::TooShort { bytes }) => {
            tracing::warn!(%peer, bytes, "not the length of a request, connection closed");
        }
        End::InvalidFrame(FrameError::TooLong { bytes, bytes_max }) => {
            tracing::warn!(%peer, bytes, bytes_max, "request too large, connection closed. Fix: \
                smaller requests, or a larger shards.pool and socket.request.max.bytes");
        }
        End::Ended(ending) => tracing::info!(%peer, ?ending, "connection ended"),
        End::Socket(error) => tracing::debug!(%peer, %error, "connection lost"),
    }
}

/// Once in a while all connections are looked at; more often while somebody waits for memory.
async fn sweep(server: Rc<Server>) {
    let mut next_sweep = server.handle.instant();
    while !server.connections.is_stopping() {
        let now = server.handle.instant();
        server.admission.release_stalled(now);
        if now >= next_sweep {
            server.connections.sweep(now, server.idle_max());
            next_sweep = now.plus(Duration::from_millis(CONNECTION_SWEEP_MS));
        }
        let wait = match server.admission.is_contended() {
            true => Duration::from_millis(MEMORY_SWEEP_MS),
            false => Duration::from_millis(CONNECTION_SWEEP_MS),
        };
        server.handle.sleep_until(now.plus(wait)).await;
    }
}
