use crate::control::command::{Command, NewPartitions, Outcome};
use crate::control::fixture::*;

fn grow(name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) -> NewPartitions {
    let name = name.to_owned();
    NewPartitions {
        name,
        count,
        assignments,
    }
}

fn ask(topics: Vec<NewPartitions>, validate_only: bool) -> (Vec<String>, u32, usize) {
    let mut controller = with_topics(&["a", "b"]);
    let proposal = controller.propose(Command::CreatePartitions {
        topics,
        validate_only,
    });
    let Outcome::PartitionsCreated(results) = &proposal.outcome else {
        panic!("not a growth: {:?}", proposal.outcome)
    };
    let partitions = proposal.image.topic("a").expect("it exists").partitions;
    (texts(results), partitions, proposal.image.partition_count())
}

#[test]
fn a_topic_only_grows() {
    let (texts, partitions, total) = ask(vec![grow("a", 4, None)], false);
    assert_eq!((texts.join("; ").as_str(), partitions, total), ("ok", 4, 5));
    for (count, expected) in [
        (1, "Topic already has 1 partition(s)."),
        (
            0,
            "The topic a currently has 1 partition(s); 0 would not be an increase.",
        ),
        (
            -1,
            "The topic a currently has 1 partition(s); -1 would not be an increase.",
        ),
        (
            10_001,
            "A topic may have at most 10000 partitions, not 10001.",
        ),
    ] {
        let (texts, partitions, _) = ask(vec![grow("a", count, None)], false);
        assert_eq!((texts.join("; ").as_str(), partitions), (expected, 1));
    }
}

#[test]
fn each_growth_fails_alone() {
    let wanted = vec![
        grow("a", 2, None),
        grow("x", 2, None),
        grow("b", 2, None),
        grow("b", 3, None),
    ];
    let (texts, partitions, total) = ask(wanted, false);
    let expected = [
        "ok",
        "The topic 'x' does not exist.",
        "Duplicate topic name.",
        "Duplicate topic name.",
    ];
    assert_eq!(texts, expected);
    assert_eq!((partitions, total), (2, 3));
}

#[test]
fn a_client_may_name_the_brokers_of_each_new_partition() {
    const PREFIX: &str = "The manual partition assignment includes ";
    for (assignments, expected) in [
        (vec![vec![0], vec![0]], "ok"),
        (
            vec![vec![0]],
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (
            vec![],
            "Attempted to add 2 additional partition(s), but only 0 assignment(s) were specified.",
        ),
        (vec![vec![0], vec![]], "an empty replica list."),
        (
            vec![vec![0], vec![5]],
            "broker 5, but no such broker is registered.",
        ),
    ] {
        let (texts, ..) = ask(vec![grow("a", 3, Some(assignments))], false);
        assert_eq!(texts.join("; ").trim_start_matches(PREFIX), expected);
    }
}

#[test]
fn asking_whether_it_would_work_changes_nothing() {
    let (texts, partitions, total) = ask(vec![grow("a", 4, None)], true);
    assert_eq!((texts.join("; ").as_str(), partitions, total), ("ok", 1, 2));
}
