//! The machine itself: a disk that is too kind would prove nothing.

use super::{EIO, ENOSPC, Lie, SimBuffer, SimDisk, SimFile, World};
use ottla::storage::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use ottla::storage::runtime::{Runtime, TaskClass};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

const FILE: &str = "/data/file.log";

/// A machine on which `before` ran, after which process or power went.
fn machine_after<F: Future<Output = ()> + 'static>(
    seed: u64,
    power: bool,
    before: impl FnOnce(SimDisk) -> F,
) -> (World, SimDisk) {
    let world = World::new(seed);
    let first = world.start_process();
    let disk = SimDisk::new(&world, first, seed);
    world.run(first, before(disk.clone())).unwrap();
    if power {
        disk.cut_power();
    } else {
        disk.kill();
    }
    let second = world.start_process();
    let disk = disk.for_process(second);
    (world, disk)
}

fn filled(disk: &SimDisk, byte: u8, len: usize) -> SimBuffer {
    let mut buffer = disk.allocate(len);
    buffer.as_bytes_mut().fill(byte);
    buffer
}

async fn durable_file(disk: &SimDisk, mode: OpenMode) -> SimFile {
    disk.create_directory(Path::new("/data")).await.unwrap();
    disk.sync_directory(Path::new("/")).await.unwrap();
    let file = disk.open(Path::new(FILE), mode).await.unwrap();
    disk.sync_directory(Path::new("/data")).await.unwrap();
    file.write_at(filled(disk, 1, 8192), 0).await.unwrap();
    file.sync().await.unwrap();
    file
}

/// The different bytes of the file, after each of many power cuts.
fn outcomes(story: impl AsyncFn(&SimDisk) + Copy + 'static) -> BTreeSet<Vec<u8>> {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let (_, disk) = machine_after(seed, true, async move |disk: SimDisk| story(&disk).await);
        let bytes = disk.bytes_of(Path::new(FILE)).unwrap_or_default();
        let sectors = bytes.chunks(512);
        outcomes.insert(
            sectors
                .map(|sector| {
                    let uniform = sector.iter().all(|&byte| byte == sector[0]);
                    if uniform { sector[0] } else { 0xff }
                })
                .collect(),
        );
    }
    outcomes
}

#[test]
fn what_was_synced_or_written_through_survives_whole() {
    let synced = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::Write).await;
        file.write_at(filled(disk, 2, 4096), 4096).await.unwrap();
        file.sync().await.unwrap();
    });
    let through = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::WriteThrough).await;
        file.write_at(filled(disk, 2, 4096), 4096).await.unwrap();
    });
    let expected = [[1; 8], [2; 8]].concat();
    assert_eq!(synced, BTreeSet::from([expected.clone()]));
    assert_eq!(through, BTreeSet::from([expected]));
}

#[test]
fn what_was_not_synced_is_lost_torn_or_spoiled() {
    let found = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::Write).await;
        file.write_at(filled(disk, 2, 4096), 4096).await.unwrap();
    });
    let second = |sectors: &Vec<u8>| sectors[8..].to_vec();
    assert!(found.iter().all(|sectors| sectors[..8] == [1; 8]));
    assert!(
        found.iter().any(|sectors| second(sectors) == [1; 8]),
        "lost"
    );
    assert!(
        found.iter().any(|sectors| second(sectors) == [2; 8]),
        "kept"
    );
    assert!(
        found.iter().any(|sectors| second(sectors) == [0xff; 8]),
        "spoiled"
    );
    let is_torn = |sectors: &[u8]| sectors.contains(&1) && sectors.contains(&2);
    assert!(
        found.iter().any(|sectors| is_torn(&second(sectors))),
        "torn"
    );
    assert!(found.len() > 30, "only {} outcomes", found.len());
}

#[test]
fn a_name_is_lost_unless_its_directory_was_synced() {
    let story = async |disk: &SimDisk| {
        disk.create_directory(Path::new("/data")).await.unwrap();
        disk.sync_directory(Path::new("/")).await.unwrap();
        let file = disk.open(Path::new(FILE), OpenMode::WriteThrough).await;
        let file = file.unwrap();
        file.write_at(filled(disk, 3, 4096), 0).await.unwrap();
    };
    assert_eq!(outcomes(story), BTreeSet::from([vec![], vec![3; 8]]));
}

