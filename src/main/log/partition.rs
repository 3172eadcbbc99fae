//! One partition of the last life, and its segments as a start would leave them.

use super::batches::SegmentWalk;
use super::directory::{DataDirectory, Names};
use super::shard::OldShard;
use crate::failure::Failure;
use ottla::base::ids::PartitionId;
use ottla::base::offset::Offset;
use ottla::log::recovery::replay::Replayed;
use ottla::log::segment::Segment;

pub(super) struct Partition<'a> {
    pub(super) id: PartitionId,
    pub(super) name: String,
    pub(super) shard: &'a OldShard,
    pub(super) replayed: &'a Replayed,
}

impl<'a> Partition<'a> {
    /// `None` for one that nothing speaks of: it was never written to.
    pub(super) fn find(
        names: &Names,
        shards: &'a [OldShard],
        id: PartitionId,
    ) -> Option<Partition<'a>> {
        shards.iter().find_map(|shard| {
            let replayed = shard.partitions.get(&id)?;
            Some(Partition {
                id,
                name: names.name(id),
                shard,
                replayed,
            })
        })
    }

    pub(super) fn segments(&self) -> &'a [Segment] {
        &self.replayed.section.segments
    }

    pub(super) fn walk(
        &self,
        directory: &DataDirectory,
        segment: &'a Segment,
    ) -> Result<SegmentWalk<'a>, Failure> {
        SegmentWalk::open(directory, self.replayed, segment)
    }

    /// Offsets of a segment, the last one exclusive.
    pub(super) fn offsets(&self, segment: &Segment) -> (Offset, Offset) {
        let end = self.replayed.section.segment_end(segment.base);
        (segment.base, end)
    }
}
