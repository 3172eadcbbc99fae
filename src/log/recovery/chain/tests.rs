use super::*;
use crate::base::checksum::crc32c;
use crate::base::ids::{Incarnation, ShardId};
use crate::base::offset::Offset;
use crate::log::entry::{Change, PlannedEntry};
use crate::log::journal_format::record_bytes;
use crate::log::testing::PARTITION;

const OWNER: JournalOwner = JournalOwner {
    incarnation: Incarnation(11),
    life: Life(3),
    shard: ShardId(1),
};

/// One ring file under construction.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    sequence: u64,
    crc: u32,
    starts: Vec<usize>,
}

impl File {
    /// Appends one cycle in as many records as there are parts of its body.
    fn cycle(&mut self, body: &[u8], parts: usize) {
        let size = body.len().div_ceil(parts).max(1);
        let chunks: Vec<&[u8]> = if body.is_empty() {
            vec![body]
        } else {
            body.chunks(size).collect()
        };
        for (index, chunk) in chunks.iter().enumerate() {
            self.sequence += 1;
            let header = RecordHeader {
                owner: OWNER,
                continues: index + 1 < chunks.len(),
                continued: index > 0,
                entry_count: 1,
                sequence: self.sequence,
                previous_crc: self.crc,
                body_crc: crc32c(chunk),
                body_bytes: chunk.len() as u32,
            };
            self.crc = header.crc();
            self.starts.push(self.bytes.len());
            let end = self.bytes.len() + record_bytes(chunk.len() as u64) as usize;
            self.bytes.extend_from_slice(&header.encode());
            self.bytes.extend_from_slice(chunk);
            self.bytes.resize(end, 0);
        }
    }

    /// A cycle that moves the log start: the number says which cycle it is.
    fn change(&mut self, number: u32) {
        self.cycle(&change(number), 1);
    }

    fn spoil(&mut self, record: usize) {
        let at = self.starts[record] + 70;
        self.bytes[at] ^= 1;
    }
}

fn change(number: u32) -> Vec<u8> {
    let change = Change::LogStart(Offset(i64::from(number)));
    let mut body = Vec::new();
    PlannedEntry::change(PARTITION, number, change)
        .encode(&mut |bytes, _| body.extend_from_slice(bytes));
    body
}

fn snapshot(generation: u64, covered: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let entry = SnapshotEntry {
        generation,
        covered,
        crc: 9,
    };
    entry.encode(&mut |bytes| body.extend_from_slice(bytes));
    body
}

fn judge(files: &[&File]) -> Verdict {
    let mut journal = FoundJournal::new(OWNER);
    files.iter().for_each(|file| journal.add_file(&file.bytes));
    journal.judge().unwrap()
}

/// A run: first and last missing record before it, numbers of its entries.
type Shape = (Option<(u64, u64)>, Vec<u32>);

fn shape(verdict: &Verdict) -> Vec<Shape> {
    let numbers = |run: &Run| {
        let entries = run.cycles.iter().flat_map(|cycle| &cycle.entries);
        entries
            .filter(|entry| entry.number > 0)
            .map(|entry| entry.number)
            .collect()
    };
    let missing = |run: &Run| run.missing.map(|missing| (missing.first, missing.last));
    verdict
        .runs
        .iter()
        .map(|run| (missing(run), numbers(run)))
        .collect()
}

fn story() -> File {
    let mut file = File::default();
    (1..=4).for_each(|number| file.change(number));
    file
}

#[test]
fn a_whole_journal_is_one_run() {
    assert_eq!(shape(&judge(&[&story()])), [(None, vec![1, 2, 3, 4])]);
    assert_eq!(shape(&judge(&[])), [(None, vec![])]);
}

#[test]
fn a_bad_last_record_was_never_answered() {
    let mut file = story();
    file.spoil(3);
    assert_eq!(shape(&judge(&[&file])), [(None, vec![1, 2, 3])]);
}

#[test]
fn a_bad_record_before_a_sound_one_is_damage() {
    let mut file = story();
    file.spoil(1);
    let verdict = judge(&[&file]);
    assert_eq!(
        shape(&verdict),
        [(None, vec![1]), (Some((2, 2)), vec![3, 4])]
    );
    assert!(verdict.is_damaged());
}

#[test]
fn a_file_that_is_not_there_may_have_held_the_end() {
    let mut whole = story();
    whole.cycle(&change(5), 2);
    let cut = whole.starts[5];
    whole.bytes[cut..].fill(0);
    let tables = [(story(), 5), (whole, 5), (File::default(), 1)];
    for (file, first) in tables {
        let mut journal = FoundJournal::new(OWNER);
        journal.add_file(&file.bytes);
        journal.note_loss();
        let verdict = journal.judge().unwrap();
        assert!(verdict.is_damaged());
        let missing = verdict.runs.last().unwrap().missing.unwrap();
        assert_eq!((missing.first, missing.last), (first, u64::MAX));
    }
}

#[test]
fn a_bad_last_record_before_the_idle_record_is_damage() {
    let mut file = story();
    file.cycle(&[], 1);
    file.spoil(3);
    assert_eq!(
        shape(&judge(&[&file])),
        [(None, vec![1, 2, 3]), (Some((4, 4)), vec![])]
    );
}

#[test]
fn a_record_that_was_lost_is_damage_wherever_it_was() {
    let (first, mut second) = (
        story(),
        File {
            sequence: 5,
            ..File::default()
        },
    );
    second.change(6);
    assert_eq!(
        shape(&judge(&[&first, &second])),
        [(None, vec![1, 2, 3, 4]), (Some((5, 5)), vec![6])]
    );
    assert_eq!(
        shape(&judge(&[&second])),
        [(None, vec![]), (Some((1, 5)), vec![6])]
    );
}

