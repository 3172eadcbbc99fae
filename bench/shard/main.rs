//! One shard without its clients: commit cycles, reads, recovery, and the way to another shard and back.
//!
//! `cargo bench --bench shard` prints JSON rows, the disk's own number beside those that touch it; words select
//! questions. `cargo test` runs each once and small.

#[path = "../asked.rs"]
mod asked;
#[path = "../batch.rs"]
mod batch;
#[path = "../floor.rs"]
mod floor;
#[path = "../../tests/it/harness/mod.rs"]
mod harness;
#[path = "../row.rs"]
mod row;

mod commit;
mod executor;
mod mailbox;
mod read;
mod recover;
mod store;

use asked::Asked;
use ottla::base::limits::Limits;

#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Of one round of cycles.
    cycles: usize,
    /// Of one round, there and back.
    trips: usize,
    /// Written before they are read, or recovered.
    megabytes: usize,
    limits: Limits,
}

const MEASURE: Scale = Scale {
    rounds: 5,
    cycles: 5_000,
    trips: 20_000,
    megabytes: 512,
    limits: Limits::DEFAULT,
};

const SMALL: Scale = Scale {
    rounds: 1,
    cycles: 20,
    trips: 64,
    megabytes: 2,
    limits: Limits::TINY,
};

type Question = fn(Scale);

fn main() {
    let asked = Asked::of_command_line();
    let scale = if asked.measuring { MEASURE } else { SMALL };
    let questions: [(&str, Question); 4] = [
        ("commit", commit::cycles),
        ("read", read::tail_and_segments),
        ("recover", recover::after_a_crash),
        ("mailbox", mailbox::round_trips),
    ];
    for (name, ask) in questions {
        if asked.includes(name) {
            ask(scale);
        }
    }
}
