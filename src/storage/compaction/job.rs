//! The compaction of one partition: the map of its dirty part, then group after group of its segments.

use super::Stop;
use super::source::{Source, go_on};
use super::{Removal, Shared};
use crate::base::ids::PartitionId;
use crate::base::offset::Offset;
use crate::base::siphash::SipKey;
use crate::base::time::Timestamp;
use crate::log::compaction::{Due, Group, OffsetMap, groups};
use crate::log::entry::ReplaceChange;
use crate::log::paths::partition_folder;
use crate::log::section::Section;
use crate::log::segment::{Segment, SegmentName, parse_any_name};
use crate::record::{BatchHeader, RewriteRules, Rewritten, keys, rewrite};
use crate::storage::disk::{Disk, DiskError};
use crate::storage::runtime::Runtime;
use crate::storage::segment_rewriter::{RewritePaths, SegmentRewriter};
use std::rc::Rc;

/// What is to be done, as things stood when it began. What comes between is noticed at every step.
pub(super) struct Job<'a, D: Disk, R: Runtime> {
    shared: &'a Rc<Shared<D, R>>,
    id: PartitionId,
    due: Due,
    section: Section,
    segment_bytes_max: u64,
    rules: RewriteRules,
}

impl<'a, D: Disk, R: Runtime> Job<'a, D, R> {
    /// `None` when the partition is gone.
    pub(super) fn new(
        shared: &'a Rc<Shared<D, R>>,
        id: PartitionId,
        due: Due,
        now: Option<Timestamp>,
    ) -> Option<Job<'a, D, R>> {
        let state = shared.state.borrow();
        let log = &state.partitions.get(&id)?.log;
        let config = log.config();
        Some(Job {
            shared,
            id,
            due,
            section: log.section().clone(),
            segment_bytes_max: config.segment_bytes,
            rules: RewriteRules {
                known_below: due.from,
                now,
                marker_retention_ms: config.compaction?.marker_retention_ms,
            },
        })
    }

    pub(super) async fn run(mut self) -> Result<(), Stop> {
        let (map, known_below) = self.map().await?;
        self.rules.known_below = known_below;
        let mut groups = groups(&self.section, self.segment_bytes_max, known_below)
            .into_iter()
            .peekable();
        while let Some(group) = groups.next() {
            // Only with the last of them is what was dirty no longer so.
            let compacted = match groups.peek() {
                Some(_) => self.section.compacted,
                None => known_below,
            };
            self.compact(&group, &map, compacted).await?;
        }
        Ok(())
    }

    /// The last offset of every key of the dirty part, and how far that was looked at: not to its end when there are
    /// more keys than there is memory for.
    async fn map(&self) -> Result<(OffsetMap, Offset), Stop> {
        let Due { from, until, .. } = self.due;
        let records_max = u64::try_from(until.since(from)).expect("a range of offsets");
        let owner = self.shared.owner;
        let key = SipKey(u128::from(owner.incarnation.0) << 64 | u128::from(owner.life.0));
        let bytes_max = self.shared.compaction.get().map_bytes;
        let mut map = OffsetMap::new(key, records_max, bytes_max);
        for segment in &self.section.segments {
            let end = self.section.segment_end(segment.base);
            if end <= from || segment.base >= until {
                continue;
            }
            let mut source = Source::new(self.id, segment.name(), from, end);
            while let Some(read) = source.next(self.shared).await? {
                for (header, batch) in read.batches() {
                    if let Some(refused) = insert(&mut map, from, &header, batch) {
                        return Ok((map, refused));
                    }
                    self.shared.runtime.yield_now().await;
                }
            }
        }
        Ok((map, until))
    }

    /// Puts one segment in the place of a group.
    async fn compact(&self, group: &Group, map: &OffsetMap, compacted: Offset) -> Result<(), Stop> {
        let name = self.new_name(group).await?;
        self.shared.rewriting.set(Some((self.id, name)));
        let done = self.write_and_replace(group, name, map, compacted).await;
        self.shared.rewriting.set(None);
        self.shared.progress.notify();
        if done.is_err() && self.shared.state.borrow().closed.is_none() {
            // What was written already is nobody's.
            self.shared.add_removal(Removal::Stale(self.id));
        }
        done
    }

    /// A name that no file has: those that an interrupted compaction left are not met again.
    async fn new_name(&self, group: &Group) -> Result<SegmentName, Stop> {
        let base = group.segments[0].base;
        let folder = partition_folder(&self.shared.settings.root, self.id);
        let entries = match self.shared.disk.list(&folder).await {
            Err(DiskError::NotFound { .. }) => return Err(Stop::Overtaken),
            entries => entries.map_err(Stop::Failed)?,
        };
        let of_files = entries.iter().filter_map(|entry| {
            let (name, _) = parse_any_name(&entry.name)?;
            Some(name)
        });
        let known = group.segments.iter().map(Segment::name);
        let taken = of_files.chain(known).filter(|name| name.base == base);
        let last = taken.map(|name| name.rewrite).max().unwrap_or(0);
        Ok(SegmentName {
            base,
            // Four billion compactions of one segment are out of reach.
            rewrite: last.checked_add(1).ok_or(Stop::Overtaken)?,
        })
    }

    async fn write_and_replace(
        &self,
        group: &Group,
        name: SegmentName,
        map: &OffsetMap,
        compacted: Offset,
    ) -> Result<(), Stop> {
        let shared = self.shared;
        let paths = RewritePaths::new(&shared.settings.root, self.id, name);
        let segment = match self.write(group, name, map, &paths).await {
            Ok(segment) => segment,
            Err(stop) => {
                if !matches!(stop, Stop::Failed(_)) {
                    paths.remove(&shared.disk).await.map_err(Stop::Failed)?;
                }
                return Err(stop);
            }
        };
        let change = ReplaceChange {
            name,
            until: group.until,
            compacted,
            bytes: segment.bytes,
            first_timestamp: segment.first_timestamp,
            largest: segment.largest,
            index: segment.index.unwrap_or_default(),
        };
        let is_taken = shared
            .state
            .borrow_mut()
            .replace(self.id, change, &group.segments);
        if is_taken {
            shared.enqueue(self.id);
        }
        match is_taken && self.is_replaced(name).await {
            true => Ok(()),
            false => Err(Stop::Overtaken),
        }
    }

    /// Writes what is left of the group.
    async fn write(
        &self,
        group: &Group,
        name: SegmentName,
        map: &OffsetMap,
        paths: &RewritePaths,
    ) -> Result<Segment, Stop> {
        let shared = self.shared;
        let mut rewriter = SegmentRewriter::begin(shared, paths, name).await?;
        for segment in &group.segments {
            let end = self.section.segment_end(segment.base);
            let mut source = Source::new(self.id, segment.name(), segment.base, end);
            while let Some(read) = source.next(shared).await? {
                for (header, batch) in read.batches() {
                    match self.judge(&header, batch, map) {
                        Rewritten::Gone => {}
                        Rewritten::Same => rewriter.add(&header, batch).await?,
                        Rewritten::Changed(batch) => {
                            let header = BatchHeader::parse(&batch);
                            let header = header.expect("what was rewritten has a header");
                            rewriter.add(&header, &batch).await?;
                        }
                    }
                    shared.runtime.yield_now().await;
                }
            }
        }
        let segment = rewriter.finish(&shared.runtime, paths).await?;
        shared.cells.compaction_written_bytes.add(segment.bytes);
        go_on(shared, self.id)?;
        Ok(segment)
    }

    fn judge(&self, header: &BatchHeader, batch: &[u8], map: &OffsetMap) -> Rewritten {
        let must_stay = self.is_last_of_producer(header);
        let is_latest = |offset: Offset, key: &[u8]| map.is_latest(key, offset);
        // Nobody looked inside when it was written: what cannot be read is nobody's to judge.
        rewrite(batch, &self.rules, must_stay, is_latest).unwrap_or(Rewritten::Same)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let state = self.shared.state.borrow();
        let partition = state.partitions.get(&self.id);
        partition.is_some_and(|partition| {
            let producers = &partition.log.section().producers;
            let producer = producers.get(header.producer_id);
            producer.is_some_and(|known| known.last_batch().last_offset == header.last_offset())
        })
    }

    /// Waits until the replacement is durable, or given up.
    async fn is_replaced(&self, name: SegmentName) -> bool {
        loop {
            let progress = self.shared.progress.notified();
            if self.shared.has_failed() {
                return false;
            }
            {
                let state = self.shared.state.borrow();
                let Some(partition) = state.partitions.get(&self.id) else {
                    return false;
                };
                if !partition.log.is_replacing() {
                    return partition.log.section().segment_named(name).is_some();
                }
            }
            progress.await;
        }
    }
}

/// Puts the keys of a batch into the map; the offset of the record for which there was no room.
fn insert(map: &mut OffsetMap, from: Offset, header: &BatchHeader, batch: &[u8]) -> Option<Offset> {
    // What is part of a transaction makes nothing void: it may have been aborted.
    if header.attributes.is_control() || header.attributes.is_transactional() {
        return None;
    }
    let mut refused = None;
    // Of a batch that cannot be read, what was told before the damage counts: those records are there.
    let _ = keys(batch, |offset, key| {
        if offset >= from && !map.insert(key, offset) {
            refused = Some(offset);
        }
        refused.is_none()
    });
    refused
}
