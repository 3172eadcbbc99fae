use crate::base::epoch::LeaderEpoch;
use crate::config::topic::Durability;
use crate::control::command::{Command, NewTopic};
use crate::control::error::{ControlError, NameProblem};
use crate::control::fixture::*;

fn configs(pairs: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    let own = |&(name, value): &(&str, Option<&str>)| (name.to_owned(), value.map(str::to_owned));
    pairs.iter().map(own).collect()
}

/// What comes of creating one topic on a fresh cluster.
fn refusal(topic: NewTopic) -> String {
    let proposal = controller(&[]).propose(create(vec![topic]));
    assert!(proposal.records.is_empty());
    texts(created(&proposal)).join("; ")
}

#[test]
fn a_created_topic_is_in_the_image() {
    let mut controller = controller(&[("num.partitions", "3"), ("log.retention.hours", "1")]);
    let mut new = topic("t", 1);
    new.partitions = -1;
    new.replication_factor = -1;
    new.configs = configs(&[
        ("segment.bytes", Some(" 2097152 ")),
        ("ottla.durability", Some("memory")),
    ]);
    let proposal = controller.propose(create(vec![new]));
    assert_eq!(proposal.records.len(), 1);
    let made = proposal.image.topic("t").expect("created");
    assert_eq!(created(&proposal), [Ok(made.clone())]);
    assert_eq!(
        (made.id, made.partitions, made.replication_factor),
        (id(1), 3, 1)
    );
    assert_eq!((made.created_term, made.internal), (1, false));
    assert_eq!(made.overrides["segment.bytes"], "2097152");
    assert_eq!(made.config.segment_bytes, 2_097_152);
    assert_eq!(made.config.retention_ms, 3_600_000);
    assert_eq!(made.config.durability, Durability::Memory);
    assert_eq!(proposal.image.topic_by_id(id(1)), Some(made));
    assert_eq!(proposal.image.partition_count(), 3);
    assert_eq!(proposal.image.leader_epoch(made), LeaderEpoch(0));
    assert!(made.has_partition(2) && !made.has_partition(3) && !made.has_partition(-1));
}

#[test]
fn each_topic_of_a_request_fails_alone() {
    let mut controller = with_topics(&["old", "a.b"]);
    let names = [
        "new", "old", "twice", "no/name", "twice", "a_b", "x.y", "x_y", "last",
    ];
    let numbered = names.iter().zip(10..);
    let topics = numbered.map(|(name, n)| topic(name, n)).collect();
    let proposal = controller.propose(create(topics));
    assert_eq!(
        texts(created(&proposal)),
        [
            "ok",
            "Topic 'old' already exists.",
            "Duplicate topic name.",
            "Topic name is invalid: 'no/name' contains one or more characters other than ASCII \
             alphanumerics, '.', '_' and '-'",
            "Duplicate topic name.",
            "Topic 'a_b' collides with existing topic: a.b",
            "ok",
            "Topic 'x_y' collides with existing topic: x.y",
            "ok",
        ]
    );
    assert_eq!(proposal.records.len(), 3);
    let left: Vec<_> = proposal.image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(left, ["a.b", "last", "new", "old", "x.y"]);
}

#[test]
fn a_request_creates_a_bounded_number_of_partitions() {
    let wide = |n| NewTopic {
        partitions: 5_001,
        ..topic(&format!("wide-{n}"), n)
    };
    let proposal = controller(&[]).propose(create(vec![wide(1), wide(2)]));
    let refused = "A request creates at most 10000 partitions, not 10002.";
    assert_eq!(texts(created(&proposal)), [refused, refused]);
    assert!(proposal.records.is_empty());
    let proposal = controller(&[]).propose(create(vec![wide(1)]));
    assert_eq!(texts(created(&proposal)), ["ok"]);
}

