//! Small file systems of a test's own. They need root; without it the story is skipped, and says so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unmounted when dropped. Whoever uses it must have ended before.
pub struct Mount {
    path: PathBuf,
}

impl Mount {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on; nobody has a file open for writing.
    pub fn make_read_only(&self) {
        let remount = ["-o", "remount,ro"];
        let done = run(Command::new("mount").args(remount).arg(&self.path));
        done.expect("what root has mounted, root can mount again");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the rings of a killed broker hold its files a little longer than it lives.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// An ext4 file system of that many bytes in a file of `directory`.
pub fn small_ext4(directory: &Path, bytes: u64) -> Option<Mount> {
    ext4_in(directory, directory.join("image"), bytes)
}

/// A file system in memory of that many bytes, in `directory`.
pub fn memory(directory: &Path, bytes: u64) -> Option<Mount> {
    let path = directory.join("memory");
    fs::create_dir_all(&path).expect("writable");
    let mounted = run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
        .arg(&path));
    skipped_without(mounted, path)
}

/// An ext4 file system in a sparse file that lies elsewhere: it can promise more than that place holds.
pub fn ext4_in(directory: &Path, image: PathBuf, bytes: u64) -> Option<Mount> {
    let path = directory.join("disk");
    fs::create_dir_all(&path).expect("writable");
    let file = File::create(&image).expect("writable");
    file.set_len(bytes).expect("writable");
    let format = run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-m", "0"])
        .arg(&image));
    let format = format.or_else(|| {
        run(Command::new("/sbin/mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image))
    });
    let mounted = format.and_then(|()| {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(&path))
    });
    skipped_without(mounted, path)
}

/// An overlay over folders of `directory`.
pub fn overlay(directory: &Path) -> Option<Mount> {
    let folder = |name: &str| {
        let path = directory.join(name);
        fs::create_dir_all(&path).expect("writable");
        path
    };
    let (lower, upper, work) = (folder("lower"), folder("upper"), folder("work"));
    let path = folder("merged");
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let mounted = run(Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &options])
        .arg(&path));
    skipped_without(mounted, path)
}

fn skipped_without(mounted: Option<()>, path: PathBuf) -> Option<Mount> {
    if mounted.is_none() {
        println!("skipped: mounting needs root and the kernel's help");
    }
    mounted.map(|()| Mount { path })
}

fn run(command: &mut Command) -> Option<()> {
    let output = command.output().ok()?;
    output.status.success().then_some(())
}
