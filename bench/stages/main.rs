//! What each stage of a request costs in the pure ring: time, instructions, allocations.
//!
//! `cargo bench -p ottla --no-default-features --bench stages` prints a JSON row of time per stage. With
//! `--profile counted`, and `-- --gate` at the end, instructions and allocations are counted instead and compared with
//! `bench/stages.csv`; `-- --update` writes it. `cargo test` runs each stage once and checks its allocations.
#![allow(unsafe_code, reason = "the allocator that counts")]

#[path = "../../tests/fuzz/allocation.rs"]
mod allocation;
#[path = "../asked.rs"]
mod asked;
#[path = "../batch.rs"]
mod batch;
#[path = "../row.rs"]
mod row;

mod baseline;
mod callgrind;
mod gate;
mod stage;

mod group;
mod log;
mod partition;
mod record;
mod wire;

use asked::Asked;
use row::Row;
use stage::{REQUESTS, Stage, Work, measured_run};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// In the order of a request's way.
const STAGES: &[Stage] = &[
    stage("decode produce", wire::decode_produce),
    stage("validate 1 x 100 B", record::validate_small),
    stage("validate 16 x 1 KiB", record::validate_large),
    stage("decide append", partition::append),
    stage(
        "decide append of an idempotent producer",
        partition::append_idempotent,
    ),
    stage("append to the tail", log::append),
    stage("plan a cycle of one partition", log::plan_one_partition),
    stage("plan a cycle of 64 partitions", log::plan_many_partitions),
    stage("encode a cycle of 64 partitions", log::encode_entries),
    stage("commit a cycle of 64 partitions", log::commit),
    stage("release produces", partition::commit),
    stage("encode the answer to produce", wire::encode_produced),
    stage("decode fetch", wire::decode_fetch),
    stage("decide read", partition::read),
    stage("read the tail", log::read_tail),
    stage("encode the answer to fetch", wire::encode_fetched),
    stage("heartbeat", group::heartbeat),
    stage("commit an offset", group::offset_commit),
    stage("recover a cycle of 64 partitions", log::decode_cycle),
];

/// Runs before anything is counted, and those that are.
const WARM_UP_RUNS: usize = 64;
const COUNTED_RUNS: usize = 256;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(50);

const fn stage(name: &'static str, make: fn() -> Box<dyn Work>) -> Stage {
    Stage { name, make }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = Asked::of_command_line();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let result = match arguments.as_slice() {
        [one, name] if one == "--one" => run_one(name),
        _ if has("--update") => gate::update(),
        _ if has("--gate") => gate::check(),
        _ if asked.measuring => {
            measure(&asked);
            Ok(())
        }
        _ => gate::check_allocations().map(drop),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("stages: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Words select stages.
fn measure(asked: &Asked) {
    let stages = STAGES.iter().filter(|stage| asked.includes(stage.name));
    stages.for_each(time);
}

fn time(stage: &Stage) {
    let mut row = Row::of_code(stage.name, "ns");
    let mut work = warm(stage);
    for _ in 0..ROUNDS {
        let (mut took, mut runs) = (Duration::ZERO, 0);
        while took < ROUND {
            work.make_ready();
            let started = Instant::now();
            measured_run(&mut *work);
            took += started.elapsed();
            runs += 1;
        }
        row.round(took.as_nanos() as f64 / (runs * REQUESTS) as f64);
    }
    row.print();
}

fn warm(stage: &Stage) -> Box<dyn Work> {
    let mut work = (stage.make)();
    for _ in 0..WARM_UP_RUNS {
        work.make_ready();
        work.run();
    }
    work
}

/// Of one request.
fn allocations(stage: &Stage) -> f64 {
    let mut work = warm(stage);
    let mut count = 0;
    for _ in 0..COUNTED_RUNS {
        work.make_ready();
        let before = allocation::allocations();
        work.run();
        count += allocation::allocations() - before;
    }
    count as f64 / (COUNTED_RUNS * REQUESTS) as f64
}

/// What callgrind watches.
fn run_one(name: &str) -> Result<(), String> {
    let stage = STAGES.iter().find(|stage| stage.name == name);
    let stage = stage.ok_or_else(|| format!("there is no stage {name:?}"))?;
    let mut work = warm(stage);
    for _ in 0..COUNTED_RUNS {
        work.make_ready();
        measured_run(&mut *work);
    }
    Ok(())
}
