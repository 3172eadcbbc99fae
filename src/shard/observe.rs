//! What operators ask of this shard. Walks over many partitions or groups yield, and hold nothing meanwhile: each part
//! shows what was there when the walk came to it.

use super::calls::Origin;
use super::core::Core;
use super::request::{DetailSeries, Ends, GroupsLag, Observation, Observed, Response};
use crate::base::ids::{PartitionId, ShardId};
use crate::base::limits::OBSERVED_PER_TURN_MAX;
use crate::base::offset::Offset;
use crate::group::{Coordinator, GroupId, OffsetPlace};
use crate::metrics::catalog::*;
use crate::metrics::label::{CoordinatorPhase, GroupPhase, Label, TaskQueue};
use crate::metrics::{LatencySnapshot, Metric, Sample, ShardCells, ShardSnapshot, Value};
use crate::partition::Partition;
use crate::storage::runtime::{Runtime, TaskClass};
use std::ops::Bound;
use std::rc::Rc;

/// A committed offset and the records behind it.
type Lag = (OffsetPlace, u64);

impl Core {
    /// A snapshot comes at once, because health depends on it. Walks run when nothing else does.
    pub(super) fn observe(self: &Rc<Core>, origin: Origin, what: Observation) {
        let class = match what {
            Observation::Snapshot => TaskClass::Foreground,
            _ => TaskClass::Housekeeping,
        };
        let core = self.clone();
        self.runtime.spawn(class, async move {
            let observed = core.observed(what).await;
            core.reply(origin, Response::Observed(observed));
        });
    }

    async fn observed(&self, what: Observation) -> Observed {
        match what {
            Observation::Snapshot => Observed::Snapshot {
                snapshot: Box::new(self.snapshot()),
                is_failed: self.failed.get(),
            },
            Observation::Latencies => Observed::Latencies(self.latencies().await),
            Observation::Ends => Observed::Ends(self.ends().await),
            Observation::Lag(ends) => Observed::Lag(self.lag(&ends).await),
            Observation::Detail { ends, series_max } => {
                Observed::Detail(self.detail(&ends, series_max).await)
            }
        }
    }

    fn snapshot(&self) -> ShardSnapshot {
        if let Some(bring_up_to_date) = self.plane_gauges.get() {
            bring_up_to_date();
        }
        let cells = &self.cells;
        cells.mailbox_depth.set(self.mailbox.waiting() as u64);
        cells.fetch_waiters.set(self.waits.borrow().len() as u64);
        // The store only refuses; who waits, and once for how many refusals, is known here.
        cells.admission_waits.set(self.admission_waits.get());
        let store = self.store.stats();
        cells.partitions.set(store.partitions);
        cells.partitions_offline.set(store.partitions_offline);
        self.count_partitions(cells);
        self.count_groups(cells);
        self.count_time(cells);
        ShardSnapshot::take(self.id, &self.plane, self.store.cells(), cells)
    }

    fn count_partitions(&self, cells: &ShardCells) {
        let mut all = self.gone.get();
        let partitions = self.partitions.borrow();
        for owned in partitions.values() {
            all.add(&owned.partition.stats());
        }
        cells.appended_batches.set(all.batches);
        cells.appended_records.set(all.records);
        cells.appended_bytes.set(all.bytes);
        cells.produce_duplicates.set(all.duplicates);
        cells.produce_gaps.set(all.sequence_gaps);
        cells.produce_fenced.set(all.fenced_batches);
        cells.fates_unknown.set(all.unknown_answers);
        cells.producers.set(all.producers as u64);
    }

    fn count_groups(&self, cells: &ShardCells) {
        let mut phases = [0; CoordinatorPhase::VALUES.len()];
        let mut states = [0; GroupPhase::VALUES.len()];
        let (mut members, mut offsets, mut bytes, mut rebalances) = (0, 0, 0, 0);
        self.groups.borrow().each(|coordinator| {
            phases[phase(coordinator).index()] += 1;
            let stats = coordinator.stats();
            for (state, count) in stats.groups.iter().enumerate() {
                states[state] += *count as u64;
            }
            members += stats.members as u64;
            offsets += stats.offsets as u64;
            bytes += stats.bytes as u64;
            rebalances += stats.rebalances;
        });
        cells.coordinators.set_all(&phases);
        cells.groups.set_all(&states);
        cells.groups_members.set(members);
        cells.groups_offsets.set(offsets);
        cells.groups_state_bytes.set(bytes);
        cells.groups_rebalances.set(rebalances);
    }

