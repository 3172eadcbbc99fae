use super::*;
use crate::base::epoch::LeaderEpoch;
use crate::base::prng::Prng;
use crate::record::Attributes;

/// A batch of producer `id`: epoch, first sequence, records, and where it was put.
#[derive(Clone, Copy)]
struct Sent {
    id: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
    offset: i64,
}

fn sent(id: i64, epoch: i16, sequence: i32, count: i32) -> Sent {
    Sent {
        id,
        epoch,
        sequence,
        count,
        offset: 0,
    }
}

impl Sent {
    fn at(self, offset: i64) -> Sent {
        Sent { offset, ..self }
    }

    fn header(self) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(self.offset),
            batch_length: 49,
            leader_epoch: LeaderEpoch(0),
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: self.count - 1,
            base_timestamp: Timestamp(1_000),
            max_timestamp: Timestamp(1_000 + self.offset),
            producer_id: ProducerId(self.id),
            producer_epoch: ProducerEpoch(self.epoch),
            base_sequence: self.sequence,
            record_count: self.count,
        }
    }
}

fn table(batches: &[Sent]) -> ProducerTable {
    let mut table = ProducerTable::default();
    for batch in batches {
        let header = batch.header();
        table.apply(&header, header.max_timestamp);
    }
    table
}

fn duplicate(original: Sent) -> Result<SequenceVerdict, SequenceError> {
    Ok(SequenceVerdict::Duplicate(ProducerBatch::of(
        &original.header(),
    )))
}

fn gap(expected: i32, got: i32) -> Result<SequenceVerdict, SequenceError> {
    Err(SequenceError::OutOfOrderSequence { expected, got })
}

const NEW: Result<SequenceVerdict, SequenceError> = Ok(SequenceVerdict::New);

#[test]
fn producer_without_state_may_start_anywhere() {
    let table = table(&[]);
    for (epoch, sequence) in [(0, 0), (0, 7), (5, 0), (5, i32::MAX)] {
        assert_eq!(table.check(&sent(1, epoch, sequence, 3).header()), NEW);
    }
}

#[test]
fn batches_follow_each_other_without_gap() {
    let original = sent(1, 4, 10, 3).at(0);
    let table = table(&[original]);
    for (batch, verdict) in [
        (sent(1, 4, 13, 1), NEW),
        (sent(1, 4, 14, 1), gap(13, 14)),
        (sent(1, 4, 12, 1), gap(13, 12)),
        (sent(1, 4, 0, 1), gap(13, 0)),
        (sent(1, 4, 10, 3), duplicate(original)),
        // The same start with another length is no duplicate.
        (sent(1, 4, 10, 2), gap(13, 10)),
        (sent(1, 4, 10, 4), gap(13, 10)),
        // Another producer is another story.
        (sent(2, 0, 77, 1), NEW),
    ] {
        assert_eq!(table.check(&batch.header()), verdict);
    }
}

#[test]
fn newer_session_starts_at_sequence_zero_and_fences_the_older() {
    let mut table = table(&[sent(1, 4, 10, 3).at(0)]);
    assert_eq!(table.check(&sent(1, 5, 13, 1).header()), gap(0, 13));
    assert_eq!(table.check(&sent(1, 5, 0, 1).header()), NEW);
    table.apply(&sent(1, 5, 0, 2).at(3).header(), Timestamp(0));
    let fenced = Err(SequenceError::InvalidProducerEpoch {
        current: ProducerEpoch(5),
        got: ProducerEpoch(4),
    });
    // Also what was a duplicate a moment ago.
    for sequence in [13, 10] {
        assert_eq!(table.check(&sent(1, 4, sequence, 3).header()), fenced);
    }
    let producer = table.get(ProducerId(1)).unwrap();
    assert_eq!(producer.epoch(), ProducerEpoch(5));
    assert_eq!(
        producer.batches().len(),
        1,
        "the old session's batches are forgotten"
    );
}

#[test]
fn last_five_batches_are_recognised_and_the_sixth_is_not() {
    let all: Vec<Sent> = (0..7)
        .map(|i| sent(1, 0, 10 * i, 10).at(i64::from(10 * i)))
        .collect();
    let table = table(&all);
    for (index, batch) in all.iter().enumerate() {
        let again = table.check(&batch.at(999).header());
        if index < 2 {
            assert_eq!(again, gap(70, batch.sequence), "batch {index}");
        } else {
            assert_eq!(again, duplicate(*batch), "batch {index}");
        }
    }
}

#[test]
fn sequences_wrap_to_zero_after_the_largest() {
    let wrapping = sent(1, 0, i32::MAX - 1, 4).at(0);
    let across = table(&[wrapping]);
    assert_eq!(across.check(&sent(1, 0, 2, 1).header()), NEW);
    assert_eq!(across.check(&wrapping.header()), duplicate(wrapping));
    let ending = table(&[sent(1, 0, i32::MAX, 1).at(0)]);
    assert_eq!(ending.check(&sent(1, 0, 0, 1).header()), NEW);
    assert_eq!(ending.check(&sent(1, 0, 1, 1).header()), gap(0, 1));
}

#[test]
fn batch_without_producer_id_leaves_no_trace() {
    let table = table(&[sent(-1, -1, -1, 3).at(0), sent(-1, -1, -1, 3).at(3)]);
    assert!(table.is_empty());
}

