//! From `HOST:PORT` to addresses that every shard can bind, known to be free before any shard binds them.

use super::failure::StartError;
use procfs::net::TcpState;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Attempts to find a port that is free on both families.
const FREE_PORT_TRIES: usize = 64;
const PORT_GLANCE_EVERY: Duration = Duration::from_millis(50);

/// Where a plane listens, with the port it really has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    pub host: String,
    pub port: u16,
    pub addresses: Vec<SocketAddr>,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Resolves, chooses a port when 0 is given, and makes sure that nobody listens there.
///
/// The shards share each port (SO_REUSEPORT), and so could another process of the same user: it would silently take
/// half of the clients. Hence the exclusive bind here, which no listener stands beside. A taken port is asked for again
/// until `patience` is over: a killed broker's listeners outlive it until the kernel has undone its rings.
pub(super) fn find(host: &str, port: u16, patience: Duration) -> Result<Listen, StartError> {
    let hosts = resolve(host)?;
    let tries = if port == 0 { FREE_PORT_TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        match probe_patiently(&hosts, port, patience) {
            Ok(addresses) => {
                return Ok(Listen {
                    host: host.to_owned(),
                    port: addresses[0].port(),
                    addresses,
                });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("tried at least once"))
}

/// `localhost` is both families, whatever the resolver says.
fn resolve(host: &str) -> Result<Vec<IpAddr>, StartError> {
    if host == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let unknown = || StartError::UnknownHost {
        host: host.to_owned(),
    };
    let resolved = (host, 0).to_socket_addrs().map_err(|_| unknown())?;
    let mut addresses: Vec<IpAddr> = resolved.map(|address| address.ip()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(unknown());
    }
    Ok(addresses)
}

fn probe_patiently(
    hosts: &[IpAddr],
    port: u16,
    patience: Duration,
) -> Result<Vec<SocketAddr>, StartError> {
    let asked_first = Instant::now();
    loop {
        match probe(hosts, port) {
            Err(StartError::PortTaken { .. }) if asked_first.elapsed() < patience => {
                std::thread::sleep(PORT_GLANCE_EVERY);
            }
            other => return other,
        }
    }
}

/// Binds each host exclusively, all to the port that the first one gets, and lets go again.
fn probe(hosts: &[IpAddr], port: u16) -> Result<Vec<SocketAddr>, StartError> {
    let mut port = port;
    let mut held = Vec::new();
    let mut addresses = Vec::new();
    for host in hosts {
        let address = SocketAddr::new(*host, port);
        let socket = match bind_alone(address) {
            Ok(socket) => socket,
            // A machine without one of the families still has the other.
            Err(error) if lacks_family(&error) && hosts.len() > 1 => continue,
            Err(error) => return Err(refused(address, error)),
        };
        let bound = socket.local_addr().ok().and_then(|bound| bound.as_socket());
        port = bound.map_or(port, |bound| bound.port());
        addresses.push(SocketAddr::new(*host, port));
        held.push(socket);
    }
    if addresses.is_empty() {
        return Err(StartError::AddressUnusable {
            address: SocketAddr::new(hosts[0], port),
            reason: "no such address on this machine".to_owned(),
        });
    }
    Ok(addresses)
}

/// Refused with `AddrInUse` when anybody listens there.
fn bind_alone(address: SocketAddr) -> std::io::Result<Socket> {
    match bind(address, Sharing::Nobody) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            // Connections of a broker that has ended linger for a minute, and they are in the way of an exclusive
            // bind. The shards can bind beside them.
            let socket = bind(address, Sharing::SameUser)?;
            match listens(address)? {
                true => Err(error),
                false => Ok(socket),
            }
        }
        other => other,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Nobody,
    /// As the shards bind.
    SameUser,
}

fn bind(address: SocketAddr, sharing: Sharing) -> std::io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    match sharing {
        Sharing::Nobody => socket.set_reuse_address(true)?,
        Sharing::SameUser => socket.set_reuse_port(true)?,
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether a socket of this machine takes connections that go to this address.
fn listens(address: SocketAddr) -> std::io::Result<bool> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    for table in tables {
        let entries = match table {
            Err(procfs::ProcError::NotFound(_)) => continue, // without IPv6 there is no table of it
            other => other.map_err(std::io::Error::other)?,
        };
        let taken = entries.iter().any(|entry| {
            let local = entry.local_address;
            entry.state == TcpState::Listen
                && local.port() == address.port()
                && (local.ip() == address.ip()
                    || local.ip().is_unspecified()
                    || address.ip().is_unspecified())
        });
        if taken {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lacks_family(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn refused(address: SocketAddr, error: std::io::Error) -> StartError {
    match error.kind() {
        ErrorKind::AddrInUse => StartError::PortTaken { address },
        ErrorKind::PermissionDenied => StartError::PortNotPermitted { address },
        _ => StartError::AddressUnusable {
            address,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn localhost_gets_one_port_on_both_families() {
        let listen = find("localhost", 0, Duration::ZERO).expect("a free port");
        assert_ne!(listen.port, 0);
        assert!(
            listen
                .addresses
                .iter()
                .all(|address| address.port() == listen.port)
        );
        assert_eq!(listen.addresses[0].ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn a_port_somebody_listens_on_is_taken() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = other.local_addr().expect("bound");
        let error = find("127.0.0.1", address.port(), Duration::ZERO).expect_err("taken");
        assert!(matches!(error, StartError::PortTaken { address: taken } if taken == address));
    }

    #[test]
    fn a_port_shared_by_reuseport_is_taken_too() {
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        other.set_reuse_port(true).expect("allowed");
        other.set_reuse_address(true).expect("allowed");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        other.bind(&any.into()).expect("a free port");
        other.listen(1).expect("bound");
        let bound = other
            .local_addr()
            .expect("bound")
            .as_socket()
            .expect("IPv4");
        let error = find("localhost", bound.port(), Duration::ZERO).expect_err("taken");
        assert!(matches!(error, StartError::PortTaken { .. }));
    }

    #[test]
    fn connections_of_a_broker_that_has_ended_are_not_in_the_way() {
        let listener = bind(
            "127.0.0.1:0".parse().expect("an address"),
            Sharing::SameUser,
        );
        let listener = listener.expect("a free port");
        listener.listen(1).expect("bound");
        let bound = listener.local_addr().expect("bound").as_socket();
        let bound = bound.expect("IPv4");
        let client = TcpStream::connect(bound).expect("it listens");
        let (server, _) = listener.accept().expect("a connection");
        drop((server, listener));
        // Closed by the broker first: its end of the connection stays behind.
        assert!(bind(bound, Sharing::Nobody).is_err());
        let found = find("127.0.0.1", bound.port(), Duration::ZERO);
        assert_eq!(found.expect("free").port, bound.port());
        drop(client);
    }
}