    fn count_time(&self, cells: &ShardCells) {
        cells.busy_seconds.add(self.runtime.take_busy());
        for (queue, class) in [
            (TaskQueue::Foreground, TaskClass::Foreground),
            (TaskQueue::Flush, TaskClass::Flush),
            (TaskQueue::Read, TaskClass::Read),
            (TaskQueue::Housekeeping, TaskClass::Housekeeping),
        ] {
            let ran = self.runtime.take_ran(class);
            cells.task_seconds.at(queue).add(ran);
        }
    }

    /// Copied one by one: each is 160 KiB.
    async fn latencies(&self) -> Vec<LatencySnapshot> {
        let (mut found, mut copies) = (Vec::new(), Vec::new());
        self.plane.latencies(&Vec::new(), &mut found);
        let store = self.store.cells();
        store.latencies(&Vec::new(), &mut found);
        for (metric, labels, latency) in found {
            copies.extend(latency.full(metric, labels));
            self.runtime.yield_now().await;
        }
        copies
    }

    async fn ends(&self) -> Vec<(PartitionId, Offset)> {
        let mut ends = Vec::new();
        let mut after = None;
        loop {
            let part = self.partitions_behind(after, |id, partition| {
                (id, partition.watermarks().high_watermark())
            });
            let Some(last) = part.last() else {
                return ends;
            };
            after = Some(last.0);
            ends.extend(part);
            self.runtime.yield_now().await;
        }
    }

    async fn lag(&self, ends: &Ends) -> GroupsLag {
        let mut sum = GroupsLag::default();
        self.each_lag(ends, |lags| {
            for (_, records) in lags {
                sum.records += records;
                sum.records_max = sum.records_max.max(records);
            }
        })
        .await;
        sum
    }

    /// Groups first: what is left out when there are too many is what also shows elsewhere.
    async fn detail(&self, ends: &Ends, series_max: usize) -> DetailSeries {
        let mut series = DetailSeries::new(series_max);
        self.each_lag(ends, |lags| {
            for (place, records) in lags {
                series.push(|| lag_sample(place, records));
            }
        })
        .await;
        for id in self.hosted() {
            self.add_groups(id, &mut series).await;
        }
        let image = self.image.borrow().clone();
        let mut after = None;
        loop {
            let part = self.partitions_behind(after, |id, partition| {
                let offline = partition.unavailable().is_some();
                let marks = partition.watermarks();
                let (start, end) = (marks.log_start(), marks.high_watermark());
                (id, (offline, start, end, partition.stats()))
            });
            let Some(last) = part.last() else {
                return series;
            };
            after = Some(last.0);
            for (id, (offline, start, end, stats)) in part {
                // A topic that was deleted meanwhile has no name.
                let Some(topic) = image.topic_by_id(id.topic) else {
                    continue;
                };
                let number = |metric, value| partition_sample(metric, &topic.name, id, value);
                series.push(|| number(&PARTITION_OFFLINE, u64::from(offline)));
                series.push(|| number(&PARTITION_LOG_START, start.0 as u64));
                series.push(|| number(&PARTITION_HIGH_WATERMARK, end.0 as u64));
                let size = self.store.log_bytes(id).unwrap_or(0);
                series.push(|| number(&PARTITION_SIZE, size));
                series.push(|| number(&PARTITION_APPENDED_RECORDS, stats.records));
                series.push(|| number(&PARTITION_APPENDED_BYTES, stats.bytes));
            }
            self.runtime.yield_now().await;
        }
    }

