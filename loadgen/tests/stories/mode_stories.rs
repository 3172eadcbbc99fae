//! Every mode does what it says.

use crate::broker::Broker;
use crate::harness::{Run, Server, run};

const SHORT: &str = "--duration 1s --warmup 100ms --no-sink";

fn sink_run(flags: &str) -> Run {
    let (_sink, address) = Server::sink(&["--store"]);
    run(&address, &format!("{flags} {SHORT}"))
}

#[test]
fn a_closed_loop_keeps_its_requests_under_way() {
    let run = sink_run(
        "--in-flight 4 --connections 2 --idempotent --codec lz4 --key zipf --records-per-batch 7",
    );
    assert_eq!(run.code, 0, "{}", run.output);
    assert_eq!(run.json["loop_kind"], "closed");
    assert_eq!(
        run.number("/produce/records"),
        run.number("/produce/requests") * 7.0
    );
    assert!(run.number("/produce/requests") > 0.0 && run.json["produce"].get("errors").is_none());
}

#[test]
fn end_to_end_meets_every_record() {
    let run = sink_run("--mode end-to-end --rate 1000 --poisson");
    run.assert_harmless();
    let (sent, met) = (
        run.number("/produce/latency/count"),
        run.number("/end_to_end/count"),
    );
    assert!(sent > 500.0 && sent == met, "{sent} sent, {met} met");
    assert!(run.number("/end_to_end/min") > 0.0);
}

#[test]
fn fan_out_meets_every_record_with_every_consumer() {
    let run = sink_run("--mode fan-out --rate 300 --consumers 3");
    run.assert_harmless();
    assert_eq!(
        run.number("/end_to_end/count"),
        run.number("/produce/latency/count") * 3.0
    );
}

/// Whoever reads or dials, too, is told what the generator could have done.
#[test]
fn every_mode_has_its_ceiling() {
    let (_sink, address) = Server::sink(&["--store"]);
    for mode in ["produce", "consume", "storm"] {
        let flags = "--duration 1s --warmup 100ms --sink-floor 1s";
        let run = run(&address, &format!("--mode {mode} --rate 500 {flags}"));
        run.assert_harmless();
        // How many is the machine's business.
        let count = run.number("/generator/sink/latency/count");
        assert!(count > 0.0, "{mode}: {}", run.output);
        assert!(run.number("/generator/sink/generator_cores") > 0.0);
    }
}

#[test]
fn a_reader_reads_what_is_there() {
    let (_sink, address) = Server::sink(&["--store"]);
    let nothing = run(&address, &format!("--mode consume {SHORT}"));
    assert!(
        nothing.code == 1 && nothing.output.contains("holds no records"),
        "{}",
        nothing.output
    );
    let filled = run(
        &address,
        "--mode produce --rate 2000 --duration 1s --warmup 0s --no-sink",
    );
    filled.assert_harmless();
    let once = run(&address, "--mode consume --once --no-sink");
    assert_eq!(
        (once.code, once.number("/consume/records")),
        (0, 2_000.0),
        "{}",
        once.output
    );
    let laps = run(&address, &format!("--mode consume --consumers 2 {SHORT}"));
    assert!(laps.number("/consume/records") > 4_000.0, "{}", laps.output);
    let beside = run(&address, &format!("--mode catch-up --rate 500 {SHORT}"));
    beside.assert_harmless();
    assert_eq!(beside.number("/end_to_end/count"), 500.0);
    assert!(beside.number("/consume/records") > 0.0);
}

#[test]
fn a_group_shares_the_partitions_of_a_broker() {
    let broker = Broker::start();
    let flags = format!("--mode groups --consumers 3 --rate 300 {SHORT}");
    let run = run(&broker.address, &flags);
    run.assert_harmless();
    // Each record to one member, once.
    assert_eq!(run.number("/end_to_end/count"), 300.0, "{}", run.output);
}

#[test]
fn a_storm_counts_connections_and_idle_ones_are_held() {
    let storm = sink_run("--mode storm --rate 500");
    storm.assert_harmless();
    assert_eq!(
        storm.number("/connect/latency/count"),
        500.0,
        "{}",
        storm.output
    );
    let idle = sink_run("--rate 200 --idle 300");
    idle.assert_harmless();
    assert_eq!(idle.number("/produce/latency/count"), 200.0);
}

#[test]
fn steps_leave_a_row_for_each_rate() {
    let steps = sink_run("--steps 200,400");
    steps.assert_harmless();
    let rates = [steps.number("/steps/0/rate"), steps.number("/steps/1/rate")];
    assert_eq!(rates, [200.0, 400.0]);
    assert_eq!(steps.number("/steps/1/latency/count"), 400.0);
    assert_eq!(steps.json["timeline"].as_array().expect("seconds").len(), 2);
}

#[test]
fn a_search_says_that_no_rate_holds_an_impossible_objective() {
    let run = sink_run("slo --p99 1us --rate 4");
    assert_eq!(run.code, 1, "{}", run.output);
    assert!(
        run.output.contains("no rate held the objective"),
        "{}",
        run.output
    );
    let rates: Vec<f64> = (0..3)
        .map(|row| run.number(&format!("/steps/{row}/rate")))
        .collect();
    assert_eq!(rates, [4.0, 2.0, 1.0]);
    assert_eq!(run.json["steps"][2]["held"], false);
}

#[test]
fn the_result_says_what_the_generator_cost_and_could_do() {
    let (sink, address) = Server::sink(&[]);
    let flags = format!(
        "--rate 500 --duration 1s --warmup 100ms --sink-floor 1s --label x --durability memory --broker-pid {}",
        sink.child.id()
    );
    let run = run(&address, &flags);
    run.assert_harmless();
    assert!(
        run.number("/generator/cpu_seconds") > 0.0
            && run.number("/generator/sink/records_per_second") > 0.0
    );
    assert_eq!(
        (&run.json["label"], &run.json["target"]["durability"]),
        (&"x".into(), &"memory".into())
    );
    assert!(run.number("/broker/resident_bytes") > 1e5);
}

#[test]
fn a_broker_that_is_not_there_is_named_with_what_helps() {
    let run = run("127.0.0.1:1", "--rate 10");
    assert_eq!(run.code, 1);
    let expected = "127.0.0.1:1 cannot be reached: nothing listens there (start a broker there, or name another by";
    assert!(run.output.contains(expected), "{}", run.output);
    let usage = crate::harness::run("127.0.0.1:1", "--verify --value-size 3 --rate 1");
    assert!(
        usage.code == 2 && usage.output.contains("24 or more"),
        "{}",
        usage.output
    );
}
