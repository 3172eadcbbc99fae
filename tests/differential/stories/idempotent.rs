//! Idempotent producers: sequences, windows, epochs.

use ottla::wire::messages::init_producer_id::*;

use super::batches::{Shape, shaped};
use super::build::*;
use crate::session::{Client, Session};

fn new_producer(client: &mut Client, what: &str, known: Option<(i64, i16)>) -> (i64, i16) {
    let (producer_id, producer_epoch) = known.unwrap_or((-1, -1));
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id,
        producer_epoch,
        ..Default::default()
    };
    let answer = client.ask(what, &request);
    answer.map_or((-1, -1), |answer| {
        (answer.producer_id, answer.producer_epoch)
    })
}

fn numbered(client: &mut Client, topic: &Topic, producer: (i64, i16), sequence: i32, count: usize) {
    let texts = ["a", "b", "c", "d", "e"];
    let shape = Shape::idempotent(producer.0, producer.1, sequence);
    let batch = shaped(&records(&texts[..count]), shape);
    let what = format!("epoch {}, {count} from {sequence}", producer.1);
    client.ask(&what, &produce(topic, -1, vec![(0, batch)]));
}

pub(super) fn windows(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("windows", 1, &[]);
    let first = new_producer(&mut client, "a producer", None);
    for (sequence, count) in [
        (0, 2),
        (0, 2),
        (2, 1),
        (2, 1),
        (1, 2),
        (5, 1),
        (3, 1),
        (0, 2),
        (0, 1),
    ] {
        numbered(&mut client, &topic, first, sequence, count);
    }
    // Five batches are remembered, the sixth before is not.
    for sequence in 4..10 {
        numbered(&mut client, &topic, first, sequence, 1);
    }
    for sequence in [3, 4, 5, 9, 10, -1, -2] {
        numbered(&mut client, &topic, first, sequence, 1);
    }
    let second = new_producer(&mut client, "another producer", None);
    numbered(&mut client, &topic, second, 7, 1);
    numbered(&mut client, &topic, second, 8, 1);
    numbered(&mut client, &topic, second, 10, 1);
    for epoch in [1, 0, 3, 3, 2] {
        numbered(&mut client, &topic, (first.0, epoch), 0, 1);
        numbered(&mut client, &topic, (first.0, epoch), 1, 1);
    }
    numbered(&mut client, &topic, (first.0, 4), 5, 1);
    numbered(&mut client, &topic, (first.0, -1), 0, 1);
    numbered(&mut client, &topic, (1 << 40, 0), 3, 1);
    new_producer(&mut client, "its next epoch", Some(first));
    new_producer(&mut client, "an epoch of nobody", Some((1 << 40, 7)));
    new_producer(&mut client, "an id alone", Some((5, -1)));
    new_producer(&mut client, "an epoch alone", Some((-1, 5)));
    client.ask("what was taken", &fetch(&topic, &[(0, 0)]));
    describe_producers(&mut client, &topic);
    client.ask("deletion", &delete_records(&topic, &[(0, -1)]));
    numbered(&mut client, &topic, second, 9, 1);
    describe_producers(&mut client, &topic);
}

fn describe_producers(client: &mut Client, topic: &Topic) {
    use ottla::wire::messages::describe_producers::*;
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: topic.name.clone(),
            partition_indexes: vec![0],
            ..Default::default()
        }],
        ..Default::default()
    };
    client.ask("producers", &request);
}

/// A sequence counts to the greatest number, then from zero again.
pub(super) fn wrap(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("wrap", 1, &[]);
    let producer = new_producer(&mut client, "a producer", None);
    for (sequence, count) in [
        (i32::MAX - 1, 1),
        (i32::MAX, 1),
        (0, 1),
        (i32::MAX, 2),
        (1, 1),
        (0, 1),
        (i32::MAX - 1, 1),
    ] {
        numbered(&mut client, &topic, producer, sequence, count);
    }
    let producer = new_producer(&mut client, "a second producer", None);
    for (sequence, count) in [(i32::MAX - 2, 2), (i32::MAX, 3), (2, 1), (i32::MAX, 3)] {
        numbered(&mut client, &topic, producer, sequence, count);
    }
}

/// Sequences near the right one, drawn from the seed.
pub(super) fn walk(session: &Session) {
    let mut client = session.client();
    let mut prng = session.prng();
    let topic = client.topic("sequences", 1, &[]);
    let producers: Vec<_> = (0..2)
        .map(|_| new_producer(&mut client, "a producer", None))
        .collect();
    let mut next = [0; 2];
    for _ in 0..50 {
        let which = prng.below(2) as usize;
        let count = 1 + prng.below(3) as usize;
        let off = if prng.chance(60) {
            0
        } else {
            prng.below(7) as i32 - 5
        };
        let sequence = (next[which] + off).max(0);
        let epoch = producers[which].1 + i16::from(prng.chance(5));
        numbered(
            &mut client,
            &topic,
            (producers[which].0, epoch),
            sequence,
            count,
        );
        if off == 0 {
            next[which] = sequence + count as i32;
        }
    }
    client.ask("what was taken", &fetch(&topic, &[(0, 0)]));
}
