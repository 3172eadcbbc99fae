//! The capture of a lap: between two commit cycles, a slice of partitions at a time.

use super::State;
use crate::base::ids::PartitionId;
use crate::log::partition_log::SegmentWrite;
use crate::log::snapshot_format::SnapshotBody;
use bytes::Bytes;
use std::collections::VecDeque;

/// Partitions and snapshot bytes of one slice, at most: together below a fraction of a millisecond.
const SLICE_PARTITIONS: usize = 64;
const SLICE_BYTES: usize = 64 * 1024;

/// The lap in progress.
pub(in crate::storage) enum Lap {
    Idle,
    Capturing(Capturing),
    /// Captured whole; the lap has not taken it yet.
    Captured(CapturedLap),
    /// Being written and synced.
    Flushing,
}

pub(in crate::storage) struct Capturing {
    waiting: VecDeque<PartitionId>,
    /// Files made of which nothing is written yet.
    files_ahead: usize,
    captured: CapturedLap,
}

/// What a lap has to write, and the snapshot that is true once it has.
#[derive(Default)]
pub(in crate::storage) struct CapturedLap {
    pub(in crate::storage) writes: Vec<PartitionWrites>,
    pub(in crate::storage) partitions: Vec<PartitionId>,
    pub(in crate::storage) body: SnapshotBody,
    /// The smallest sequence that a section of the snapshot stands at.
    pub(in crate::storage) covered: u64,
}

pub(in crate::storage) struct PartitionWrites {
    pub(in crate::storage) id: PartitionId,
    pub(in crate::storage) topic_name: String,
    pub(in crate::storage) writes: Vec<SegmentWrite>,
}

impl PartitionWrites {
    pub(in crate::storage) fn bytes(&self) -> usize {
        let slices = self.writes.iter().flat_map(|write| &write.slices);
        slices.map(Bytes::len).sum()
    }
}

impl State {
    /// Begins a lap over every partition there is. False while files are removed: then it is the next to begin.
    pub(in crate::storage) fn begin_lap(&mut self) -> bool {
        assert!(matches!(self.lap, Lap::Idle), "one lap at a time");
        self.lap_waits = self.removing;
        if self.removing {
            return false;
        }
        self.unlapped = 0;
        self.lap_asked = false;
        self.lap = Lap::Capturing(Capturing {
            waiting: self.partitions.keys().copied().collect(),
            files_ahead: 0,
            captured: CapturedLap {
                covered: self.sequence,
                ..CapturedLap::default()
            },
        });
        true
    }

    /// Files of one partition may be removed: no lap runs or waits to.
    pub(in crate::storage) fn begin_removal(&mut self) -> bool {
        self.removing = matches!(self.lap, Lap::Idle) && !self.lap_waits;
        self.removing
    }

    pub(in crate::storage) fn end_removal(&mut self) {
        self.removing = false;
    }

    /// Captures a slice. Call it between two cycles only. Answers whether anything happened.
    pub(in crate::storage) fn capture_slice(&mut self) -> bool {
        assert!(!self.in_flight, "a capture stands at a durable sequence");
        if !matches!(self.lap, Lap::Capturing(_)) {
            return false;
        }
        let Lap::Capturing(mut lap) = std::mem::replace(&mut self.lap, Lap::Idle) else {
            unreachable!("looked at above");
        };
        let before = lap.captured.body.bytes().len();
        let mut moved = false;
        for _ in 0..lap.waiting.len().min(SLICE_PARTITIONS) {
            let Some(id) = lap.waiting.pop_front() else {
                break;
            };
            moved |= self.capture(id, &mut lap);
            if lap.captured.body.bytes().len() - before > SLICE_BYTES {
                break;
            }
        }
        moved |= lap.waiting.is_empty();
        self.lap = match lap.waiting.is_empty() {
            true => Lap::Captured(lap.captured),
            false => Lap::Capturing(lap),
        };
        moved
    }

    fn capture(&mut self, id: PartitionId, lap: &mut Capturing) -> bool {
        let Some(partition) = self.partitions.get_mut(&id) else {
            return true;
        };
        if partition.log.is_dropping() {
            return true;
        }
        if !partition.log.can_capture() {
            lap.waiting.push_back(id);
            return false;
        }
        let mut writes = partition.log.capture(self.sequence, &mut lap.captured.body);
        lap.captured.partitions.push(id);
        if partition.lacks_file
            && writes.is_empty()
            && lap.files_ahead < self.limits.files_ahead_max
        {
            lap.files_ahead += 1;
            writes.push(partition.log.first_write());
        }
        if partition.lacks_file && !writes.is_empty() {
            partition.lacks_file = false;
            self.lacking -= 1;
        }
        if !writes.is_empty() {
            let topic_name = partition.topic_name.clone();
            lap.captured.writes.push(PartitionWrites {
                id,
                topic_name,
                writes,
            });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use crate::storage::runtime::Notify;

    #[test]
    fn a_lap_that_waited_for_a_removal_goes_before_the_next_one() {
        let mut state = State::new(Limits::TINY, Notify::default());
        assert!(state.begin_removal());
        assert!(!state.begin_lap());
        state.end_removal();
        assert!(!state.begin_removal(), "the lap waits");
        assert!(state.begin_lap());
        assert!(!state.begin_removal(), "the lap runs");
        state.lap = Lap::Idle;
        assert!(state.begin_removal());
    }
}