#[test]
fn cut_takes_the_batches_above_it_along() {
    let mut table = table(&[
        sent(1, 0, 0, 2).at(0),
        sent(2, 0, 0, 2).at(2),
        sent(1, 0, 2, 2).at(4),
        sent(3, 0, 0, 2).at(6),
    ]);
    // Inside the batch at 4: a batch counts as a whole.
    assert_eq!(table.truncate(Offset(5)), [ProducerId(3)]);
    assert_eq!(table.len(), 2);
    assert_eq!(table.check(&sent(1, 0, 2, 2).header()), NEW);
    assert_eq!(
        table.check(&sent(2, 0, 0, 2).header()),
        duplicate(sent(2, 0, 0, 2).at(2))
    );
    table.apply(&sent(3, 0, 5, 1).at(5).header(), Timestamp(0));
    assert_eq!(table.truncate(Offset(0)), [1, 2, 3].map(ProducerId));
    assert!(table.is_empty());
}

#[test]
fn full_table_forgets_the_producer_whose_last_batch_is_oldest() {
    let mut table = ProducerTable::new(3);
    for (id, offset) in [(1, 0), (2, 1), (3, 2), (1, 3), (4, 4)] {
        let sequence = table.get(ProducerId(id)).map_or(0, |_| 1);
        table.apply(&sent(id, 0, sequence, 1).at(offset).header(), Timestamp(0));
    }
    let left: Vec<i64> = table.iter().map(|(id, _)| id.0).collect();
    assert_eq!(left, [1, 3, 4]);
}

#[test]
fn unused_producers_expire_by_the_clock() {
    let mut table = ProducerTable::default();
    for (id, used) in [(1, 100), (2, 200), (3, 300)] {
        table.apply(&sent(id, 0, 0, 1).at(id).header(), Timestamp(used));
    }
    assert_eq!(table.expire(Timestamp(1_100), 1_000), 1);
    assert_eq!(table.expire(Timestamp(1_100), 1_000), 0);
    assert_eq!(table.check(&sent(1, 0, 9, 1).header()), NEW);
    table.renew(Timestamp(1_250));
    assert_eq!(table.expire(Timestamp(2_249), 1_000), 0);
    assert_eq!(table.expire(Timestamp(2_250), 1_000), 2);
    // The wall clock goes back: nobody expires for that.
    table.apply(&sent(5, 0, 0, 1).at(9).header(), Timestamp(5_000));
    assert_eq!(table.expire(Timestamp(0), 1_000), 0);
}

#[test]
#[should_panic(expected = "batches are applied in order")]
fn batches_are_applied_in_offset_order() {
    table(&[sent(1, 0, 0, 3).at(5), sent(2, 0, 0, 1).at(7)]);
}

#[test]
fn bytes_read_back_and_leave_what_follows() {
    let mut batches = Vec::new();
    for i in 0..9 {
        batches.push(sent(7, 3, sequence_plus(i32::MAX - 10, 3 * i), 3).at(i64::from(10 * i)));
        batches.push(sent(i64::from(i), 0, 0, 1).at(i64::from(10 * i + 3)));
    }
    // Producer 7 has both kinds, so its epoch changes to and fro; apply takes facts.
    let table = table(&batches);
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes.extend_from_slice(b"rest");
    let mut rest = &bytes[..];
    assert_eq!(ProducerTable::decode(&mut rest).as_ref(), Ok(&table));
    assert_eq!(rest, b"rest");
    for cut in 0..bytes.len() - 4 {
        assert!(
            ProducerTable::decode(&mut &bytes[..cut]).is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
fn bytes_that_no_table_writes_are_refused() {
    let mut good = Vec::new();
    table(&[
        sent(1, 0, 0, 2).at(0),
        sent(1, 0, 2, 2).at(2),
        sent(2, 0, 0, 1).at(4),
    ])
    .encode(&mut good);
    // count 4 | id 8, epoch 2, used 8, batches 1 | sequence 4, records 4, offset 8, time 8 | ...
    const SECOND_PRODUCER: usize = 4 + 19 + 2 * 24;
    let count = |count| TableError::Count { count };
    for (position, byte, error) in [
        (0, 3, count(3)),
        (3, 0xff, count(0xff00_0002)),
        (4 + 7, 0x80, TableError::Order),
        (4 + 18, 0, count(0)),
        (4 + 18, 6, count(6)),
        (4 + 19 + 7, 0x80, TableError::Order),
        (4 + 19 + 15, 0x80, TableError::Order),
        (4 + 19 + 24 + 8, 1, TableError::Order),
        (SECOND_PRODUCER, 1, TableError::Order),
        (SECOND_PRODUCER + 19 + 8, 3, TableError::Order),
    ] {
        let mut bytes = good.clone();
        bytes[position] = byte;
        let decoded = ProducerTable::decode(&mut &bytes[..]);
        assert_eq!(decoded, Err(error), "byte {position}");
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut prng = Prng::new(41);
    let mut good = Vec::new();
    table(&[
        sent(1, 0, 0, 2).at(0),
        sent(1, 0, 2, 2).at(2),
        sent(2, 0, 0, 1).at(4),
    ])
    .encode(&mut good);
    for _ in 0..5_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + prng.below(3) {
            let at = prng.below(bytes.len() as u64) as usize;
            bytes[at] = prng.next_u64() as u8;
        }
        if let Ok(table) = ProducerTable::decode(&mut &bytes[..]) {
            let mut again = Vec::new();
            table.encode(&mut again);
            assert!(bytes.starts_with(&again));
        }
    }
}
