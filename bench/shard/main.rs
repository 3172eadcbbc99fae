//! One shard without its clients: commit cycles, reads, recovery, and the way to another shard and back.
//!
//! `cargo bench --bench shard` prints JSON rows, the disk's own number beside those that touch it; words select
//! questions. `cargo test` runs each once and small.

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measuring = arguments.iter().any(|argument| argument == "--bench");
    let scale = if measuring { MEASURE } else { SMALL };
    let words: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let questions: [(&str, Question); 4] = [
        ("commit", commit::cycles),
        ("read", read::tail_and_segments),
        ("recover", recover::after_a_crash),
        ("mailbox", mailbox::round_trips),
    ];
    for (name, ask) in questions {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            ask(scale);
        }
    }
}
