//! What a request costs a whole broker besides time: heap allocations, ours and the runtime's, and system calls.
//!
//! `cargo bench --bench costs` prints them as JSON rows, the places that allocate most below; with `-- --gate` they
//! must stay within the bounds below. `cargo test` runs everything small.
#![allow(unsafe_code, reason = "the allocator that counts")]

#[path = "../../tests/it/harness/mod.rs"]
mod harness;
#[path = "../load.rs"]
mod load;
#[path = "../row.rs"]
mod row;

mod allocation;
mod callsite;
mod process;
mod system_calls;

use harness::client::Connection;
use harness::directory::Directory;
use load::{Load, Payload};
use process::Counted;
use row::Row;
use std::process::ExitCode;

/// Of ours, that every request makes. Exact.
const OUR_ALLOCATIONS: u64 = 0;
/// With those that requests share: of a cycle, of a turn. They depend on how many share them.
const OUR_ALLOCATIONS_MAX: f64 = 2.5;
/// Per batch, of one shard. Half above what is seen, because timing decides how many requests share a call. With two
/// shards half of the batches cross, and how often a shard wakes is a matter of the machine: told, not judged. The goal
/// is 0.5.
const SYSTEM_CALLS_MAX: f64 = 1.5;
/// A site that allocates less often is not part of every request.
const EVERY_REQUEST: f64 = 0.99;

const TOPIC: &str = "costs";
const PARTITIONS: i32 = 4;
/// 64 requests in flight.
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 8;
const SITES_SHOWN: usize = 40;

#[derive(Clone, Copy)]
struct Scale {
    requests: usize,
    /// Keeping stacks is slow.
    traced_requests: usize,
}

const MEASURE: Scale = Scale {
    requests: 40_000,
    traced_requests: 4_000,
};

const SMALL: Scale = Scale {
    requests: 800,
    traced_requests: 200,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match arguments.as_slice() {
        [serve, data] if serve == "--serve" => return process::serve(data),
        [load, address, requests] if load == "--load" => {
            produce(address, requests.parse().expect("a number"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let scale = if has("--bench") { MEASURE } else { SMALL };
    let allocations = allocations_per_request(scale);
    let calls = system_calls::per_batch(scale, 1);
    let crossing = system_calls::per_batch(scale, 2);
    for reason in [&calls, &crossing]
        .into_iter()
        .filter_map(|calls| calls.as_ref().err())
    {
        println!("{reason}");
    }
    if !has("--gate") {
        return ExitCode::SUCCESS;
    }
    let mut faults = allocations.faults();
    match calls {
        Ok(calls) if calls > SYSTEM_CALLS_MAX => faults.push(format!(
            "{calls:.2} system calls per batch, at most {SYSTEM_CALLS_MAX}"
        )),
        Ok(_) => {}
        Err(reason) => faults.push(reason),
    }
    for fault in &faults {
        eprintln!(
            "costs: {fault}. `cargo bench --bench costs` shows where; bounds: bench/costs/main.rs"
        );
    }
    ExitCode::from(u8::from(!faults.is_empty()))
}

/// Of ours, per request.
struct Allocations {
    of_every_request: u64,
    ours: f64,
}

impl Allocations {
    fn faults(&self) -> Vec<String> {
        let Allocations {
            of_every_request,
            ours,
        } = *self;
        let mut faults = Vec::new();
        if of_every_request != OUR_ALLOCATIONS {
            faults.push(format!(
                "every request makes {of_every_request} allocations of ours, not {OUR_ALLOCATIONS}"
            ));
        }
        if ours > OUR_ALLOCATIONS_MAX {
            faults.push(format!(
                "{ours:.2} allocations of ours per request, at most {OUR_ALLOCATIONS_MAX}"
            ));
        }
        faults
    }
}

fn produce(address: &str, requests: usize) {
    let load = Load {
        address,
        topic: TOPIC,
        partitions: PARTITIONS,
        payload: Payload::ALL[0],
        connections: CONNECTIONS,
        in_flight: IN_FLIGHT,
        requests,
    };
    load.run();
}

fn allocations_per_request(scale: Scale) -> Allocations {
    let directory = Directory::new("bench_costs");
    let mut broker = Counted::start(&directory.path().join("data"));
    Connection::open(&broker.address).create_topic(TOPIC, PARTITIONS, &[]);
    produce(&broker.address, scale.requests / 4);

    let before = broker.count();
    produce(&broker.address, scale.requests);
    let all = (broker.count() - before) as f64 / scale.requests as f64;
    print(
        "allocations per request, 8 connections, 8 in flight each",
        all,
    );

    broker.trace();
    produce(&broker.address, scale.traced_requests);
    let mut sites = broker.sites();
    sites.sort();
    sites.reverse();
    let per_request = |count: u64| count as f64 / scale.traced_requests as f64;
    let of = |owner: &str| {
        let its = sites.iter().filter(|(_, site)| site.starts_with(owner));
        its.map(|(count, _)| per_request(*count))
            .collect::<Vec<f64>>()
    };
    let ours = of("ours");
    let every = ours.iter().filter(|count| **count >= EVERY_REQUEST);
    let of_every_request = every.map(|count| count.round() as u64).sum();
    print("of them ours, in every request", of_every_request as f64);
    print("of them ours", ours.iter().sum());
    print("of them the runtime's", of("runtime").iter().sum());
    for (count, site) in sites.iter().take(SITES_SHOWN) {
        println!("{:8.3}  {site}", per_request(*count));
    }
    Allocations {
        of_every_request,
        ours: ours.iter().sum(),
    }
}

fn print(question: &str, value: f64) {
    let mut row = Row::new(question, "allocations");
    row.round(value);
    row.print();
}