#[test]
fn names_of_the_broker_are_refused() {
    let internal = |name: &str| NameProblem::Internal {
        name: name.to_owned(),
    };
    let reserved = |name: &str| NameProblem::Reserved {
        name: name.to_owned(),
    };
    for (name, problem) in [
        ("__consumer_offsets", internal("__consumer_offsets")),
        ("__transaction_state", internal("__transaction_state")),
        ("__ottla.latest.t", reserved("__ottla.latest.t")),
    ] {
        let proposal = controller(&[]).propose(create(vec![topic(name, 1)]));
        assert_eq!(
            created(&proposal),
            [Err(ControlError::InvalidName(problem))]
        );
    }
    let metadata = refusal(topic("__cluster_metadata", 1));
    assert_eq!(
        metadata,
        "Creation of internal topic __cluster_metadata is prohibited."
    );
    let mut controller = controller(&[]);
    let others = ["__ottla", "__other", "ottla.t"]
        .iter()
        .zip(1..)
        .map(|(n, i)| topic(n, i));
    let proposal = controller.propose(create(others.collect()));
    assert_eq!(texts(created(&proposal)), ["ok", "ok", "ok"]);
}

#[test]
fn counts_and_factors_are_checked_as_kafka_checks_them() {
    let factor_low = "Replication factor must be larger than 0, or -1 to use the default value.";
    let partitions_low = "Number of partitions was set to an invalid non-positive value.";
    for (partitions, factor, expected) in [
        (1, 0, factor_low),
        (1, -2, factor_low),
        (0, 1, partitions_low),
        (-2, 1, partitions_low),
        (
            1,
            3,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 \
             cannot be reached because only 1 broker(s) are registered.",
        ),
        (
            10_001,
            1,
            "A topic may have at most 10000 partitions, not 10001.",
        ),
        (
            i32::MAX,
            1,
            "A topic may have at most 10000 partitions, not 2147483647.",
        ),
    ] {
        let mut new = topic("t", 1);
        new.partitions = partitions;
        new.replication_factor = factor;
        assert_eq!(refusal(new), expected);
    }
}

#[test]
fn the_cluster_has_a_bound_of_partitions() {
    let mut controller = controller(&[]);
    for n in 1..=11 {
        let mut new = topic(&format!("t{n}"), n);
        new.partitions = if n == 11 { 1 } else { 10_000 };
        let proposal = controller.propose(create(vec![new]));
        let expected = match n {
            11 => "The cluster may have at most 100000 partitions; this would make 100001.",
            _ => "ok",
        };
        assert_eq!(texts(created(&proposal)), [expected]);
    }
    assert_eq!(controller.image().partition_count(), 100_000);
}

