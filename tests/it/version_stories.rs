//! What a client learns and may send: versions, unknown keys, order of answers.

use crate::harness::batches;
use crate::harness::batches::Record;
use crate::harness::broker::Broker;
use crate::harness::client::{Connection, Question};
use crate::harness::groups::commit_request;
use crate::harness::kafka::{FETCH_VERSION, fetch_request, new_topic, produce_request};
use crate::harness::operator::metadata_quorum;
use ottla::base::ids::Uuid;
use ottla::wire::messages as m;
use ottla::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla::wire::messages::metadata::MetadataRequest;
use ottla::wire::{ApiKey, Decode, ErrorCode, Reader};
use std::collections::BTreeMap;
use std::io::Write;

/// What this broker serves, by Kafka's numbers.
const SERVED: &[(i16, i16, i16)] = &[
    (0, 0, 13),
    (1, 4, 18),
    (2, 1, 10),
    (3, 0, 13),
    (8, 2, 9),
    (9, 1, 9),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (18, 0, 4),
    (19, 2, 7),
    (20, 1, 6),
    (21, 0, 2),
    (22, 0, 5),
    (23, 2, 4),
    (32, 1, 4),
    (33, 0, 2),
    (35, 1, 4),
    (37, 0, 3),
    (42, 0, 2),
    (43, 0, 2),
    (44, 0, 1),
    (47, 0, 0),
    (55, 0, 2),
    (60, 0, 2),
    (61, 0, 0),
    (74, 0, 1),
    (75, 0, 0),
];

/// What librdkafka 2.0.2 must find inside a range before it uses a feature, by Kafka's numbers.
const NEEDED_BY_LIBRDKAFKA: &[(&str, i16, i16)] = &[
    ("record format 2", 0, 3),
    ("record format 2", 1, 4),
    ("compression before zstd", 0, 0),
    ("zstd", 0, 7),
    ("zstd", 1, 10),
    ("offsets by time", 2, 1),
    ("idempotence", 22, 0),
    ("lz4", 10, 0),
    ("balanced consumer", 8, 2),
    ("balanced consumer", 9, 1),
    ("balanced consumer", 10, 0),
    ("balanced consumer", 11, 0),
    ("balanced consumer", 12, 0),
    ("balanced consumer", 13, 0),
    ("balanced consumer", 14, 0),
    ("api versions", 18, 0),
];

#[test]
fn only_what_works_is_advertised() {
    let broker = Broker::start("versions_advertised");
    let ranges = advertised(&mut Connection::open(&broker.address));
    let expected: BTreeMap<i16, (i16, i16)> = SERVED
        .iter()
        .map(|&(key, first, last)| (key, (first, last)))
        .collect();
    assert_eq!(ranges, expected);
    for &(feature, key, version) in NEEDED_BY_LIBRDKAFKA {
        let (first, last) = ranges[&key];
        assert!(first <= version && version <= last, "{feature}: {key}");
    }
}

fn advertised(connection: &mut Connection) -> BTreeMap<i16, (i16, i16)> {
    let answer = connection.call(&api_versions(), 4);
    assert_eq!(answer.error_code, 0);
    let keys = answer.api_keys.into_iter();
    keys.map(|api| (api.api_key, (api.min_version, api.max_version)))
        .collect()
}

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "ottla-it".into(),
        client_software_version: "1.0".into(),
        ..ApiVersionsRequest::default()
    }
}

/// Each version of each served API gets an answer that its own layout can read to the last byte.
#[test]
fn every_advertised_version_is_answered() {
    let broker = Broker::start("versions_answered");
    let mut client = Connection::open(&broker.address);
    let id = client.create_topic("every-version", 1, &[]);
    let mut answered = 0;
    for (key, (first, last)) in advertised(&mut client) {
        // Produce 0-2 are advertised for the sake of old clients, and refused.
        for version in if key == 0 { 3..=last } else { first..=last } {
            let key = ApiKey::from_number(key).expect("a known key");
            ask(&mut client, key, version, id);
            answered += 1;
        }
    }
    println!("{answered} pairs of API and version answered");
    assert!(answered > 80);
}

