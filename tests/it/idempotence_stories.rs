//! Idempotent producers: numbered batches, each exactly once, also over a restart.

use crate::harness::batches::{self, Record, Shape};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::kafka::LATEST;
use ottla::wire::ErrorCode;
use ottla::wire::messages::init_producer_id::InitProducerIdRequest;
use std::collections::BTreeSet;

fn numbered(id: i64, epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let records: Vec<Record> = (0..count)
        .map(|n| Record::value(format!("{sequence}+{n}")))
        .collect();
    batches::shaped(&records, Shape::idempotent(id, epoch, sequence))
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut broker = Broker::start("idempotence_ids");
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        // Connections land on any shard.
        for _ in 0..20 {
            let mut client = Connection::open(&broker.address);
            for _ in 0..100 {
                let (id, epoch) = client.init_producer_id();
                assert_eq!(epoch, 0);
                assert!(id >= 0 && seen.insert(id), "{id}");
            }
        }
        broker.kill();
        broker.restart();
    }
}

#[test]
fn transactions_are_refused_without_making_anyone_wait() {
    let broker = Broker::start("idempotence_transactions");
    let mut client = Connection::open(&broker.address);
    let request = InitProducerIdRequest {
        transactional_id: Some("tx".into()),
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let answer = client.call(&request, 4);
    assert_eq!(
        answer.error_code,
        ErrorCode::TransactionalIdAuthorizationFailed.code()
    );
    assert_eq!(answer.producer_id, -1);
}

#[test]
fn a_batch_sent_again_gets_its_first_offset() {
    let mut broker = Broker::start("idempotence_again");
    let mut client = Connection::open(&broker.address);
    client.create_topic("again", 1, &[]);
    let (id, epoch) = client.init_producer_id();
    let sequences = [0, 3, 6, 9, 12];
    for (number, sequence) in sequences.into_iter().enumerate() {
        let offset = client.produce("again", 0, numbered(id, epoch, sequence, 3));
        assert_eq!(offset, 3 * number as i64);
    }
    // All five, in any order, in this life and the next ones.
    for life in 1..=3 {
        for sequence in [12, 0, 6, 3, 9] {
            let offset = client.produce("again", 0, numbered(id, epoch, sequence, 3));
            assert_eq!(offset, i64::from(sequence), "life {life}");
        }
        let recognised = broker.metrics().known("ottla_produce_duplicates_total");
        assert_eq!(recognised, 5.0, "life {life}");
        assert_eq!(client.offset("again", 0, LATEST), 15);
        if life == 1 {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.restart();
        client = Connection::open(&broker.address);
    }
    // The producer goes on where it was.
    assert_eq!(client.produce("again", 0, numbered(id, epoch, 15, 1)), 15);
    // The window holds five: the first batch is forgotten now, and nothing is guessed.
    let code = client.refused("again", 0, numbered(id, epoch, 0, 3));
    let honest = [
        ErrorCode::OutOfOrderSequenceNumber,
        ErrorCode::DuplicateSequenceNumber,
    ];
    assert!(honest.contains(&code), "{code}");
}

#[test]
fn gaps_and_old_epochs_are_refused() {
    let broker = Broker::start("idempotence_gaps");
    let mut client = Connection::open(&broker.address);
    client.create_topic("gaps", 1, &[]);
    let (id, _) = client.init_producer_id();
    client.produce("gaps", 0, numbered(id, 1, 0, 2));
    let rows = [
        (
            "a gap",
            numbered(id, 1, 5, 1),
            ErrorCode::OutOfOrderSequenceNumber,
        ),
        (
            "an overlap",
            numbered(id, 1, 1, 2),
            ErrorCode::OutOfOrderSequenceNumber,
        ),
        (
            "an older epoch",
            numbered(id, 0, 2, 1),
            ErrorCode::InvalidProducerEpoch,
        ),
        (
            "a newer epoch that does not start at 0",
            numbered(id, 2, 2, 1),
            ErrorCode::OutOfOrderSequenceNumber,
        ),
    ];
    for (what, batch, code) in rows {
        assert_eq!(client.refused("gaps", 0, batch), code, "{what}");
    }
    assert_eq!(client.produce("gaps", 0, numbered(id, 1, 2, 1)), 2);
    assert_eq!(
        client.produce("gaps", 0, numbered(id, 2, 0, 1)),
        3,
        "a newer epoch"
    );
    assert_eq!(client.offset("gaps", 0, LATEST), 4);
}

/// The same batch many times at once: one is appended, the others wait for it and get its offset.
#[test]
fn duplicates_in_flight_are_answered_alike() {
    let broker = Broker::start("idempotence_flight");
    let mut client = Connection::open(&broker.address);
    client.create_topic("flight", 1, &[]);
    let (id, epoch) = client.init_producer_id();
    for round in 0..20 {
        let batch = numbered(id, epoch, round, 1);
        let mut connections: Vec<Connection> =
            (0..4).map(|_| Connection::open(&broker.address)).collect();
        let request = crate::harness::kafka::produce_request("flight", 0, batch, -1);
        let version = crate::harness::kafka::PRODUCE_VERSION;
        let sent: Vec<i32> = connections
            .iter_mut()
            .map(|c| c.send(&request, version).expect("sent"))
            .collect();
        for (connection, correlation) in connections.iter_mut().zip(sent) {
            let answer = connection
                .receive::<ottla::wire::produce::ProduceRequest>(version, correlation)
                .expect("an answer");
            let part = &answer.responses[0].partition_responses[0];
            assert_eq!((part.error_code, part.base_offset), (0, i64::from(round)));
        }
    }
    assert_eq!(client.values("flight", 0).len(), 20);
}
