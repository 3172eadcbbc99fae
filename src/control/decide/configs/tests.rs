use crate::base::ids::NodeId;
use crate::base::limits::GROUPS_CONFIGURED_MAX;
use crate::control::command::{AlterResource, Command, OperationKind, Outcome, Resource};
use crate::control::fixture::*;

#[test]
fn a_topic_is_configured_and_back() {
    let mut controller = with_topics(&["t"]);
    let wanted = vec![
        set("retention.ms", "5000"),
        set("max.message.bytes", "2000"),
    ];
    let proposal = controller.propose(alter(of_topic("t"), wanted));
    assert_eq!(altered(&proposal), "ok");
    assert_eq!(proposal.records.len(), 1);
    let topic = proposal.image.topic("t").expect("it exists").clone();
    assert_eq!(
        (topic.config.retention_ms, topic.config.batch_bytes_max),
        (5_000, 2_000)
    );

    let unset = vec![operation(OperationKind::Delete, "retention.ms", None)];
    let proposal = controller.propose(alter(of_topic("t"), unset));
    let after = proposal.image.topic("t").expect("it exists").clone();
    assert_eq!(after.config.retention_ms, 604_800_000);
    assert_eq!(after.overrides, overrides(&[("max.message.bytes", "2000")]));

    let same = controller.propose(alter(of_topic("t"), vec![set("max.message.bytes", "2000")]));
    assert_eq!((altered(&same).as_str(), same.records.len()), ("ok", 0));
}

#[test]
fn one_wrong_config_spoils_its_resource_and_no_other() {
    let mut controller = with_topics(&["a", "b"]);
    let resource = |name: &str, operations| AlterResource {
        resource: of_topic(name),
        operations,
        replaces: false,
    };
    let proposal = controller.propose(Command::AlterConfigs {
        resources: vec![
            resource("a", vec![set("retention.ms", "1"), set("segment.ms", "x")]),
            resource("b", vec![set("retention.ms", "2")]),
            resource("none", vec![set("retention.ms", "3")]),
        ],
        validate_only: false,
    });
    assert_eq!(
        altered(&proposal),
        "Invalid value x for configuration segment.ms: Not a number of type LONG; ok; \
         The topic 'none' does not exist."
    );
    assert!(
        proposal
            .image
            .topic("a")
            .expect("it exists")
            .overrides
            .is_empty()
    );
    assert_eq!(
        proposal
            .image
            .topic("b")
            .expect("it exists")
            .config
            .retention_ms,
        2
    );
}