fn ask(client: &mut Connection, key: ApiKey, version: i16, id: Uuid) {
    let by_id = match key {
        ApiKey::Produce | ApiKey::Fetch => version >= 13,
        _ => false,
    };
    let code = match key {
        ApiKey::Produce => {
            let batch = batches::batch(&[Record::value("x")]);
            let mut request = produce_request("every-version", 0, batch, -1);
            request.topic_data[0].topic_id = if by_id { id } else { Uuid::ZERO };
            client.call(&request, version).responses[0].partition_responses[0].error_code
        }
        ApiKey::Fetch => {
            let mut request = fetch_request("every-version", 0, 0);
            request.topics[0].topic_id = if by_id { id } else { Uuid::ZERO };
            client.call(&request, version).responses[0].partitions[0].error_code
        }
        ApiKey::ListOffsets => {
            client
                .list_offset_at("every-version", 0, -2, version)
                .error_code
        }
        ApiKey::Metadata => {
            let all = (version > 0)
                .then_some(())
                .map_or(Some(Vec::new()), |()| None);
            let request = MetadataRequest {
                topics: all,
                ..MetadataRequest::default()
            };
            client.call(&request, version).topics[0].error_code
        }
        ApiKey::ApiVersions => client.call(&api_versions(), version).error_code,
        ApiKey::CreateTopics => {
            let request = m::create_topics::CreateTopicsRequest {
                topics: vec![m::create_topics::CreatableTopic {
                    num_partitions: 1,
                    replication_factor: 1,
                    ..new_topic(&format!("created-{version}"), 1, &[])
                }],
                timeout_ms: 30_000,
                ..Default::default()
            };
            client.call(&request, version).topics[0].error_code
        }
        _ => ask_the_rest(client, key, version),
    };
    assert_eq!(code, 0, "{key} {version}");
}

fn ask_the_rest(client: &mut Connection, key: ApiKey, version: i16) -> i16 {
    match key {
        ApiKey::FindCoordinator => {
            let request = m::find_coordinator::FindCoordinatorRequest {
                key: "group".into(),
                coordinator_keys: vec!["group".into()],
                ..Default::default()
            };
            let answer = client.call(&request, version);
            let many = answer.coordinators.first().map(|found| found.error_code);
            many.unwrap_or(answer.error_code)
        }
        ApiKey::DeleteTopics => {
            let name = format!("deleted-{version}");
            client.create_topic(&name, 1, &[]);
            client.delete_topic_at(&name, version)
        }
        ApiKey::DeleteRecords => {
            client
                .delete_records_at("every-version", 0, -1, version)
                .error_code
        }
        ApiKey::InitProducerId => {
            let request = m::init_producer_id::InitProducerIdRequest {
                transactional_id: None,
                ..Default::default()
            };
            client.call(&request, version).error_code
        }
        ApiKey::OffsetForLeaderEpoch => {
            client
                .epoch_end_at("every-version", 0, 0, version)
                .error_code
        }
        ApiKey::DescribeConfigs => {
            client
                .describe_configs_at(2, "every-version", version)
                .error_code
        }
        ApiKey::CreatePartitions => {
            client
                .create_partitions_at("every-version", i32::from(version) + 2, version)
                .error_code
        }
        ApiKey::IncrementalAlterConfigs => {
            let ops = [("retention.ms", 0, Some("1000000"))];
            client
                .alter_configs_at(2, "every-version", &ops, version)
                .error_code
        }
        ApiKey::DescribeCluster => {
            client
                .call(
                    &m::describe_cluster::DescribeClusterRequest::default(),
                    version,
                )
                .error_code
        }
        _ => ask_as_operator(client, key, version),
    }
}