    async fn add_groups(&self, id: PartitionId, series: &mut DetailSeries) {
        let mut after: Option<GroupId> = None;
        loop {
            let part = self.groups.borrow().look(id, |coordinator| {
                coordinator.members_behind(after.as_ref(), OBSERVED_PER_TURN_MAX)
            });
            let part = part.unwrap_or_default();
            let Some((last, _)) = part.last() else {
                return;
            };
            after = Some(last.clone());
            for (group, members) in part {
                series.push(|| Sample {
                    metric: &GROUP_MEMBERS,
                    labels: vec![("group", group.to_string().into())],
                    value: Value::Number(members as f64),
                });
            }
            self.runtime.yield_now().await;
        }
    }

    /// Hands over what each group has before it, part by part.
    async fn each_lag(&self, ends: &Ends, mut take: impl FnMut(Vec<Lag>)) {
        let image = self.image.borrow().clone();
        let behind = |(place, offset): (OffsetPlace, i64)| {
            let topic = image.topic(&place.topic)?.id;
            let index = u32::try_from(place.partition).ok()?;
            let at = ends.binary_search_by_key(&PartitionId { topic, index }, |end| end.0);
            let end = ends[at.ok()?].1;
            // The end was looked up before the offset was.
            let records = u64::try_from(end.0.saturating_sub(offset)).unwrap_or(0);
            Some((place, records))
        };
        for id in self.hosted() {
            let mut after: Option<OffsetPlace> = None;
            loop {
                let part = self.groups.borrow().look(id, |coordinator| {
                    coordinator.committed_behind(after.as_ref(), OBSERVED_PER_TURN_MAX)
                });
                let part = part.unwrap_or_default();
                let Some((last, _)) = part.last() else { break };
                after = Some(last.clone());
                take(part.into_iter().filter_map(behind).collect());
                self.runtime.yield_now().await;
            }
        }
    }

    /// Partitions behind `after`, as many as one turn looks at.
    fn partitions_behind<T>(
        &self,
        after: Option<PartitionId>,
        look: impl Fn(PartitionId, &Partition) -> T,
    ) -> Vec<T> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let partitions = self.partitions.borrow();
        let behind = partitions.range((from, Bound::Unbounded));
        let some = behind.take(OBSERVED_PER_TURN_MAX);
        some.map(|(id, owned)| look(*id, &owned.partition))
            .collect()
    }
}

fn phase(coordinator: &Coordinator) -> CoordinatorPhase {
    if coordinator.has_failed() {
        CoordinatorPhase::Failed
    } else if coordinator.is_closed() {
        CoordinatorPhase::Closed
    } else if coordinator.is_loading() {
        CoordinatorPhase::Loading
    } else {
        CoordinatorPhase::Serving
    }
}

fn lag_sample(place: OffsetPlace, records: u64) -> Sample {
    Sample {
        metric: &GROUP_LAG,
        labels: vec![
            ("group", place.group.to_string().into()),
            ("topic", place.topic.to_string().into()),
            ("partition", place.partition.to_string().into()),
        ],
        value: Value::Number(records as f64),
    }
}

fn partition_sample(metric: &'static Metric, topic: &str, id: PartitionId, value: u64) -> Sample {
    Sample {
        metric,
        labels: vec![
            ("topic", topic.to_owned().into()),
            ("partition", id.index.to_string().into()),
        ],
        value: Value::Count(value),
    }
}

impl GroupsLag {
    /// As samples of a scrape.
    pub fn samples(&self, shard: ShardId) -> [Sample; 2] {
        let sample = |metric, records: u64| Sample {
            metric,
            labels: vec![("shard", shard.to_string().into())],
            value: Value::Count(records),
        };
        [
            sample(&GROUPS_LAG, self.records),
            sample(&GROUPS_LAG_MAX, self.records_max),
        ]
    }
}

impl DetailSeries {
    fn new(series_max: usize) -> DetailSeries {
        DetailSeries {
            samples: Vec::new(),
            series_max,
            dropped: 0,
        }
    }

    fn push(&mut self, sample: impl FnOnce() -> Sample) {
        match self.samples.len() < self.series_max {
            true => self.samples.push(sample()),
            false => self.dropped += 1,
        }
    }
}
