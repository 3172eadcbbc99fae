//! Consumer groups over the wire: members come, go and die, offsets outlive everything.

use crate::harness::broker::{Broker, Start};
use crate::harness::client::Connection;
use crate::harness::groups::{Member, SESSION_MS, commit_request, complete};
use crate::harness::wait::{wait_for, wait_until};
use ottla::wire::ErrorCode;
use ottla::wire::messages::delete_groups::DeleteGroupsRequest;
use ottla::wire::messages::find_coordinator::FindCoordinatorRequest;
use ottla::wire::messages::list_groups::ListGroupsRequest;
use ottla::wire::messages::metadata::MetadataRequest;
use ottla::wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use std::time::{Duration, Instant};

const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Nobody waits for members that might come.
fn eager(start: Start) -> Start {
    start.set("kafka.group.initial.rebalance.delay.ms", "0")
}

fn broker(test: &str) -> Broker {
    Broker::start_with(test, eager)
}

#[test]
fn three_members_share_a_group_and_its_leader_may_change() {
    let broker = Broker::start_with("group_three", |start| {
        start.set("kafka.group.initial.rebalance.delay.ms", "500")
    });
    let mut members: Vec<Member> = (0..3)
        .map(|_| Member::new(&broker.address, "three"))
        .collect();
    members.iter_mut().for_each(Member::start_join);
    let parts = complete(&mut members.iter_mut().collect::<Vec<_>>());
    let mut sorted = parts.clone();
    sorted.sort();
    assert_eq!(sorted, ["part 0", "part 1", "part 2"]);
    let mut observer = Connection::open(&broker.address);
    let group = observer.describe_group("three", 6);
    assert_eq!(
        (group.group_state.as_str(), group.protocol_data.as_str()),
        ("Stable", "range")
    );
    assert_eq!(group.members.len(), 3);
    assert!(
        group
            .members
            .iter()
            .all(|member| member.client_host == "/127.0.0.1" && member.client_id == "it")
    );
    // Whoever leads leaves; one of the others leads.
    members[0].leave();
    let mut rest: Vec<&mut Member> = members[1..].iter_mut().collect();
    for member in &mut rest {
        member.wait_for_rebalance();
        member.start_join();
    }
    assert_eq!(complete(&mut rest).len(), 2);
    assert_eq!(rest[0].generation, 2);
    assert_eq!(members[0].heartbeat(), ErrorCode::UnknownMemberId.code());
}

#[test]
fn a_dead_member_is_noticed_within_its_session() {
    let broker = broker("group_dead");
    let (mut one, mut two) = (
        Member::new(&broker.address, "dead"),
        Member::new(&broker.address, "dead"),
    );
    one.start_join();
    complete(&mut [&mut one]);
    two.start_join();
    one.wait_for_rebalance();
    one.start_join();
    complete(&mut [&mut one, &mut two]);
    let died = Instant::now();
    drop(two);
    one.wait_for_rebalance();
    let noticed = died.elapsed();
    let session = Duration::from_millis(SESSION_MS as u64);
    assert!(noticed < session * 3, "{noticed:?}");
    one.start_join();
    assert_eq!(complete(&mut [&mut one]), ["part 0"]);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut broker = broker("group_static");
    let start = |address: &str, name: &str| Member::with_instance(address, "static", name);
    let (mut one, mut two) = (start(&broker.address, "a"), start(&broker.address, "b"));
    one.start_join();
    complete(&mut [&mut one]);
    two.start_join();
    one.wait_for_rebalance();
    one.start_join();
    let parts = complete(&mut [&mut one, &mut two]);
    let mut again = start(&broker.address, "b");
    again.start_join();
    assert_eq!(again.finish_join().generation_id, two.generation);
    again.start_sync(&Default::default());
    assert_eq!(again.finish_sync(), parts[1], "what it had");
    assert_eq!(one.heartbeat(), 0, "nobody noticed");
    assert_eq!(two.heartbeat(), ErrorCode::FencedInstanceId.code());
    // Neither does a broker that is killed.
    broker.kill();
    broker.restart();
    let mut back = start(&broker.address, "b");
    wait_until("the coordinator has read its log", || {
        again_stable(&broker.address)
    });
    back.start_join();
    assert_eq!(back.finish_join().generation_id, two.generation);
    back.start_sync(&Default::default());
    assert_eq!(back.finish_sync(), parts[1]);
}

