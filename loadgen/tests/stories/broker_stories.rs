//! Against the real broker: promises hold, also across its death.

use crate::broker::Broker;
use crate::harness::{Run, begin, run, wait_for};
use crate::proxy::log_end;

#[test]
fn a_broker_is_driven_and_read_back() {
    let broker = Broker::start();
    let flags = "--mode end-to-end --rate 500 --duration 2s --warmup 200ms --no-sink --verify";
    let run = run(&broker.address, flags);
    run.assert_harmless();
    assert_eq!(run.faults(), [0; 4], "{}", run.output);
    // The schedule is even: 500 a second for 2.2 s, 1,000 of them measured.
    assert_eq!(run.number("/verify/acknowledged"), 1_100.0);
    assert_eq!(run.number("/produce/latency/count"), 1_000.0);
    assert_eq!(run.number("/end_to_end/count"), 1_000.0);
}

#[test]
fn what_a_killed_broker_acknowledged_is_there() {
    let run = across_a_restart("");
    assert_eq!(run.faults(), [0; 4], "{}", run.output);
    assert!(run.number("/verify/acknowledged") > 500.0, "{}", run.output);
    let errors = run
        .json
        .pointer("/produce/errors")
        .expect("the restart was noticed")
        .to_string();
    assert!(errors.contains("CONNECTION"), "{errors}");
}

#[test]
fn an_idempotent_producer_sends_again_and_leaves_no_duplicate() {
    let run = across_a_restart("--idempotent");
    assert_eq!(run.faults(), [0; 4], "{}", run.output);
    // Every batch of the schedule was acknowledged in the end.
    assert_eq!(
        run.number("/verify/acknowledged"),
        2_000.0,
        "{}",
        run.output
    );
    assert_eq!(run.number("/verify/unacknowledged_found"), 0.0);
}

fn across_a_restart(flags: &str) -> Run {
    let mut broker = Broker::start();
    let flags = format!(
        "--mode produce --rate 500 --connections 4 --duration 4s --warmup 0s --drain 30s --no-sink --verify {flags}"
    );
    let running = begin(&broker.address, &flags);
    wait_for("records are there", || {
        log_end(&broker.address, "ottla-loadgen").filter(|&end| end > 20)
    });
    broker.restart();
    let run = running.end();
    run.assert_harmless();
    run
}
