//! ListOffsets, OffsetForLeaderEpoch and DeleteRecords: positions by time, by epoch, and where the log begins.

use crate::harness::batches::{self, Record};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::{EARLIEST, LATEST};
use ottla::wire::ErrorCode;
use ottla::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LAST_TIERED: i64 = -5;

/// A time some days ago, so that no bound on record times is near.
fn base_time() -> i64 {
    1_700_000_000_000
}

fn write_times(client: &mut Connection, topic: &str, times: &[i64]) {
    let record = |time: &i64| Record::value("x").at(base_time() + time);
    let records: Vec<Record> = times.iter().map(record).collect();
    client.produce(topic, 0, batches::batch(&records));
}

/// Times that go back and forth within and between batches; the answer is the first record at or after the time.
#[test]
fn look_up_by_time_is_exact_to_the_record() {
    let mut broker = Broker::start("offsets_by_time");
    let mut client = Connection::open(&broker.address);
    client.create_topic("times", 1, &[("retention.ms", "-1")]);
    write_times(&mut client, "times", &[10, 20, 15]);
    write_times(&mut client, "times", &[30]);
    write_times(&mut client, "times", &[25, 50, 40]);
    // (asked, offset, its time)
    let rows = [
        (0, 0, 10),
        (10, 0, 10),
        (11, 1, 20),
        (16, 1, 20),
        (20, 1, 20),
        (21, 3, 30),
        (31, 5, 50),
        (50, 5, 50),
    ];
    for life in 1..=2 {
        for (asked, offset, time) in rows {
            let found = client.list_offset("times", 0, base_time() + asked);
            assert_eq!(found.error_code, 0);
            assert_eq!(
                (found.offset, found.timestamp),
                (offset, base_time() + time),
                "{asked} in life {life}"
            );
        }
        let none = client.list_offset("times", 0, base_time() + 51);
        assert_eq!((none.error_code, none.offset, none.timestamp), (0, -1, -1));
        let newest = client.list_offset("times", 0, MAX_TIMESTAMP);
        assert_eq!((newest.offset, newest.timestamp), (5, base_time() + 50));
        broker.kill();
        broker.restart();
        client = Connection::open(&broker.address);
    }
}

