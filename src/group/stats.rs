//! Plain numbers of one coordinator; its shard adds them up for a scrape.

use super::action::GroupId;
use super::classic::{Group, GroupState};
use super::coordinator::{Coordinator, Phase};
use std::ops::Bound;
use std::sync::Arc;

/// Kept group by group, so that nobody counts them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GroupStats {
    /// By state, in the order of [`GroupState`].
    pub groups: [usize; 5],
    pub members: usize,
    /// Committed and not expired.
    pub offsets: usize,
    /// Memory.
    pub bytes: usize,
    /// Generations begun since the start.
    pub rebalances: u64,
}

/// What of a group is counted.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    state: GroupState,
    members: usize,
    offsets: usize,
    bytes: usize,
    generation: i32,
}

impl Counted {
    pub(super) fn of(group: &Group) -> Counted {
        Counted {
            state: group.state,
            members: group.members.len(),
            offsets: group.offsets.len(),
            bytes: group.bytes(),
            generation: group.generation,
        }
    }
}

impl GroupStats {
    pub(super) fn add(&mut self, counted: Counted) {
        self.groups[counted.state as usize] += 1;
        self.members += counted.members;
        self.offsets += counted.offsets;
        self.bytes += counted.bytes;
    }

    pub(super) fn subtract(&mut self, counted: Counted) {
        self.groups[counted.state as usize] -= 1;
        self.members -= counted.members;
        self.offsets -= counted.offsets;
        self.bytes -= counted.bytes;
    }

    /// `group` was `before`.
    pub(super) fn changed(&mut self, before: Counted, group: &Group) {
        self.subtract(before);
        self.add(Counted::of(group));
        // A group that was read back from the log has its generation without having begun it here.
        let began = group.previous == GroupState::PreparingRebalance;
        self.rebalances += u64::from(began && group.generation != before.generation);
    }
}

/// The place of a committed offset among all of a coordinator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetPlace {
    pub group: GroupId,
    pub topic: Arc<str>,
    pub partition: i32,
}

impl Coordinator {
    pub fn stats(&self) -> GroupStats {
        self.stats
    }

    pub fn is_loading(&self) -> bool {
        self.phase == Phase::Loading
    }

    /// Nothing is served until a restart.
    pub fn has_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Committed offsets behind `after`, in order, at most so many.
    pub fn committed_behind(
        &self,
        after: Option<&OffsetPlace>,
        count_max: usize,
    ) -> Vec<(OffsetPlace, i64)> {
        let from = after.map_or(Bound::Unbounded, |place| Bound::Included(&*place.group));
        let groups = self.groups.range::<str, _>((from, Bound::Unbounded));
        let offsets = groups.flat_map(|(id, group)| {
            let after = after.filter(|place| place.group == *id);
            let after = after.map(|place| (place.topic.clone(), place.partition));
            let offsets: Vec<_> = group
                .offsets
                .behind(after.as_ref())
                .take(count_max)
                .collect();
            offsets.into_iter().map(|((topic, partition), committed)| {
                let place = OffsetPlace {
                    group: id.clone(),
                    topic: topic.clone(),
                    partition: *partition,
                };
                (place, committed.offset)
            })
        });
        offsets.take(count_max).collect()
    }

    /// Groups behind `after` with the number of their members, in order, at most so many.
    pub fn members_behind(
        &self,
        after: Option<&GroupId>,
        count_max: usize,
    ) -> Vec<(GroupId, usize)> {
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(&**id));
        let groups = self.groups.range::<str, _>((from, Bound::Unbounded));
        let groups = groups.map(|(id, group)| (id.clone(), group.members.len()));
        groups.take(count_max).collect()
    }
}
