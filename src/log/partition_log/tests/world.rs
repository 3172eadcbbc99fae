//! A partition, its journal, its segments and its snapshot, with a crash after every step.
//!
//! The disk of this world is bytes in memory: the journal's records are durable when their cycle ends, segment blocks
//! that a lap has written and not synced may be old, new or garbage.

use super::*;
use crate::base::prng::Prng;
use crate::log::entry::{FoundBody, decode_entries};
use crate::log::journal_format::JournalOwner;
use crate::log::recovery::chain::{FoundCycle, Run};
use crate::log::recovery::replay::replay;
use crate::log::section::Stand;
use crate::log::snapshot_format::decode_sections;
use std::collections::BTreeMap;

type Files = BTreeMap<Offset, Vec<u8>>;

struct World {
    prng: Prng,
    log: PartitionLog,
    /// Durable records: sequence and body.
    journal: Vec<(u64, Vec<u8>)>,
    sequence: u64,
    in_flight: Option<Vec<PlannedEntry>>,
    synced: Files,
    /// Blocks written and not synced.
    written: Vec<(Offset, u64, Vec<u8>)>,
    snapshot: Vec<Section>,
    lap: Option<(SnapshotBody, u64)>,
    epoch: i32,
    log_start_noted: Offset,
    /// Every durable byte, by segment.
    truth: Files,
}

pub(super) fn run(seed: u64) {
    let mut prng = Prng::new(seed);
    let config = LogConfig {
        segment_bytes: 9_000,
        ..LogConfig::DEFAULT
    };
    let section = Section::new(PARTITION, Offset(0));
    let mut world = World {
        log: PartitionLog::new(section.clone(), config),
        journal: Vec::new(),
        sequence: 0,
        in_flight: None,
        synced: Files::new(),
        written: Vec::new(),
        snapshot: vec![section],
        lap: None,
        epoch: 0,
        log_start_noted: Offset(0),
        truth: Files::from([(Offset(0), Vec::new())]),
        prng: prng.clone(),
    };
    for step in 0..150 {
        world.step();
        world.crash(seed, step);
        if prng.chance(2) {
            world.restart(config);
        }
    }
}

impl World {
    fn step(&mut self) {
        match self.prng.below(100) {
            0..=34 if self.log.can_append() => self.append(),
            35..=39 if self.log.can_append() && self.in_flight.is_none() => {
                self.epoch += 1;
                let offset = self.log.tail().next_offset();
                self.log.note(Note::EpochStart {
                    epoch: LeaderEpoch(self.epoch),
                    offset,
                });
            }
            40..=42 if self.log.can_append() => self.cut(),
            43..=44 => self.raise_log_start(),
            45..=64 if self.in_flight.is_none() && self.log.is_ready() => {
                let mut entries = Vec::new();
                self.log.plan(6_000, true, &mut entries);
                self.in_flight = Some(entries);
            }
            65..=84 => self.end_cycle(),
            85..=99 => self.lap(),
            _ => {}
        }
    }

    fn append(&mut self) {
        let bytes = 61 + self.prng.below(2500) as usize;
        let next = self.log.tail().next_offset().0;
        let records = 1 + self.prng.below(3) as i32;
        let producer = ProducerId(self.prng.below(3) as i64);
        let batch = batch_of(next, records, bytes, self.epoch, producer, next as i32);
        self.log.append(&batch);
        self.fill();
    }

    /// Brings the lead-in back from the synced segment.
    fn fill(&mut self) {
        if let Some((position, len)) = self.log.tail().missing_fill() {
            let from = position.byte as usize;
            let bytes = self.synced[&position.segment][from..from + len].to_vec();
            let start = Position {
                byte: position.byte + len as u64,
                ..position
            };
            self.log.tail_mut().set_fill(start, bytes);
        }
    }

    fn cut(&mut self) {
        // Cuts fall on a durable batch's start that the tail still holds.
        let start = self
            .log
            .tail()
            .start_offset()
            .max(self.log.section().log_start);
        let end = self.log.section().next_offset;
        if self.in_flight.is_some() || start >= end {
            return;
        }
        let target = Offset(start.0 + self.prng.below((end.0 - start.0) as u64) as i64);
        let at = self.log.tail_mut().position_of(target).unwrap();
        let piece = self.log.tail().slices(at, at.byte + 61).concat();
        let header = BatchHeader::parse(&piece).unwrap();
        if header.base_offset < self.log_start_noted {
            return;
        }
        self.log.note(Note::Truncate {
            offset: header.base_offset,
        });
        self.epoch += 1;
    }

    fn raise_log_start(&mut self) {
        let section = self.log.section();
        let span = section.next_offset.since(section.log_start);
        if self.in_flight.is_none() && span > 0 && self.log.can_append() {
            let by = self.prng.below(span as u64 / 3 + 1) as i64;
            self.log_start_noted = self.log_start_noted.max(section.log_start.plus(by));
            self.log.note(Note::LogStart(self.log_start_noted));
        }
    }

    fn end_cycle(&mut self) {
        let Some(entries) = self.in_flight.take() else {
            return;
        };
        self.sequence += 1;
        self.journal.push((self.sequence, body_of(&entries)));
        for entry in &entries {
            self.note_truth(entry);
        }
        commit(&mut self.log, &entries);
        let kept: Vec<Offset> = self.log.section().segments.iter().map(|s| s.base).collect();
        self.truth.retain(|base, _| kept.contains(base));
    }