#[test]
fn special_times_by_version() {
    let broker = Broker::start("offsets_special");
    let mut client = Connection::open(&broker.address);
    client.create_topic("special", 1, &[]);
    let empty = client.list_offset("special", 0, MAX_TIMESTAMP);
    assert_eq!((empty.error_code, empty.offset), (0, -1));
    client.produce_values("special", 0, &["a", "b", "c"]);
    client.delete_records("special", 0, 1);
    for version in 1..=10 {
        assert_eq!(
            client.list_offset_at("special", 0, LATEST, version).offset,
            3
        );
        assert_eq!(
            client
                .list_offset_at("special", 0, EARLIEST, version)
                .offset,
            1
        );
    }
    assert_eq!(
        client
            .list_offset_at("special", 0, EARLIEST_LOCAL, 8)
            .offset,
        1
    );
    assert_eq!(
        client.list_offset_at("special", 0, LAST_TIERED, 9).offset,
        -1
    );
    for (topic, partition) in [("special", 1), ("nowhere", 0)] {
        let answer = client.list_offset(topic, partition, LATEST);
        assert_eq!(answer.error_code, ErrorCode::UnknownTopicOrPartition.code());
        assert_eq!(answer.offset, -1);
    }
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let mut broker = Broker::start("offsets_delete");
    let mut client = Connection::open(&broker.address);
    client.create_topic("cut", 1, &[]);
    client.produce_values("cut", 0, &["a", "b", "c", "d"]);
    assert_eq!(client.delete_records("cut", 0, 1), 1);
    assert_eq!(client.delete_records("cut", 0, 1), 1, "again");
    assert_eq!(client.offset("cut", 0, EARLIEST), 1);
    assert_eq!(client.delete_records("cut", 0, 0), 1, "gone already");
    for offset in [5, -2] {
        let answer = client.delete_records_at("cut", 0, offset, 2);
        assert_eq!(
            answer.error_code,
            ErrorCode::OffsetOutOfRange.code(),
            "{offset}"
        );
        assert_eq!(answer.low_watermark, -1);
    }
    // The start of the log is durable, and stays inside a batch.
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    assert_eq!(client.offset("cut", 0, EARLIEST), 1);
    assert_eq!(
        client.delete_records("cut", 0, -1),
        4,
        "up to the high watermark"
    );
    assert_eq!(client.offset("cut", 0, EARLIEST), 4);
    assert_eq!(client.produce_values("cut", 0, &["e"]), 4);
    let unknown = client.delete_records_at("cut", 3, 0, 2);
    assert_eq!(
        unknown.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}

#[test]
fn look_up_by_time_sees_the_rest_of_a_batch_that_is_partly_deleted() {
    let broker = Broker::start("offsets_partly_deleted");
    let mut client = Connection::open(&broker.address);
    client.create_topic("partly", 1, &[("retention.ms", "-1")]);
    write_times(&mut client, "partly", &[10, 50, 30, 20]);
    write_times(&mut client, "partly", &[25]);
    assert_eq!(client.delete_records("partly", 0, 2), 2);
    let found = client.list_offset("partly", 0, base_time());
    assert_eq!((found.offset, found.timestamp), (2, base_time() + 30));
    let newest = client.list_offset("partly", 0, MAX_TIMESTAMP);
    assert_eq!((newest.offset, newest.timestamp), (2, base_time() + 30));
}

#[test]
fn a_partition_that_is_asked_for_twice_is_refused_once() {
    let broker = Broker::start("offsets_twice");
    let mut client = Connection::open(&broker.address);
    client.create_topic("twice", 2, &[]);
    let partition = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: LATEST,
        ..ListOffsetsPartition::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: "twice".into(),
            partitions: vec![partition(1), partition(0), partition(1)],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    let answer = client.call(&request, 10);
    let partitions = answer.topics[0].partitions.iter();
    let seen: Vec<_> = partitions
        .map(|partition| (partition.partition_index, partition.error_code))
        .collect();
    assert_eq!(seen, [(1, ErrorCode::InvalidRequest.code()), (0, 0)]);
    // An empty log begins in the epoch that leads it.
    let earliest = client.list_offset("twice", 0, EARLIEST);
    let latest = client.list_offset("twice", 0, LATEST);
    assert_eq!(earliest.leader_epoch, latest.leader_epoch);
    // A time of no meaning is told before the partition is looked for.
    let odd = client.list_offset("twice", 9, -9);
    assert_eq!(odd.error_code, ErrorCode::UnsupportedVersion.code());
}

/// Each life of the broker is an epoch of its leadership; consumers ask where one ended.
#[test]
fn epochs_have_ends() {
    let mut broker = Broker::start("offsets_epochs");
    let mut client = Connection::open(&broker.address);
    client.create_topic("lives", 1, &[]);
    let first = client.metadata_of("lives").partitions[0].leader_epoch;
    client.produce_values("lives", 0, &["a", "b"]);
    broker.kill();
    broker.restart();
    let mut client = Connection::open(&broker.address);
    let second = client.metadata_of("lives").partitions[0].leader_epoch;
    assert!(second > first);
    client.produce_values("lives", 0, &["c"]);
    for version in 2..=4 {
        let end = client.epoch_end_at("lives", 0, first, version);
        assert_eq!(
            (end.error_code, end.leader_epoch, end.end_offset),
            (0, first, 2)
        );
        let end = client.epoch_end_at("lives", 0, second, version);
        assert_eq!(
            (end.error_code, end.leader_epoch, end.end_offset),
            (0, second, 3)
        );
        let end = client.epoch_end_at("lives", 0, second + 10, version);
        assert_eq!((end.leader_epoch, end.end_offset), (-1, -1));
    }
    let epochs: Vec<i32> = client
        .read_all("lives", 0)
        .iter()
        .map(|batch| batch.leader_epoch)
        .collect();
    assert_eq!(epochs, [first, second]);
    let unknown = client.epoch_end_at("lives", 9, 0, 4);
    assert_eq!(
        unknown.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}
