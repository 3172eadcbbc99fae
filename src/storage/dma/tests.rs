//! The disk on a real file system: what the simulated one promises must hold here too.

use super::*;
use glommio::LocalExecutorBuilder;
use std::future::Future;

/// Runs a story on an executor, in a folder of its own beside the test binary: temporary folders are often in memory.
fn on_disk<F: Future<Output = ()>>(name: &str, story: impl FnOnce(DmaDisk, PathBuf) -> F) {
    let binary = std::env::current_exe().expect("a test knows its binary");
    let folder = binary
        .parent()
        .expect("a file lies in a folder")
        .join("dma-tests")
        .join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let executor = LocalExecutorBuilder::default().io_memory(1 << 20).make();
    executor.unwrap().run(story(DmaDisk::new(), folder.clone()));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn filled(disk: &DmaDisk, byte: u8, len: usize) -> DmaMemory {
    let mut buffer = disk.allocate(len);
    buffer.as_bytes_mut().fill(byte);
    buffer
}

#[test]
fn a_file_reads_back_what_was_written_and_ends_where_it_ends() {
    for mode in [OpenMode::Write, OpenMode::WriteThrough] {
        on_disk(&format!("read-back-{mode:?}"), async |disk, folder| {
            let path = folder.join("file");
            let file = disk.open(&path, mode).await.unwrap();
            assert_eq!(file.len().await.unwrap(), 0);
            assert!(file.read_at(0, 4096).await.unwrap().as_bytes().is_empty());
            file.write_at(filled(&disk, 1, 8192), 0).await.unwrap();
            file.write_at(filled(&disk, 2, 4096), 4096).await.unwrap();
            file.sync().await.unwrap();
            let mut read = file.read_at(4096, 16384).await.unwrap();
            assert_eq!(read.as_bytes(), [2; 4096]);
            // What was read may be changed and written elsewhere.
            read.as_bytes_mut()[0] = 3;
            file.write_at(read, 8192).await.unwrap();
            file.set_len(8192 + 512).await.unwrap();
            assert_eq!(file.read_at(8192, 4096).await.unwrap().as_bytes()[0], 3);
            assert_eq!(
                file.read_at(8192, 4096).await.unwrap().as_bytes().len(),
                512
            );
            file.allocate(8192, 65536).await.unwrap();
            assert_eq!(file.len().await.unwrap(), 65536);
            assert_eq!(
                file.read_at(4096, 4096).await.unwrap().as_bytes(),
                [2; 4096]
            );
            assert_eq!(
                file.read_at(61440, 4096).await.unwrap().as_bytes(),
                [0; 4096]
            );
            file.close().await.unwrap();
        });
    }
}

#[test]
fn a_lock_belongs_to_the_open_file_and_goes_with_its_last_clone() {
    on_disk("lock", async |disk, folder| {
        let path = folder.join("file");
        let first = disk.open(&path, OpenMode::Write).await.unwrap();
        let second = disk.open(&path, OpenMode::Write).await.unwrap();
        assert!(first.try_lock().await.unwrap());
        assert!(first.try_lock().await.unwrap());
        assert!(!second.try_lock().await.unwrap());
        let clone = first.clone();
        first.close().await.unwrap();
        assert!(!second.try_lock().await.unwrap());
        clone.close().await.unwrap();
        assert!(second.try_lock().await.unwrap());
        second.close().await.unwrap();
    });
}

#[test]
fn names_come_and_go_and_their_absence_is_an_answer() {
    on_disk("names", async |disk, folder| {
        let deep = folder.join("a/b");
        assert!(matches!(
            disk.list(&deep).await,
            Err(DiskError::NotFound { .. })
        ));
        disk.create_directory(&deep).await.unwrap();
        disk.create_directory(&deep).await.unwrap();
        let file = deep.join("2");
        let opened = disk.open(&file, OpenMode::Write).await.unwrap();
        opened.close().await.unwrap();
        disk.create_directory(&deep.join("1")).await.unwrap();
        let listed = disk.list(&deep).await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|entry| (entry.name.as_str(), entry.is_directory))
            .collect();
        assert_eq!(listed, [("1", true), ("2", false)]);
        disk.rename(&file, &deep.join("3")).await.unwrap();
        assert!(matches!(
            disk.open(&file, OpenMode::Read).await.err(),
            Some(DiskError::NotFound { path }) if path == file
        ));
        assert!(matches!(
            disk.remove_file(&file).await,
            Err(DiskError::NotFound { .. })
        ));
        disk.remove_file(&deep.join("3")).await.unwrap();
        disk.remove_directory(&deep.join("1")).await.unwrap();
        disk.sync_directory(&deep).await.unwrap();
        assert!(disk.list(&deep).await.unwrap().is_empty());
        let space = disk.space(&deep).await.unwrap();
        assert!(0 < space.free_bytes && space.free_bytes <= space.total_bytes);
    });
}

#[test]
fn a_full_disk_is_told_from_a_failing_one() {
    let path = Path::new("/data/file");
    assert_eq!(
        failure("write", path, Some(Errno::NOSPC.raw_os_error())),
        DiskError::NoSpace { path: path.into() }
    );
    assert_eq!(
        failure("write", path, Some(Errno::IO.raw_os_error())),
        DiskError::Failed {
            operation: "write",
            path: path.into(),
            errno: 5
        }
    );
}