#[test]
fn a_record_that_names_another_predecessor_breaks_the_chain() {
    let mut file = story();
    file.crc ^= 1;
    file.change(5);
    assert_eq!(
        shape(&judge(&[&file])),
        [(None, vec![1, 2, 3, 4]), (Some((4, 4)), vec![5])]
    );
}

#[test]
fn records_of_others_are_as_good_as_none() {
    let mut file = story();
    for (owner, named) in [
        (
            JournalOwner {
                life: Life(2),
                ..OWNER
            },
            false,
        ),
        (
            JournalOwner {
                incarnation: Incarnation(12),
                ..OWNER
            },
            false,
        ),
        (
            JournalOwner {
                shard: ShardId(0),
                ..OWNER
            },
            false,
        ),
        (
            JournalOwner {
                life: Life(4),
                ..OWNER
            },
            true,
        ),
    ] {
        let header = RecordHeader {
            owner,
            continues: false,
            continued: false,
            entry_count: 0,
            sequence: 9,
            previous_crc: 0,
            body_crc: crc32c(&[]),
            body_bytes: 0,
        };
        let mut stale = file.bytes.clone();
        stale.extend_from_slice(&header.encode());
        stale.resize(stale.len().next_multiple_of(BLOCK), 0);
        let mut journal = FoundJournal::new(OWNER);
        journal.add_file(&stale);
        assert_eq!(journal.later_life().is_some(), named, "{owner:?}");
        assert_eq!(
            shape(&journal.judge().unwrap()),
            [(None, vec![1, 2, 3, 4])],
            "{owner:?}"
        );
    }
    file.bytes.truncate(4 * BLOCK);
}

#[test]
fn records_of_an_earlier_round_lie_behind_the_last_one() {
    let old = story();
    let mut ring = File {
        sequence: 4,
        crc: old.crc,
        ..File::default()
    };
    ring.cycle(&snapshot(2, 4), 1);
    ring.change(5);
    // The new round has overwritten the first two records of the file.
    let mut file = ring.bytes.clone();
    file.extend_from_slice(&old.bytes[2 * BLOCK..]);
    let verdict = judge(&[&File {
        bytes: file,
        ..File::default()
    }]);
    assert_eq!(verdict.snapshot.unwrap().generation, 2);
    assert_eq!(shape(&verdict), [(None, vec![5])]);
}

#[test]
fn a_cycle_over_several_records_counts_whole_or_not_at_all() {
    let mut file = File::default();
    file.change(1);
    file.cycle(&change(2), 3);
    let whole = file.bytes.clone();
    assert_eq!(shape(&judge(&[&file])), [(None, vec![1, 2])]);
    assert_eq!(judge(&[&file]).runs[0].cycles[1].sequence, 4);
    for torn in 1..=3 {
        let bytes = whole[..file.starts[torn]].to_vec();
        let cut = File {
            bytes,
            ..File::default()
        };
        assert_eq!(shape(&judge(&[&cut])), [(None, vec![1])], "torn at {torn}");
    }
    file.change(3);
    for spoiled in 1..=3 {
        let mut damaged = File {
            bytes: file.bytes.clone(),
            starts: file.starts.clone(),
            ..File::default()
        };
        damaged.spoil(spoiled);
        let verdict = judge(&[&damaged]);
        let entries: Vec<Vec<u32>> = shape(&verdict).into_iter().map(|run| run.1).collect();
        assert_eq!(entries.concat(), [1, 3], "spoiled {spoiled}");
        assert!(verdict.is_damaged());
    }
}

#[test]
fn the_last_readable_snapshot_entry_is_in_force() {
    let mut file = story();
    file.cycle(&snapshot(7, 2), 1);
    file.change(5);
    file.cycle(&[snapshot(8, 5), change(6)].concat(), 2);
    assert_eq!(
        judge(&[&file]).snapshot.unwrap(),
        SnapshotEntry {
            generation: 8,
            covered: 5,
            crc: 9
        }
    );
    assert_eq!(shape(&judge(&[&file])), [(None, vec![5, 6])]);
    // Torn: the one before it is in force, and what it does not cover is replayed.
    let last = file.starts.len() - 1;
    file.spoil(last);
    assert_eq!(judge(&[&file]).snapshot.unwrap().generation, 7);
    assert_eq!(shape(&judge(&[&file])), [(None, vec![3, 4, 5])]);
}

#[test]
fn damage_below_what_a_snapshot_covers_is_none() {
    let mut file = story();
    file.cycle(&snapshot(7, 3), 1);
    file.spoil(1);
    assert_eq!(shape(&judge(&[&file])), [(None, vec![4])]);
}

#[test]
fn arbitrary_bytes_never_panic_and_are_no_journal() {
    let mut prng = crate::base::prng::Prng::new(5);
    let valid = story();
    for _ in 0..300 {
        let mut bytes = valid.bytes.clone();
        for _ in 0..1 + prng.below(20) {
            let at = prng.below(bytes.len() as u64) as usize;
            bytes[at] = prng.next_u64() as u8;
        }
        let mut journal = FoundJournal::new(OWNER);
        journal.add_file(&bytes);
        let verdict = journal.judge().unwrap();
        let entries: Vec<u32> = shape(&verdict).into_iter().flat_map(|run| run.1).collect();
        assert!(
            entries.iter().all(|number| (1..=4).contains(number)),
            "only what was written"
        );
        assert!(entries.is_sorted());
    }
}
