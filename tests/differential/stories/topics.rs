//! Topics come, grow and go; metadata of them.

use ottla::base::ids::Uuid;
use ottla::wire::ApiKey;
use ottla::wire::messages::create_partitions::*;
use ottla::wire::messages::create_topics::*;
use ottla::wire::messages::delete_topics::*;
use ottla::wire::messages::metadata::*;

use super::build::*;
use crate::session::{Client, Session};

pub(super) fn creation(session: &Session) {
    let mut client = session.client();
    let name = |name: &str| session.name(name);
    let both = vec![
        new_topic(&name("one"), 1, &[]),
        new_topic(&name("two"), 2, &[]),
    ];
    client.ask("two topics", &create(both));
    let again = vec![
        new_topic(&name("one"), 3, &[]),
        new_topic(&name("three"), 1, &[]),
    ];
    client.ask("one of two exists", &create(again));
    let twin = || new_topic(&name("twin"), 1, &[]);
    client.ask(
        "twice in one request",
        &create(vec![twin(), new_topic(&name("four"), 1, &[]), twin()]),
    );
    let dotted = vec![new_topic(&name("dotted.name"), 1, &[])];
    client.ask("a dot", &create(dotted));
    client.settle_topic(&name("dotted.name"), 1);
    client.ask(
        "its double",
        &create(vec![new_topic(&name("dotted_name"), 1, &[])]),
    );
    shapes(&mut client);
    assigned(&mut client);
    names(&mut client);
}

fn shapes(client: &mut Client) {
    let session = client.session;
    for partitions in [-1, 0, -2] {
        for replicas in [-1, 0, 1, 2] {
            let topic = CreatableTopic {
                replication_factor: replicas,
                ..new_topic(
                    &session.name(&format!("shape{partitions}x{replicas}")),
                    partitions,
                    &[],
                )
            };
            client.ask(
                &format!("{partitions} partitions, {replicas} replicas"),
                &create(vec![topic]),
            );
        }
    }
}

fn assigned(client: &mut Client) {
    let session = client.session;
    for assigned in [
        &[(0, &[0][..])][..],
        &[(0, &[0]), (1, &[0])],
        &[(1, &[0])],
        &[(0, &[0, 0])],
        &[(0, &[0]), (2, &[0])],
        &[(0, &[5])],
        &[(0, &[0]), (0, &[0])],
        &[(0, &[])],
        &[(0, &[0, 1])],
        &[(-1, &[0])],
    ] {
        let assignments =
            assigned
                .iter()
                .map(|&(partition_index, brokers)| CreatableReplicaAssignment {
                    partition_index,
                    broker_ids: brokers.to_vec(),
                    ..Default::default()
                });
        let mut topic = CreatableTopic {
            num_partitions: -1,
            replication_factor: -1,
            assignments: assignments.collect(),
            ..new_topic(&session.name("assigned"), 1, &[])
        };
        let mut request = create(vec![topic.clone()]);
        request.validate_only = true;
        client.ask(&format!("assigned {assigned:?}"), &request);
        (topic.num_partitions, topic.replication_factor) = (2, -1);
        request.topics = vec![topic];
        client.ask(&format!("counted and assigned {assigned:?}"), &request);
    }
}

fn names(client: &mut Client) {
    let session = client.session;
    let name = |name: &str| session.name(name);
    let mut dry = create(vec![
        new_topic(&name("dry"), 2, &[("retention.ms", Some("5"))]),
        new_topic("__consumer_offsets", 1, &[]),
    ]);
    dry.validate_only = true;
    client.ask("only validated", &dry);
    client.ask("it was only validated", &by_name(&[&name("dry")]));
    let long = "n".repeat(249);
    for bad in [
        "",
        ".",
        "..",
        "a b",
        "a/b",
        "ü",
        &"n".repeat(250),
        "a\0b",
        "a:b",
        &long,
    ] {
        let mut request = create(vec![new_topic(bad, 1, &[])]);
        request.validate_only = true;
        client.ask(&format!("named {:.9}", format!("{bad:?}")), &request);
    }
    client.ask("no topic", &create(Vec::new()));
    for topic in [
        "one",
        "two",
        "three",
        "four",
        "dotted.name",
        "shape-1x-1",
        "shape-1x1",
    ] {
        let partitions = if topic.starts_with("shape") {
            4
        } else if topic == "two" {
            2
        } else {
            1
        };
        client.settle_topic(&name(topic), partitions);
    }
    let all = [
        "one",
        "two",
        "three",
        "four",
        "twin",
        "shape-1x-1",
        "shape-1x1",
    ]
    .map(name);
    client.ask(
        "what there is",
        &by_name(&all.each_ref().map(String::as_str)),
    );
    for topic in all {
        client.quietly(&drop_names(&[&topic]), 5);
    }
}

fn by_name(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic {
        name: Some((*name).to_owned()),
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        include_topic_authorized_operations: names.len() == 2,
        ..Default::default()
    }
}

