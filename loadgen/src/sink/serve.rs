//! The sink's one thread: connections, and fetches that wait for records.

use super::api::{Fetching, Reply, Sink};
use super::store::Store;
use crate::args::SinkArgs;
use crate::clock::{MILLISECOND_NS, now_ns};
use crate::failure::Failure;
use crate::net::inbound::Inbound;
use crate::net::outbound::Outbound;
use crate::net::poll::Poll;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Without `--store`: what is kept for consumers at the tail.
const KEPT_BYTES: usize = 64 * 1024 * 1024;
const READ_BYTES: usize = 256 * 1024;
const CONNECTIONS_MAX: usize = 100_000;
const LISTENER: usize = usize::MAX;
const SLEEP_NS_MAX: u64 = 100 * MILLISECOND_NS;

struct Server {
    sink: Sink,
    listener: TcpListener,
    poll: Poll,
    connections: BTreeMap<usize, Client>,
    next_number: usize,
    waiting: Vec<Waiting>,
    stall: Option<Stall>,
}

struct Client {
    socket: TcpStream,
    inbound: Inbound,
    out: Outbound,
    wants_write: bool,
    /// Answers go out in the order of their questions: behind a fetch that waits, requests wait too.
    waits: bool,
}

struct Waiting {
    number: usize,
    fetch: Box<Fetching>,
    until_ns: u64,
}

/// Nothing is done in the first `length` of each `period` after the first request.
struct Stall {
    length_ns: u64,
    period_ns: u64,
    first_ns: Option<u64>,
}

/// Serves until it is killed. Prints where, first.
pub(crate) fn run(args: &SinkArgs) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("sink at {}: {error}", args.listen));
    let listener = TcpListener::bind(&args.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let poll = Poll::new(false).map_err(failed)?;
    poll.add(&listener, LISTENER).map_err(failed)?;
    println!("listening on {address}");
    io::stdout().flush().map_err(failed)?;
    let nanos = |duration: Duration| duration.as_nanos() as u64;
    let mut server = Server {
        sink: Sink {
            store: Store::new(args.store.unwrap_or(KEPT_BYTES), args.store.is_some()),
            host: address.ip().to_string(),
            port: address.port(),
            next_producer: 0,
        },
        listener,
        poll,
        connections: BTreeMap::new(),
        next_number: 0,
        waiting: Vec::new(),
        stall: args.stall.map(|(length, period)| Stall {
            length_ns: nanos(length),
            period_ns: nanos(period),
            first_ns: None,
        }),
    };
    server.run().map_err(failed)
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let now = now_ns();
            let first = self.waiting.iter().map(|waiting| waiting.until_ns).min();
            let wake = first.unwrap_or(u64::MAX).min(now + SLEEP_NS_MAX);
            self.poll.wait(wake.saturating_sub(now))?;
            let mut at = 0;
            while let Some(ready) = self.poll.ready(at) {
                at += 1;
                if ready.number == LISTENER {
                    self.accept()?;
                    continue;
                }
                self.stall();
                self.serve(ready.number, ready.readable);
            }
            self.wake_fetches();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            if self.connections.len() >= CONNECTIONS_MAX {
                continue;
            }
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            self.next_number += 1;
            self.poll.add(&socket, self.next_number)?;
            let client = Client {
                socket,
                inbound: Inbound::new(READ_BYTES),
                out: Outbound::default(),
                wants_write: false,
                waits: false,
            };
            self.connections.insert(self.next_number, client);
        }
    }

    fn stall(&mut self) {
        let Some(stall) = &mut self.stall else {
            return;
        };
        let now = now_ns();
        let first = *stall.first_ns.get_or_insert(now);
        let inside = (now - first) % stall.period_ns;
        if inside < stall.length_ns {
            std::thread::sleep(Duration::from_nanos(stall.length_ns - inside));
        }
    }

    fn serve(&mut self, number: usize, readable: bool) {
        let Some(client) = self.connections.get_mut(&number) else {
            return;
        };
        let read = match readable {
            true => client.inbound.read(&mut client.socket).map(|_| ()),
            false => Ok(()),
        };
        let served = read.and_then(|()| self.answer(number));
        if served.is_err() {
            self.close(number);
        }
    }

    /// Answers what was read, as far as it may be answered yet, and writes.
    fn answer(&mut self, number: usize) -> io::Result<()> {
        let client = self.connections.get_mut(&number).expect("it is open");
        while !client.waits {
            let Some(frame) = client.inbound.frame()? else {
                break;
            };
            match self.sink.handle(frame) {
                Reply::Answer(pieces) => {
                    pieces.into_iter().for_each(|piece| client.out.share(piece))
                }
                Reply::Nothing => {}
                Reply::Refuse => return Err(ErrorKind::InvalidData.into()),
                Reply::Wait { fetch, wait_ms } => {
                    client.waits = true;
                    self.waiting.push(Waiting {
                        number,
                        fetch,
                        until_ns: now_ns() + wait_ms * MILLISECOND_NS,
                    });
                }
            }
        }
        client.out.write(&mut client.socket)?;
        let wants_write = !client.out.is_empty();
        if wants_write != client.wants_write {
            client.wants_write = wants_write;
            self.poll.want_write(&client.socket, number, wants_write)?;
        }
        Ok(())
    }

    /// Tries each waiting fetch again: something may have been appended, or its time is up.
    fn wake_fetches(&mut self) {
        let now = now_ns();
        for waiting in std::mem::take(&mut self.waiting) {
            let (number, until_ns) = (waiting.number, waiting.until_ns);
            let Some(client) = self.connections.get_mut(&number) else {
                continue;
            };
            match self.sink.fetch(*waiting.fetch, now >= until_ns) {
                Reply::Wait { fetch, .. } => self.waiting.push(Waiting {
                    number,
                    fetch,
                    until_ns,
                }),
                Reply::Answer(pieces) => {
                    client.waits = false;
                    pieces.into_iter().for_each(|piece| client.out.share(piece));
                    if self.answer(number).is_err() {
                        self.close(number);
                    }
                }
                Reply::Nothing | Reply::Refuse => self.close(number),
            }
        }
    }

    fn close(&mut self, number: usize) {
        self.connections.remove(&number);
    }
}
