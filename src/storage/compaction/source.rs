//! The batches of one segment, read piece by piece: nothing is held of it between two pieces, so that it may go.

use super::Stop;
use crate::base::ids::PartitionId;
use crate::base::limits::COMPACTION_READ_BYTES;
use crate::base::offset::Offset;
use crate::base::time::Instant;
use crate::log::segment::SegmentName;
use crate::storage::disk::Disk;
use crate::storage::errors::ReadError;
use crate::storage::reader::{ColdFound, ColdRead};
use crate::storage::runtime::Runtime;
use crate::storage::shared::Shared;
use crate::storage::store::ReadBytes;

/// A place in a segment.
pub(super) struct Source {
    id: PartitionId,
    name: SegmentName,
    next: Offset,
    end: Offset,
    /// When the piece was asked for that is worked on.
    begun: Option<Instant>,
}

impl Source {
    /// The batches of a segment that reach above `from`. It ends at `end`.
    pub(super) fn new(id: PartitionId, name: SegmentName, from: Offset, end: Offset) -> Source {
        Source {
            id,
            name,
            next: from.max(name.base),
            end,
            begun: None,
        }
    }

    /// The next whole batches, each checked against its CRC and its place; `None` at the end.
    pub(super) async fn next<D: Disk, R: Runtime>(
        &mut self,
        shared: &Shared<D, R>,
    ) -> Result<Option<ReadBytes>, Stop> {
        if self.next >= self.end {
            return Ok(None);
        }
        if let Some(begun) = self.begun {
            let journal_writes = shared.reader.journal_writes();
            journal_writes.rest(&shared.runtime, begun).await;
        }
        self.begun = Some(shared.runtime.now().instant);
        go_on(shared, self.id)?;
        let view = shared
            .view_named(self.id, self.name)
            .ok_or(Stop::Overtaken)?;
        let want = ColdRead {
            from: self.next,
            below: self.end,
            bytes_max: COMPACTION_READ_BYTES,
            at_least_one: true,
        };
        let read = shared.read_segment(self.id, &view, want).await;
        let ColdFound { bytes, is_end } = read.map_err(|error| match error {
            ReadError::Unknown | ReadError::OutOfRange { .. } | ReadError::Replaced => {
                Stop::Overtaken
            }
            ReadError::Damaged { .. } | ReadError::Disk(_) => Stop::Damaged,
        })?;
        self.next = match bytes.end() {
            Some(next) => next,
            None if is_end => self.end,
            // A batch that reaches beyond its segment.
            None => return Err(Stop::Damaged),
        };
        let read = u64::try_from(bytes.bytes).expect("bytes are counted in 64 bits");
        shared.cells.compaction_read_bytes.add(read);
        Ok((bytes.bytes > 0).then_some(bytes))
    }
}

/// Whether the compaction of this partition is still wanted. Asked at every step.
pub(super) fn go_on<D: Disk, R: Runtime>(
    shared: &Shared<D, R>,
    id: PartitionId,
) -> Result<(), Stop> {
    let state = shared.state.borrow();
    let can = state.closed.is_none()
        && state
            .partitions
            .get(&id)
            .is_some_and(|p| p.log.can_append());
    match (can, state.disk_full) {
        (false, _) => Err(Stop::Overtaken),
        (true, true) => Err(Stop::Full),
        (true, false) => Ok(()),
    }
}
