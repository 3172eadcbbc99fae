//! How fast the broker is, beside how fast the disk under it is: one JSON row a measurement.
//!
//! `cargo bench` measures; `cargo test` runs each question once and small, so that none of them rots. Durability is
//! *flushed*: an acknowledged record is on the disk. The generator is a closed loop and shares the machine with the
//! broker, so latencies under load are those of a full pipeline, not of a schedule.

#[path = "../tests/it/harness/mod.rs"]
mod harness;

mod asked;
mod commit;
mod floor;
mod groups;
mod life;
mod load;
mod row;
mod traffic;

use asked::Asked;

/// How much of everything: one size to measure, one to show that it works.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Requests of a latency question, one at a time.
    requests: usize,
    /// Payload of a throughput question.
    megabytes: usize,
    partitions: &'static [i32],
    /// Written before the broker is killed and started again.
    restart_megabytes: usize,
    /// Of offsets, one each, by this many groups.
    commits: usize,
    groups: usize,
}

const MEASURE: Scale = Scale {
    rounds: 5,
    requests: 20_000,
    megabytes: 256,
    partitions: &[1, 100, 1_000],
    restart_megabytes: 5_000,
    commits: 1_000_000,
    groups: 1_000,
};

const SMALL: Scale = Scale {
    rounds: 1,
    requests: 50,
    megabytes: 2,
    partitions: &[1, 10],
    restart_megabytes: 16,
    commits: 1_000,
    groups: 50,
};

type Question = fn(Scale);

fn main() {
    let asked = Asked::of_command_line();
    let scale = if asked.measuring { MEASURE } else { SMALL };
    let questions: [(&str, Question); 5] = [
        ("start", life::start),
        ("commit", commit::cycle),
        ("traffic", traffic::all),
        ("restart", life::restart),
        ("groups", groups::commits),
    ];
    for (name, ask) in questions {
        if asked.includes(name) {
            ask(scale);
        }
    }
}
