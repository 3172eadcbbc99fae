//! A disk of ours below a loop device below a real file system: switched on with an image, switched off.

use crate::device::Device;
use crate::fuse::Served;
use crate::harness::directory::Directory;
use crate::harness::wait::wait_until;
use crate::image::Image;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// XFS is made no smaller.
const DISK_BYTES: u64 = 320 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    pub(crate) fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
        }
    }

    /// Quiet afterwards: nothing is left to be initialised in the background. Nothing is discarded.
    fn make(self, device: &Path) -> Result<(), String> {
        match self {
            FileSystem::Ext4 => {
                let quiet = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
                let options = ["-q", "-F", "-b", "4096", "-m", "0", "-E", quiet];
                run(Command::new(tool("mkfs.ext4")).args(options).arg(device))
            }
            FileSystem::Xfs => run(Command::new(tool("mkfs.xfs"))
                .args(["-q", "-f", "-K"])
                .arg(device)),
        }
        .map(drop)
    }
}

/// Its directory, and the disk that is in it now.
pub(crate) struct Machine {
    /// Of the test, too.
    pub(crate) name: String,
    pub(crate) file_system: FileSystem,
    pub(crate) device: Arc<Device>,
    /// Before the directory: dropped in this order.
    served: Served,
    pub(crate) directory: Directory,
}

impl Machine {
    /// With a file system on its disk. None, and a word to whoever reads the output, where the system cannot.
    pub(crate) fn new(test: &str, file_system: FileSystem) -> Option<Machine> {
        let directory = Directory::new(test);
        let device = Arc::new(Device::new(DISK_BYTES));
        let made = missing(file_system).map_or(Ok(()), Err).and_then(|()| {
            let served = Served::start(&directory.path().join("device"), device.clone());
            served.map_err(|error| format!("no FUSE mount: {error}"))
        });
        let served = match made {
            Ok(served) => served,
            Err(reason) => {
                println!("skipped: {reason}");
                return None;
            }
        };
        let machine = Machine {
            name: test.into(),
            file_system,
            device,
            served,
            directory,
        };
        let loop_device = match machine.try_attach() {
            Ok(loop_device) => loop_device,
            Err(reason) => {
                println!("skipped: no loop device: {reason}");
                return None;
            }
        };
        file_system.make(&loop_device).expect("a file system on it");
        detach(&loop_device);
        machine.wait_until_released();
        Some(machine)
    }

    /// Mounts the file system of an image, which may have to recover; the recording begins before.
    pub(crate) fn switch_on(&self, image: Image) -> Mounted<'_> {
        self.try_switch_on(image)
            .unwrap_or_else(|error| panic!("{} does not mount: {error}", self.file_system.name()))
    }

    pub(crate) fn try_switch_on(&self, image: Image) -> Result<Mounted<'_>, String> {
        self.device.load(image);
        let loop_device = self.attach();
        let path = self.directory.path().join("disk");
        fs::create_dir_all(&path).expect("writable");
        let mounted = run(Command::new("mount")
            .args(["-t", self.file_system.name()])
            .arg(&loop_device)
            .arg(&path));
        // The loop device goes when the mount does.
        detach(&loop_device);
        if mounted.is_err() {
            self.wait_until_released();
        }
        mounted.map(|_| Mounted {
            machine: self,
            path,
        })
    }

    fn attach(&self) -> PathBuf {
        self.try_attach().expect("a loop device, as before")
    }

    fn try_attach(&self) -> Result<PathBuf, String> {
        let name = run(Command::new("losetup")
            .args(["--find", "--show", "--direct-io=on"])
            .arg(self.served.file()));
        name.map(|name| name.trim_end().into())
    }

    fn wait_until_released(&self) {
        wait_until("the loop device to be free", || self.device.open() == 0);
    }
}

/// Switched off when dropped: what it writes while it is unmounted is no longer of interest.
pub(crate) struct Mounted<'a> {
    machine: &'a Machine,
    path: PathBuf,
}

impl Mounted<'_> {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let umount = || run(Command::new("umount").arg(&self.path));
        if std::thread::panicking() {
            let _ = run(Command::new("umount").arg("-l").arg(&self.path));
            return;
        }
        // The rings of a killed broker hold its files a little longer than it lives.
        wait_until("the file system to be free", || umount().is_ok());
        self.machine.wait_until_released();
    }
}

fn detach(loop_device: &Path) {
    let detached = run(Command::new("losetup").arg("--detach").arg(loop_device));
    detached.expect("a loop device of this test");
}

/// What the system lacks for this.
fn missing(file_system: FileSystem) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("mounting needs root".into());
    }
    for path in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(path).exists() {
            return Some(format!("there is no {path}"));
        }
    }
    let program = format!("mkfs.{}", file_system.name());
    let known = run(Command::new(tool(&program)).arg("-V"));
    known.err().map(|error| format!("{program}: {error}"))
}

/// Programs of administrators are not in everybody's path.
fn tool(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    match sbin.exists() {
        true => sbin,
        false => name.into(),
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
