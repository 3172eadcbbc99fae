//! The part of the host that a broker with given settings would use: where its data lies, which CPUs run its shards.

use super::cpus::Cpus;
use super::mounts::Mount;
use super::root::Root;
use ottla::boot::survey;
use ottla::config::Settings;
use ottla::config::quantity::render_size;
use std::path::{Path, PathBuf};

pub(crate) struct Scene {
    pub(crate) root: Root,
    /// The data directory, or the nearest one above it that exists.
    pub(crate) data: PathBuf,
    /// Or why it is not known.
    pub(crate) mount: Result<Mount, String>,
    /// What the mount's device is made of; at least one, or why there is none.
    pub(crate) drives: Result<Vec<Drive>, String>,
    /// One per shard, as they would be placed.
    pub(crate) shards: Vec<usize>,
    /// Median of the flushed writes measured here, in microseconds.
    pub(crate) flushed_write: Option<f64>,
}

/// A whole drive, no partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Drive {
    /// `nvme0n1`.
    pub(crate) name: String,
    /// Below `/sys/devices`.
    pub(crate) folder: PathBuf,
}

/// Devices made of devices: encryption over volumes over arrays, and one for luck.
const STACK_MAX: usize = 8;

impl Scene {
    pub(crate) fn new(root: Root, settings: &Settings) -> Scene {
        let data = nearest_existing(&settings.data_dir);
        let mounts = root.read("/proc/self/mountinfo");
        let mount = mounts.and_then(|table| {
            let mount = Mount::of(&table, &data);
            mount.ok_or_else(|| "/proc/self/mountinfo names no mount of the data directory".into())
        });
        let drives = mount.clone().and_then(|mount| drives(&root, &mount));
        Scene {
            root,
            data,
            mount,
            drives,
            shards: survey::shard_cpus(settings.shards),
            flushed_write: None,
        }
    }

    pub(crate) fn shard_cpus(&self) -> Cpus {
        self.shards.iter().copied().collect()
    }

    /// CPUs that run and have no shard.
    pub(crate) fn other_cpus(&self) -> Cpus {
        let online = self.root.read("/sys/devices/system/cpu/online");
        let online = online.ok().and_then(|list| Cpus::parse(&list));
        online.unwrap_or_default().without(&self.shard_cpus())
    }

    /// The text with what is known of this host in it.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.contains("{locked}") {
            let bytes = survey::locked_memory_wanted(self.shards.len());
            text = text.replace("{locked}", &render_size(bytes));
        }
        if text.contains("{other_cpus}") {
            let cpus = self.other_cpus();
            let cpus = if cpus.is_empty() {
                "none".into()
            } else {
                cpus.to_string()
            };
            text = text.replace("{other_cpus}", &cpus);
        }
        if let (true, Ok(drives)) = (text.contains("{queue}"), &self.drives) {
            text = text.replace("{queue}", &drives[0].queue());
        }
        text
    }

    /// The files a row of the table names, of every drive that it is about.
    pub(crate) fn files(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let patterns = match pattern.contains("{queue}") {
            false => vec![pattern.to_owned()],
            true => {
                let drives = self.drives.as_ref().map_err(String::clone)?;
                let queues = drives
                    .iter()
                    .map(|drive| pattern.replace("{queue}", &drive.queue()));
                queues.collect()
            }
        };
        let found: Vec<PathBuf> = patterns
            .iter()
            .flat_map(|pattern| self.root.find(pattern))
            .collect();
        match found.is_empty() {
            true => Err(format!("{} is missing", patterns[0])),
            false => Ok(found),
        }
    }

    /// Whether every drive's name begins like this.
    pub(crate) fn has_drives_like(&self, start: &str) -> bool {
        let drives = self.drives.as_ref();
        drives.is_ok_and(|drives| drives.iter().all(|drive| drive.name.starts_with(start)))
    }
}

impl Drive {
    fn queue(&self) -> String {
        format!("/sys/block/{}/queue", self.name)
    }
}

fn nearest_existing(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = full
        .ancestors()
        .find_map(|ancestor| ancestor.canonicalize().ok());
    existing.unwrap_or(full)
}

fn drives(root: &Root, mount: &Mount) -> Result<Vec<Drive>, String> {
    let device = root.resolve(format!("/sys/dev/block/{}", mount.device));
    let device = device.ok_or_else(|| {
        let Mount {
            file_system,
            device,
            ..
        } = mount;
        format!("no drive is seen behind this {file_system} ({device})")
    })?;
    let mut found = Vec::new();
    collect(root, &device, STACK_MAX, &mut found);
    match found.is_empty() {
        true => Err(format!("no drive is seen below {}", device.display())),
        false => Ok(found),
    }
}

/// The drives at the bottom of a device.
fn collect(root: &Root, device: &Path, depth: usize, found: &mut Vec<Drive>) {
    let is_partition = root.exists(device.join("partition"));
    let device = device.parent().filter(|_| is_partition).unwrap_or(device);
    let parts = root.names(device.join("slaves"));
    if parts.is_empty() {
        let name = device.file_name().unwrap_or_default().to_string_lossy();
        let drive = Drive {
            name: name.into_owned(),
            folder: device.to_owned(),
        };
        if !found.contains(&drive) {
            found.push(drive);
        }
    }
    for part in parts.iter().filter(|_| depth > 0) {
        if let Some(part) = root.resolve(device.join("slaves").join(part)) {
            collect(root, &part, depth - 1, found);
        }
    }
}
