//! Readers of old records: what is read ahead for them is checked like what is read for them, and never outlives the bytes
//! on the disk.

use crate::batch::{batch, valid};
use crate::bench::Bench;
use crate::sim::{SimDisk, SimRuntime};
use ottla::base::align::block_ceil;
use ottla::base::epoch::LeaderEpoch;
use ottla::base::limits::{COLD_KEPT_MS, COLD_READ_BYTES, COLD_READS_AHEAD};
use ottla::base::offset::Offset;
use ottla::base::prng::Prng;
use ottla::log::epoch_table::EpochTable;
use ottla::log::index::{IndexBuilder, encode_index_header};
use ottla::log::segment::SegmentName;
use ottla::record::Batches;
use ottla::storage::disk::{Buffer, Disk, DiskFile, OpenMode};
use ottla::storage::errors::ReadError;
use ottla::storage::reader::{ColdRead, SegmentReader, SegmentView};
use ottla::storage::runtime::{Runtime, TaskClass};
use std::cell::Cell;
use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const PATH: &str = "/data/00000000000000000000.log";
const CHUNK_BYTES: usize = 64 * 1024;
/// A fetch of this many bytes, of batches of about 40 KB.
const FETCH_BYTES: usize = 300_000;
const BATCHES: usize = 150;

/// A segment on a disk, and its reader.
struct Segment {
    disk: SimDisk,
    runtime: SimRuntime,
    reader: SegmentReader<SimDisk, SimRuntime>,
    bytes: Vec<u8>,
    /// Where each batch begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Segment {
    async fn written(disk: SimDisk, runtime: SimRuntime) -> Segment {
        let (mut bytes, mut starts) = (Vec::new(), vec![0]);
        for number in 0..BATCHES {
            // One record each, so that a batch's offset is its number.
            let valid = valid(batch(1, 37_000 + 977 * (number % 9)));
            let stamped = valid.stamp(Offset(number as i64), LeaderEpoch(1), None);
            bytes.extend_from_slice(&stamped.head);
            bytes.extend_from_slice(&stamped.body);
            starts.push(bytes.len());
        }
        disk.create_directory(Path::new("/data")).await.unwrap();
        let segment = Segment {
            reader: SegmentReader::new(disk.clone(), runtime.clone(), CHUNK_BYTES),
            disk,
            runtime,
            bytes,
            starts,
        };
        segment.write(Path::new(PATH), &segment.bytes).await;
        segment
    }

    async fn write(&self, path: &Path, bytes: &[u8]) {
        let whole = block_ceil(bytes.len() as u64) as usize;
        let mut buffer = self.disk.allocate(whole);
        buffer.as_bytes_mut().fill(0);
        buffer.as_bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        let file = self.disk.open(path, OpenMode::Write).await.unwrap();
        file.write_at(buffer, 0).await.unwrap();
        file.sync().await.unwrap();
        file.close().await.unwrap();
    }

    fn view(&self, batches: usize) -> SegmentView {
        SegmentView {
            path: PATH.into(),
            name: SegmentName::appended(Offset::ZERO),
            synced: self.starts[batches] as u64,
            epochs: EpochTable::default(),
        }
    }

    /// The batch after the last that was answered; all bytes are those that were written.
    async fn read(
        &self,
        from: usize,
        bytes_max: usize,
        batches: usize,
    ) -> Result<usize, ReadError> {
        let want = ColdRead {
            from: Offset(from as i64),
            below: Offset(i64::MAX),
            bytes_max,
            at_least_one: true,
        };
        let found = self.reader.read(&self.view(batches), want).await?;
        let read: Vec<u8> = found.bytes.pieces.concat();
        let next = from + Batches::new(&read).flatten().count();
        assert!(next > from, "a batch that is there was not answered");
        let written = &self.bytes[self.starts[from]..self.starts[next]];
        assert!(read == written, "other bytes than were written at {from}");
        assert!(!found.is_end || next == batches, "{from}");
        Ok(next)
    }

