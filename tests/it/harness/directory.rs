//! One directory per test, below the build directory; kept and printed when the test fails.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

pub struct Directory {
    path: PathBuf,
}

impl Directory {
    pub fn new(test: &str) -> Directory {
        let name = format!("{test}-{}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the build directory is writable");
        Directory { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Bytes the file system has allocated for a tree, which is not the sum of its lengths.
pub fn allocated_bytes(path: &Path) -> u64 {
    let metadata = fs::symlink_metadata(path).expect("the tree stands still");
    let own = metadata.blocks() * 512;
    if !metadata.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).expect("the tree stands still");
    own + entries
        .map(|entry| allocated_bytes(&entry.expect("the tree stands still").path()))
        .sum::<u64>()
}
