//! What must be done and never in a hurry: filling the ring, checking files, asking for retention.

use super::disk::{Disk, DiskError, DiskFile, OpenMode};
use super::errors::OpenError;
use super::event::StoreEvent;
use super::journal::RingMaker;
use super::offline::report_offline;
use super::runtime::Runtime;
use super::shared::{Removal, Shared};
use crate::base::ids::PartitionId;
use crate::base::offset::{Offset, Position};
use crate::base::time::Timestamp;
use crate::log::offline::{Offline, OfflineReason};
use crate::log::paths::partition_folder;
use crate::log::retention::{ClockGuard, Due, due};
use crate::log::segment::{SegmentName, parse_any_name};
use std::rc::Rc;
use std::time::Duration;

/// How soon the ring's files are tried again on a full disk.
const FILL_RETRY: Duration = Duration::from_secs(1);

/// Makes the ring's files but the first, which is there already.
pub(super) async fn fill_journal<D: Disk, R: Runtime>(
    shared: Rc<Shared<D, R>>,
    mut ring: RingMaker<D, R>,
) {
    while ring.made() < shared.settings.limits.journal_files {
        if shared.state.borrow().closed.is_some() {
            break;
        }
        match ring.next().await {
            Ok(made) => {
                shared.new_journal_files.borrow_mut().push(made);
                shared.work.notify();
            }
            Err(OpenError::Disk(DiskError::NoSpace { .. })) => {
                shared.runtime.sleep(FILL_RETRY).await
            }
            Err(OpenError::Disk(error)) => return shared.fail(error),
            Err(_) => return shared.fail(lock_failure(&shared)),
        }
    }
    if let Err(error) = ring.close().await {
        shared.fail(error);
    }
}

fn lock_failure<D: Disk, R: Runtime>(shared: &Shared<D, R>) -> DiskError {
    DiskError::Failed {
        operation: "lock",
        path: crate::log::paths::journal_folder(&shared.settings.root),
        errno: 0,
    }
}

/// Compares every segment that recovery did not touch with its file: a missing or short one takes its partition offline.
/// Files of no segment, which an interrupted compaction or removal has left, go.
pub(super) async fn check_files<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>) {
    let ids: Vec<PartitionId> = shared.state.borrow().partitions.keys().copied().collect();
    for id in ids {
        let segments = {
            let state = shared.state.borrow();
            if state.closed.is_some() {
                return;
            }
            match state.partitions.get(&id) {
                Some(partition) if partition.log.section().offline.is_none() => {
                    partition.log.section().segments.clone()
                }
                _ => continue,
            }
        };
        for segment in segments {
            let name = segment.name();
            let Some(wanted) = synced_bytes(&shared, id, name) else {
                continue;
            };
            let _pin = shared.pin(id, name);
            match file_len(&shared, id, name).await {
                Ok(len) if len >= wanted => {}
                // Replaced or deleted meanwhile.
                Ok(_) if synced_bytes(&shared, id, name).is_none() => {}
                Ok(_) => {
                    shared.find_damage(id, segment.base);
                    break;
                }
                Err(error) => return shared.fail(error),
            }
        }
        match has_stale_files(&shared, id).await {
            Ok(true) => shared.add_removal(Removal::Stale(id)),
            Ok(false) => {}
            Err(error) => return shared.fail(error),
        }
        shared.runtime.yield_now().await;
    }
}

async fn has_stale_files<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
) -> Result<bool, DiskError> {
    let folder = partition_folder(&shared.settings.root, id);
    let entries = match shared.disk.list(&folder).await {
        Err(DiskError::NotFound { .. }) => return Ok(false),
        entries => entries?,
    };
    Ok(entries.iter().any(|entry| {
        parse_any_name(&entry.name).is_some_and(|(name, _)| shared.is_stale(id, name))
    }))
}

/// Bytes of the segment that must be in its file now; `None` when the section no longer has it.
fn synced_bytes<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    name: SegmentName,
) -> Option<u64> {
    let state = shared.state.borrow();
    let section = state.partitions.get(&id)?.log.section();
    let segment = section.segment_named(name)?;
    let end = Position {
        segment: name.base,
        byte: segment.bytes,
    };
    match section.synced {
        synced if synced >= end => Some(segment.bytes),
        synced if synced.segment == name.base => Some(synced.byte),
        _ => Some(0),
    }
}

/// Length of a segment's file, 0 without one.
async fn file_len<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    name: SegmentName,
) -> Result<u64, DiskError> {
    match shared
        .disk
        .open(&shared.log_path(id, name), OpenMode::Read)
        .await
    {
        Ok(file) => {
            let len = file.len().await?;
            file.close().await?;
            Ok(len)
        }
        Err(DiskError::NotFound { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}

impl<D: Disk, R: Runtime> Shared<D, R> {
    fn find_damage(&self, id: PartitionId, base: Offset) {
        let offline = Offline {
            reason: OfflineReason::SegmentShort,
            position: base,
        };
        {
            let mut state = self.state.borrow_mut();
            let Some(partition) = state.partitions.get_mut(&id) else {
                return;
            };
            partition.log.section_mut().offline = Some(offline);
            report_offline(id, &partition.topic_name, offline);
        }
        self.tell(vec![StoreEvent::Damaged {
            partition: id,
            offline,
        }]);
    }
}

/// Looks for segments that may go, now and then. The partition decides and answers with a log start.
pub(super) async fn retain<D: Disk, R: Runtime>(shared: Rc<Shared<D, R>>, mut guard: ClockGuard) {
    let interval = Duration::from_millis(shared.settings.retention_check_ms);
    loop {
        shared.runtime.sleep(interval).await;
        if shared.state.borrow().closed.is_some() {
            return;
        }
        let now = shared.runtime.now();
        let wall = guard.check(now.wall, now.instant);
        let was_paused = shared.retention_paused.replace(guard.is_paused());
        if guard.is_paused() && !was_paused {
            tracing::warn!("the wall clock jumped ahead: deletion by time pauses for a day");
        }
        let ids: Vec<PartitionId> = shared.state.borrow().partitions.keys().copied().collect();
        for id in ids {
            retain_one(&shared, id, wall);
            shared.runtime.yield_now().await;
        }
    }
}

fn retain_one<D: Disk, R: Runtime>(
    shared: &Rc<Shared<D, R>>,
    id: PartitionId,
    wall: Option<Timestamp>,
) {
    let found = {
        let mut state = shared.state.borrow_mut();
        let Some(partition) = state.partitions.get_mut(&id) else {
            return;
        };
        if !partition.log.can_append() {
            return;
        }
        let found = due(partition.log.section(), partition.log.config(), wall);
        if found == Some(Due::Roll) {
            partition.log.roll();
        }
        found
    };
    match found {
        Some(Due::LogStart(log_start)) => {
            shared.tell(vec![StoreEvent::RetentionDue {
                partition: id,
                log_start,
            }]);
        }
        Some(Due::Roll) => shared.enqueue(id),
        None => {}
    }
}