    /// As if every chunk but the first began a little behind its place.
    async fn write_wrong_index(&self) {
        let mut builder = IndexBuilder::after(&[], CHUNK_BYTES);
        let batches = Batches::new(&self.bytes).flatten();
        let mut entries: Vec<_> = batches
            .filter_map(|(_, header, batch)| builder.add(&header, batch))
            .collect();
        entries.pop();
        entries[0].bytes += 512;
        entries[1..]
            .iter_mut()
            .for_each(|entry| entry.position += 512);
        let mut index = encode_index_header(Offset::ZERO, CHUNK_BYTES).to_vec();
        for entry in entries {
            index.extend_from_slice(&entry.encode(Offset::ZERO));
        }
        self.write(&Path::new(PATH).with_extension("idx"), &index)
            .await;
    }

    async fn fetch(&self, from: usize) -> Result<usize, ReadError> {
        self.read(from, FETCH_BYTES, BATCHES).await
    }

    /// Reads twice, so that the reader is one that goes on, and waits until the disk rests.
    async fn go_on(&self) -> usize {
        let next = self.fetch(0).await.expect("sound");
        let next = self.fetch(next).await.expect("sound");
        let wait = Duration::from_millis(COLD_KEPT_MS / 2);
        self.runtime.sleep(wait).await;
        next
    }

    /// What lies here was not read ahead, or not kept: the reader meets what the disk has now.
    async fn assert_damaged_at(&self, from: usize) {
        match self.fetch(from).await {
            Err(ReadError::Damaged { offset, .. }) => assert_eq!(offset, Offset(from as i64)),
            read => panic!("{read:?} of damaged bytes"),
        }
    }

    /// Every byte from here on is another; the same again puts it right.
    fn flip_from(&self, batch: usize) {
        let from = self.starts[batch];
        let flip = |bytes: &mut Vec<u8>| bytes[from..].iter_mut().for_each(|byte| *byte ^= 0xff);
        self.disk.damage(Path::new(PATH), flip);
    }
}

fn run<F: Future<Output = ()> + 'static>(story: impl FnOnce(Segment) -> F + 'static) {
    let done = Bench::new(7).run(|disk, runtime| async move {
        story(Segment::written(disk, runtime).await).await;
    });
    assert_eq!(done, Some(()), "the machine did not halt");
}

#[test]
fn who_goes_on_finds_its_next_bytes_read_and_nothing_beyond() {
    run(|segment| async move {
        let mut next = segment.go_on().await;
        segment.flip_from(next);
        let begun = segment.starts[next];
        while let Ok(after) = segment.fetch(next).await {
            next = after;
        }
        let ahead = segment.starts[next] - begun;
        // What was at hand of the last read, and the reads ahead of it.
        let most = (COLD_READS_AHEAD + 2) * COLD_READ_BYTES;
        assert!(ahead >= FETCH_BYTES && ahead <= most, "{ahead} bytes ahead");
    });
}

#[test]
fn who_reads_here_and_there_gets_what_the_disk_has_now() {
    run(|segment| async move {
        for from in [100, 20, 60] {
            segment.fetch(from).await.expect("sound");
            segment.runtime.sleep(Duration::from_millis(10)).await;
        }
        let next = segment.fetch(60).await.expect("sound");
        segment.flip_from(next);
        segment.assert_damaged_at(next).await;
    });
}

#[test]
fn what_nobody_comes_back_for_is_given_up() {
    run(|segment| async move {
        let next = segment.go_on().await;
        segment.flip_from(next);
        // The memory is looked through once in this time.
        let wait = Duration::from_millis(2 * COLD_KEPT_MS);
        segment.runtime.sleep(wait).await;
        segment.assert_damaged_at(next).await;
    });
}

#[test]
fn what_was_read_ahead_of_a_cut_is_forgotten_with_it() {
    run(|segment| async move {
        let next = segment.go_on().await;
        segment.flip_from(next);
        segment.reader.forget(Path::new(PATH)).await.unwrap();
        segment.assert_damaged_at(next).await;
    });
}

