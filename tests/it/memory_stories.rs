//! Requests that are small on the wire and large in memory: what they cost is bounded.

use crate::harness::broker::Broker;
use crate::harness::client::{Connection, Question};
use crate::harness::groups::commit_request;
use crate::harness::kafka::{fetch_request, new_topic, produce_request};
use crate::harness::stream::Stream;
use crate::harness::wait::wait_until;
use ottla::base::limits::{PARTITIONS_CREATED_MAX, REQUEST_ELEMENTS_MAX, TOPICS_DETAILED_MAX};
use ottla::wire::fetch::FetchPartition;
use ottla::wire::messages::*;
use socket2::SockRef;
use std::thread;

const MIB: u64 = 1 << 20;
const GROWN_MAX: u64 = 64 * MIB;
/// One for the topic around them.
const ELEMENTS: usize = REQUEST_ELEMENTS_MAX - 1;

/// As many elements as a request may have, for every API whose elements are answered one by one.
#[test]
fn a_crowded_request_costs_a_bounded_amount() {
    for (what, ask) in crowds() {
        let broker = Broker::start("memory_crowded");
        let mut client = Connection::open(&broker.address);
        client.create_topic("crowd", 1_000, &[]);
        let before = broker.memory("VmHWM");
        ask(&mut client);
        let grown = broker.memory("VmHWM").saturating_sub(before);
        println!("{what}: peak memory grew by {} KiB", grown / 1024);
        assert!(grown < GROWN_MAX, "{what}: {grown}");
    }
}

/// Sixteen of them at once wait for each other.
#[test]
fn many_crowded_requests_wait_for_each_other() {
    let broker = Broker::start("memory_crowds");
    Connection::open(&broker.address).create_topic("crowd", 1, &[]);
    let stream = Stream::start(&broker.address, "beside");
    let before = broker.memory("VmHWM");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| list_offsets_of_many(&mut Connection::open(&broker.address)));
        }
    });
    let grown = broker.memory("VmHWM").saturating_sub(before);
    println!(
        "peak memory grew by {} KiB, beside: {:?}",
        grown / 1024,
        stream.stop()
    );
    assert!(grown < 2 * GROWN_MAX, "{grown}");
}

type Ask = fn(&mut Connection);

fn crowds() -> Vec<(&'static str, Ask)> {
    [of_records(), of_topics(), of_groups(), of_offsets()].concat()
}

fn of_records() -> Vec<(&'static str, Ask)> {
    vec![
        ("ListOffsets", list_offsets_of_many),
        ("Fetch", |client| {
            let mut request = fetch_request("crowd", 0, 0);
            let partition = request.topics[0].partitions[0].clone();
            let partition = |index| FetchPartition {
                partition: index,
                ..partition.clone()
            };
            request.topics[0].partitions = (0..ELEMENTS as i32).map(partition).collect();
            crowd(client, &request, 4);
        }),
        ("Produce", |client| {
            let mut request = produce_request("crowd", 0, Vec::new(), -1);
            let partition = request.topic_data[0].partition_data[0].clone();
            request.topic_data[0].partition_data = vec![partition; ELEMENTS].into();
            crowd(client, &request, 9);
        }),
    ]
}

fn of_topics() -> Vec<(&'static str, Ask)> {
    vec![
        ("Metadata", |client| {
            let topic = |index| metadata::MetadataRequestTopic {
                name: Some(format!("{index:x}")),
                ..Default::default()
            };
            let request = metadata::MetadataRequest {
                topics: Some((0..ELEMENTS).map(topic).collect()),
                allow_auto_topic_creation: false,
                ..Default::default()
            };
            crowd(client, &request, 9);
        }),
        ("FindCoordinator", |client| {
            let request = find_coordinator::FindCoordinatorRequest {
                coordinator_keys: vec![String::new(); ELEMENTS],
                ..Default::default()
            };
            crowd(client, &request, 4);
        }),
        ("DeleteTopics", |client| {
            let request = delete_topics::DeleteTopicsRequest {
                topic_names: names(),
                ..Default::default()
            };
            crowd(client, &request, 4);
        }),
        ("CreateTopics", |client| {
            let topic = |index| new_topic(&format!("{index:x}"), 1, &[]);
            let mut request = create_topics::CreateTopicsRequest {
                topics: (0..ELEMENTS).map(topic).collect(),
                validate_only: true,
                ..Default::default()
            };
            crowd(client, &request, 7);
            request.topics.truncate(PARTITIONS_CREATED_MAX as usize);
            let answer = client.call(&request, 7).topics;
            let shown = answer.iter().filter(|topic| topic.configs.is_some());
            assert_eq!(shown.count(), TOPICS_DETAILED_MAX);
            let refused = answer.iter().find(|topic| topic.error_code != 0);
            assert!(refused.is_none(), "{refused:?}");
        }),
        ("DescribeConfigs", |client| {
            let resource = describe_configs::DescribeConfigsResource {
                resource_type: 2,
                resource_name: "crowd".into(),
                ..Default::default()
            };
            let request = describe_configs::DescribeConfigsRequest {
                resources: vec![resource; ELEMENTS],
                include_synonyms: true,
                include_documentation: true,
                ..Default::default()
            };
            crowd(client, &request, 4);
        }),
    ]
}

