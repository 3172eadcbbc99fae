//! The metadata log: what was answered is there after any crash, and damage is never taken for an end.

use crate::bench::Bench;
use crate::sim::{EIO, SimDisk, SimRuntime};
use bytes::Bytes;
use ottla::base::ids::{Incarnation, Life};
use ottla::base::limits::Limits;
use ottla::base::prng::Prng;
use ottla::storage::disk::{Disk, DiskError};
use ottla::storage::errors::OpenError;
use ottla::storage::failure::DirectoryFailure;
use ottla::storage::meta_log::{MetaLog, MetaRecovered};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const ROOT: &str = "/data";
type Log = MetaLog<SimDisk, SimRuntime>;

impl Bench {
    /// What taking the directory has done before.
    fn with_root(seed: u64) -> Bench {
        let mut bench = Bench::new(seed);
        bench.run(async |disk, _| {
            disk.create_directory(Path::new(ROOT)).await.unwrap();
            disk.sync_directory(Path::new("/")).await.unwrap();
        });
        bench
    }

    /// Entries that a start finds.
    fn read(&mut self) -> Result<Vec<u64>, OpenError> {
        let opened = self.run(async move |disk, runtime| open(&disk, &runtime, 1).await);
        let (_, recovered) = opened.expect("not halted")?;
        Ok(numbers(&recovered))
    }

    /// A log of four entries before a snapshot, two more before a second one, and one after it.
    fn with_three_generations() -> Bench {
        let mut bench = Bench::with_root(1);
        bench.run(async |disk, runtime| {
            let mut log = open(&disk, &runtime, 0).await.unwrap().0;
            for (generation, numbers) in [vec![1, 2, 3, 4], vec![5, 6], vec![7]].iter().enumerate()
            {
                for &number in numbers {
                    log.append(&[entry(number)]).await.unwrap();
                }
                if generation < 2 {
                    let last = *numbers.last().unwrap();
                    log.write_snapshot(&state(last)).await.unwrap();
                }
            }
        });
        bench
    }
}

async fn open(
    disk: &SimDisk,
    runtime: &SimRuntime,
    life: u64,
) -> Result<(Log, MetaRecovered), OpenError> {
    let (root, limits) = (Path::new(ROOT), &Limits::TINY);
    let incarnation = Incarnation(5);
    let failure = DirectoryFailure::default();
    MetaLog::open(
        disk,
        runtime,
        root,
        incarnation,
        Life(life),
        limits,
        &failure,
    )
    .await
}

/// An entry is its number, eight bytes and some more.
fn entry(number: u64) -> Bytes {
    let len = 8 + (number * number * 37 % 6000) as usize;
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(len, number as u8);
    bytes.into()
}

/// The state after entry `last` is all the numbers so far.
fn state(last: u64) -> Vec<u8> {
    (1..=last).flat_map(u64::to_le_bytes).collect()
}

fn numbers(recovered: &MetaRecovered) -> Vec<u64> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let mut found: Vec<u64> = recovered
        .snapshot
        .iter()
        .flat_map(|state| state.chunks(8).map(number))
        .collect();
    for record in &recovered.records {
        let number = number(record);
        assert_eq!(record, &entry(number), "the bytes of entry {number}");
        found.push(number);
    }
    found
}

fn file(name: &str, generation: u64) -> PathBuf {
    Path::new(ROOT).join(format!("meta/{name}-{generation:020}"))
}

#[test]
fn generations_follow_each_other_and_old_ones_go() {
    let mut bench = Bench::with_three_generations();
    assert_eq!(bench.read(), Ok(vec![1, 2, 3, 4, 5, 6, 7]));
    let exists = |name, generation| bench.disk.bytes_of(&file(name, generation)).is_some();
    assert!(!exists("log", 0), "two generations are kept");
    assert!(exists("log", 1) && exists("snapshot", 1));
    assert!(exists("log", 2) && exists("snapshot", 2));
}

#[test]
fn a_snapshot_that_cannot_be_read_costs_a_longer_replay() {
    let mut bench = Bench::with_three_generations();
    bench
        .disk
        .damage(&file("snapshot", 2), |bytes| bytes[60] ^= 1);
    let found = bench.run(async |disk, runtime| {
        let (mut log, recovered) = open(&disk, &runtime, 1).await.unwrap();
        assert!(log.wants_snapshot(), "a sound one is due");
        log.append(&[entry(8)]).await.unwrap();
        log.write_snapshot(&state(8)).await.unwrap();
        numbers(&recovered)
    });
    assert_eq!(found, Some((1..=7).collect()));
    // The good snapshot before the bad one is still there, should the new one go bad as well.
    bench
        .disk
        .damage(&file("snapshot", 3), |bytes| bytes[60] ^= 1);
    assert_eq!(bench.read(), Ok((1..=8).collect()));
    bench
        .disk
        .damage(&file("snapshot", 1), |bytes| bytes[60] ^= 1);
    let path = Path::new(ROOT).join("meta");
    assert_eq!(bench.read(), Err(OpenError::MetadataSnapshots { path }));
}

