//! A data directory: its lock, its superblock, and the folder for what recovery refuses to trust.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode, if_readable};
use super::errors::OpenError;
use super::failure::DirectoryFailure;
use super::locking::open_locked;
use super::quarantine::move_aside;
use super::runtime::Runtime;
use super::settings::{Identity, OpenSettings};
use crate::base::align::BLOCK;
use crate::base::ids::Life;
use crate::base::time::Timestamp;
use crate::log::directory_format::{Features, KNOWN_FEATURES, SlotError, Superblock, choose_slot};
use crate::log::paths::SUPERBLOCK_NAMES;
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// No permission to open the folder, or a file system that has nothing to sync.
const NOT_OURS: [i32; 4] = [
    Errno::ACCESS.raw_os_error(),
    Errno::PERM.raw_os_error(),
    Errno::INVAL.raw_os_error(),
    Errno::ROFS.raw_os_error(),
];

/// A locked data directory. A node view; owned by the core that runs shard 0.
pub struct Directory<D: Disk> {
    disk: D,
    root: PathBuf,
    slots: [D::File; 2],
    superblock: Superblock,
    /// The slot that holds `superblock`; the other one is written next.
    current: usize,
    slot_unreadable: bool,
    failure: DirectoryFailure,
}

impl<D: Disk> Directory<D> {
    /// Takes the directory, or makes a new one of an absent or empty folder.
    pub async fn lock<R: Runtime>(
        disk: &D,
        runtime: &R,
        settings: &OpenSettings,
    ) -> Result<Directory<D>, OpenError> {
        let root = settings.root.as_path();
        disk.create_directory(root).await?;
        let names = Names::read(disk, root).await?;
        if names.slots == [false, false] && names.others {
            return Err(OpenError::Superblock {
                path: root.to_path_buf(),
            });
        }
        if names.slots == [false, false] {
            sync_above(disk, root).await?;
        }
        let opened = open_slots(disk, runtime, root, names.slots).await?;
        // Another process may have filled the folder between the listing and the lock.
        let others = Names::read(disk, root).await?.others;
        let found = match read_slots(&opened).await {
            Ok(found) => Some(found),
            // Names are made durable after both slots, so a folder with nothing but bad slots never held anything:
            // its first start was cut short.
            Err(SlotsError::Unusable) if !others => None,
            Err(error) => return Err(error.describe(root)),
        };
        if let Some(found) = &found {
            check_owner(&found.superblock, settings)?;
        }
        let slots = complete_slots(disk, runtime, root, opened).await?;
        let mut directory = Directory {
            disk: disk.clone(),
            root: root.to_path_buf(),
            slots,
            superblock: first_superblock(settings),
            current: 1,
            slot_unreadable: false,
            failure: DirectoryFailure::default(),
        };
        match found {
            Some(found) => {
                directory.superblock = found.superblock;
                directory.current = found.index;
                directory.slot_unreadable = found.other_unreadable;
            }
            None => directory.write_both(first_superblock(settings)).await?,
        }
        disk.sync_directory(root).await?;
        Ok(directory)
    }

    /// Starts the next life: what `starts` names is from now on the authority, and old journals are void.
    ///
    /// Call it when everything recovered is durable; serve when it has returned.
    pub async fn begin_life(&mut self, starts: Vec<u64>, wall: Timestamp) -> Result<(), OpenError> {
        let next = Superblock {
            life: Life(self.superblock.life.0 + 1),
            clean: false,
            starts,
            wall,
            ..self.superblock.clone()
        };
        self.write_both(next).await?;
        self.slot_unreadable = false;
        Ok(())
    }

    /// Records that nothing is left to replay: each shard's snapshot of this generation says everything.
    pub async fn mark_clean(
        &mut self,
        generations: Vec<u64>,
        wall: Timestamp,
    ) -> Result<(), OpenError> {
        let next = Superblock {
            clean: true,
            starts: generations,
            wall,
            ..self.superblock.clone()
        };
        self.write_next(next).await
    }

    /// Keeps the wall time, which tells a restart whether the clock jumped.
    pub async fn save_wall(&mut self, wall: Timestamp) -> Result<(), OpenError> {
        let next = Superblock {
            wall,
            ..self.superblock.clone()
        };
        self.write_next(next).await
    }

    /// Moves a file or folder of the directory out of the way, for an operator to look at. Never deletes.
    pub async fn quarantine(&self, path: &Path, life: Life) -> Result<(), OpenError> {
        Ok(move_aside(&self.disk, &self.root, life, path).await?)
    }