fn of_groups() -> Vec<(&'static str, Ask)> {
    vec![
        ("DescribeGroups", |client| {
            client.find_coordinator("crowd");
            let request = describe_groups::DescribeGroupsRequest {
                groups: names(),
                ..Default::default()
            };
            crowd(client, &request, 5);
        }),
        ("DeleteGroups", |client| {
            client.find_coordinator("crowd");
            let request = delete_groups::DeleteGroupsRequest {
                groups_names: names(),
                ..Default::default()
            };
            crowd(client, &request, 2);
        }),
        ("LeaveGroup", |client| {
            client.find_coordinator("crowd");
            let request = leave_group::LeaveGroupRequest {
                group_id: "crowd".into(),
                members: vec![leave_group::MemberIdentity::default(); ELEMENTS],
                ..Default::default()
            };
            crowd(client, &request, 5);
        }),
    ]
}

/// All different: what is named twice is answered once.
fn names() -> Vec<String> {
    (0..ELEMENTS).map(|index| format!("{index:x}")).collect()
}

fn of_offsets() -> Vec<(&'static str, Ask)> {
    vec![
        ("OffsetCommit", |client| {
            client.find_coordinator("crowd");
            let partitions = vec![(0, 1); ELEMENTS];
            crowd(client, &commit_request("crowd", "crowd", &partitions), 9);
        }),
        ("OffsetFetch", |client| {
            client.find_coordinator("crowd");
            let group = |group_id| offset_fetch::OffsetFetchRequestGroup {
                group_id,
                topics: None,
                ..Default::default()
            };
            let request = offset_fetch::OffsetFetchRequest {
                groups: names().into_iter().map(group).collect(),
                ..Default::default()
            };
            crowd(client, &request, 9);
        }),
        ("OffsetDelete", |client| {
            client.find_coordinator("crowd");
            client.commit_offsets("crowd", "crowd", &[(0, 1)]);
            let request = offset_delete::OffsetDeleteRequest {
                group_id: "crowd".into(),
                topics: vec![offset_delete::OffsetDeleteRequestTopic {
                    name: "crowd".into(),
                    partitions: vec![Default::default(); ELEMENTS],
                    ..Default::default()
                }],
                ..Default::default()
            };
            crowd(client, &request, 0);
        }),
    ]
}

fn list_offsets_of_many(client: &mut Connection) {
    let partition = |partition_index| list_offsets::ListOffsetsPartition {
        partition_index,
        ..Default::default()
    };
    let request = list_offsets::ListOffsetsRequest {
        topics: vec![list_offsets::ListOffsetsTopic {
            name: "crowd".into(),
            partitions: (0..ELEMENTS as i32).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    crowd(client, &request, 1);
}

/// Every element is answered; an answer may have more elements than a request could.
fn crowd<Q: Question>(client: &mut Connection, request: &Q, version: i16) {
    client.send(request, version).expect("sent");
    let answer = client.receive_frame().expect("an answer");
    assert!(answer.len() >= 3 * ELEMENTS, "{} bytes", answer.len());
}

/// A broker, and the question whose answer names all of its four thousand partitions.
fn four_wide_topics(test: &str) -> (Broker, Connection, metadata::MetadataRequest) {
    let broker = Broker::start(test);
    let mut client = Connection::open(&broker.address);
    for number in 0..4 {
        client.create_topic(&format!("wide-{number}"), 1_000, &[]);
    }
    let everything = metadata::MetadataRequest {
        topics: None,
        ..Default::default()
    };
    (broker, client, everything)
}

/// A thousand requests of twenty bytes each, whose answers have ninety thousand: they are not all answered at once.
#[test]
fn a_pipeline_of_large_answers_is_answered_in_turn() {
    const REQUESTS: usize = 1_000;
    let (broker, mut client, everything) = four_wide_topics("memory_pipeline");
    let before = broker.memory("VmHWM");
    let sent: Vec<i32> = (0..REQUESTS)
        .map(|_| client.send(&everything, 1).expect("sent"))
        .collect();
    for correlation in sent {
        let answer = client.receive::<metadata::MetadataRequest>(1, correlation);
        assert_eq!(answer.expect("an answer").topics.len(), 4);
    }
    let grown = broker.memory("VmHWM").saturating_sub(before);
    println!("peak memory grew by {} KiB", grown / 1024);
    assert!(grown < 16 * MIB, "{grown}");
}

/// Whoever takes no answers keeps what the first ones are, not a megabyte each; others are served.
#[test]
fn many_that_take_no_answers_share_a_bound() {
    const SILENT: usize = 100;
    let (broker, _client, everything) = four_wide_topics("memory_silent");
    let before = broker.memory("VmHWM");
    let mut silent: Vec<Connection> = (0..SILENT)
        .map(|_| Connection::open(&broker.address))
        .collect();
    for connection in &mut silent {
        // So that the kernel takes little in their place.
        let small = SockRef::from(&connection.stream).set_recv_buffer_size(4096);
        small.expect("a socket");
        for _ in 0..80 {
            connection.send(&everything, 1).expect("sent");
        }
    }
    let beside = Stream::start(&broker.address, "beside").stop_after(100);
    let grown = broker.memory("VmHWM").saturating_sub(before);
    println!(
        "peak memory grew by {} KiB, beside: {beside:?}",
        grown / 1024
    );
    assert!(grown < GROWN_MAX, "{grown}");
}

/// One that is fresh is cleared whole, and its shard does nothing else meanwhile.
#[test]
fn a_broker_that_serves_takes_no_more_huge_pages() {
    let broker = Broker::start("memory_pages");
    wait_until("huge pages are off", || broker.memory("THP_enabled") == 0);
}