fn by_id(id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic {
        name: None,
        topic_id: id,
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

fn drop_names(names: &[&str]) -> DeleteTopicsRequest {
    let state = |name: &&str| DeleteTopicState {
        name: Some((*name).to_owned()),
        ..Default::default()
    };
    DeleteTopicsRequest {
        topics: names.iter().map(state).collect(),
        topic_names: names.iter().map(ToString::to_string).collect(),
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    }
}

pub(super) fn deletion(session: &Session) {
    let mut client = session.client();
    let mut topic = client.topic("mortal", 2, &[]);
    let name = topic.name.clone();
    let old = topic.id;
    client.ask(
        "deleted with a stranger",
        &drop_names(&[&name, &session.name("stranger"), "a b"]),
    );
    client.settle_gone(&name);
    client.ask("deleted again", &drop_names(&[&name]));
    client.ask("metadata of it", &by_name(&[&name]));
    topic = client.topic("mortal", 1, &[]);
    client.ask("it lives again", &by_name(&[&name, "a b"]));
    if client.version(ApiKey::Metadata) >= 12 {
        client.ask("by its old id", &by_id(old));
        client.ask("by its new id", &by_id(topic.id));
    }
    if client.version(ApiKey::Produce) >= 13 {
        let stale = Topic {
            name: name.clone(),
            id: old,
        };
        client.ask(
            "written to the old id",
            &produce(&stale, -1, vec![(0, values(&["v"]))]),
        );
    }
    if client.version(ApiKey::Fetch) >= 13 {
        client.ask(
            "read from the old id",
            &fetch(
                &Topic {
                    name: name.clone(),
                    id: old,
                },
                &[(0, 0)],
            ),
        );
    }
    if client.version(ApiKey::DeleteTopics) >= 6 {
        by_ids(&mut client, &topic, old);
    }
    client.ask("twice in one request", &drop_names(&[&name, &name]));
    client.ask("nothing", &drop_names(&[]));
    client.ask(
        "an internal topic without being it",
        &by_name(&["__consumer_offsets"]),
    );
    client.quietly(&drop_names(&[&name]), 5);
}

fn by_ids(client: &mut Client, topic: &Topic, old: Uuid) {
    let state = |name: Option<&str>, topic_id| DeleteTopicState {
        name: name.map(str::to_owned),
        topic_id,
        ..Default::default()
    };
    for (what, topics) in [
        ("the old id", vec![state(None, old)]),
        ("name and id", vec![state(Some(&topic.name), topic.id)]),
        ("neither", vec![state(None, Uuid::ZERO)]),
        (
            "the id twice",
            vec![state(None, topic.id), state(None, topic.id)],
        ),
        (
            "the id and the name",
            vec![state(None, topic.id), state(Some(&topic.name), Uuid::ZERO)],
        ),
        ("the id", vec![state(None, topic.id)]),
    ] {
        let request = DeleteTopicsRequest {
            topics,
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        client.ask(&format!("deleted by {what}"), &request);
    }
    client.settle_gone(&topic.name);
}

pub(super) fn growth(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("growing", 1, &[]);
    let to = |name: &str, count, brokers: Option<&[&[i32]]>| CreatePartitionsTopic {
        name: name.to_owned(),
        count,
        assignments: brokers.map(|brokers| {
            let assignment = |ids: &&[i32]| CreatePartitionsAssignment {
                broker_ids: ids.to_vec(),
                ..Default::default()
            };
            brokers.iter().map(assignment).collect()
        }),
        ..Default::default()
    };
    let request = |topics: Vec<CreatePartitionsTopic>, validate_only| CreatePartitionsRequest {
        topics,
        timeout_ms: TIMEOUT_MS,
        validate_only,
        ..Default::default()
    };
    let name = &topic.name;
    client.ask("dry", &request(vec![to(name, 3, None)], true));
    client.ask("two", &request(vec![to(name, 2, None)], false));
    client.settle_topic(name, 2);
    for count in [2, 1, 0, -1] {
        client.ask(
            &format!("to {count}"),
            &request(vec![to(name, count, None)], true),
        );
    }
    for brokers in [
        &[&[0][..]][..],
        &[],
        &[&[0], &[0]],
        &[&[]],
        &[&[0, 0]],
        &[&[3]],
        &[&[0, 1]],
    ] {
        client.ask(
            &format!("to 3 on {brokers:?}"),
            &request(vec![to(name, 3, Some(brokers))], true),
        );
    }
    client.ask(
        "to 3 on one",
        &request(vec![to(name, 3, Some(&[&[0]]))], false),
    );
    client.settle_topic(name, 3);
    let mixed = vec![to(name, 4, None), to(&session.name("stranger"), 2, None)];
    client.ask("one of two exists", &request(mixed, false));
    client.ask(
        "twice in one request",
        &request(vec![to(name, 6, None), to(name, 7, None)], true),
    );
    client.settle_topic(name, 4);
    client.ask("grown", &by_name(&[name]));
    client.ask(
        "into the new one",
        &produce(&topic, -1, vec![(3, values(&["v"]))]),
    );
    client.delete(&topic);
}

/// Topics that come when they are asked for.
pub(super) fn on_demand(session: &Session) {
    let mut client = session.client();
    let ask = |names: &[String]| {
        let mut request = by_name(&names.iter().map(String::as_str).collect::<Vec<_>>());
        request.allow_auto_topic_creation = true;
        request
    };
    let wanted = [session.name("wanted")];
    client.ask("a topic that comes", &ask(&wanted));
    client.settle_topic(&wanted[0], 4);
    client.ask("a topic that came", &ask(&wanted));
    let mixed = [
        session.name("second"),
        "a b".to_owned(),
        wanted[0].clone(),
        ".".to_owned(),
    ];
    client.ask("of two, some illegal", &ask(&mixed));
    client.settle_topic(&mixed[0], 4);
    client.ask("who came", &by_name(&[&mixed[0], &wanted[0]]));
    client.ask("not wanted", &by_name(&[&session.name("third")]));
    client.ask("the same twice", &by_name(&[&wanted[0], &wanted[0]]));
    let dotted = [session.name("be.fore")];
    client.ask("a dot", &ask(&dotted));
    client.settle_topic(&dotted[0], 4);
    client.ask("its double", &ask(&[session.name("be_fore")]));
    for name in [&wanted[0], &mixed[0], &dotted[0]] {
        client.quietly(&drop_names(&[name]), 5);
    }
}
