//! What a latency is, and that it is told as it was.

use crate::harness::{Server, begin, run, wait_for};
use crate::proxy::log_end;
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const MILLISECOND: u64 = 1_000_000;

/// Samples of at least `from` and below `to`.
fn between(samples: &[u64], from: Duration, to: Duration) -> usize {
    let (from, to) = (from.as_nanos() as u64, to.as_nanos() as u64);
    samples.partition_point(|&sample| sample < to)
        - samples.partition_point(|&sample| sample < from)
}

#[test]
fn percentiles_are_those_of_the_samples_of_the_run() {
    let (_sink, address) = Server::sink(&[]);
    let run = run(
        &address,
        "--rate 20000 --duration 1s --warmup 100ms --no-sink",
    );
    run.assert_harmless();
    assert_eq!(
        run.samples.len() as f64,
        run.number("/produce/latency/count")
    );
    let told = run
        .json
        .pointer("/produce/latency/percentiles")
        .and_then(|value| value.as_object());
    let told = told.expect("percentiles");
    // 20,000 samples have ten above p99.9, and two above p99.99.
    assert_eq!(told.len(), 5, "{told:?}");
    for (name, value) in told {
        let percent: f64 = name.trim_start_matches('p').parse().expect("a percentage");
        let rank = (run.samples.len() as f64 * percent / 100.0 - 1e-6).ceil() as usize;
        let exact = run.samples[rank - 1] as f64 / 1e3;
        let told = value.as_f64().expect("a number");
        assert!(
            (told - exact).abs() <= exact / 1_000.0,
            "{name}: {told} told, {exact} exact"
        );
    }
}

/// The closed loop that other tools measure sees one slow request a second, and calls the broker fast.
#[test]
fn a_stall_is_charged_to_every_request_that_waited() {
    let (_sink, address) = Server::sink(&["--stall", "100ms/1s"]);
    let flags = "--rate 1000 --max-in-flight 1 --duration 4s --warmup 0s --no-sink";
    let run = run(&address, flags);
    run.assert_harmless();
    let p95 = run.number("/produce/latency/percentiles/p95");
    assert!(p95 >= 45_000.0, "p95 {p95} us\n{}", run.output);
    // A tenth of all requests waited; of each stall only one had been sent.
    let service = run.number("/produce/service_time/percentiles/p95");
    assert!(
        service < 10_000.0,
        "service time p95 {service} us\n{}",
        run.output
    );
    assert_eq!(run.number("/produce/latency/count"), 4_000.0);
}

#[test]
fn a_stopped_broker_delays_every_request_of_that_time() {
    let (sink, address) = Server::sink(&[]);
    let running = begin(&address, "--rate 2000 --duration 5s --warmup 0s --no-sink");
    wait_for("the run has begun", || {
        log_end(&address, "ottla-loadgen").filter(|&end| end > 100)
    });
    let pid = Pid::from_raw(sink.child.id() as i32).expect("a process");
    kill_process(pid, Signal::STOP).expect("a child of this test");
    let stopped = Instant::now();
    wait_for("half a second", || {
        (stopped.elapsed() >= Duration::from_millis(500)).then_some(())
    });
    kill_process(pid, Signal::CONT).expect("a child of this test");
    let length = stopped.elapsed();
    let run = running.end();
    run.assert_harmless();
    // Due at an even 2,000 a second, so as many waited for each part of the stop.
    assert_eq!(run.samples.len(), 10_000);
    let waited = between(&run.samples, Duration::from_millis(50), Duration::MAX / 4);
    let expected = (length.as_secs_f64() - 0.05) * 2_000.0;
    assert!(
        waited as f64 > expected * 0.9,
        "{waited} waited, {expected} expected"
    );
    let slowest = *run.samples.last().expect("samples");
    assert!(
        slowest + 20 * MILLISECOND > length.as_nanos() as u64,
        "{slowest} ns in a stop of {length:?}"
    );
    for hundred in 1..4 {
        let from = Duration::from_millis(hundred * 100);
        let count = between(&run.samples, from, from + Duration::from_millis(100));
        assert!(count >= 150, "{count} waited {hundred}00 ms and more");
    }
}
