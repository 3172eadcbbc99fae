//! The superblock: which directory is ours, which life counts, and what is refused.

use crate::bench::Bench;
use crate::sim::{SimDisk, SimRuntime};
use ottla::base::ids::{Incarnation, Life, NodeId, Uuid};
use ottla::base::limits::Limits;
use ottla::base::time::Timestamp;
use ottla::log::directory_format::Superblock;
use ottla::storage::directory::Directory;
use ottla::storage::disk::{Disk, DiskFile, OpenMode};
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::Runtime;
use ottla::storage::settings::OpenSettings;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/data/ottla";

fn settings(node_id: i32) -> OpenSettings {
    OpenSettings {
        root: PathBuf::from(ROOT),
        node_id: NodeId(node_id),
        new_cluster_id: Uuid([7; 16]),
        new_incarnation: Incarnation(99),
        limits: Limits::TINY,
    }
}

impl Bench {
    /// What a start with this node id finds.
    fn lock(&mut self, node_id: i32) -> Result<(Superblock, bool), OpenError> {
        let found = self.run(async move |disk, runtime| {
            let directory = Directory::lock(&disk, &runtime, &settings(node_id)).await?;
            let found = directory.superblock().clone();
            Ok((found, directory.slot_unreadable()))
        });
        found.expect("not halted")
    }

    fn begin_life(&mut self, starts: &'static [u64]) {
        self.run(async move |disk, runtime: SimRuntime| {
            let mut directory = Directory::lock(&disk, &runtime, &settings(1))
                .await
                .unwrap();
            let wall = runtime.now().wall;
            directory.begin_life(starts.to_vec(), wall).await.unwrap();
        });
    }

    fn names(&mut self, path: &'static str) -> Vec<String> {
        let listed = self.run(async move |disk, _| disk.list(Path::new(path)).await.unwrap());
        let entries = listed.expect("not halted");
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

fn slot(letter: char) -> PathBuf {
    Path::new(ROOT).join(format!("node.{letter}"))
}

#[test]
fn a_fresh_directory_is_ours_and_stays_it() {
    let mut bench = Bench::new(1);
    let (first, unreadable) = bench.lock(1).unwrap();
    assert_eq!((first.life, first.cluster_id), (Life(0), Uuid([7; 16])));
    assert_eq!(first.incarnation, Incarnation(99));
    assert!(first.starts.is_empty() && !unreadable);
    bench.disk.cut_power();
    assert_eq!(bench.lock(1), Ok((first, false)));
    assert_eq!(bench.names(ROOT), ["node.a", "node.b"]);
}

#[test]
fn a_life_begins_once_and_a_clean_stop_is_remembered() {
    let mut bench = Bench::new(2);
    bench.begin_life(&[4, 5]);
    let (begun, _) = bench.lock(1).unwrap();
    assert_eq!((begun.life, begun.clean), (Life(1), false));
    assert_eq!(begun.starts, [4, 5]);
    bench.run(async |disk, runtime: SimRuntime| {
        let mut directory = Directory::lock(&disk, &runtime, &settings(1))
            .await
            .unwrap();
        directory
            .mark_clean(vec![6, 7], Timestamp(123))
            .await
            .unwrap();
    });
    bench.disk.cut_power();
    let (stopped, _) = bench.lock(1).unwrap();
    assert_eq!((stopped.life, stopped.clean), (Life(1), true));
    assert_eq!((stopped.starts, stopped.wall), (vec![6, 7], Timestamp(123)));
}

#[test]
fn one_bad_slot_is_survived_and_repaired_and_two_are_refused_untouched() {
    for (bad, other) in [('a', 'b'), ('b', 'a')] {
        let mut bench = Bench::new(3);
        bench.begin_life(&[1]);
        bench.disk.damage(&slot(bad), |bytes| bytes[100] ^= 1);
        let (found, unreadable) = bench.lock(1).unwrap();
        assert_eq!((found.life, unreadable), (Life(1), true));
        bench.begin_life(&[2]);
        let (found, unreadable) = bench.lock(1).unwrap();
        assert_eq!((found.life, unreadable), (Life(2), false));

        bench.run(async |disk, _| {
            let folder = Path::new(ROOT).join("meta");
            disk.create_directory(&folder).await.unwrap();
        });
        bench.disk.damage(&slot(bad), |bytes| bytes[100] ^= 1);
        bench.disk.damage(&slot(other), Vec::clear);
        let path = PathBuf::from(ROOT);
        assert_eq!(bench.lock(1), Err(OpenError::Superblock { path }));
        assert_eq!(bench.disk.bytes_of(&slot(other)), Some(vec![]));
    }
}

#[test]
fn files_without_a_superblock_are_refused_untouched() {
    let mut bench = Bench::new(4);
    bench.run(async |disk, _| {
        let folder = Path::new(ROOT).join("topics");
        disk.create_directory(&folder).await.unwrap();
    });
    let path = PathBuf::from(ROOT);
    assert_eq!(bench.lock(1), Err(OpenError::Superblock { path }));
    assert_eq!(bench.names(ROOT), ["topics"]);
}

#[test]
fn what_an_operator_or_a_fresh_file_system_brings_is_no_data() {
    let mut bench = Bench::new(5);
    bench.run(async |disk, _| {
        for name in ["lost+found", ".snapshots"] {
            let folder = Path::new(ROOT).join(name);
            disk.create_directory(&folder).await.unwrap();
        }
    });
    assert_eq!(bench.lock(1).unwrap().0.life, Life(0));
}

#[test]
fn the_directory_of_another_node_is_refused() {
    let mut bench = Bench::new(6);
    bench.begin_life(&[1]);
    let refused = OpenError::WrongNode {
        found: NodeId(1),
        expected: NodeId(2),
    };
    assert_eq!(bench.lock(2), Err(refused));
    assert_eq!(bench.lock(1).unwrap().0.life, Life(1));
}

#[test]
fn features_of_a_later_version_are_refused_by_name() {
    for (read_only, incompatible, what, found) in [
        (0x10, 0, "features for writing", 0x10),
        (0, 0x22, "features", 0x22),
    ] {
        let mut bench = Bench::new(7);
        let (mut superblock, _) = bench.lock(1).unwrap();
        superblock.features.read_only = read_only;
        superblock.features.incompatible = incompatible;
        superblock.features.compatible = 0xffff;
        superblock.number += 1;
        let block = superblock.encode();
        bench
            .disk
            .damage(&slot('a'), |bytes| bytes.clone_from(&block));
        assert_eq!(bench.lock(1), Err(OpenError::Unsupported { what, found }));
    }
}

#[test]
fn a_second_process_waits_five_seconds_and_is_told_that_the_directory_is_in_use() {
    let bench = Bench::new(8);
    let (first, second) = (bench.world.start_process(), bench.world.start_process());
    let holder = bench.disk.for_process(first);
    let holder_runtime = bench.world.runtime(first);
    let kept = bench.world.run(first, async move {
        Directory::lock(&holder, &holder_runtime, &settings(1)).await
    });
    let disk = bench.disk.for_process(second);
    let runtime = bench.world.runtime(second);
    let refused = bench.world.run(second, async move {
        let before = runtime.now().instant;
        let refused = Directory::lock(&disk, &runtime, &settings(1)).await.err();
        (refused, runtime.now().instant.since(before))
    });
    let (refused, waited) = refused.unwrap();
    assert_eq!(refused, Some(OpenError::InUse { path: slot('a') }));
    assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited));
    drop(kept);
}

