use super::*;
use crate::metrics::ShardSnapshot;
use crate::shard::request::Observed;
use std::io::{Read, Write};
use std::net::TcpStream;

/// One HTTP request, as plain as it gets.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the plane listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).expect("a status line");
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    (status.parse().expect("a status"), body.to_owned())
}

fn snapshot(is_failed: bool) -> Observed {
    let snapshot = Box::new(ShardSnapshot::default());
    Observed::Snapshot {
        snapshot,
        is_failed,
    }
}

/// On a free port of this machine.
fn started(shards: u16) -> (Admin, Vec<ShardEnd>) {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    start(&[free], shards, settings()).expect("a free port")
}

fn settings() -> AdminSettings {
    AdminSettings {
        data_dir: "/".into(),
        series_max: 10,
    }
}

fn answering<T>(end: &ShardEnd, is_failed: bool, ask: impl FnOnce() -> T + Send) -> T
where
    T: Send,
{
    std::thread::scope(|scope| {
        let asked = scope.spawn(ask);
        futures_lite::future::block_on(end.answer_once(snapshot(is_failed)));
        asked.join().expect("no panic")
    })
}

#[test]
fn ready_is_said_of_a_broker_whose_shards_all_answer() {
    let (admin, ends) = started(1);
    let address = admin.addresses()[0];
    assert_eq!(get(address, "/health/live").0, 200);
    assert_eq!(get(address, "/health/ready").0, 503);
    admin.ready(Duration::from_millis(40));
    let healthy = answering(&ends[0], false, || get(address, "/health/ready"));
    assert_eq!(healthy, (200, "ready\n".to_owned()));
    let failed = answering(&ends[0], true, || get(address, "/health/ready"));
    assert_eq!(failed.0, 503);
    assert!(failed.1.contains("data directory"), "{}", failed.1);
    admin.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_stuck_shard_shows_and_keeps_nobody() {
    let (admin, ends) = started(2);
    let address = admin.addresses()[0];
    admin.ready(Duration::from_millis(40));
    let (status, text) = answering(&ends[1], false, || get(address, "/metrics"));
    assert_eq!(status, 200);
    assert!(text.contains("ottla_shard_up{shard=\"0\"} 0"), "{text}");
    assert!(text.contains("ottla_shard_up{shard=\"1\"} 1"), "{text}");
    assert!(text.contains("ottla_start_seconds 0.04"), "{text}");
    let (status, reason) = answering(&ends[1], false, || get(address, "/health/ready"));
    assert_eq!(
        (status, &*reason),
        (503, "not ready: shard 0 does not answer\n")
    );
    admin.stop();
}

#[test]
fn a_taken_port_is_an_error_of_the_start() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = taken.local_addr().expect("bound");
    let error = start(&[address], 1, settings()).err().expect("refused");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