#[test]
fn a_cut_beside_a_read_leaves_nothing_of_it() {
    run(|segment| async move {
        let segment = Rc::new(segment);
        let next = segment.fetch(0).await.expect("sound");
        let (has_begun, after) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        let (reading, begun, read) = (segment.clone(), has_begun.clone(), after.clone());
        segment.runtime.spawn(TaskClass::Foreground, async move {
            begun.set(true);
            read.set(reading.fetch(next).await.expect("it is not disturbed"));
        });
        while !has_begun.get() {
            segment.runtime.yield_now().await;
        }
        segment.reader.forget(Path::new(PATH)).await.unwrap();
        while after.get() == 0 {
            segment.runtime.yield_now().await;
        }
        segment.flip_from(after.get());
        segment.assert_damaged_at(after.get()).await;
    });
}

#[test]
fn an_index_that_leads_astray_is_not_believed() {
    run(|segment| async move {
        segment.write_wrong_index().await;
        for from in [70, 20, 149] {
            segment.fetch(from).await.expect("the log is sound");
        }
    });
}

#[test]
fn what_is_read_ahead_is_checked() {
    run(|segment| async move {
        let next = segment.fetch(0).await.expect("sound");
        let damaged = 2 * next + 3;
        segment.flip_from(damaged);
        let next = segment.fetch(next).await.expect("sound");
        let next = segment.fetch(next).await.expect("three sound batches");
        assert_eq!(next, damaged);
        segment.assert_damaged_at(next).await;
    });
}

#[test]
fn what_was_read_ahead_wrong_is_read_again() {
    run(|segment| async move {
        let next = segment.fetch(0).await.expect("sound");
        segment.flip_from(2 * next);
        let next = segment.fetch(next).await.expect("sound");
        segment
            .runtime
            .sleep(Duration::from_millis(COLD_KEPT_MS / 2))
            .await;
        segment.flip_from(next);
        segment
            .fetch(next)
            .await
            .expect("the drive has it right now");
    });
}

#[test]
fn a_read_ahead_that_fails_is_begun_again() {
    for reads in 1..=8 {
        run(move |segment| async move {
            let mut next = segment.go_on().await;
            segment.disk.fail_read_after(Some(reads));
            while next < BATCHES {
                next = segment.fetch(next).await.expect("it can be read again");
            }
            assert_eq!(segment.disk.counters().reads_failed, 1, "{reads}");
        });
    }
}

/// Readers that go on, jump, and wait, of a segment that grows.
async fn wander(segment: Rc<Segment>, grown: Rc<Cell<usize>>, seed: u64) {
    let mut prng = Prng::new(seed);
    let mut below = |bound: usize| prng.below(bound as u64) as usize;
    let mut next = 0;
    for _ in 0..60 {
        let batches = grown.get();
        if next >= batches || below(8) == 0 {
            next = below(batches);
        }
        let bytes_max = [1, 90_000, FETCH_BYTES, 1 << 20][below(4)];
        next = segment.read(next, bytes_max, batches).await.expect("sound");
        if below(6) == 0 {
            let wait = Duration::from_millis(below(1_500) as u64);
            segment.runtime.sleep(wait).await;
        }
        if below(4) == 0 {
            grown.set((grown.get() + below(5)).min(BATCHES));
        }
        if below(12) == 0 {
            segment.reader.forget(Path::new(PATH)).await.unwrap();
        }
    }
}

#[test]
fn readers_beside_each_other_find_what_was_written() {
    run(|segment| async move {
        let segment = Rc::new(segment);
        let grown = Rc::new(Cell::new(20));
        let left = Rc::new(Cell::new(0));
        for seed in 1..=20 {
            left.set(left.get() + 1);
            let (segment, grown, left) = (segment.clone(), grown.clone(), left.clone());
            let runtime = segment.runtime.clone();
            runtime.spawn(TaskClass::Read, async move {
                wander(segment, grown, seed).await;
                left.set(left.get() - 1);
            });
        }
        while left.get() > 0 {
            segment.runtime.sleep(Duration::from_millis(100)).await;
        }
        segment.reader.close().await.unwrap();
    });
}