#[test]
fn lists_take_and_lose_elements() {
    use OperationKind::{Append, Subtract};
    const LIST: &str = "leader.replication.throttled.replicas";
    let mut controller = with_topics(&["t"]);
    for (kind, value, expected) in [
        (Append, "0:1", "0:1"),
        (Append, "1:2,0:1", "0:1,1:2"),
        (Subtract, "0:1,5:5", "1:2"),
        (Append, "3:4, 5:6", "1:2,3:4,5:6"),
        (Subtract, "1:2,3:4,5:6", ""),
    ] {
        let proposal = controller.propose(alter(
            of_topic("t"),
            vec![operation(kind, LIST, Some(value))],
        ));
        assert_eq!(altered(&proposal), "ok");
        assert_eq!(
            proposal.image.topic("t").expect("it exists").overrides[LIST],
            expected
        );
    }
    // A list that is not set begins as its default.
    for (kind, name, value, expected) in [
        (Append, "cleanup.policy", "compact", "ok"),
        (Append, "cleanup.policy", "delete", "ok"),
        (
            Append,
            "retention.ms",
            "1",
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            Subtract,
            "retention.ms",
            "1",
            "Can't SUBTRACT to key retention.ms because its type is not LIST.",
        ),
        (Append, "no.such", "1", "Unknown topic config name: no.such"),
    ] {
        let wanted = vec![operation(kind, name, Some(value))];
        assert_eq!(
            altered(&controller.propose(alter(of_topic("t"), wanted))),
            expected
        );
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let delete = |name| operation(OperationKind::Delete, name, None);
    let null = |name| operation(OperationKind::Set, name, None);
    for (resource, operations, expected) in [
        (
            of_topic("t"),
            vec![set("retention.ms", "1"), delete("retention.ms")],
            "Error due to duplicate config keys",
        ),
        (
            of_topic("t"),
            vec![null("retention.ms"), null("segment.ms")],
            "Null value not supported for : retention.ms, segment.ms",
        ),
        (
            of_topic(""),
            vec![],
            "Default topic resources are not allowed.",
        ),
        (
            of_topic("."),
            vec![],
            "Topic name is invalid: '.' is not allowed",
        ),
        (
            Resource::Broker(Some(NodeId(5))),
            vec![],
            "Unexpected broker id, expected 0, but received 5",
        ),
        (of_topic("t"), vec![delete("no.such")], "ok"),
        (
            of_topic("none"),
            vec![set("no.such", "1")],
            "Unknown topic config name: no.such",
        ),
    ] {
        let proposal = with_topics(&["t"]).propose(alter(resource, operations));
        assert_eq!(altered(&proposal), expected);
        assert!(proposal.records.is_empty());
    }
    let twice = AlterResource {
        resource: of_topic("t"),
        operations: vec![set("retention.ms", "1")],
        replaces: false,
    };
    let proposal = with_topics(&["t"]).propose(Command::AlterConfigs {
        resources: vec![twice.clone(), twice],
        validate_only: false,
    });
    let text = "Each resource must appear at most once.";
    assert_eq!(altered(&proposal), format!("{text}; {text}"));
}

#[test]
fn a_broker_default_reaches_the_topics_that_do_not_choose() {
    let mut controller = with_topics(&["own", "plain"]);
    controller.propose(alter(of_topic("own"), vec![set("retention.ms", "1")]));
    let before = controller.image().clone();

    let cluster = alter(Resource::Broker(None), vec![set("log.retention.ms", "2")]);
    let proposal = controller.propose(cluster);
    assert_eq!(altered(&proposal), "ok");
    let retention = |name: &str| {
        proposal
            .image
            .topic(name)
            .expect("it exists")
            .config
            .retention_ms
    };
    assert_eq!((retention("own"), retention("plain")), (1, 2));
    assert_eq!(proposal.image.config.topic.retention_ms, 2);
    let changes = proposal.image.changes_since(&before);
    let changed: Vec<_> = changes
        .changed
        .iter()
        .map(|(_, after)| &*after.name)
        .collect();
    assert_eq!(changed, ["plain"]);
    assert!(changes.created.is_empty() && changes.deleted.is_empty());

    let node = Resource::Broker(Some(NodeId(0)));
    let proposal = controller.propose(alter(node.clone(), vec![set("log.retention.ms", "3")]));
    assert_eq!(proposal.image.config.topic.retention_ms, 3);
    assert_eq!(proposal.image.layers.get("log.retention.ms"), Some("3"));

    let unset = |resource| {
        alter(
            resource,
            vec![operation(OperationKind::Delete, "log.retention.ms", None)],
        )
    };
    controller.propose(unset(node));
    let proposal = controller.propose(unset(Resource::Broker(None)));
    assert_eq!(proposal.image.config.topic.retention_ms, 604_800_000);
    assert!(proposal.image.broker_overrides(None).is_none());
}

#[test]
fn only_dynamic_broker_configs_change_without_a_restart() {
    for (name, value, expected) in [
        ("log.flush.interval.messages", "1234", "ok"),
        ("background.threads", "12", "ok"),
        ("max.connections.per.ip", "5", "ok"),
        (
            "num.partitions",
            "2",
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        (
            "listeners",
            "x",
            "Cannot update these configs dynamically: [listeners]",
        ),
        ("no.such", "1", "Unknown broker config name: no.such"),
        (
            "log.retention.ms",
            "x",
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
        (
            "log.cleanup.policy",
            "squash",
            "Invalid value squash for configuration log.cleanup.policy: String must be one of: \
             compact, delete",
        ),
    ] {
        for resource in [Resource::Broker(None), Resource::Broker(Some(NodeId(0)))] {
            let proposal = controller(&[]).propose(alter(resource, vec![set(name, value)]));
            assert_eq!(altered(&proposal), expected);
        }
    }
}

#[test]
fn some_broker_configs_are_set_for_one_broker_only() {
    let name = "sasl.kerberos.min.time.before.relogin";
    let wanted = || vec![set(name, "58000")];
    let one = controller(&[]).propose(alter(Resource::Broker(Some(NodeId(0))), wanted()));
    assert_eq!(altered(&one), "ok");
    let all = controller(&[]).propose(alter(Resource::Broker(None), wanted()));
    let expected = format!(
        "Cannot update these configs at default cluster level, broker id must be specified: [{name}]"
    );
    assert_eq!(altered(&all), expected);
}

#[test]
fn a_group_is_configured_and_back() {
    let mut controller = controller(&[]);
    let group = || Resource::Group("g".to_owned());
    let timeout = "consumer.session.timeout.ms";
    let proposal = controller.propose(alter(group(), vec![set(timeout, "50000")]));
    assert_eq!(altered(&proposal), "ok");
    let own = proposal
        .image
        .group_overrides("g")
        .expect("it is configured");
    assert_eq!(**own, overrides(&[(timeout, "50000")]));
    for (resource, wanted, expected) in [
        (
            group(),
            set("no.such", "1"),
            "Unknown group config name: no.such",
        ),
        (
            group(),
            set(timeout, "x"),
            "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT",
        ),
        (
            group(),
            set(timeout, "44999"),
            "consumer.session.timeout.ms must be greater than or equal to \
             group.consumer.min.session.timeout.ms",
        ),
        (
            Resource::Group(String::new()),
            set(timeout, "50000"),
            "Default group resources are not allowed.",
        ),
    ] {
        let refused = controller.propose(alter(resource, vec![wanted]));
        assert_eq!(
            (altered(&refused).as_str(), refused.records.len()),
            (expected, 0)
        );
    }
    let unset = vec![operation(OperationKind::Delete, timeout, None)];
    let proposal = controller.propose(alter(group(), unset));
    assert_eq!(proposal.image.configured_groups().len(), 0);
}

#[test]
fn groups_with_configs_are_bounded() {
    let mut controller = controller(&[]);
    let configure = |name: String| {
        let wanted = vec![set("consumer.session.timeout.ms", "50000")];
        alter(Resource::Group(name), wanted)
    };
    for number in 0..GROUPS_CONFIGURED_MAX {
        let proposal = controller.propose(configure(format!("g{number}")));
        assert_eq!(altered(&proposal), "ok");
    }
    let proposal = controller.propose(configure("one more".to_owned()));
    let expected = "At most 1000 groups may have configs of their own.";
    assert_eq!(altered(&proposal), expected);
    let known = controller.propose(configure("g7".to_owned()));
    assert_eq!(altered(&known), "ok");
}

#[test]
fn a_replacement_clears_what_it_does_not_name() {
    let mut controller = with_topics(&["t"]);
    let first = vec![set("retention.ms", "1"), set("segment.ms", "2")];
    controller.propose(alter(of_topic("t"), first));
    let second = vec![set("segment.ms", "2"), set("max.message.bytes", "3")];
    let proposal = controller.propose(replace(of_topic("t"), second));
    assert_eq!(altered(&proposal), "ok");
    let topic = proposal.image.topic("t").expect("it exists");
    let expected = overrides(&[("max.message.bytes", "3"), ("segment.ms", "2")]);
    assert_eq!(topic.overrides, expected);

    let wrong = controller.propose(replace(of_topic("t"), vec![set("segment.ms", "x")]));
    assert_eq!(wrong.records.len(), 0, "{}", altered(&wrong));
    let nothing = controller.propose(replace(of_topic("t"), Vec::new()));
    assert!(
        nothing
            .image
            .topic("t")
            .expect("it exists")
            .overrides
            .is_empty()
    );
}

#[test]
fn asking_whether_it_would_work_changes_nothing() {
    let mut controller = with_topics(&["t"]);
    let operations = vec![set("retention.ms", "1")];
    let proposal = controller.propose(Command::AlterConfigs {
        resources: vec![AlterResource {
            resource: of_topic("t"),
            operations,
            replaces: false,
        }],
        validate_only: true,
    });
    assert_eq!(proposal.outcome, Outcome::ConfigsAltered(vec![Ok(())]));
    assert!(proposal.records.is_empty());
    assert!(
        proposal
            .image
            .topic("t")
            .expect("it exists")
            .overrides
            .is_empty()
    );
}