fn again_stable(address: &str) -> bool {
    let group = Connection::open(address).describe_group("static", 6);
    group.error_code == 0 && group.group_state == "Stable"
}

#[test]
fn committed_offsets_survive_kill_and_never_go_back() {
    let mut broker = broker("group_offsets");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 4, &[]);
    client.find_coordinator("kept");
    assert_eq!(
        client.committed_at("kept", "t", 0, 9),
        (0, -1),
        "no offset is no error"
    );
    let mut offset = 0;
    for life in 0..4 {
        for _ in 0..25 {
            offset += 1;
            let all: Vec<(i32, i64)> = (0..4).map(|partition| (partition, offset)).collect();
            client.commit_offsets("kept", "t", &all);
        }
        broker.kill();
        broker.restart();
        client = Connection::open(&broker.address);
        let expected: Vec<_> = (0..4)
            .map(|partition| (partition, offset, format!("at {offset}")))
            .collect();
        assert_eq!(client.committed("kept", "t"), expected, "life {life}");
    }
    // The log is an ordinary topic, whose records tools can read.
    let all = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    let topics = client.call(&all, 12).topics;
    let internal = topics
        .iter()
        .find(|topic| topic.name.as_deref() == Some(OFFSETS_TOPIC));
    let internal = internal.expect("the topic of offsets");
    assert!(internal.is_internal && internal.partitions.len() == 50);
    let keys = (0..50).flat_map(|partition| client.read_all(OFFSETS_TOPIC, partition));
    let keys = keys
        .flat_map(|batch| batch.records)
        .filter_map(|record| record.key);
    assert_eq!(
        keys.filter(|key| key.starts_with(b"\0\x01\0\x04kept\0\x01t"))
            .count(),
        400
    );
}

#[test]
fn an_offset_is_committed_and_durable_also_when_topics_are_in_memory() {
    let mut broker = Broker::start_with("group_memory", |start| {
        eager(start).argument("--durability").argument("memory")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 1, &[]);
    client.find_coordinator("kept");
    for offset in 1..=20 {
        client.commit_offsets("kept", "t", &[(0, offset)]);
    }
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.committed("kept", "t"), [(0, 20, "at 20".into())]);
}

#[test]
fn a_member_goes_on_over_a_restart_of_the_broker() {
    let mut broker = broker("group_restart");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 1, &[]);
    let mut member = Member::new(&broker.address, "resumed");
    member.start_join();
    complete(&mut [&mut member]);
    assert_eq!(member.commit("t", 0, 7), 0);
    broker.kill();
    broker.restart();
    member.client = Connection::open(&broker.address);
    wait_until("the member is still one", || {
        let code = member.commit("t", 0, 8);
        assert!(
            [0, ErrorCode::CoordinatorLoadInProgress.code()].contains(&code),
            "{code}"
        );
        code == 0
    });
    assert_eq!(member.heartbeat(), 0);
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.committed("resumed", "t"), [(0, 8, "at 8".into())]);
}

#[test]
fn a_million_of_nothing_does_not_grow_the_log() {
    let mut broker = broker("group_growth");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 100, &[]);
    client.find_coordinator("grown");
    let partition = ottla::group::partition_of("grown", 50) as i32;
    let mut offset = 0;
    // About 12 KB each; the log is said anew from 1 MiB on.
    wait_for("the log begins later", || {
        for _ in 0..20 {
            offset += 1;
            let all: Vec<(i32, i64)> = (0..100).map(|partition| (partition, offset)).collect();
            client.commit_offsets("grown", "t", &all);
        }
        let start = client.offset(OFFSETS_TOPIC, partition, -2);
        (start > 0).then_some(start)
    });
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    let found = client.committed("grown", "t");
    assert_eq!(found.len(), 100);
    assert!(
        found.iter().all(|(_, at, _)| *at == offset),
        "{offset}: {found:?}"
    );
}