#[test]
fn a_rename_happens_to_both_names_or_to_none() {
    let other = Path::new("/data/other");
    for seed in 0..50 {
        let (world, disk) = machine_after(seed, true, async move |disk: SimDisk| {
            durable_file(&disk, OpenMode::Write).await;
            disk.rename(Path::new(FILE), other).await.unwrap();
        });
        let reader = disk.clone();
        let listed = world.run(world.start_process(), async move {
            reader.list(Path::new("/data")).await.unwrap()
        });
        assert_eq!(listed.unwrap().len(), 1, "seed {seed}");
        assert_ne!(
            disk.bytes_of(other).is_some(),
            disk.bytes_of(Path::new(FILE)).is_some()
        );
    }
}

#[test]
fn a_length_is_lost_unless_synced_and_a_lost_cut_brings_the_bytes_back() {
    let grown = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::Write).await;
        file.allocate(0, 16384).await.unwrap();
    });
    assert_eq!(
        grown,
        BTreeSet::from([vec![1; 16], [[1; 16], [0; 16]].concat()])
    );
    let cut = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::Write).await;
        file.set_len(4096).await.unwrap();
    });
    assert_eq!(cut, BTreeSet::from([vec![1; 16], vec![1; 8]]));
}

#[test]
fn a_killed_process_loses_nothing_that_completed() {
    let (_, disk) = machine_after(1, false, async |disk: SimDisk| {
        let file = durable_file(&disk, OpenMode::Write).await;
        file.write_at(filled(&disk, 2, 8192), 0).await.unwrap();
    });
    assert_eq!(disk.bytes_of(Path::new(FILE)).unwrap(), [2; 8192]);
}

