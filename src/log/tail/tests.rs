use super::*;
use crate::base::align::BLOCK;
use crate::base::prng::Prng;
use crate::log::testing::{batch, bytes_of};

/// The same log as a list of batches, and as bytes per segment.
#[derive(Default)]
struct Model {
    batches: Vec<(Offset, Offset, Position, Vec<u8>)>,
    segments: Vec<(Offset, Vec<u8>)>,
}

impl Model {
    fn end(&self) -> Position {
        let (segment, bytes) = self.segments.last().unwrap();
        Position {
            segment: *segment,
            byte: bytes.len() as u64,
        }
    }

    fn next(&self) -> Offset {
        self.batches.last().map_or(Offset(0), |batch| batch.1)
    }

    fn range(&self, from: Position, to: u64) -> Vec<u8> {
        let (_, bytes) = self
            .segments
            .iter()
            .find(|(base, _)| *base == from.segment)
            .unwrap();
        bytes[from.byte as usize..to as usize].to_vec()
    }

    fn read(&self, from: Offset, below: Offset, max: usize, one: bool) -> Vec<u8> {
        let mut found = Vec::new();
        for (_, next, _, bytes) in self.batches.iter().filter(|batch| batch.1 > from) {
            let must = one && found.is_empty();
            if *next > below || (found.len() + bytes.len() > max && !must) {
                break;
            }
            found.extend_from_slice(bytes);
            if found.len() >= max {
                break;
            }
        }
        found
    }

    fn truncate(&mut self, end: Offset) -> Position {
        let kept = self.batches.partition_point(|batch| batch.1 <= end);
        let at = self.batches.get(kept).map_or(self.end(), |batch| batch.2);
        self.batches.truncate(kept);
        self.segments.retain(|(base, _)| *base <= at.segment);
        self.segments
            .last_mut()
            .unwrap()
            .1
            .truncate(at.byte as usize);
        at
    }
}

fn append(tail: &mut Tail, model: &mut Model, records: i32, bytes: usize) {
    let batch = batch(model.next().0, records, bytes);
    let at = model.end();
    tail.append(&batch.header, [&batch.head, &batch.body]);
    let (base, next) = (batch.header.base_offset, batch.header.next_offset());
    model.batches.push((base, next, at, bytes_of(&batch)));
    model
        .segments
        .last_mut()
        .unwrap()
        .1
        .extend(bytes_of(&batch));
}

#[test]
fn a_tail_is_the_log_whatever_is_evicted_frozen_or_cut() {
    for seed in 0..300 {
        story(seed);
    }
}

fn story(seed: u64) {
    let mut prng = Prng::new(seed);
    let start = Position {
        segment: Offset(0),
        byte: 0,
    };
    let mut tail = Tail::new(start, Offset(0));
    let mut model = Model {
        segments: vec![(Offset(0), Vec::new())],
        ..Model::default()
    };
    let mut synced = start;
    for _ in 0..120 {
        match prng.below(100) {
            0..=49 => {
                let most = if prng.chance(10) { 9000 } else { 700 };
                let bytes = 61 + prng.below(most) as usize;
                append(&mut tail, &mut model, 1 + prng.below(5) as i32, bytes);
            }
            50..=59 => tail.freeze(),
            60..=66 if model.end().byte > 0 => {
                tail.roll(model.next());
                model.segments.push((model.next(), Vec::new()));
            }
            67..=79 => {
                // A lap: everything so far is synced.
                tail.freeze();
                synced = model.end();
            }
            80..=92 => {
                tail.evict(synced);
            }
            93..=95 => tail.rest(),
            _ if !model.batches.is_empty() => {
                let index = prng.below(model.batches.len() as u64) as usize;
                let end = model.batches[index].0;
                let known = tail.position_of(end);
                let at = model.truncate(end);
                assert!(
                    known.is_none_or(|known| known == at),
                    "seed {seed}: {known:?} {at:?}"
                );
                tail.truncate(end, at);
                synced = synced.min(at);
            }
            _ => {}
        }
        check(&mut tail, &model, &mut prng, seed);
    }
}

