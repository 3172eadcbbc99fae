//! A data directory from outside: what its files are, and what may happen to them.

use super::batches::{self, Record};
use super::client::Connection;
use ottla::base::checksum::crc32c;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Batches of `hurt`, each of one record.
pub const HURT_BATCHES: i64 = 30;

/// Three segments of `hurt`, and one record in `well`.
pub fn fill_hurt_and_well(client: &mut Connection) {
    let configs = [
        ("segment.bytes", "1048576"),
        ("max.message.bytes", "200000"),
    ];
    client.create_topic("hurt", 1, &configs);
    client.create_topic("well", 1, &[]);
    for number in 0..HURT_BATCHES {
        let value = vec![number as u8; 100_000];
        client.produce("hurt", 0, batches::batch(&[Record::value(value)]));
    }
    client.produce_values("well", 0, &["here"]);
}

pub type Tree = BTreeMap<PathBuf, Seen>;

/// A file or folder, as far as a writer would change it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub bytes: u64,
    pub crc: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// All of a directory, with its own entry.
pub fn tree(path: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut left = vec![path.to_path_buf()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).expect("the tree stands still");
        let content = match metadata.is_dir() {
            true => {
                left.extend(files(&path));
                Vec::new()
            }
            false => fs::read(&path).expect("readable"),
        };
        let seen = Seen {
            bytes: metadata.len(),
            crc: crc32c(&content),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        tree.insert(path, seen);
    }
    tree
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the broker");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}

/// The three segments, in order, of the only partition 0 with more than one.
pub fn segments(data: &Path) -> Vec<PathBuf> {
    let topics = files(&data.join("topics"));
    let partitions = topics.iter().map(|topic| topic.join("0"));
    let logs = |folder: PathBuf| {
        let mut logs = files(&folder);
        logs.retain(|path| path.extension().is_some_and(|end| end == "log"));
        logs
    };
    let found: Vec<PathBuf> = partitions
        .filter(|folder| folder.exists())
        .map(logs)
        .find(|logs| logs.len() > 1)
        .expect("the topic has rolled");
    assert_eq!(found.len(), 3, "{found:?}");
    found
}

pub fn flip_a_bit(path: &Path, position: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("writable");
    let mut byte = [0];
    file.read_exact_at(&mut byte, position)
        .expect("long enough");
    byte[0] ^= 0x10;
    file.write_all_at(&byte, position).expect("writable");
}

/// Where these bytes begin in a file; they are there.
pub fn find_in(path: &Path, content: &[u8]) -> u64 {
    let bytes = fs::read(path).expect("readable");
    let mut windows = bytes.windows(content.len());
    let found = windows.position(|window| window == content);
    found.expect("written") as u64
}

/// The file of a folder that has these bytes, and where.
pub fn find(folder: &Path, content: &[u8]) -> (PathBuf, u64) {
    let found = files(folder).into_iter().find_map(|path| {
        let bytes = fs::read(&path).expect("readable");
        let mut windows = bytes.windows(content.len());
        let position = windows.position(|window| window == content)?;
        Some((path, position as u64))
    });
    found.expect("written")
}
