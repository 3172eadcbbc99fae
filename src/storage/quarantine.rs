//! What nobody trusts any more is put aside in `quarantine/`, and never deleted by the program.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use crate::base::align::{BLOCK, block_ceil, block_floor};
use crate::base::ids::Life;
use std::ops::Range;
use std::path::{Path, PathBuf};

const FOLDER: &str = "quarantine";
/// One read of a copy.
const COPY_BYTES: u64 = 1024 * 1024;
const _: () = assert!((COPY_BYTES as usize).is_multiple_of(BLOCK));

/// Moves a file or folder of the data directory aside, durably. The name says where it lay.
pub(super) async fn move_aside<D: Disk>(
    disk: &D,
    root: &Path,
    life: Life,
    path: &Path,
) -> Result<(), DiskError> {
    let folder = folder(disk, root, life).await?;
    let name = name_of(root, path);
    let taken = disk.list(&folder).await?;
    let is_free = |name: &str| taken.iter().all(|entry| entry.name != name);
    let numbered = (1..).map(|number| format!("{name}.{number}"));
    let name = std::iter::once(name.clone())
        .chain(numbered)
        .find(|name| is_free(name))
        .expect("a folder holds finitely many names");
    disk.rename(path, &folder.join(name)).await?;
    disk.sync_directory(&folder).await?;
    let parent = path.parent().expect("a path below the root has a parent");
    disk.sync_directory(parent).await
}

/// Copies a range of a file aside, durably; whole blocks, and nothing of it where the file has only zeros. Answers where
/// the copy is, if there is one. A copy of that range that is there already stays.
pub(super) async fn copy_aside<D: Disk>(
    disk: &D,
    root: &Path,
    life: Life,
    path: &Path,
    range: Range<u64>,
) -> Result<Option<PathBuf>, DiskError> {
    let folder = folder(disk, root, life).await?;
    let start = block_floor(range.start);
    let name = format!("{}@{start}", name_of(root, path));
    let target = folder.join(&name);
    if disk
        .list(&folder)
        .await?
        .iter()
        .any(|entry| entry.name == name)
    {
        return Ok(Some(target));
    }
    let unfinished = folder.join(format!("{name}.part"));
    let source = disk.open(path, OpenMode::Read).await?;
    let mut copy = None;
    let end = range.end.min(source.len().await?);
    for position in (start..end).step_by(COPY_BYTES as usize) {
        let len = block_ceil(end - position).min(COPY_BYTES) as usize;
        let read = source.read_at(position, len).await?;
        let bytes = read.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            continue;
        }
        let copy = match &mut copy {
            Some(copy) => copy,
            None => copy.insert(disk.open(&unfinished, OpenMode::Write).await?),
        };
        let mut buffer = disk.allocate(block_ceil(bytes.len() as u64) as usize);
        buffer.as_bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        buffer.as_bytes_mut()[bytes.len()..].fill(0);
        copy.write_at(buffer, position - start).await?;
    }
    source.close().await?;
    let Some(copy) = copy else { return Ok(None) };
    copy.sync().await?;
    copy.close().await?;
    disk.rename(&unfinished, &target).await?;
    disk.sync_directory(&folder).await?;
    Ok(Some(target))
}

/// The folder of this life's finds; it is there when this returns.
async fn folder<D: Disk>(disk: &D, root: &Path, life: Life) -> Result<PathBuf, DiskError> {
    let all = root.join(FOLDER);
    let folder = all.join(format!("life-{life}"));
    disk.create_directory(&folder).await?;
    disk.sync_directory(root).await?;
    disk.sync_directory(&all).await?;
    Ok(folder)
}

fn name_of(root: &Path, path: &Path) -> String {
    let relative = path
        .strip_prefix(root)
        .expect("only paths of this directory are quarantined");
    relative.to_string_lossy().replace('/', "_")
}
