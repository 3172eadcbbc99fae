//! What operators' tools ask: how large partitions are, who writes to them, what there is, page by page.

use crate::harness::batches::{self, Record, Shape};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::{PRODUCE_VERSION, produce_request};
use crate::harness::operator::{BROKER, TOPIC, metadata_quorum};
use ottla::wire::ErrorCode;
use ottla::wire::messages as m;
use ottla::wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResult,
};
use ottla::wire::messages::describe_producers::DescribeProducersRequest;
use ottla::wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
};
use ottla::wire::produce::ProduceRequest;
use rustix::fs::statvfs;

fn log_dir(
    client: &mut Connection,
    topics: Option<Vec<DescribableLogDirTopic>>,
) -> DescribeLogDirsResult {
    let request = DescribeLogDirsRequest {
        topics,
        ..DescribeLogDirsRequest::default()
    };
    let mut answer = client.call(&request, 4);
    assert_eq!((answer.error_code, answer.results.len()), (0, 1));
    answer.results.remove(0)
}

/// (topic, partition, bytes) in the order of the answer.
fn sizes(found: &DescribeLogDirsResult) -> Vec<(&str, i32, i64)> {
    let topics = found.topics.iter();
    let sizes = topics.flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|p| (topic.name.as_str(), p.partition_index, p.partition_size))
    });
    sizes.collect()
}

#[test]
fn the_data_directory_says_what_it_holds_to_the_byte() {
    let mut broker = Broker::start("operator_log_dirs");
    let mut client = Connection::open(&broker.address);
    client.create_topic("sizes", 3, &[]);
    client.create_topic("others", 1, &[]);
    let batch = batches::batch(&[Record::value("x".repeat(1_000))]);
    let bytes = batch.len() as i64;
    for _ in 0..3 {
        client.produce("sizes", 1, batch.clone());
    }
    let expected = [
        ("others", 0, 0),
        ("sizes", 0, 0),
        ("sizes", 1, 3 * bytes),
        ("sizes", 2, 0),
    ];
    let found = log_dir(&mut client, None);
    assert_eq!(found.error_code, 0);
    assert_eq!(sizes(&found), expected);
    assert_eq!(found.log_dir, broker.data().display().to_string());
    let volume = statvfs(broker.data()).expect("a volume");
    let total = volume.f_blocks * volume.f_frsize;
    assert_eq!(
        found.total_bytes,
        i64::try_from(total).expect("of this world")
    );
    assert!(0 < found.usable_bytes && found.usable_bytes < found.total_bytes);

    // As the next run finds it on disk.
    broker.stop();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(sizes(&log_dir(&mut client, None)), expected);
    client.delete_records("sizes", 1, -1);
    client.delete_topic("others");
    let left = log_dir(&mut client, None);
    assert!(left.topics.iter().all(|topic| topic.name == "sizes"));
}

#[test]
fn only_partitions_that_are_asked_for_and_exist_have_a_size() {
    let broker = Broker::start("operator_log_dirs_some");
    let mut client = Connection::open(&broker.address);
    client.create_topic("some", 3, &[]);
    let topic = |name: &str, partitions: &[i32]| DescribableLogDirTopic {
        topic: name.into(),
        partitions: partitions.to_vec(),
        ..DescribableLogDirTopic::default()
    };
    for (wanted, expected) in [
        (vec![], vec![]),
        (
            vec![topic("some", &[2, 0, 2])],
            vec![("some", 0, 0), ("some", 2, 0)],
        ),
        (
            vec![topic("some", &[1]), topic("some", &[0])],
            vec![("some", 0, 0), ("some", 1, 0)],
        ),
        (vec![topic("some", &[-1, 3]), topic("none", &[0])], vec![]),
    ] {
        let found = log_dir(&mut client, Some(wanted));
        assert_eq!((found.error_code, sizes(&found)), (0, expected));
    }
}

#[test]
fn a_partition_tells_who_writes_to_it() {
    let mut broker = Broker::start("operator_producers");
    let mut client = Connection::open(&broker.address);
    client.create_topic("written", 1, &[]);
    assert!(
        client
            .producers_of("written", 0)
            .active_producers
            .is_empty()
    );
    let (id, epoch) = client.init_producer_id();
    let records = [Record::value("a").at(1_000), Record::value("b").at(5_000)];
    let shape = Shape::idempotent(id, epoch, 0);
    client.produce("written", 0, batches::shaped(&records, shape));
    for life in ["first", "second"] {
        let found = client.producers_of("written", 0);
        assert_eq!(found.error_code, 0);
        let producers = found.active_producers.iter();
        let told = producers.map(|p| {
            let ids = (p.producer_id, p.producer_epoch, p.coordinator_epoch);
            (
                ids,
                p.last_sequence,
                p.last_timestamp,
                p.current_txn_start_offset,
            )
        });
        let expected = ((id, i32::from(epoch), -1), 1, 5_000, -1);
        assert_eq!(told.collect::<Vec<_>>(), [expected], "{life} life");
        broker.kill();
        broker.restart();
        client = Connection::open(&broker.address);
    }
    for (topic, partition, code) in [
        ("written", 1, ErrorCode::UnknownTopicOrPartition),
        ("nowhere", 0, ErrorCode::UnknownTopicOrPartition),
        ("no such", 0, ErrorCode::InvalidTopicException),
    ] {
        let found = client.producers_of(topic, partition);
        assert_eq!(found.error_code, code.code(), "{topic}-{partition}");
    }
}

