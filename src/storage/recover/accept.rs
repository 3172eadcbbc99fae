//! Bringing a damaged partition back with what is left of it, because an operator said so.
//!
//! A crash on the way changes nothing that counts: the verdict stays in the old life's snapshot, or is reached again.

use super::Recovery;
use super::partition_files::{cut_index, names};
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{Life, PartitionId};
use crate::base::offset::Offset;
use crate::log::epoch_table::EpochTable;
use crate::log::paths::{partition_folder, segment_path};
use crate::log::recovery::replay::Replayed;
use crate::log::recovery::salvage::Salvage;
use crate::log::section::Section;
use crate::log::segment::SegmentFileKind;
use crate::storage::disk::{Disk, DiskFile};
use crate::storage::errors::{OpenError, ReadError};
use crate::storage::offline::report_accepted;
use crate::storage::quarantine::{copy_aside, move_aside};
use crate::storage::reader::{SegmentReader, SegmentView, Step};
use crate::storage::runtime::Runtime;
use crate::storage::segment_file::open_for_writing;
use std::path::Path;

/// A segment file as it was found.
#[derive(Clone, Copy)]
struct Found {
    base: Offset,
    len: u64,
}

impl<D: Disk, R: Runtime> Recovery<'_, D, R> {
    /// The partition as its files tell it, when it is damaged; what does not belong to that goes to quarantine.
    pub(super) async fn accept(
        &self,
        name: &str,
        replayed: Replayed,
        epoch_max: LeaderEpoch,
        life: Life,
    ) -> Result<Section, OpenError> {
        let before = &replayed.section;
        let id = before.id;
        let found = self.find_files(id).await?;
        if before.offline.is_none() && !is_short(before, &found) {
            tracing::info!(
                "partition {name}-{} is whole: there is no loss to accept",
                id.index
            );
            return Ok(replayed.into_start());
        }
        let reader = SegmentReader::new(
            self.disk.clone(),
            self.runtime.clone(),
            self.settings.limits.index_chunk_bytes,
        );
        let mut salvage = Salvage::new(before, epoch_max);
        let bases: Vec<Offset> = found.iter().map(|found| found.base).collect();
        let first = salvage.first_of(&bases);
        for found in found.iter().filter(|found| Some(found.base) >= first) {
            if !salvage.begin_segment(found.base) {
                break;
            }
            self.salvage_file(&reader, id, *found, &mut salvage).await?;
        }
        reader.close().await?;
        let section = salvage.finish();
        for Found { base, len } in found {
            let kept = section.segments.iter().find(|segment| segment.base == base);
            match kept.map(|segment| segment.bytes) {
                None => self.move_segment(id, base, life).await?,
                Some(end) if len > end => self.cut_segment(id, base, end, life).await?,
                Some(_) => {}
            }
        }
        report_accepted(name, before, &section);
        Ok(Replayed::unheard(section, None).into_start())
    }

    /// The partition's segment files in order, each locked once, so that nothing lands in them any more.
    async fn find_files(&self, id: PartitionId) -> Result<Vec<Found>, OpenError> {
        let names = names(self.disk, &partition_folder(self.root(), id)).await?;
        let mut found = Vec::new();
        for (base, kind) in names.into_values() {
            if kind == SegmentFileKind::Log {
                let path = segment_path(self.root(), id, base, kind);
                let file = self.open(&path).await?;
                file.sync().await?;
                let len = file.len().await?;
                file.close().await?;
                found.push(Found { base, len });
            }
        }
        Ok(found)
    }

    async fn open(&self, path: &Path) -> Result<D::File, OpenError> {
        let opened = open_for_writing(self.disk, self.runtime, path).await;
        opened.map_err(|error| self.describe(error))
    }

    async fn salvage_file(
        &self,
        reader: &SegmentReader<D, R>,
        id: PartitionId,
        found: Found,
        salvage: &mut Salvage,
    ) -> Result<(), OpenError> {
        let view = SegmentView {
            path: segment_path(self.root(), id, found.base, SegmentFileKind::Log),
            base: found.base,
            synced: found.len,
            // The log is read to learn them.
            epochs: EpochTable::default(),
        };
        let visited = reader.visit_all(&view, |_, header, _| match salvage.add(header) {
            true => Step::Skip,
            false => Step::Stop,
        });
        match visited.await {
            // The first batch that is not sound ends the log.
            Ok(()) | Err(ReadError::Damaged { .. }) => Ok(()),
            Err(ReadError::Disk(error)) => Err(OpenError::Disk(error)),
            Err(ReadError::Unknown | ReadError::OutOfRange { .. }) => {
                unreachable!("the reader of segments knows no partitions")
            }
        }
    }

    async fn move_segment(
        &self,
        id: PartitionId,
        base: Offset,
        life: Life,
    ) -> Result<(), OpenError> {
        let folder = partition_folder(self.root(), id);
        for (name, (of, _)) in names(self.disk, &folder).await? {
            if of == base {
                move_aside(self.disk, self.root(), life, &folder.join(name)).await?;
            }
        }
        Ok(())
    }

    /// Cuts what does not belong to the log, after it was copied.
    async fn cut_segment(
        &self,
        id: PartitionId,
        base: Offset,
        end: u64,
        life: Life,
    ) -> Result<(), OpenError> {
        let path = segment_path(self.root(), id, base, SegmentFileKind::Log);
        copy_aside(self.disk, self.root(), life, &path, end..u64::MAX).await?;
        cut_index(self.disk, self.runtime, self.settings, id, base, end)
            .await
            .map_err(|error| self.describe(error))?;
        let file = self.open(&path).await?;
        file.set_len(end).await?;
        file.sync().await?;
        file.close().await?;
        Ok(())
    }
}

/// Whether a segment of the log has not all of its bytes in its file.
fn is_short(section: &Section, found: &[Found]) -> bool {
    section.segments.iter().any(|segment| {
        let file = found.iter().find(|found| found.base == segment.base);
        file.map_or(0, |file| file.len) < segment.bytes
    })
}
