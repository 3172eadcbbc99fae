//! Bringing a damaged partition back with what is left of it, because an operator said so.
//!
//! A crash on the way changes nothing that counts: the verdict stays in the old life's snapshot, or is reached again.

use super::Recovery;
use super::partition_files::{cut_index, names};
use crate::base::epoch::LeaderEpoch;
use crate::base::ids::{Life, PartitionId};
use crate::log::epoch_table::EpochTable;
use crate::log::paths::{partition_folder, segment_path};
use crate::log::recovery::replay::Replayed;
use crate::log::recovery::salvage::Salvage;
use crate::log::section::Section;
use crate::log::segment::{SegmentFileKind, SegmentName};
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
    name: SegmentName,
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
        let names: Vec<SegmentName> = found.iter().map(|found| found.name).collect();
        for name in salvage.order(&names) {
            if salvage.is_stale(name) {
                continue;
            }
            if !salvage.begin_segment(name) {
                break;
            }
            let found = found.iter().find(|found| found.name == name);
            let found = found.expect("one of those that were found");
            self.salvage_file(&reader, id, *found, &mut salvage).await?;
        }
        reader.close().await?;
        let section = salvage.finish();
        for Found { name, len } in found {
            match section.segment_named(name).map(|segment| segment.bytes) {
                None => self.move_segment(id, name, life).await?,
                Some(end) if len > end => self.cut_segment(id, name, end, life).await?,
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
        for (name, kind) in names.into_values() {
            if kind == SegmentFileKind::Log {
                let path = segment_path(self.root(), id, name, kind);
                let file = self.open(&path).await?;
                file.sync().await?;
                let len = file.len().await?;
                file.close().await?;
                found.push(Found { name, len });
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
            path: segment_path(self.root(), id, found.name, SegmentFileKind::Log),
            name: found.name,
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
            Err(ReadError::Unknown | ReadError::OutOfRange { .. } | ReadError::Replaced) => {
                unreachable!("the reader of segments knows no partitions")
            }
        }
    }

    async fn move_segment(
        &self,
        id: PartitionId,
        name: SegmentName,
        life: Life,
    ) -> Result<(), OpenError> {
        let folder = partition_folder(self.root(), id);
        for (file, (of, _)) in names(self.disk, &folder).await? {
            if of == name {
                move_aside(self.disk, self.root(), life, &folder.join(file)).await?;
            }
        }
        Ok(())
    }

    /// Cuts what does not belong to the log, after it was copied.
    async fn cut_segment(
        &self,
        id: PartitionId,
        name: SegmentName,
        end: u64,
        life: Life,
    ) -> Result<(), OpenError> {
        let path = segment_path(self.root(), id, name, SegmentFileKind::Log);
        copy_aside(self.disk, self.root(), life, &path, end..u64::MAX).await?;
        cut_index(self.disk, self.runtime, self.settings, id, name, end)
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
        let file = found.iter().find(|found| found.name == segment.name());
        file.map_or(0, |file| file.len) < segment.bytes
    })
}