#[test]
fn an_answer_lists_so_many_producers_and_no_more() {
    const PRODUCERS: i64 = 10_000;
    let broker = Broker::start("operator_many_producers");
    let mut client = Connection::open(&broker.address);
    client.create_topic("crowded", 1, &[]);
    // As many as a partition remembers, and one more, before which the oldest goes.
    let mut sent = Vec::new();
    for id in 0..=PRODUCERS {
        let batch = batches::shaped(&[Record::value("x")], Shape::idempotent(id, 0, 0));
        let request = produce_request("crowded", 0, batch, 1);
        sent.push(client.send(&request, PRODUCE_VERSION).expect("sent"));
        if sent.len() == 500 || id == PRODUCERS {
            for correlation in sent.drain(..) {
                let answer = client.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
                let answer = answer.expect("an answer");
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            }
        }
    }
    let request = DescribeProducersRequest {
        topics: vec![m::describe_producers::TopicRequest {
            name: "crowded".into(),
            partition_indexes: vec![0; 3],
            ..Default::default()
        }],
        ..DescribeProducersRequest::default()
    };
    let answer = client.call(&request, 0);
    let partitions = answer.topics[0].partitions.iter();
    let told = partitions.map(|told| (told.error_code, told.active_producers.len()));
    let all = (0, usize::try_from(PRODUCERS).expect("a count"));
    let too_many = (ErrorCode::PolicyViolation.code(), 0);
    assert_eq!(told.collect::<Vec<_>>(), [all, all, too_many]);
    let producers = answer.topics[0].partitions[0].active_producers.iter();
    assert_eq!(producers.map(|told| told.producer_id).min(), Some(1));
}

#[test]
fn no_election_is_ever_needed() {
    let broker = Broker::start("operator_elections");
    let mut client = Connection::open(&broker.address);
    client.create_topic("led", 2, &[]);
    let request =
        |election_type, partitions: Option<&[i32]>| m::elect_leaders::ElectLeadersRequest {
            election_type,
            topic_partitions: partitions.map(|partitions| {
                vec![m::elect_leaders::TopicPartitions {
                    topic: "led".into(),
                    partitions: partitions.to_vec(),
                    ..Default::default()
                }]
            }),
            ..Default::default()
        };
    let not_needed = ErrorCode::ElectionNotNeeded.code();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let invalid = ErrorCode::InvalidRequest.code();
    for (election_type, code, codes) in [
        (0, 0, [not_needed, not_needed, unknown]),
        (1, 0, [not_needed, not_needed, unknown]),
        (2, invalid, [invalid; 3]),
    ] {
        let answer = client.call(&request(election_type, Some(&[0, 1, 2])), 2);
        let results = answer.replica_election_results[0].partition_result.iter();
        let found: Vec<i16> = results.map(|result| result.error_code).collect();
        assert_eq!((answer.error_code, found), (code, codes.to_vec()));
    }
    let everywhere = client.call(&request(0, None), 2);
    let results = everywhere.replica_election_results.iter();
    assert!(
        results
            .clone()
            .all(|topic| topic.partition_result.is_empty())
    );
    assert_eq!(
        results.map(|topic| &topic.topic).collect::<Vec<_>>(),
        ["led"]
    );
}

#[test]
fn everything_that_has_configs_is_listed() {
    let broker = Broker::start("operator_resources");
    let mut client = Connection::open(&broker.address);
    client.create_topic("listed", 1, &[]);
    let mut list = |types: &[i8], version| {
        let request = m::list_config_resources::ListConfigResourcesRequest {
            resource_types: types.to_vec(),
            ..Default::default()
        };
        let answer = client.call(&request, version);
        let resources = answer.config_resources.into_iter();
        let named: Vec<_> = resources
            .map(|r| (r.resource_type, r.resource_name))
            .collect();
        (answer.error_code, named)
    };
    let (node, topic) = ((BROKER, "0".to_owned()), (TOPIC, "listed".to_owned()));
    assert_eq!(list(&[TOPIC], 1), (0, vec![topic.clone()]));
    assert_eq!(list(&[BROKER], 1), (0, vec![node.clone()]));
    let (code, all) = list(&[], 1);
    assert!(
        code == 0 && all.contains(&topic) && all.contains(&node),
        "{all:?}"
    );
    // Groups and client metrics have no configs of their own.
    assert_eq!(list(&[16, 32], 1), (0, vec![]));
    assert_eq!(
        list(&[], 0),
        (0, vec![]),
        "version 0 asks for client metrics"
    );
    assert_eq!(
        list(&[TOPIC, 3], 1),
        (ErrorCode::UnsupportedVersion.code(), vec![])
    );
}