/// Every beginning and end of a write of three starts, by kill and by power cut; and again during what follows.
#[test]
fn a_start_that_ends_anywhere_leaves_a_directory_that_starts() {
    let mut cuts = 0;
    for event in 1..200 {
        for seed in 0..12 {
            let mut bench = Bench::new(seed);
            bench.disk.cut_after(Some(event));
            let whole = bench.run(async |disk, runtime: SimRuntime| {
                let mut directory = Directory::lock(&disk, &runtime, &settings(1))
                    .await
                    .unwrap();
                for starts in 1..=2 {
                    let wall = runtime.now().wall;
                    directory.begin_life(vec![starts], wall).await.unwrap();
                    directory.save_wall(wall).await.unwrap();
                }
            });
            if whole.is_some() {
                assert!(cuts > 100, "only {cuts} cuts");
                return;
            }
            cuts += 1;
            crash(&bench.disk, seed);
            let (found, _) = bench.lock(1).unwrap_or_else(|error| {
                panic!("seed {seed}, event {event}: {error:?}");
            });
            assert_eq!(found.starts.len() as u64, found.life.0.min(1));
            // What a start has seen, a power cut during the next one does not take back.
            bench.disk.cut_after(Some(1 + seed % 6));
            bench.run(async |disk, runtime: SimRuntime| {
                let mut directory = Directory::lock(&disk, &runtime, &settings(1))
                    .await
                    .unwrap();
                directory.save_wall(Timestamp(1)).await.unwrap();
            });
            bench.disk.cut_power();
            let (again, _) = bench.lock(1).unwrap();
            assert_eq!(
                again.life, found.life,
                "seed {seed}, event {event}: a life that was seen is gone"
            );
        }
    }
    panic!("the recorded run has more events than expected");
}

fn crash(disk: &SimDisk, seed: u64) {
    if seed.is_multiple_of(2) {
        disk.kill();
    } else {
        disk.cut_power();
    }
}

#[test]
fn what_goes_to_quarantine_keeps_its_bytes_and_replaces_nothing() {
    let mut bench = Bench::new(9);
    bench.run(async |disk: SimDisk, runtime: SimRuntime| {
        let directory = Directory::lock(&disk, &runtime, &settings(1))
            .await
            .unwrap();
        let folder = Path::new(ROOT).join("journal");
        disk.create_directory(&folder).await.unwrap();
        for _ in 0..2 {
            let path = folder.join("0-1");
            let file = disk.open(&path, OpenMode::Write).await.unwrap();
            file.set_len(4096).await.unwrap();
            directory.quarantine(&path, Life(3)).await.unwrap();
        }
        directory.quarantine(&folder, Life(3)).await.unwrap();
    });
    bench.disk.cut_power();
    assert_eq!(
        bench.names("/data/ottla/quarantine/life-3"),
        ["journal", "journal_0-1", "journal_0-1.1"]
    );
}
