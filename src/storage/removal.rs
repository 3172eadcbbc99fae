//! Removing files that nobody needs any more: unlink, make it durable, then give the space back in steps.

use super::cut::cut;
use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::event::StoreEvent;
use super::runtime::Runtime;
use super::shared::{Removal, Shared};
use super::state::Closed;
use crate::base::ids::{PartitionId, TopicId};
use crate::log::paths::{partition_folder, topic_folder, topics_folder};
use crate::log::segment::{SegmentFileKind, SegmentName, parse_any_name};
use std::path::Path;
use std::rc::Rc;

/// Removes what was queued, never while a lap runs: a lap may be writing a file of the same name.
pub(super) async fn run<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>) {
    loop {
        let chores = shared.chores.notified();
        match begin(&shared) {
            Begin::Ended => return,
            Begin::Wait => chores.await,
            Begin::Remove(removal) => {
                let removed = remove(&shared, removal).await;
                shared.state.borrow_mut().end_removal();
                shared.progress.notify();
                let given_back = match removed {
                    Ok(unlinked) => {
                        report(&shared, removal);
                        give_back(&shared, unlinked).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = given_back {
                    return shared.fail(error);
                }
            }
        }
    }
}

enum Begin {
    Ended,
    Wait,
    Remove(Removal),
}

fn begin<D: Disk, R: Runtime>(shared: &Shared<D, R>) -> Begin {
    let mut state = shared.state.borrow_mut();
    match state.closed {
        Some(Closed::Failed(_)) => return Begin::Ended,
        // What is left is found again by the next start.
        Some(Closed::Stopping) => return Begin::Ended,
        None => {}
    }
    let mut removals = shared.removals.borrow_mut();
    if removals.is_empty() || !state.begin_removal() {
        return Begin::Wait;
    }
    Begin::Remove(removals.pop_front().expect("one is there"))
}

fn report<D: Disk, R: Runtime>(shared: &Shared<D, R>, removal: Removal) {
    if let Removal::Partition(partition) = removal {
        shared.tell(vec![StoreEvent::Removed { partition }]);
    }
}

/// Answers what is still to be given back.
async fn remove<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    removal: Removal,
) -> Result<Vec<D::File>, DiskError> {
    match removal {
        Removal::Partition(id) => {
            shared.segments.release(id, None).await?;
            not_rewritten(shared, id).await;
            let unlinked = remove_segments(shared, id, |_| true).await?;
            remove_folder(&shared.disk, &partition_folder(&shared.settings.root, id)).await?;
            Ok(unlinked)
        }
        // Asked for each file when its turn comes: compaction goes on meanwhile.
        Removal::Stale(id) => remove_segments(shared, id, |name| shared.is_stale(id, name)).await,
    }
}

impl<D: Disk, R: Runtime> Shared<D, R> {
    /// Whether a segment file of this name is nobody's: not among the segments, not being written by compaction, and not
    /// above the last segment either. What a cut leaves there is gone with the next start.
    pub(super) fn is_stale(&self, id: PartitionId, name: SegmentName) -> bool {
        let state = self.state.borrow();
        let Some(partition) = state.partitions.get(&id) else {
            return false;
        };
        let section = partition.log.section();
        // What an operator may need is left.
        section.offline.is_none()
            && name.base <= section.active().base
            && section.segment_named(name).is_none()
            && self.rewriting.get() != Some((id, name))
    }
}

/// Waits until compaction writes nothing more of this partition, which is gone. It notices with its next step.
async fn not_rewritten<D: Disk, R: Runtime>(shared: &Shared<D, R>, id: PartitionId) {
    loop {
        let progress = shared.progress.notified();
        if shared.rewriting.get().is_none_or(|(of, _)| of != id) {
            return;
        }
        progress.await;
    }
}

/// Removes the segments of a partition that `goes` picks, with their indexes. Answers the files, which have no name now.
async fn remove_segments<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    goes: impl Fn(SegmentName) -> bool,
) -> Result<Vec<D::File>, DiskError> {
    let folder = partition_folder(&shared.settings.root, id);
    let entries = match shared.disk.list(&folder).await {
        Ok(entries) => entries,
        Err(DiskError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut unlinked = Vec::new();
    for entry in entries {
        let Some((name, kind)) = parse_any_name(&entry.name) else {
            continue;
        };
        if !goes(name) {
            continue;
        }
        let path = folder.join(&entry.name);
        if kind == SegmentFileKind::Log {
            shared.segments.release(id, Some(name.base)).await?;
            shared.unpinned(id, name).await;
            shared.reader.forget(&path).await?;
            unlinked.push(shared.disk.open(&path, OpenMode::Write).await?);
        }
        shared.disk.remove_file(&path).await?;
    }
    shared.disk.sync_directory(&folder).await?;
    Ok(unlinked)
}

/// Laps go on meanwhile. It rests only while nobody waits for it.
async fn give_back<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    unlinked: Vec<D::File>,
) -> Result<(), DiskError> {
    let (runtime, limits) = (&shared.runtime, &shared.settings.limits);
    let between = async |begun| {
        let is_urgent = shared.state.borrow().disk_full || !shared.removals.borrow().is_empty();
        if !is_urgent {
            shared.reader.journal_writes().rest(runtime, begun).await;
        }
        shared.state.borrow().closed.is_none()
    };
    for file in unlinked {
        cut(runtime, limits, &file, 0, between).await?;
        file.close().await?;
    }
    Ok(())
}

async fn remove_folder<D: Disk>(disk: &D, folder: &Path) -> Result<(), DiskError> {
    match disk.remove_directory(folder).await {
        Ok(()) => {
            disk.sync_directory(folder.parent().expect("a folder of the tree"))
                .await
        }
        Err(DiskError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the folder of a topic of which no shard has a partition any more, and its name.
pub(super) async fn remove_topic<D: Disk>(
    disk: &D,
    root: &Path,
    topic: TopicId,
) -> Result<(), DiskError> {
    let folder = topic_folder(root, topic);
    let entries = match disk.list(&folder).await {
        Ok(entries) => entries,
        Err(DiskError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        disk.remove_file(&folder.join(entry.name)).await?;
    }
    disk.remove_directory(&folder).await?;
    disk.sync_directory(&topics_folder(root)).await
}