fn described(
    client: &mut Connection,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let request = DescribeTopicPartitionsRequest {
        topics: topics
            .iter()
            .map(|&name| TopicRequest {
                name: name.into(),
                ..TopicRequest::default()
            })
            .collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(name, partition_index)| Cursor {
            topic_name: name.into(),
            partition_index,
            ..Cursor::default()
        }),
        ..DescribeTopicPartitionsRequest::default()
    };
    client.call(&request, 0)
}

/// `topic-partition` or `topic!code` in order, then the cursor.
fn page(answer: &DescribeTopicPartitionsResponse) -> String {
    let mut rows = Vec::new();
    for topic in &answer.topics {
        let name = topic.name.as_deref().unwrap_or("null");
        if topic.error_code != 0 {
            rows.push(format!("{name}!{}", topic.error_code));
        }
        let partitions = topic.partitions.iter();
        rows.extend(partitions.map(|p| format!("{name}-{}", p.partition_index)));
    }
    if let Some(next) = &answer.next_cursor {
        rows.push(format!("> {}-{}", next.topic_name, next.partition_index));
    }
    rows.join(" ")
}

#[test]
fn topics_are_described_page_by_page() {
    let broker = Broker::start("operator_pages");
    let mut client = Connection::open(&broker.address);
    for (name, partitions) in [("a", 2), ("b", 3), ("c", 1)] {
        client.create_topic(name, partitions, &[]);
    }
    let all: &[&str] = &[];
    for (topics, limit, cursor, expected) in [
        (all, 2000, None, "a-0 a-1 b-0 b-1 b-2 c-0"),
        (all, 3, None, "a-0 a-1 b-0 > b-1"),
        (all, 3, Some(("b", 1)), "b-1 b-2 c-0"),
        (all, 2, None, "a-0 a-1 > b-0"),
        (all, 2, Some(("b", 1)), "b-1 b-2 > c-0"),
        (all, -5, Some(("b", 0)), "b-0 > b-1"),
        (all, 9, Some(("bb", 7)), "c-0"),
        (all, 9, Some(("b", 7)), "c-0"),
        (&["c", "a", "c"], 9, None, "a-0 a-1 c-0"),
        (&["c", "a"], 2, None, "a-0 a-1 > c-0"),
        (&["b", "no", "x y"], 9, None, "b-0 b-1 b-2 no!3 x y!17"),
        (&["b", "no"], 9, Some(("no", 0)), "no!3"),
        (&["a", "b"], 9, Some(("c", 0)), "a!42 b!42"),
        (&["a"], 9, Some(("a", -1)), "a!42"),
    ] {
        let found = page(&described(&mut client, topics, limit, cursor));
        assert_eq!(found, expected, "{topics:?} {limit} {cursor:?}");
    }
    let found = described(&mut client, &["b"], 9, None);
    let (topic, first) = (&found.topics[0], &found.topics[0].partitions[0]);
    assert_eq!(topic.topic_id, client.metadata_of("b").topic_id);
    assert_eq!(
        (topic.is_internal, topic.topic_authorized_operations),
        (false, 3576)
    );
    assert_eq!((first.leader_id, first.leader_epoch), (0, 0));
    assert_eq!(
        (&first.replica_nodes, &first.isr_nodes),
        (&vec![0], &vec![0])
    );
    assert_eq!(first.eligible_leader_replicas, Some(vec![]));
    assert_eq!(first.last_known_elr, Some(vec![]));
    // A request that makes no sense is told no more than that.
    let refused = described(&mut client, &["a"], 9, Some(("a", -1)));
    assert_eq!(refused.topics[0].topic_authorized_operations, i32::MIN);
}

#[test]
fn the_one_node_leads_the_quorum_of_the_metadata() {
    let mut broker = Broker::start("operator_quorum");
    let mut client = Connection::open(&broker.address);
    let asked = |broker: &Broker, index| {
        let mut client = Connection::open(&broker.address);
        client.call(&metadata_quorum(index), 2)
    };
    let before = asked(&broker, 0).topics.remove(0).partitions.remove(0);
    client.create_topic("one-more-record", 1, &[]);
    let mut answer = asked(&broker, 0);
    let quorum = answer.topics.remove(0).partitions.remove(0);
    assert_eq!((quorum.error_code, quorum.leader_id), (0, 0));
    assert!(quorum.high_watermark > before.high_watermark);
    let [voter] = &quorum.current_voters[..] else {
        panic!("{quorum:?}")
    };
    assert_eq!(voter.log_end_offset, quorum.high_watermark);
    let address = format!(
        "{}:{}",
        answer.nodes[0].listeners[0].host, answer.nodes[0].listeners[0].port
    );
    assert_eq!(address, broker.address);
    broker.kill();
    broker.restart();
    let again = asked(&broker, 0).topics.remove(0).partitions.remove(0);
    assert!(
        again.leader_epoch > quorum.leader_epoch,
        "another run leads"
    );
    assert!(again.high_watermark >= quorum.high_watermark);
    let elsewhere = asked(&broker, 1).topics.remove(0).partitions.remove(0);
    assert_eq!(
        elsewhere.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}