    /// Gives the lock back.
    pub async fn close(self) -> Result<(), OpenError> {
        for slot in self.slots {
            slot.close().await?;
        }
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    pub fn identity(&self) -> Identity {
        Identity {
            cluster_id: self.superblock.cluster_id,
            node_id: self.superblock.node_id,
            incarnation: self.superblock.incarnation,
            life: self.superblock.life,
        }
    }

    /// Shared by everybody who writes to the directory.
    pub(super) fn failure(&self) -> &DirectoryFailure {
        &self.failure
    }

    /// One slot could not be read. A later life may have been in it: recovery refuses when a journal proves so.
    pub fn slot_unreadable(&self) -> bool {
        self.slot_unreadable
    }

    /// Writes a first slot, durably, then the second: at every instant one of them is sound.
    async fn write_both(&mut self, next: Superblock) -> Result<(), OpenError> {
        self.write_next(next.clone()).await?;
        self.write_next(next).await
    }

    async fn write_next(&mut self, next: Superblock) -> Result<(), OpenError> {
        self.failure.check()?;
        let next = Superblock {
            number: self.superblock.number + 1,
            ..next
        };
        let mut buffer = self.disk.allocate(BLOCK);
        buffer.as_bytes_mut().copy_from_slice(&next.encode());
        let target = 1 - self.current;
        if let Err(error) = self.slots[target].write_at(buffer, 0).await {
            self.failure.set(&error);
            return Err(error.into());
        }
        self.superblock = next;
        self.current = target;
        Ok(())
    }
}

/// What lies in the root.
struct Names {
    slots: [bool; 2],
    others: bool,
}

impl Names {
    async fn read<D: Disk>(disk: &D, root: &Path) -> Result<Names, DiskError> {
        let entries = disk.list(root).await?;
        let is_slot = |name: &str| SUPERBLOCK_NAMES.contains(&name);
        // A fresh file system brings its own folder; hidden files are an operator's.
        let is_ours = |name: &str| !name.starts_with('.') && name != "lost+found";
        Ok(Names {
            slots: SUPERBLOCK_NAMES.map(|slot| entries.iter().any(|entry| entry.name == slot)),
            others: entries
                .iter()
                .any(|entry| !is_slot(&entry.name) && is_ours(&entry.name)),
        })
    }
}

enum SlotsError {
    Unusable,
    UnknownVersion(u32),
    Disk(DiskError),
}

impl SlotsError {
    fn describe(self, root: &Path) -> OpenError {
        let path = root.to_path_buf();
        match self {
            SlotsError::Unusable => OpenError::Superblock { path },
            SlotsError::UnknownVersion(version) => OpenError::Unsupported {
                what: "superblock format",
                found: u64::from(version),
            },
            SlotsError::Disk(error) => OpenError::Disk(error),
        }
    }
}

/// Opens and locks the slots that exist; on a new directory it creates the first, whose lock settles who is first.
async fn open_slots<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    root: &Path,
    exist: [bool; 2],
) -> Result<[Option<D::File>; 2], OpenError> {
    let mut opened = [None, None];
    for (index, name) in SUPERBLOCK_NAMES.iter().enumerate() {
        if exist[index] || (index == 0 && !exist[1]) {
            let path = root.join(name);
            let file = open_locked(disk, runtime, &path, OpenMode::WriteThrough).await?;
            opened[index] = Some(file);
        }
    }
    Ok(opened)
}

/// Creates the slot that is missing; only once it is certain that the directory is ours.
async fn complete_slots<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    root: &Path,
    opened: [Option<D::File>; 2],
) -> Result<[D::File; 2], OpenError> {
    let [a, b] = opened;
    let complete = async |file: Option<D::File>, name: &str| match file {
        Some(file) => Ok(file),
        None => open_locked(disk, runtime, &root.join(name), OpenMode::WriteThrough).await,
    };
    Ok([
        complete(a, SUPERBLOCK_NAMES[0]).await?,
        complete(b, SUPERBLOCK_NAMES[1]).await?,
    ])
}

async fn read_slots<F: DiskFile>(
    opened: &[Option<F>; 2],
) -> Result<crate::log::directory_format::ChosenSlot, SlotsError> {
    let mut found = [Err(SlotError::Empty), Err(SlotError::Empty)];
    for (file, slot) in opened.iter().zip(&mut found) {
        if let Some(file) = file {
            *slot = read_slot(file).await.map_err(SlotsError::Disk)?;
        }
    }
    choose_slot(found).map_err(|error| match error {
        SlotError::UnknownVersion(version) => SlotsError::UnknownVersion(version),
        SlotError::Empty | SlotError::Damaged => SlotsError::Unusable,
    })
}

/// Synced first: a slot that a killed process left readable must not vanish after it was acted upon.
async fn read_slot<F: DiskFile>(file: &F) -> Result<Result<Superblock, SlotError>, DiskError> {
    file.sync().await?;
    let block = if_readable(file.read_at(0, BLOCK).await)?;
    Ok(block.map_or(Err(SlotError::Damaged), |block| {
        Superblock::decode(block.as_bytes())
    }))
}

fn check_owner(superblock: &Superblock, settings: &OpenSettings) -> Result<(), OpenError> {
    if superblock.node_id != settings.node_id {
        return Err(OpenError::WrongNode {
            found: superblock.node_id,
            expected: settings.node_id,
        });
    }
    let found = superblock.features;
    for (what, unknown) in [
        (
            "features for writing",
            found.read_only & !KNOWN_FEATURES.read_only,
        ),
        (
            "features",
            found.incompatible & !KNOWN_FEATURES.incompatible,
        ),
    ] {
        if unknown != 0 {
            return Err(OpenError::Unsupported {
                what,
                found: unknown,
            });
        }
    }
    Ok(())
}

fn first_superblock(settings: &OpenSettings) -> Superblock {
    Superblock {
        number: 0,
        cluster_id: settings.new_cluster_id,
        node_id: settings.node_id,
        incarnation: settings.new_incarnation,
        life: Life(0),
        clean: true,
        wall: Timestamp::NONE,
        features: Features::default(),
        starts: Vec::new(),
    }
}

/// Makes the name of a new root durable, and the names of the folders above it. Without a superblock nobody knows who
/// created them: a process that was killed may have left them visible and no more.
async fn sync_above<D: Disk>(disk: &D, root: &Path) -> Result<(), DiskError> {
    for above in root.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() {
            Path::new(".")
        } else {
            above
        };
        match disk.sync_directory(above).await {
            Ok(()) => {}
            // A folder that may not be opened is not one that was made for us.
            Err(DiskError::Failed { errno, .. }) if NOT_OURS.contains(&errno) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
