//! Completing the files of one partition: the bytes that only the journal held, the cuts that rolls left to do.

use crate::base::align::block_ceil;
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::log::index::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, decode_index};
use crate::log::paths::{partition_folder, segment_path};
use crate::log::recovery::replay::{Image, Replayed};
use crate::log::segment::{
    Segment, SegmentFileKind, SegmentName, parse_segment_file_name, parse_unfinished_name,
};
use crate::storage::disk::{DirectoryEntry, Disk, DiskError, DiskFile};
use crate::storage::index_tail::read_index;
use crate::storage::runtime::Runtime;
use crate::storage::segment_file::{WriteError, create_partition_folder, open_for_writing};
use crate::storage::settings::OpenSettings;
use crate::storage::write::write_slices;
use std::collections::BTreeMap;
use std::path::Path;

/// What must be done to a segment's file.
struct Task<'a> {
    segment: &'a Segment,
    image: Option<&'a Image>,
    is_last: bool,
}

/// Brings the segments of a partition to what replay left, durably. Answers from where a file is missing or short, which
/// is damage.
pub(super) async fn complete<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    settings: &OpenSettings,
    topic_name: &str,
    replayed: &Replayed,
) -> Result<Option<Offset>, WriteError> {
    if !replayed.is_named || replayed.section.dropped {
        return Ok(None);
    }
    let id = replayed.section.id;
    let root = &settings.root;
    let names = names(disk, &partition_folder(root, id)).await?;
    let tasks = tasks(replayed);
    for task in &tasks {
        if let Some(short) = find_short(disk, runtime, root, id, &names, task).await? {
            return Ok(Some(short));
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
    if replayed.section.offline.is_none() {
        remove_strays(disk, root, replayed, &names).await?;
    }
    if !names.is_empty() || replayed.section.bytes() > 0 {
        sync_folder(disk, &partition_folder(root, id)).await?;
    }
    Ok(None)
}

/// Segments with bytes to write, and closed ones that no lap finished.
fn tasks(replayed: &Replayed) -> Vec<Task<'_>> {
    let segments = &replayed.section.segments;
    let last = segments.len() - 1;
    let mut tasks = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let image = replayed.images.get(&segment.base);
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
    names: &FileNames,
    task: &Task<'_>,
) -> Result<Option<Offset>, WriteError> {
    let name = task.segment.name();
    let wanted = task.image.map_or(task.segment.bytes, |image| image.start);
    if wanted == 0 {
        return Ok(None);
    }
    if !names
        .values()
        .any(|found| *found == (name, SegmentFileKind::Log))
    {
        return Ok(Some(name.base));
    }
    let path = segment_path(root, id, name, SegmentFileKind::Log);
    let file = open_for_writing(disk, runtime, &path).await?;
    file.sync().await?;
    let len = file.len().await?;
    file.close().await?;
    Ok((len < wanted).then_some(name.base))
}

async fn complete_segment<D: Disk, R: Runtime>(
    disk: &D,
    runtime: &R,
    settings: &OpenSettings,
    id: PartitionId,
    task: &Task<'_>,
) -> Result<(), WriteError> {
    let name = task.segment.name();
    let path = segment_path(&settings.root, id, name, SegmentFileKind::Log);
    let file = open_for_writing(disk, runtime, &path).await?;
    if let Some(image) = task.image {
        cut_index(disk, runtime, settings, id, name, image.start).await?;
        let len = file.len().await?;
        let end = block_ceil(task.segment.bytes);
        if len < end {
            file.allocate(len, end).await?;
        }
        write_slices(disk, &file, image.start, &[&image.bytes]).await?;
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
    name: SegmentName,
    end: u64,
) -> Result<(), WriteError> {
    let path = segment_path(&settings.root, id, name, SegmentFileKind::Index);
    let bytes = read_index(disk, &path).await?;
    if bytes.is_empty() {
        return Ok(());
    }
    let entries = decode_index(&bytes, name.base, settings.limits.index_chunk_bytes, end);
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

/// Removes files of segments that the log does not have: below its start, above a cut, replaced by compaction, or
/// written by one that did not come to its end.
async fn remove_strays<D: Disk>(
    disk: &D,
    root: &Path,
    replayed: &Replayed,
    names: &FileNames,
) -> Result<(), DiskError> {
    let section = &replayed.section;
    let folder = partition_folder(root, section.id);
    for (file, (name, _)) in names {
        if section.segment_named(*name).is_none() {
            disk.remove_file(&folder.join(file)).await?;
        }
    }
    for entry in list(disk, &folder).await? {
        if parse_unfinished_name(&entry.name).is_some() {
            disk.remove_file(&folder.join(entry.name)).await?;
        }
    }
    Ok(())
}

/// The files of segments in a folder, and what their names say.
pub(super) type FileNames = BTreeMap<String, (SegmentName, SegmentFileKind)>;

pub(super) async fn names<D: Disk>(disk: &D, folder: &Path) -> Result<FileNames, DiskError> {
    let entries = list(disk, folder).await?;
    let ours = entries.into_iter().filter_map(|entry| {
        let parsed = parse_segment_file_name(&entry.name)?;
        Some((entry.name, parsed))
    });
    Ok(ours.collect())
}

async fn list<D: Disk>(disk: &D, folder: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
    match disk.list(folder).await {
        Err(DiskError::NotFound { .. }) => Ok(Vec::new()),
        entries => entries,
    }
}

async fn sync_folder<D: Disk>(disk: &D, folder: &Path) -> Result<(), DiskError> {
    match disk.sync_directory(folder).await {
        Err(DiskError::NotFound { .. }) => Ok(()),
        result => result,
    }
}
