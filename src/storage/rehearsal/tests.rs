//! What is written is read back, and the files are as they were.

use super::disk::RehearsalDisk;
use super::executor::Executor;
use crate::base::align::BLOCK;
use crate::base::time::Now;
use crate::storage::disk::{Buffer, DirectoryEntry, Disk, DiskError, DiskFile, OpenMode};
use crate::storage::runtime::{Notify, Runtime, TaskClass};
use std::fs;
use std::path::PathBuf;

/// A folder with a file of two blocks, `file`, and an empty folder, `folder`; both are the same afterwards.
fn on_folder(name: &str, story: impl AsyncFnOnce(RehearsalDisk, PathBuf)) {
    let folder = std::env::temp_dir().join(format!("rehearsal-{name}-{}", std::process::id()));
    let file = folder.join("file");
    fs::create_dir_all(folder.join("folder")).unwrap();
    fs::write(&file, [1; 2 * BLOCK]).unwrap();
    let executor = Executor::starting_at(Now::default());
    executor.run(story(RehearsalDisk::default(), folder.clone()));
    assert_eq!(fs::read(&file).unwrap(), [1; 2 * BLOCK]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    fs::remove_dir_all(&folder).unwrap();
}

async fn names(disk: &RehearsalDisk, folder: &std::path::Path) -> Vec<String> {
    let entries = disk.list(folder).await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn writes_are_read_back_over_the_bytes_of_the_file() {
    on_folder("write", async |disk, folder| {
        let path = folder.join("file");
        let file = disk.open(&path, OpenMode::Write).await.unwrap();
        let mut block = disk.allocate(BLOCK);
        block.as_bytes_mut().fill(2);
        file.write_at(block, BLOCK as u64).await.unwrap();
        // Whoever opens it later sees it, whatever for.
        let again = disk.open(&path, OpenMode::Read).await.unwrap();
        let read = again.read_at(0, 3 * BLOCK).await.unwrap();
        assert_eq!(read.as_bytes(), [[1; BLOCK], [2; BLOCK]].concat());
        // What was cut off does not come back.
        file.set_len(100).await.unwrap();
        file.allocate(100, 3 * BLOCK as u64).await.unwrap();
        let read = again.read_at(0, 3 * BLOCK).await.unwrap();
        let expected: Vec<u8> = [vec![1; 100], vec![0; 3 * BLOCK - 100]].concat();
        assert_eq!(read.as_bytes(), expected);
        assert_eq!(disk.written().len(), 0, "the block was cut away again");
    });
}

#[test]
fn names_change_for_the_rehearsal_alone() {
    on_folder("names", async |disk, folder| {
        let (file, moved) = (folder.join("file"), folder.join("folder/moved"));
        disk.rename(&file, &moved).await.unwrap();
        assert_eq!(names(&disk, &folder).await, ["folder"]);
        assert_eq!(names(&disk, &folder.join("folder")).await, ["moved"]);
        let missing = disk.open(&file, OpenMode::Read).await;
        assert!(matches!(missing, Err(DiskError::NotFound { .. })));
        let found = disk.open(&moved, OpenMode::Read).await.unwrap();
        assert_eq!(
            found.read_at(0, BLOCK).await.unwrap().as_bytes(),
            [1; BLOCK]
        );
        // Made anew, it begins empty.
        let made = disk.open(&file, OpenMode::Write).await.unwrap();
        assert_eq!(made.len().await.unwrap(), 0);
        disk.remove_file(&moved).await.unwrap();
        disk.create_directory(&folder.join("a/b")).await.unwrap();
        let is_directory = true;
        let name = "b".to_owned();
        let b = DirectoryEntry { name, is_directory };
        assert_eq!(disk.list(&folder.join("a")).await.unwrap(), [b]);
        assert_eq!(names(&disk, &folder).await, ["a", "file", "folder"]);
        assert_eq!(disk.moved(), [(file, moved.clone())]);
        assert_eq!(disk.removed(), [moved]);
    });
}

#[test]
fn the_lock_is_one_of_readers() {
    on_folder("lock", async |disk, folder| {
        let path = folder.join("file");
        let [first, second] = [
            disk.open(&path, OpenMode::Write).await.unwrap(),
            disk.open(&path, OpenMode::Write).await.unwrap(),
        ];
        assert!(first.try_lock().await.unwrap());
        assert!(second.try_lock().await.unwrap());
        let writer = fs::File::open(&path).unwrap();
        let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        assert!(rustix::fs::flock(&writer, exclusive).is_err());
        first.close().await.unwrap();
        second.close().await.unwrap();
        assert!(rustix::fs::flock(&writer, exclusive).is_ok());
        let third = disk.open(&path, OpenMode::Write).await.unwrap();
        assert!(!third.try_lock().await.unwrap());
    });
}

#[test]
fn tasks_that_wait_for_one_another_all_end() {
    let executor = Executor::starting_at(Now::default());
    let (asked, answered) = (Notify::default(), Notify::default());
    let (question, answer) = (asked.notified(), answered.notified());
    let other = answered.clone();
    executor.spawn(TaskClass::Foreground, async move {
        question.await;
        other.notify();
    });
    executor.run(async move {
        asked.notify();
        answer.await;
    });
}