fn ask_as_operator(client: &mut Connection, key: ApiKey, version: i16) -> i16 {
    const TOPIC: &str = "every-version";
    match key {
        ApiKey::AlterConfigs => {
            let resource = m::alter_configs::AlterConfigsResource {
                resource_type: 2,
                resource_name: TOPIC.into(),
                ..Default::default()
            };
            let request = m::alter_configs::AlterConfigsRequest {
                resources: vec![resource],
                ..Default::default()
            };
            client.call(&request, version).responses[0].error_code
        }
        ApiKey::DescribeLogDirs => {
            let request = m::describe_log_dirs::DescribeLogDirsRequest {
                topics: None,
                ..Default::default()
            };
            client.call(&request, version).results[0].error_code
        }
        ApiKey::ElectLeaders => {
            let partitions = m::elect_leaders::TopicPartitions {
                topic: TOPIC.into(),
                partitions: vec![0],
                ..Default::default()
            };
            let request = m::elect_leaders::ElectLeadersRequest {
                topic_partitions: Some(vec![partitions]),
                ..Default::default()
            };
            let answer = client.call(&request, version);
            let code = answer.replica_election_results[0].partition_result[0].error_code;
            code - ErrorCode::ElectionNotNeeded.code()
        }
        ApiKey::DescribeQuorum => {
            let request = metadata_quorum(0);
            client.call(&request, version).topics[0].partitions[0].error_code
        }
        ApiKey::DescribeProducers => client.producers_of(TOPIC, 0).error_code,
        ApiKey::ListConfigResources => {
            let request = m::list_config_resources::ListConfigResourcesRequest::default();
            client.call(&request, version).error_code
        }
        ApiKey::DescribeTopicPartitions => {
            let topic = m::describe_topic_partitions::TopicRequest {
                name: TOPIC.into(),
                ..Default::default()
            };
            let request = m::describe_topic_partitions::DescribeTopicPartitionsRequest {
                topics: vec![topic],
                ..Default::default()
            };
            client.call(&request, version).topics[0].error_code
        }
        _ => ask_about_groups(client, key, version),
    }
}

fn ask_about_groups(client: &mut Connection, key: ApiKey, version: i16) -> i16 {
    const GROUP: &str = "every-version";
    // Nobody is a member: what only members may ask has one answer.
    let no_member = ErrorCode::UnknownMemberId.code();
    client.find_coordinator(GROUP);
    match key {
        ApiKey::OffsetCommit => {
            let request = commit_request(GROUP, "every-version", &[(0, 1)]);
            client.call(&request, version).topics[0].partitions[0].error_code
        }
        ApiKey::OffsetFetch => client.committed_at(GROUP, "every-version", 0, version).0,
        ApiKey::JoinGroup => {
            let request = m::join_group::JoinGroupRequest {
                group_id: GROUP.into(),
                session_timeout_ms: 6_000,
                member_id: "nobody".into(),
                protocol_type: "consumer".into(),
                protocols: vec![m::join_group::JoinGroupRequestProtocol::default()],
                ..Default::default()
            };
            client.call(&request, version).error_code - no_member
        }
        ApiKey::SyncGroup => {
            let named = (version >= 5).then(|| "x".to_owned());
            let request = m::sync_group::SyncGroupRequest {
                group_id: GROUP.into(),
                protocol_type: named.clone(),
                protocol_name: named,
                ..Default::default()
            };
            client.call(&request, version).error_code - no_member
        }
        ApiKey::Heartbeat => {
            let request = m::heartbeat::HeartbeatRequest {
                group_id: GROUP.into(),
                ..Default::default()
            };
            client.call(&request, version).error_code - no_member
        }
        ApiKey::LeaveGroup => {
            let request = m::leave_group::LeaveGroupRequest {
                group_id: GROUP.into(),
                members: vec![m::leave_group::MemberIdentity::default()],
                ..Default::default()
            };
            let answer = client.call(&request, version);
            let member = answer.members.first().map(|member| member.error_code);
            member.unwrap_or(answer.error_code) - no_member
        }
        _ => ask_of_groups(client, key, version),
    }
}