    fn note_truth(&mut self, entry: &PlannedEntry) {
        match &entry.change {
            Change::Data(data) => {
                let bytes: Vec<u8> = entry.pieces.concat();
                let file = self.truth.get_mut(&data.at.segment).unwrap();
                assert_eq!(file.len() as u64, data.at.byte);
                file.extend_from_slice(&bytes[entry.lead_in as usize..]);
            }
            Change::Roll { base, .. } => drop(self.truth.insert(*base, Vec::new())),
            Change::Truncate { at, .. } => {
                self.truth.retain(|base, _| *base <= at.segment);
                self.truth
                    .get_mut(&at.segment)
                    .unwrap()
                    .truncate(at.byte as usize);
            }
            _ => {}
        }
    }

    /// One step of a lap: capture and write; sync; snapshot.
    fn lap(&mut self) {
        match self.lap.take() {
            None if self.in_flight.is_none() && self.log.can_capture() => {
                let mut body = SnapshotBody::default();
                for write in self.log.capture(self.sequence, &mut body) {
                    let mut bytes: Vec<u8> = write.slices.concat();
                    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
                    self.written.push((write.segment.base, write.start, bytes));
                }
                self.lap = Some((body, self.sequence));
            }
            None => {}
            Some((body, covered)) if !self.written.is_empty() => {
                for (base, start, bytes) in self.written.drain(..) {
                    put(self.synced.entry(base).or_default(), start, &bytes);
                }
                self.lap = Some((body, covered));
            }
            Some((body, covered)) => {
                self.log.lap_synced();
                let synced = self.log.section().synced;
                while self.prng.chance(70) && self.log.tail_mut().evict(synced) {}
                if self.prng.chance(30) {
                    self.log.tail_mut().rest();
                }
                let owner = JournalOwner {
                    incarnation: crate::base::ids::Incarnation(1),
                    life: crate::base::ids::Life(1),
                    shard: crate::base::ids::ShardId(0),
                };
                let header = body.header(owner, 1, covered);
                self.snapshot = decode_sections(&header, body.bytes()).unwrap();
                self.journal.retain(|(sequence, _)| *sequence > covered);
            }
        }
    }

    /// What recovery would find now.
    fn recovered(&mut self) -> (Section, Files) {
        let cycles = self.journal.iter().map(|(sequence, body)| FoundCycle {
            sequence: *sequence,
            entries: decode_entries(&Bytes::from(body.clone())).unwrap(),
        });
        let run = Run {
            missing: None,
            cycles: cycles.collect(),
        };
        let is_data =
            |entry: &crate::log::entry::FoundEntry| matches!(entry.body, FoundBody::Data { .. });
        assert!(
            run.cycles
                .iter()
                .all(|cycle| !cycle.entries.is_empty() || !cycle.entries.iter().any(is_data))
        );
        let replayed = replay(self.snapshot.clone(), vec![run])
            .remove(&PARTITION)
            .unwrap();
        let mut files = self.torn_files();
        for (base, image) in &replayed.images {
            let file = files.entry(*base).or_default();
            assert!(
                file.len() as u64 >= image.start,
                "bytes before the image are synced"
            );
            file.truncate(image.start as usize);
            file.extend_from_slice(&image.bytes);
        }
        (replayed.into_start(), files)
    }

    /// Each unsynced block is old, new, or garbage.
    fn torn_files(&mut self) -> Files {
        let mut files = self.synced.clone();
        for (base, start, bytes) in &self.written {
            for (index, block) in bytes.chunks(BLOCK).enumerate() {
                let garbage = [0xee; BLOCK];
                let block = match self.prng.below(3) {
                    0 => continue,
                    1 => block,
                    _ => &garbage,
                };
                put(
                    files.entry(*base).or_default(),
                    start + (index * BLOCK) as u64,
                    block,
                );
            }
        }
        files
    }

    fn crash(&mut self, seed: u64, step: u32) {
        let (section, files) = self.recovered();
        assert_eq!(section.offline, None, "seed {seed} step {step}");
        let live = self.log.section();
        assert_eq!(
            section.next_offset, live.next_offset,
            "seed {seed} step {step}"
        );
        assert_eq!(section.log_start, live.log_start, "seed {seed} step {step}");
        assert_eq!(section.epochs, live.epochs, "seed {seed} step {step}");
        assert_eq!(section.producers, live.producers, "seed {seed} step {step}");
        assert_eq!(
            section.entry_number, live.entry_number,
            "seed {seed} step {step}"
        );
        for segment in &section.segments {
            let len = segment.bytes as usize;
            let found = files
                .get(&segment.base)
                .map_or(&[][..], |file| &file[..len]);
            let is_equal = found == &self.truth[&segment.base][..];
            assert!(is_equal, "seed {seed} step {step} segment {}", segment.base);
        }
    }

    /// A new life on what recovery left.
    fn restart(&mut self, config: LogConfig) {
        let (section, files) = self.recovered();
        let mut bytes = Vec::new();
        section.encode(Stand::AsIs, &mut bytes);
        self.snapshot = vec![Section::decode(&bytes).unwrap()];
        self.synced = files;
        self.log = PartitionLog::new(section, config);
        self.journal.clear();
        self.written.clear();
        self.in_flight = None;
        self.lap = None;
        self.sequence = 0;
        self.log_start_noted = self.log.section().log_start;
        self.epoch += 1;
        let offset = self.log.tail().next_offset();
        self.log.note(Note::EpochStart {
            epoch: LeaderEpoch(self.epoch),
            offset,
        });
    }
}

fn body_of(entries: &[PlannedEntry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        entry.encode(&mut |bytes, _| body.extend_from_slice(bytes));
    }
    body
}

fn put(file: &mut Vec<u8>, start: u64, bytes: &[u8]) {
    let end = start as usize + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[start as usize..end].copy_from_slice(bytes);
}