#[test]
fn damage_is_refused_and_a_torn_end_is_not() {
    let last = file("log", 2);
    let refused = |position| OpenError::Metadata {
        path: last.clone(),
        position,
    };
    let mut bench = Bench::with_three_generations();
    bench.disk.damage(&last, |bytes| bytes[4096] ^= 1);
    assert_eq!(bench.read(), Err(refused(4096)), "the last answered record");

    let mut bench = Bench::with_three_generations();
    bench.disk.damage(&last, |bytes| bytes[8192] ^= 1);
    assert_eq!(
        bench.read(),
        Ok((1..=7).collect()),
        "what was never answered"
    );

    let mut bench = Bench::with_three_generations();
    bench.disk.damage(&last, |bytes| bytes.truncate(8192));
    assert_eq!(bench.read(), Err(refused(8192)), "a file cut short");

    let mut bench = Bench::with_three_generations();
    bench.disk.damage(&last, |bytes| bytes[17] ^= 1);
    assert_eq!(bench.read(), Err(refused(0)), "a bad header");
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let missing = |path| Err(OpenError::MetadataMissing { path });
    let folder = Path::new(ROOT).join("meta");
    let newest = file("log", 2);
    let whole = Ok((1..=7).collect());
    let gone = [
        (vec![file("log", 1)], whole),
        (vec![newest.clone()], missing(newest.clone())),
        (vec![file("log", 1), newest.clone()], missing(newest)),
        (
            vec![
                file("log", 1),
                file("log", 2),
                file("snapshot", 1),
                file("snapshot", 2),
            ],
            missing(folder),
        ),
    ];
    for (paths, expected) in gone {
        let mut bench = Bench::with_three_generations();
        paths.iter().for_each(|path| bench.disk.lose(path));
        for _ in 0..2 {
            assert_eq!(bench.read(), expected, "without {paths:?}");
        }
    }
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was() {
    let mut bench = Bench::with_root(1);
    bench.run(async |disk, runtime| {
        let mut log = open(&disk, &runtime, 0).await.unwrap().0;
        log.append(&[entry(1)]).await.unwrap();
        disk.set_capacity(Some(Limits::TINY.meta_log_bytes as u64));
        let full = |result| matches!(result, Err(OpenError::Disk(DiskError::NoSpace { .. })));
        assert!(full(log.write_snapshot(&state(1)).await));
        let mut appended = 1;
        while log.append(&[entry(appended + 1)]).await.is_ok() {
            appended += 1;
        }
        assert!(full(log.append(&[entry(appended + 1)]).await));
        disk.set_capacity(None);
        log.append(&[entry(appended + 1)]).await.unwrap();
        log.write_snapshot(&state(appended + 1)).await.unwrap();
        log.append(&[entry(appended + 2)]).await.unwrap();
    });
    let found = bench.read().unwrap();
    assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
    assert!(found.len() > 3);
}

#[test]
fn a_failed_write_fails_the_log_for_good() {
    let mut bench = Bench::with_root(1);
    bench.run(async |disk, runtime| {
        let mut log = open(&disk, &runtime, 0).await.unwrap().0;
        log.append(&[entry(1)]).await.unwrap();
        disk.fail_after(Some(1), EIO);
        let failed = log.append(&[entry(2)]).await;
        assert!(matches!(
            failed,
            Err(OpenError::Disk(DiskError::Failed { .. }))
        ));
        assert_eq!(log.append(&[entry(2)]).await, Err(OpenError::Failed));
        assert_eq!(log.write_snapshot(&state(1)).await, Err(OpenError::Failed));
    });
    let found = bench.read().unwrap();
    assert!([vec![1], vec![1, 2]].contains(&found));
}

/// How far the writer came: entries asked for and entries answered.
#[derive(Clone, Copy, Default, Debug)]
struct Progress {
    asked: u64,
    answered: u64,
}

/// Appends, and takes snapshots as a broker would, until the machine halts.
async fn write(disk: SimDisk, runtime: SimRuntime, seed: u64, progress: Rc<RefCell<Progress>>) {
    let mut prng = Prng::new(seed);
    let (mut log, recovered) = open(&disk, &runtime, 0).await.unwrap();
    let found = numbers(&recovered);
    let known = *progress.borrow();
    let last = found.len() as u64;
    assert_eq!(found, (1..=last).collect::<Vec<_>>(), "seed {seed}");
    assert!(
        (known.answered..=known.asked).contains(&last),
        "seed {seed}: {last} of {known:?}"
    );
    // What was seen is as good as answered: it must not vanish later.
    *progress.borrow_mut() = Progress {
        asked: last,
        answered: last,
    };
    for _ in 0..8 {
        let first = progress.borrow().asked + 1;
        let count = 1 + prng.below(2);
        let entries: Vec<Bytes> = (first..first + count).map(entry).collect();
        progress.borrow_mut().asked += count;
        log.append(&entries).await.unwrap();
        progress.borrow_mut().answered += count;
        if log.wants_snapshot() {
            let all = state(progress.borrow().asked);
            log.write_snapshot(&all).await.unwrap();
        }
    }
}

/// Every beginning and end of a change of a recorded run, by kill and by power cut, four starts in a row.
#[test]
fn whatever_was_answered_survives_a_crash_anywhere() {
    let mut cuts = 0;
    for seed in 0..16 {
        for event in 1.. {
            let mut bench = Bench::with_root(seed * 1000 + event);
            let progress = Rc::new(RefCell::new(Progress::default()));
            let mut prng = Prng::new(seed * 1000 + event);
            let mut wait = event;
            let mut whole = false;
            for start in 0..4 {
                let progress = progress.clone();
                bench.disk.cut_after(Some(wait));
                let ended = bench.run(async move |disk, runtime| {
                    write(disk, runtime, seed, progress).await;
                });
                whole |= start == 0 && ended.is_some();
                cuts += u64::from(ended.is_none());
                if prng.chance(50) {
                    bench.disk.kill();
                } else {
                    bench.disk.cut_power();
                }
                wait = 1 + prng.below(40);
            }
            if whole {
                break;
            }
        }
    }
    assert!(cuts > 1_000, "only {cuts} cuts");
}