fn ask_of_groups(client: &mut Connection, key: ApiKey, version: i16) -> i16 {
    const GROUP: &str = "every-version";
    match key {
        ApiKey::DescribeGroups => client.describe_group(GROUP, version).error_code,
        ApiKey::ListGroups => {
            let request = m::list_groups::ListGroupsRequest::default();
            client.call(&request, version).error_code
        }
        ApiKey::DeleteGroups => {
            let name = format!("deleted-{version}");
            client.commit_offsets(&name, "every-version", &[(0, 1)]);
            let request = m::delete_groups::DeleteGroupsRequest {
                groups_names: vec![name],
                ..Default::default()
            };
            client.call(&request, version).results[0].error_code
        }
        ApiKey::OffsetDelete => {
            let request = m::offset_delete::OffsetDeleteRequest {
                group_id: GROUP.into(),
                ..Default::default()
            };
            client.call(&request, version).error_code
        }
        other => panic!("{other} is served but no story asks it"),
    }
}

/// The one request that never fails hard: a newer client must learn what to speak instead.
#[test]
fn api_versions_of_the_future_is_answered_in_the_first_layout() {
    let broker = Broker::start("versions_future");
    let mut client = Connection::open(&broker.address);
    // Key 18, version 99, correlation id 5, no client id, then a body nobody knows.
    client
        .stream
        .write_all(b"\0\0\0\x0e\0\x12\0\x63\0\0\0\x05\xff\xff\0\x01\x02\x03")
        .expect("sent");
    let mut reader = Reader::new(client.receive_frame().expect("an answer"));
    assert_eq!(reader.int32(), Ok(5));
    let answer = ApiVersionsResponse::decode(&mut reader, 0).expect("version 0");
    reader.finish().expect("nothing more");
    assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.code());
    assert!(answer.api_keys.iter().any(|api| api.api_key == 18));
    // The connection goes on.
    advertised(&mut client);
}

#[test]
fn what_has_no_answer_closes_the_connection() {
    let broker = Broker::start("versions_closed");
    let rows: &[(&str, i16, i16)] = &[
        ("a key that is none", 999, 0),
        ("a negative key", -1, 0),
        ("an API that is not served yet", 17, 0),
        ("a version above the range", 3, 14),
        ("a version below the range", 1, 3),
        ("Produce 2, advertised but of an old record format", 0, 2),
    ];
    for &(what, key, version) in rows {
        let mut client = Connection::open(&broker.address);
        let mut frame = vec![0, 0, 0, 10];
        frame.extend(key.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 1, 0xff, 0xff]);
        client.stream.write_all(&frame).expect("sent");
        assert!(client.is_closed_by_peer(), "{what}");
    }
    // Nobody else noticed.
    advertised(&mut Connection::open(&broker.address));
}

#[test]
fn answers_come_in_the_order_of_requests() {
    let broker = Broker::start("versions_order");
    let mut client = Connection::open(&broker.address);
    client.create_topic("order", 4, &[]);
    // A fetch that waits, then requests that could be answered at once.
    let mut parked = fetch_request("order", 0, 0);
    parked.max_wait_ms = 300;
    let first = client.send(&parked, FETCH_VERSION).expect("sent");
    let mut later = Vec::new();
    for _ in 0..50 {
        later.push(client.send(&MetadataRequest::default(), 12).expect("sent"));
    }
    receive::<ottla::wire::fetch::FetchRequest>(&mut client, FETCH_VERSION, first);
    for correlation in later {
        receive::<MetadataRequest>(&mut client, 12, correlation);
    }
}

fn receive<Q: Question>(client: &mut Connection, version: i16, correlation: i32) {
    client.receive::<Q>(version, correlation).expect("in order");
}