#[test]
fn a_write_of_a_killed_process_lands_late_but_never_under_a_lock() {
    let mut late = 0;
    for seed in 0..60 {
        let world = World::new(seed);
        let first = world.start_process();
        let disk = SimDisk::new(&world, first, seed);
        let writer = disk.clone();
        let ended = world.run(first, async move {
            let file = durable_file(&writer, OpenMode::Write).await;
            assert!(file.try_lock().await.unwrap());
            writer.cut_after(Some(1));
            file.write_at(filled(&writer, 9, 4096), 0).await.unwrap();
        });
        assert!(ended.is_none(), "halted while the write was under way");
        disk.kill();
        let second = world.start_process();
        let disk = disk.for_process(second);
        let runtime = world.runtime(second);
        let reader = disk.clone();
        let unchanged = world.run(second, async move {
            let file = reader.open(Path::new(FILE), OpenMode::Write).await.unwrap();
            while !file.try_lock().await.unwrap() {
                runtime.sleep(Duration::from_millis(10)).await;
            }
            let locked = file.read_at(0, 4096).await.unwrap();
            runtime.sleep(Duration::from_secs(10)).await;
            let later = file.read_at(0, 4096).await.unwrap();
            locked.as_bytes() == later.as_bytes()
        });
        assert_eq!(unchanged, Some(true), "seed {seed}");
        late += disk.counters().late_segment_writes;
    }
    assert!(late > 10, "only {late} of 60 writes landed late");
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next_one() {
    let found = outcomes(async |disk| {
        let file = durable_file(disk, OpenMode::Write).await;
        file.write_at(filled(disk, 2, 4096), 4096).await.unwrap();
        disk.fail_after(Some(1), EIO);
        assert!(matches!(
            file.sync().await,
            Err(DiskError::Failed { errno: 5, .. })
        ));
        file.sync().await.unwrap();
    });
    assert!(found.iter().any(|sectors| sectors[8..] == [1; 8]));
}

#[test]
fn a_read_fails_once_and_an_error_has_its_number() {
    machine_after(1, true, async |disk: SimDisk| {
        let file = durable_file(&disk, OpenMode::Write).await;
        disk.fail_read_after(Some(2));
        assert!(file.read_at(0, 4096).await.is_ok());
        let failed = file.read_at(0, 4096).await.map(|_| ());
        assert!(matches!(
            failed,
            Err(DiskError::Failed {
                errno: EIO,
                operation: "read",
                ..
            })
        ));
        assert!(file.read_at(0, 4096).await.is_ok());
        disk.fail_after(Some(1), ENOSPC);
        let failed = file.sync().await;
        assert!(matches!(
            failed,
            Err(DiskError::Failed { errno: ENOSPC, .. })
        ));
        assert!(file.sync().await.is_ok());
    });
}

#[test]
fn a_drive_that_lies_says_that_a_write_succeeded_and_leaves_it_out_or_puts_it_elsewhere() {
    for lie in [Lie::Lost, Lie::Misdirected] {
        let (_, disk) = machine_after(3, true, async move |disk: SimDisk| {
            let file = durable_file(&disk, OpenMode::WriteThrough).await;
            file.write_at(filled(&disk, 1, 4096), 8192).await.unwrap();
            disk.lie_after(Some(1), lie, |_| true);
            file.write_at(filled(&disk, 2, 4096), 4096).await.unwrap();
            assert!(!disk.is_to_lie());
        });
        let bytes = disk.bytes_of(Path::new(FILE)).unwrap();
        assert_eq!(bytes[4096], 1, "{lie:?}");
        assert_eq!(bytes.contains(&2), lie == Lie::Misdirected);
    }
}

#[test]
fn a_stall_takes_its_time_and_nothing_else() {
    let took = |stall| {
        let (world, _) = machine_after(4, true, async move |disk: SimDisk| {
            let file = durable_file(&disk, OpenMode::Write).await;
            disk.stall_after(stall, Duration::from_secs(30));
            file.write_at(filled(&disk, 1, 4096), 0).await.unwrap();
        });
        world.now_nanos()
    };
    assert_eq!(took(Some(1)) - took(None), 30_000_000_000);
}

#[test]
fn a_full_disk_refuses_to_grow_and_takes_what_fits() {
    machine_after(1, true, async |disk: SimDisk| {
        let file = durable_file(&disk, OpenMode::Write).await;
        disk.set_capacity(Some(12288));
        let space = disk.space(Path::new("/")).await.unwrap();
        assert_eq!((space.total_bytes, space.free_bytes), (12288, 4096));
        let refused = file.allocate(0, 16384).await;
        assert!(matches!(refused, Err(DiskError::NoSpace { .. })));
        file.write_at(filled(&disk, 2, 4096), 0).await.unwrap();
        file.write_at(filled(&disk, 2, 4096), 8192).await.unwrap();
        let refused = file.write_at(filled(&disk, 2, 4096), 12288).await;
        assert!(matches!(refused, Err(DiskError::NoSpace { .. })));
    });
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed| {
        let (world, disk) = machine_after(seed, true, async move |disk: SimDisk| {
            let file = durable_file(&disk, OpenMode::Write).await;
            for position in 0..8 {
                let buffer = filled(&disk, position, 4096);
                let position = u64::from(position) * 4096;
                file.write_at(buffer, position).await.unwrap();
            }
        });
        (world.trace(), disk.bytes_of(Path::new(FILE)))
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7).0, history(8).0);
}

#[test]
fn tasks_run_in_any_order_and_time_jumps() {
    let order = |seed| {
        let world = World::new(seed);
        let process = world.start_process();
        let runtime = world.runtime(process);
        let said = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let heard = said.clone();
        world.run(process, async move {
            for name in 0..5 {
                let heard = heard.clone();
                runtime.spawn(TaskClass::Foreground, async move {
                    heard.borrow_mut().push(name);
                });
            }
            runtime.sleep(Duration::from_secs(3600)).await;
        });
        assert_eq!(world.now_nanos(), 3_600_000_000_000);
        said.take()
    };
    let orders: BTreeSet<Vec<i32>> = (0..50).map(order).collect();
    assert!(orders.len() > 20);
}
