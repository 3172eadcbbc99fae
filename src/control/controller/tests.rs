use super::*;
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::ProducerId;
use crate::base::prng::Prng;
use crate::control::command::*;
use crate::control::fixture::*;

#[test]
fn a_fresh_cluster_has_nothing_but_defaults() {
    let controller = Controller::recover(start(&[]), None, []).unwrap();
    let image = controller.image();
    assert_eq!(
        (image.version, image.term, image.cluster_id),
        (0, 0, CLUSTER)
    );
    assert!(image.broker.is_none() && image.topics().len() == 0);
    assert_eq!(*image.config, crate::config::BrokerConfig::default());
}

#[test]
fn each_start_of_the_node_raises_the_epochs() {
    let mut controller = with_topics(&["old"]);
    let proposal = controller.propose(Command::RegisterBroker {
        host: "broker".to_owned(),
        port: 1,
        rack: Some("r".to_owned()),
    });
    assert_eq!(proposal.outcome, Outcome::Registered { term: 2 });
    let broker = proposal.image.broker.as_deref().unwrap();
    assert_eq!(
        (broker.host.as_str(), broker.port, broker.rack.as_deref()),
        ("broker", 1, Some("r"))
    );
    controller.propose(create(vec![topic("new", 9)]));
    let image = controller.image();
    let epoch = |name: &str| image.leader_epoch(image.topic(name).unwrap());
    assert_eq!(
        (epoch("old"), epoch("new")),
        (LeaderEpoch(1), LeaderEpoch(0))
    );
}

#[test]
fn producer_ids_are_given_once() {
    let mut controller = controller(&[]);
    let mut ask = |count| {
        controller
            .propose(Command::AllocateProducerIds { count })
            .outcome
    };
    let block = |first, count| {
        Outcome::ProducerIds(Ok(ProducerIdBlock {
            first: ProducerId(first),
            count,
        }))
    };
    assert_eq!(ask(1_000), block(0, 1_000));
    assert_eq!(ask(5), block(1_000, 5));
    assert_eq!(ask(1_000), block(1_005, 1_000));
}

#[test]
fn a_command_that_changes_nothing_keeps_the_image() {
    let mut controller = with_topics(&["t"]);
    let before = controller.image().clone();
    let proposal = controller.propose(create(vec![topic("t", 9)]));
    assert!(proposal.records.is_empty() && Arc::ptr_eq(&before, &proposal.image));
}

#[test]
fn an_image_handed_out_never_changes() {
    let mut controller = with_topics(&["a"]);
    let before = controller.image().clone();
    controller.propose(create(vec![topic("b", 9)]));
    controller.propose(alter(of_topic("a"), vec![set("retention.ms", "1")]));
    assert_eq!(before.topics().len(), 1);
    assert_eq!(before.topic("a").unwrap().config.retention_ms, 604_800_000);
    let changes = controller.image().changes_since(&before);
    assert_eq!((changes.created.len(), changes.changed.len()), (1, 1));
}

/// Everything an image says, in a form that compares.
fn content(image: &Image) -> String {
    let mut text = format!(
        "{} {} {:?} {} {} {:?} {:?} {}\n",
        image.version,
        image.cluster_id,
        image.broker,
        image.term,
        image.next_producer_id,
        image.layers,
        image.config,
        image.partition_count(),
    );
    for topic in image.topics() {
        text += &format!(
            "{topic:?} {:?}\n",
            image.topic_by_id(topic.id).map(|t| &t.name)
        );
    }
    for tombstone in image.tombstones() {
        text += &format!("{tombstone:?}\n");
    }
    text + &format!("{:?} {:?}", image.folded_names, image.group_overrides)
}

fn random_command(prng: &mut Prng) -> Command {
    let name = |prng: &mut Prng| format!("t{}", prng.below(12));
    match prng.below(10) {
        0..3 => {
            let mut new = topic(&name(prng), 1);
            new.id = Uuid::from_random(std::array::from_fn(|_| prng.next_u64() as u8));
            new.partitions = prng.below(5) as i32 - 1;
            new.configs = vec![("retention.ms".to_owned(), Some(prng.below(100).to_string()))];
            create(vec![new])
        }
        3 => Command::DeleteTopics {
            topics: vec![TopicRef::Name(name(prng)), TopicRef::Name(name(prng))],
        },
        4 => Command::CreatePartitions {
            topics: vec![NewPartitions {
                name: name(prng),
                count: prng.below(20) as i32,
                assignments: None,
            }],
            validate_only: prng.chance(20),
        },
        5 => {
            let delete = operation(OperationKind::Delete, "retention.ms", None);
            let segment = set("segment.ms", &prng.below(9).to_string());
            alter(of_topic(&name(prng)), vec![delete, segment])
        }
        6 => {
            let node = prng.chance(50).then_some(NodeId(0));
            let wanted = match prng.chance(30) {
                true => operation(OperationKind::Delete, "log.retention.ms", None),
                false => set("log.retention.ms", &prng.below(1000).to_string()),
            };
            alter(Resource::Broker(node), vec![wanted])
        }
        7 => {
            let group = Resource::Group(name(prng));
            let wanted = match prng.chance(30) {
                true => operation(OperationKind::Delete, "consumer.session.timeout.ms", None),
                false => {
                    let value = 45_000 + prng.below(9);
                    set("consumer.session.timeout.ms", &value.to_string())
                }
            };
            alter(group, vec![wanted])
        }
        8 => Command::AllocateProducerIds {
            count: 1 + prng.below(9) as u32,
        },
        _ => register(),
    }
}

#[test]
fn replay_from_any_snapshot_leads_to_the_same_image() {
    for seed in 0..30 {
        let mut prng = Prng::new(seed);
        let mut controller = controller(&[("num.partitions", "2")]);
        let mut images = vec![(controller.image().clone(), 0)];
        let mut log = Vec::new();
        for _ in 0..60 {
            let proposal = controller.propose(random_command(&mut prng));
            log.extend(proposal.records);
            images.push((proposal.image, log.len()));
        }
        let expected = content(controller.image());
        for (image, logged) in images {
            let snapshot = Controller::snapshot(&image);
            let rest = log[logged..].iter().cloned();
            let start = start(&[("num.partitions", "2")]);
            let replayed = Controller::recover(start, Some(snapshot), rest).unwrap();
            assert_eq!(
                content(replayed.image()),
                expected,
                "seed {seed}, after {logged} records"
            );
        }
    }
}

#[test]
fn a_node_restarted_with_other_settings_applies_them_to_old_topics() {
    let controller = with_topics(&["t"]);
    let snapshot = Controller::snapshot(controller.image());
    let hours = start(&[("log.retention.hours", "1")]);
    let restarted = Controller::recover(hours, Some(snapshot), []).unwrap();
    assert_eq!(
        restarted.image().topic("t").unwrap().config.retention_ms,
        3_600_000
    );
}