fn check(tail: &mut Tail, model: &Model, prng: &mut Prng, seed: u64) {
    assert_eq!(
        (tail.end(), tail.next_offset()),
        (model.end(), model.next()),
        "seed {seed}"
    );
    if let Some((position, len)) = tail.missing_fill() {
        let end = Position {
            byte: position.byte + len as u64,
            ..position
        };
        tail.set_fill(end, model.range(position, end.byte));
    }
    let held: usize = tail.pieces.iter().map(|piece| piece.bytes.len()).sum();
    assert!(
        tail.charge() >= held,
        "seed {seed}: what is held is charged"
    );
    let from = Offset(prng.below(model.next().0 as u64 + 1) as i64);
    let below = Offset(from.0 + prng.below(40) as i64);
    let max = prng.below(4000) as usize;
    let one = prng.chance(50);
    if let Some(found) = tail.read(from, below, max, one) {
        assert_eq!(
            found.pieces.concat(),
            model.read(from, below, max, one),
            "seed {seed}"
        );
        assert_eq!(
            found.bytes,
            found.pieces.iter().map(Bytes::len).sum::<usize>()
        );
    } else {
        assert!(from < tail.start_offset());
    }
    let start = tail.start.0;
    let Some((base, bytes)) = model
        .segments
        .iter()
        .rfind(|(base, _)| *base >= start.segment)
    else {
        return;
    };
    tail.freeze();
    let first = if *base == start.segment {
        block_floor(start.byte)
    } else {
        0
    };
    let from = Position {
        segment: *base,
        byte: first,
    };
    if (bytes.len() as u64) > first {
        let found: Vec<u8> = tail.slices(from, bytes.len() as u64).concat();
        assert_eq!(found, model.range(from, bytes.len() as u64), "seed {seed}");
    }
}

#[test]
fn an_idle_tail_holds_nothing() {
    let mut tail = Tail::new(
        Position {
            segment: Offset(0),
            byte: 100,
        },
        Offset(4),
    );
    assert_eq!(
        tail.missing_fill(),
        Some((
            Position {
                segment: Offset(0),
                byte: 0
            },
            100
        ))
    );
    let mut model = Model {
        segments: vec![(Offset(0), vec![9; 100])],
        ..Model::default()
    };
    let batch = batch(4, 1, 200);
    tail.append(&batch.header, [&batch.head, &batch.body]);
    model.segments[0].1.extend(bytes_of(&batch));
    tail.freeze();
    assert!(tail.charge() >= CHUNK_BYTES_MIN);
    tail.set_fill(
        Position {
            segment: Offset(0),
            byte: 100,
        },
        vec![9; 100],
    );
    let whole: Vec<u8> = tail
        .slices(
            Position {
                segment: Offset(0),
                byte: 0,
            },
            300,
        )
        .concat();
    assert_eq!(whole, model.segments[0].1);
    assert!(
        !tail.evict(Position {
            segment: Offset(0),
            byte: 299
        }),
        "not yet synced"
    );
    assert!(tail.evict(Position {
        segment: Offset(0),
        byte: 300
    }));
    tail.rest();
    assert_eq!(tail.charge(), 0);
    assert!(!tail.is_filled());
}

#[test]
fn chunks_grow_with_the_rate_up_to_their_share() {
    for (share, expected) in [
        (usize::MAX, &[4096, 16384, 65536][..]),
        (20_000, &[4096, 16384, 20_000]),
        (1, &[4096]),
    ] {
        let mut tail = Tail::new(Position::default(), Offset(0));
        tail.limit_chunks(share);
        let mut sizes = Vec::new();
        for offset in 0..60 {
            let batch = batch(offset, 1, 2000);
            tail.append(&batch.header, [&batch.head, &batch.body]);
            sizes.push(tail.chunk_bytes);
        }
        sizes.dedup();
        assert_eq!(sizes, expected, "{share}");
    }
    const { assert!(CHUNK_BYTES_MAX.is_multiple_of(BLOCK)) };
}