/// A group with one member, which consumes `t` and has committed in `t` and `u`; and one that only committed.
fn live_and_idle(broker: &Broker) -> (Connection, Member) {
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 2, &[]);
    client.create_topic("u", 1, &[]);
    let mut member = Member::new(&broker.address, "live");
    member.start_join();
    complete(&mut [&mut member]);
    for topic in ["t", "u"] {
        assert_eq!(member.commit(topic, 0, 1), 0);
    }
    client.commit_offsets("idle", "t", &[(0, 1), (1, 2)]);
    (client, member)
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let broker = broker("group_listed");
    let (mut client, _member) = live_and_idle(&broker);
    let mut list = |states: &[&str], types: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let request = ListGroupsRequest {
            states_filter: owned(states),
            types_filter: owned(types),
            ..ListGroupsRequest::default()
        };
        let answer = client.call(&request, 5);
        assert_eq!(answer.error_code, 0);
        let groups = answer.groups.into_iter();
        let mut names: Vec<_> = groups.map(|group| group.group_id).collect();
        names.sort();
        names
    };
    assert_eq!(list(&[], &[]), ["idle", "live"]);
    assert_eq!(list(&["stable"], &[]), ["live"]);
    assert_eq!(list(&["Empty", "Dead"], &["Classic"]), ["idle"]);
    assert_eq!(list(&[], &["consumer"]), Vec::<String>::new());
    // Version 5 shows an unknown group as dead, version 6 says that it is unknown.
    assert_eq!(client.describe_group("ghost", 5).group_state, "Dead");
    let unknown = client.describe_group("ghost", 6).error_code;
    assert_eq!(unknown, ErrorCode::GroupIdNotFound.code());
}

#[test]
fn groups_and_offsets_are_deleted_unless_they_are_in_use() {
    let broker = broker("group_deleted");
    let (mut client, _member) = live_and_idle(&broker);
    let topics = [("t", 0), ("u", 0), ("u", 9)];
    let topics = topics.map(|(name, partition_index)| OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: vec![OffsetDeleteRequestPartition {
            partition_index,
            ..Default::default()
        }],
        ..Default::default()
    });
    let request = OffsetDeleteRequest {
        group_id: "live".into(),
        topics: topics.to_vec(),
        ..OffsetDeleteRequest::default()
    };
    let answer = client.call(&request, 0);
    let topics = answer.topics.iter();
    let codes: Vec<_> = topics.map(|topic| topic.partitions[0].error_code).collect();
    let expected = [
        ErrorCode::GroupSubscribedToTopic,
        ErrorCode::None,
        ErrorCode::UnknownTopicOrPartition,
    ];
    assert_eq!(codes, expected.map(ErrorCode::code));
    assert_eq!(client.committed("live", "u"), []);
    let request = DeleteGroupsRequest {
        groups_names: ["live", "idle", "ghost", "live"]
            .map(str::to_owned)
            .to_vec(),
        ..DeleteGroupsRequest::default()
    };
    let results = client.call(&request, 2).results.into_iter();
    let codes: Vec<_> = results.map(|result| result.error_code).collect();
    let expected = [
        ErrorCode::NonEmptyGroup,
        ErrorCode::None,
        ErrorCode::GroupIdNotFound,
    ];
    assert_eq!(codes, expected.map(ErrorCode::code));
    assert_eq!(client.committed("idle", "t"), []);
    client.delete_topic("t");
    wait_until("offsets go with their topic", || {
        client.committed("live", "t").is_empty()
    });
}

#[test]
fn who_coordinates_what_is_said_or_refused_for_good() {
    let broker = broker("group_coordinator");
    let mut client = Connection::open(&broker.address);
    client.create_topic("t", 1, &[]);
    // Nobody has looked for a coordinator yet: there is none.
    let answer = client.call(&commit_request("g", "t", &[(0, 1)]), 9);
    assert_eq!(
        answer.topics[0].partitions[0].error_code,
        ErrorCode::NotCoordinator.code()
    );
    let unknown = client.call(&commit_request("g", "ghost", &[(0, 1)]), 9);
    assert_eq!(
        unknown.topics[0].partitions[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let transactional = FindCoordinatorRequest {
        key: "id".into(),
        key_type: 1,
        ..FindCoordinatorRequest::default()
    };
    let refused = client.call(&transactional, 3);
    assert_eq!(
        refused.error_code,
        ErrorCode::TransactionalIdAuthorizationFailed.code()
    );
    client.find_coordinator("g");
    client.commit_offsets("g", "t", &[(0, 1)]);
    let grown = client.create_partitions_at(OFFSETS_TOPIC, 60, 3);
    assert_eq!(
        grown.error_code,
        ErrorCode::InvalidTopicException.code(),
        "groups would not be found again"
    );
}
