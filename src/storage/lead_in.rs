//! What a partition lacks for its next cycle, read back from its segments.

use super::disk::{Buffer, Disk, DiskError, DiskFile, OpenMode};
use super::runtime::Runtime;
use super::scan::scan_batches;
use super::shared::Shared;
use crate::base::align::BLOCK;
use crate::base::ids::PartitionId;
use crate::base::offset::{Offset, Position};
use crate::log::segment::SegmentName;

/// The first `len` bytes of the block at `position`: synced, and no lap is writing them.
pub(super) async fn read_block<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    position: Position,
    len: usize,
) -> Result<Vec<u8>, DiskError> {
    let name = name_of(shared, id, position.segment);
    let _pin = shared.pin(id, name);
    let path = shared.log_path(id, name);
    let file = shared.disk.open(&path, OpenMode::Read).await?;
    let block = file.read_at(position.byte, BLOCK).await?;
    let bytes = block.as_bytes().get(..len).map(<[u8]>::to_vec);
    file.close().await?;
    bytes.ok_or(DiskError::Failed {
        operation: "read a whole block",
        path,
        errno: 0,
    })
}

/// The segment that begins there; only one that was reopened by a cut, and is written to, can have been rewritten.
fn name_of<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    base: Offset,
) -> SegmentName {
    let state = shared.state.borrow();
    let partition = state.partitions.get(&id);
    let segment = partition.and_then(|partition| partition.log.section().segment_at(base));
    segment.map_or(SegmentName::appended(base), |segment| segment.name())
}

/// Where the batch that begins at `offset` lies in the synced segments.
pub(super) async fn find_place<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
    offset: Offset,
) -> Result<Option<Position>, DiskError> {
    let segment = match shared.state.borrow().partitions.get(&id) {
        Some(partition) => *partition.log.section().segment_of(offset),
        None => return Ok(None),
    };
    if offset == segment.base {
        return Ok(Some(Position {
            segment: segment.base,
            byte: 0,
        }));
    }
    let _pin = shared.pin(id, segment.name());
    let path = shared.log_path(id, segment.name());
    let file = shared.disk.open(&path, OpenMode::Read).await?;
    let byte = scan_batches(&file, 0, segment.bytes, |_, header, _| {
        header.base_offset < offset
    })
    .await?;
    file.close().await?;
    Ok(Some(Position {
        segment: segment.base,
        byte,
    }))
}