#[test]
fn a_client_may_name_the_brokers() {
    let assigned = |assignments: &[(i32, &[i32])]| {
        let own = |&(partition, brokers): &(i32, &[i32])| (partition, brokers.to_vec());
        let mut new = topic("t", 1);
        new.partitions = -1;
        new.replication_factor = -1;
        new.assignments = Some(assignments.iter().map(own).collect());
        new
    };
    let mut controller = controller(&[]);
    let proposal = controller.propose(create(vec![assigned(&[(1, &[0]), (0, &[0])])]));
    assert_eq!(
        proposal
            .image
            .topic("t")
            .map(|t| (t.partitions, t.replication_factor)),
        Some((2, 1))
    );

    const PREFIX: &str = "The manual partition assignment includes ";
    for (assignments, expected) in [
        (
            &[(0, &[0][..]), (0, &[0])][..],
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            &[(1, &[0])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[(0, &[0]), (2, &[0])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[(-1, &[0])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (&[(0, &[])], "an empty replica list."),
        (&[(0, &[1])], "broker 1, but no such broker is registered."),
        (&[(0, &[0, 0])], "the broker 0 more than once."),
    ] {
        assert_eq!(
            refusal(assigned(assignments)).trim_start_matches(PREFIX),
            expected
        );
    }
    let mut both = assigned(&[(0, &[0])]);
    both.replication_factor = 1;
    assert_eq!(
        refusal(both),
        "A manual partition assignment was specified, but replication factor was not set to -1."
    );
    let mut both = assigned(&[(0, &[0])]);
    both.partitions = 1;
    assert_eq!(
        refusal(both),
        "A manual partition assignment was specified, but numPartitions was not set to -1."
    );
}

#[test]
fn an_empty_assignment_is_none() {
    let mut new = topic("t", 1);
    new.partitions = 2;
    new.assignments = Some(Vec::new());
    let proposal = controller(&[]).propose(create(vec![new]));
    assert_eq!(
        created(&proposal)[0].as_ref().map(|topic| topic.partitions),
        Ok(2)
    );
}

#[test]
fn configs_of_a_new_topic_are_checked() {
    let long = "0:1,".repeat(10_000);
    for (pairs, expected) in [
        (
            &[("a", None), ("retention.ms", Some("1")), ("b", None)][..],
            "Null value not supported for topic configs: a,b",
        ),
        (&[("a", Some("1"))], "Unknown topic config name: a"),
        (
            &[("retention.ms", Some("-2"))],
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            &[("cleanup.policy", Some("squash"))],
            "Invalid value squash for configuration cleanup.policy: String must be one of: \
             compact, delete",
        ),
        (
            &[("leader.replication.throttled.replicas", Some(&long))],
            "Invalid value (too long to repeat) for configuration \
             leader.replication.throttled.replicas: Value must be no longer than 32768 bytes",
        ),
    ] {
        let mut new = topic("t", 1);
        new.configs = configs(pairs);
        assert_eq!(refusal(new), expected);
    }
}

#[test]
fn asking_whether_it_would_work_changes_nothing() {
    let mut controller = with_topics(&["old"]);
    let before = controller.image().clone();
    let proposal = controller.propose(Command::CreateTopics {
        topics: vec![topic("new", 5), topic("old", 6)],
        validate_only: true,
    });
    assert_eq!(
        texts(created(&proposal)),
        ["ok", "Topic 'old' already exists."]
    );
    assert_eq!(
        created(&proposal)[0].as_ref().map(|topic| &*topic.name),
        Ok("new")
    );
    assert!(proposal.records.is_empty());
    assert!(std::sync::Arc::ptr_eq(&before, &proposal.image));
    assert!(controller.image().topic("new").is_none());
}

#[test]
fn a_thousand_topics_one_by_one_stay_apart() {
    let mut controller = controller(&[]);
    for n in 0..1_000u32 {
        let mut new = topic(&format!("t{n}"), 1);
        new.id.0[..4].copy_from_slice(&n.to_be_bytes());
        new.partitions = 4;
        let proposal = controller.propose(create(vec![new]));
        assert_eq!(proposal.records.len(), 1);
    }
    let image = controller.image();
    assert_eq!(
        (image.topics().len(), image.partition_count()),
        (1_000, 4_000)
    );
    assert_eq!(image.version, 1_001);
}

#[test]
fn the_topic_of_offsets_is_made_once_and_only_by_the_broker() {
    let mut controller = controller(&[
        ("offsets.topic.num.partitions", "7"),
        ("log.retention.bytes", "1"),
    ]);
    let made = |n| Command::CreateOffsetsTopic { id: id(n) };
    let proposal = controller.propose(made(1));
    let topic = proposal
        .image
        .topic("__consumer_offsets")
        .expect("made")
        .clone();
    assert_eq!(created(&proposal), [Ok(topic.clone())]);
    assert_eq!(
        (topic.partitions, topic.replication_factor, topic.internal),
        (7, 1, true)
    );
    assert!(
        topic.config.cleanup.compact && !topic.config.cleanup.delete,
        "nothing expires by age or size"
    );
    assert_eq!(topic.config.segment_bytes, 104_857_600);
    let again = controller.propose(made(2));
    assert_eq!(again.records.len(), 0);
    assert_eq!(created(&again), [Ok(topic)]);
    let grown = controller.propose(Command::CreatePartitions {
        topics: vec![crate::control::command::NewPartitions {
            name: "__consumer_offsets".to_owned(),
            count: 8,
            assignments: None,
        }],
        validate_only: false,
    });
    assert_eq!(
        grown.records.len(),
        0,
        "a group is found by the number of partitions"
    );
}
