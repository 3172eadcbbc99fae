//! Completing the files of one partition: the bytes that only the journal held, the cuts that rolls left to do.

use crate::base::align::block_ceil;
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::log::index::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, decode_index};
use crate::log::offline::OfflineReason;
use crate::log::paths::{partition_folder, segment_path};
use crate::log::recovery::replay::{Image, Replayed};
use crate::log::segment::{Segment, SegmentFileKind, parse_segment_file_name};
use crate::storage::disk::{Disk, DiskError, DiskFile};
use crate::storage::index_tail::read_index;
use crate::storage::runtime::Runtime;
use crate::storage::segment_file::{WriteError, create_partition_folder, open_for_writing};
use crate::storage::settings::OpenSettings;
use crate::storage::write::write_slices;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

/// What must be done to a segment's file.
struct Task<'a> {
    segment: &'a Segment,
    image: Option<Image>,
    is_last: bool,
}

/// Brings the segments of a partition to what replay left, durably. A file that is missing or short is damage.
pub(super) async fn complete<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    settings: &OpenSettings,
    topic_name: &str,
    mut replayed: Replayed,
) -> Result<Replayed, WriteError> {
    if !replayed.is_named || replayed.section.dropped {
        return Ok(replayed);
    }
    let id = replayed.section.id;
    let root = &settings.root;
    let names = names(disk, &partition_folder(root, id)).await?;
    let images = std::mem::take(&mut replayed.images);
    let tasks = tasks(&replayed, images);
    for task in &tasks {
        if let Some(short) = find_short(disk, runtime, root, id, &names, task).await? {
            drop(tasks);
            replayed.refuse_at(OfflineReason::SegmentShort, short);
            return Ok(replayed);
        }
    }
    if tasks.iter().any(|task| task.image.is_some()) {
        for folder in create_partition_folder(disk, root, id, topic_name).await? {
            disk.sync_directory(&folder).await?;
        }
    }
    for task in &tasks {
        complete_segment(disk, runtime, settings, id, task).await?;
    }
    drop(tasks);
    if replayed.section.offline.is_none() {
        remove_strays(disk, root, &replayed, &names).await?;
    }
    if !names.is_empty() || replayed.section.bytes() > 0 {
        sync_folder(disk, &partition_folder(root, id)).await?;
    }
    Ok(replayed)
}

/// Segments with bytes to write, and closed ones that no lap finished.
fn tasks(replayed: &Replayed, mut images: BTreeMap<Offset, Image>) -> Vec<Task<'_>> {
    let segments = &replayed.section.segments;
    let last = segments.len() - 1;
    let mut tasks = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let image = images.remove(&segment.base);
        let is_last = index == last;
        if image.is_some() || (!segment.finished && segment.bytes > 0) {
            tasks.push(Task {
                segment,
                image,
                is_last,
            });
        }
    }
    tasks
}

/// The offset from which a segment's bytes are not there, if they are not.
async fn find_short<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    root: &Path,
    id: PartitionId,
    names: &BTreeMap<String, (Offset, SegmentFileKind)>,
    task: &Task<'_>,
) -> Result<Option<Offset>, WriteError> {
    let base = task.segment.base;
    let wanted = task
        .image
        .as_ref()
        .map_or(task.segment.bytes, |image| image.start);
    if wanted == 0 {
        return Ok(None);
    }
    if !names
        .values()
        .any(|name| *name == (base, SegmentFileKind::Log))
    {
        return Ok(Some(base));
    }
    let path = segment_path(root, id, base, SegmentFileKind::Log);
    let file = open_for_writing(disk, runtime, &path).await?;
    file.sync().await?;
    let len = file.len().await?;
    file.close().await?;
    Ok((len < wanted).then_some(base))
}

async fn complete_segment<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    settings: &OpenSettings,
    id: PartitionId,
    task: &Task<'_>,
) -> Result<(), WriteError> {
    let base = task.segment.base;
    let path = segment_path(&settings.root, id, base, SegmentFileKind::Log);
    let file = open_for_writing(disk, runtime, &path).await?;
    if let Some(image) = &task.image {
        cut_index(disk, runtime, settings, id, base, image.start).await?;
        let len = file.len().await?;
        let end = block_ceil(task.segment.bytes);
        if len < end {
            file.allocate(len, end).await?;
        }
        write_slices(
            disk,
            &file,
            image.start,
            &[Bytes::copy_from_slice(&image.bytes)],
        )
        .await?;
    }
    if !task.is_last {
        file.set_len(task.segment.bytes).await?;
    }
    file.sync().await?;
    file.close().await?;
    Ok(())
}

/// Keeps the index entries below `end`: those beyond may be of bytes that were cut away.
pub(super) async fn cut_index<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    settings: &OpenSettings,
    id: PartitionId,
    base: Offset,
    end: u64,
) -> Result<(), WriteError> {
    let path = segment_path(&settings.root, id, base, SegmentFileKind::Index);
    let bytes = read_index(disk, &path).await?;
    if bytes.is_empty() {
        return Ok(());
    }
    let entries = decode_index(&bytes, base, settings.limits.index_chunk_bytes, end);
    let kept = match entries.len() {
        0 => 0,
        count => INDEX_HEADER_BYTES + count * INDEX_ENTRY_BYTES,
    };
    let file = open_for_writing(disk, runtime, &path).await?;
    file.set_len(kept as u64).await?;
    file.sync().await?;
    file.close().await?;
    Ok(())
}

/// Removes files of segments that the log no longer has: below its start, or above a cut.
async fn remove_strays<D: Disk>(
    disk: &D,
    root: &Path,
    replayed: &Replayed,
    names: &BTreeMap<String, (Offset, SegmentFileKind)>,
) -> Result<(), DiskError> {
    let section = &replayed.section;
    let folder = partition_folder(root, section.id);
    for (name, (base, _)) in names {
        if section.segments.iter().all(|segment| segment.base != *base) {
            disk.remove_file(&folder.join(name)).await?;
        }
    }
    Ok(())
}

pub(super) async fn names<D: Disk>(
    disk: &D,
    folder: &Path,
) -> Result<BTreeMap<String, (Offset, SegmentFileKind)>, DiskError> {
    let entries = match disk.list(folder).await {
        Ok(entries) => entries,
        Err(DiskError::NotFound { .. }) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let ours = entries.into_iter().filter_map(|entry| {
        let parsed = parse_segment_file_name(&entry.name)?;
        Some((entry.name, parsed))
    });
    Ok(ours.collect())
}

async fn sync_folder<D: Disk>(disk: &D, folder: &Path) -> Result<(), DiskError> {
    match disk.sync_directory(folder).await {
        Err(DiskError::NotFound { .. }) => Ok(()),
        result => result,
    }
}
