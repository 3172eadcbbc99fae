//! What was on this host before `tune` changed it: a file, on the disk before the change is made.

use super::plan::Step;
use crate::failure::Failure;
use crate::host::root::Root;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Not the broker's: its user must not tell root what to write.
pub(super) const FOLDER: &str = "/var/lib/ottla-tune";
pub(super) const NAME: &str = "record.json";
/// What lies below these goes with the boot that it was changed in.
const PASSING: &[&str] = &["/proc", "/sys"];

/// Bits of a mode.
const OTHERS_WRITE: u32 = 0o022;

/// One process has it at a time.
pub(super) struct Record {
    path: PathBuf,
    folder: File,
    kept: Kept,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    boot_id: String,
    /// In the order they were made; each place once.
    changes: Vec<KeptStep>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptStep {
    name: String,
    place: PathBuf,
    before: Option<String>,
    after: Option<String>,
}

impl Record {
    /// Opens the record, or begins one. What an earlier boot has undone is left out of it.
    pub(super) fn open(root: &Root) -> Result<Record, Failure> {
        let folder = root.at(FOLDER);
        let created = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        created.map_err(|error| failure(&folder, &error))?;
        let path = folder.join(NAME);
        let folder = own(&folder)?;
        let boot_id = root
            .read("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default();
        let mut kept = match read(&path)? {
            Some(kept) => kept,
            None => Kept {
                boot_id: boot_id.clone(),
                changes: Vec::new(),
            },
        };
        if kept.boot_id != boot_id {
            kept.changes
                .retain(|change| !PASSING.iter().any(|top| change.place.starts_with(top)));
            kept.boot_id = boot_id;
        }
        Ok(Record { path, folder, kept })
    }

    pub(super) fn exists(root: &Root) -> bool {
        root.at(FOLDER).join(NAME).exists()
    }

    /// Takes down what stands at a place, once: what it was before the first change.
    pub(super) fn keep(&mut self, step: &Step) -> Result<(), Failure> {
        let known = self
            .kept
            .changes
            .iter_mut()
            .find(|kept| kept.place == step.place);
        match known {
            Some(kept) => kept.after.clone_from(&step.after),
            None => self.kept.changes.push(KeptStep {
                name: step.name.clone(),
                place: step.place.clone(),
                before: step.before.clone(),
                after: step.after.clone(),
            }),
        }
        self.save()
    }

    pub(super) fn forget(&mut self, place: &Path) -> Result<(), Failure> {
        self.kept.changes.retain(|kept| kept.place != place);
        self.save()
    }

    /// The changes as made, the last first.
    pub(super) fn steps(&self) -> Vec<Step> {
        let newest = self.kept.changes.iter().rev();
        let steps = newest.map(|kept| Step {
            name: kept.name.clone(),
            place: kept.place.clone(),
            before: kept.before.clone(),
            after: kept.after.clone(),
        });
        steps.collect()
    }

    /// An empty record is no file.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let saved = match self.kept.changes.is_empty() {
            true => fs::remove_file(&self.path).or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
            false => self.write(),
        };
        let saved = saved.and_then(|()| self.folder.sync_all());
        saved.map_err(|error| failure(&self.path, &error))
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&self.kept).expect("plain data");
        let draft = self.path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(draft, &self.path)
    }
}

/// The folder, locked. What others could write there is not read.
fn own(folder: &Path) -> Result<File, Failure> {
    let file = File::open(folder).map_err(|error| failure(folder, &error))?;
    let found = file.metadata().map_err(|error| failure(folder, &error))?;
    if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & OTHERS_WRITE != 0 {
        let failure = Failure::new(format!("{} can be written to by others", folder.display()));
        return Err(failure.fix("look at what is in it, then chown root and chmod 700"));
    }
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            let busy = Failure::new(format!("another ottla tune uses {}", folder.display()));
            busy.fix("wait for its end")
        }
        TryLockError::Error(error) => failure(folder, &error),
    })?;
    Ok(file)
}

fn read(path: &Path) -> Result<Option<Kept>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(path, &error)),
    };
    let kept = serde_json::from_str(&text).map_err(|error| {
        let damaged = Failure::new(format!("{} is damaged: {error}", path.display()));
        damaged.fix("move it away, and set by hand what it says was before; tuning/README.md lists every knob")
    })?;
    Ok(Some(kept))
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!(
        "what was before cannot be kept in {}: {error}",
        path.display()
    ));
    failure.fix("a root directory that this user may write to")
}
