//! Offsets that end though nobody asks: those that have grown old, and those of topics that are gone.

use super::action::GroupId;
use super::classic::{Group, GroupState};
use super::coordinator::{Coordinator, Phase};
use super::offsets::{Committed, OffsetKey};
use super::turn::Turn;
use super::writes::Effect;
use crate::base::limits::OFFSETS_EXPIRED_PER_TURN;
use crate::base::time::Now;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

impl Coordinator {
    /// Looks at the next groups; the others have their turn right after the requests that wait.
    pub(super) fn expire(&mut self, now: Now) {
        let from = self.expiry_from.take();
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut ids, mut offsets) = (Vec::new(), 0);
        for (id, group) in self.groups.range((from, Bound::Unbounded)) {
            ids.push(id.clone());
            offsets += 1 + group.offsets.len();
            if offsets >= OFFSETS_EXPIRED_PER_TURN {
                self.expiry_from = Some(id.clone());
                break;
            }
        }
        for id in ids {
            self.with_group(&id, now, Group::expire);
        }
        if self.expiry_from.is_none() {
            let wait = Duration::from_millis(self.settings.expiry_check_ms);
            self.next_expiry = now.instant.plus(wait);
        }
    }

    /// Offsets in these topics mean nothing any more, those on their way to the log neither.
    pub fn on_topics_deleted(&mut self, topics: &[&str], now: Now) {
        if self.phase != Phase::Serving {
            return;
        }
        let mut gone: BTreeMap<GroupId, BTreeSet<OffsetKey>> = BTreeMap::new();
        for (id, group) in &self.groups {
            let offsets = topics
                .iter()
                .flat_map(|topic| group.offsets.of_topic(topic));
            let keys: BTreeSet<_> = offsets.cloned().collect();
            if !keys.is_empty() {
                gone.insert(id.clone(), keys);
            }
        }
        for (id, key) in self.writes.pending_offsets() {
            if topics.contains(&&*key.0) {
                gone.entry(id).or_default().insert(key);
            }
        }
        self.forget(gone, now);
        self.settle(now);
    }

    /// After a start: topics may have gone while nobody could write it down.
    pub(super) fn forget_missing_topics(&mut self, exists: impl Fn(&str) -> bool, now: Now) {
        let mut gone: BTreeMap<GroupId, BTreeSet<OffsetKey>> = BTreeMap::new();
        for (id, group) in &self.groups {
            let keys = group.offsets.iter().map(|(key, _)| key);
            let keys: BTreeSet<_> = keys.filter(|key| !exists(&key.0)).cloned().collect();
            if !keys.is_empty() {
                gone.insert(id.clone(), keys);
            }
        }
        self.forget(gone, now);
    }

    fn forget(&mut self, gone: BTreeMap<GroupId, BTreeSet<OffsetKey>>, now: Now) {
        for (id, keys) in gone {
            self.with_group(&id, now, |group, turn| {
                if group.state != GroupState::Dead {
                    group.write_tombstones(turn, keys);
                }
            });
        }
    }
}

impl Group {
    /// A group of which nothing is left goes with its last offset.
    fn expire(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::Dead || turn.writes.has_pending(&self.id) {
            return;
        }
        let expired = self.expired_offsets(turn);
        let is_last = expired.len() == self.offsets.len() && self.expected.is_empty();
        if self.state == GroupState::Empty && is_last {
            self.bury(turn, None);
        } else if !expired.is_empty() {
            self.write_tombstones(turn, expired);
        }
    }

    fn write_tombstones(&self, turn: &mut Turn<'_>, keys: impl IntoIterator<Item = OffsetKey>) {
        let records = keys.into_iter().map(|key| self.offset_record(key, None));
        turn.write(records.collect(), Effect::None);
    }

    /// Offsets nobody may miss any more. Those of topics the group consumes are kept.
    fn expired_offsets(&self, turn: &Turn<'_>) -> Vec<OffsetKey> {
        let now = turn.now.wall;
        let retention_ms = turn.settings.offsets_retention_ms;
        let is_simple = self.protocol_type.is_none();
        let since = |committed: &Committed| match self.state {
            _ if is_simple => Some(committed.committed_at),
            GroupState::Empty if self.state_since.0 >= 0 => Some(self.state_since),
            GroupState::Empty => Some(committed.committed_at),
            GroupState::Stable if self.speaks_consumer() && self.subscribed.is_some() => {
                Some(committed.committed_at)
            }
            _ => None,
        };
        let is_old = |committed: &Committed| match (since(committed), committed.expires) {
            (None, _) => false,
            (Some(_), Some(expires)) => now >= expires,
            (Some(since), None) => now.millis_since(since) >= retention_ms,
        };
        let offsets = self.offsets.iter();
        let old =
            offsets.filter(|(key, committed)| !self.is_subscribed(&key.0) && is_old(committed));
        old.map(|(key, _)| key.clone()).collect()
    }
}
