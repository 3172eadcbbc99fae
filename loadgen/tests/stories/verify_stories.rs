//! One wrong record in a hundred thousand is found, and none where all are right.

use crate::harness::{BROKEN_PROMISE, Run, Server, run};
use crate::proxy::{self, Lie, Plan};

/// A hundred and fifty thousand records in one partition, read back through the proxy.
fn through(lie: Lie) -> Run {
    let (_sink, address) = Server::sink(&["--store"]);
    let plan = Plan {
        lie,
        every: 100_000,
        at: 50_042,
    };
    let proxy = proxy::start(&address, plan);
    let flags = "--mode produce --partitions 1 --rate 150000 --records-per-batch 100 --value-size 40 \
                 --duration 1s --warmup 0s --no-sink --verify";
    run(&proxy, flags)
}

fn assert_found(run: &Run, what: &str) {
    assert_eq!(run.code, BROKEN_PROMISE, "{}", run.output);
    let findings = run
        .json
        .pointer("/verify/findings")
        .expect("findings")
        .to_string();
    assert!(findings.contains(what), "{what} in {findings}");
    assert_eq!(run.number("/verify/acknowledged"), 150_000.0);
}

#[test]
fn an_honest_broker_has_no_findings() {
    let run = through(Lie::None);
    run.assert_harmless();
    assert_eq!(run.faults(), [0; 4], "{}", run.output);
    assert_eq!(run.number("/verify/acknowledged"), 150_000.0);
    assert_eq!(run.number("/verify/read_back"), 150_000.0);
}

#[test]
fn a_dropped_record_is_lost() {
    let run = through(Lie::Drop);
    assert_found(&run, "is lost");
    assert_eq!(run.faults()[0], 1);
}

#[test]
fn a_repeated_record_is_a_duplicate() {
    let run = through(Lie::Repeat);
    assert_found(&run, "once more");
    assert_eq!(run.faults()[1], 1);
}

#[test]
fn swapped_records_are_out_of_order() {
    let run = through(Lie::Swap);
    assert_found(&run, "behind a later one");
    assert_eq!(
        (run.faults()[0], run.faults()[1], run.faults()[3]),
        (0, 0, 0)
    );
}

#[test]
fn a_flipped_bit_breaks_the_checksum() {
    let run = through(Lie::Flip);
    assert_found(&run, "not what its checksum says");
    assert_eq!(run.faults()[3], 1);
}

#[test]
fn a_flipped_bit_is_seen_under_a_checksum_that_fits() {
    let run = through(Lie::FlipAndSeal);
    assert_found(&run, "was changed");
    assert_eq!(run.faults(), [1, 0, 0, 1]);
}
