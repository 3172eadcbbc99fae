//! Reading the log back: records in their order, the last one of a key counts.

use super::classic::{Group, GroupState};
use super::coordinator::{Coordinator, Phase};
use super::member::Member;
use super::settings::GroupSettings;
use super::state_records::{GroupValue, StateRecord};
use super::turn::Turn;
use crate::base::limits::GROUP_MEMBERS_MAX;
use crate::base::offset::Offset;
use crate::base::time::Now;
use crate::record::iterate::Payload;
use std::time::Duration;

impl Coordinator {
    /// One whole batch of the log. Returns how many of its records, at least, nobody here can read: newer ones than
    /// this release's, or what a tool wrote.
    pub fn replay(&mut self, batch: &[u8], log_start: Offset, now: Now) -> usize {
        if self.phase != Phase::Loading {
            // The broker stops before it has read everything.
            return 0;
        }
        self.replayed_bytes += batch.len() as u64;
        let Ok(payload) = Payload::open(batch) else {
            return 1;
        };
        let mut unread = 0;
        for record in payload.records() {
            match record {
                Ok(record) if record.offset < log_start => {}
                Ok(record) => {
                    let key = record.key.unwrap_or_default();
                    match StateRecord::decode(key, record.value) {
                        Some(record) => self.restore(&record, now),
                        None => unread += 1,
                    }
                }
                Err(_) => unread += 1,
            }
        }
        unread
    }

    fn restore(&mut self, record: &StateRecord, now: Now) {
        let id = record.group();
        if !self.groups.contains_key(id) {
            self.insert(Group::new(id.clone(), now.wall));
        }
        self.with_group(id, now, |group, _| group.apply(record));
    }

    /// The log has been read to its end. Members get a whole session to be heard of; offsets of topics that do not
    /// exist any more are not kept.
    pub fn on_loaded(&mut self, exists: impl Fn(&str) -> bool, now: Now) {
        if self.phase != Phase::Loading {
            return;
        }
        self.phase = Phase::Serving;
        let ids: Vec<_> = self.groups.keys().cloned().collect();
        for id in ids {
            let is_left = self.with_group(&id, now, |group, turn| {
                if let Some(value) = group.recorded.clone() {
                    group.recover(turn, &value);
                }
                group.recorded.is_some() || !group.offsets.is_empty()
            });
            if is_left == Some(false) {
                self.remove(&id);
            }
        }
        self.next_expiry = now
            .instant
            .plus(Duration::from_millis(self.settings.expiry_check_ms));
        let live = self.stats.bytes as u64;
        self.writes
            .recovered(self.replayed_bytes, live, &self.settings);
        self.forget_missing_topics(exists, now);
        self.settle(now);
    }

    /// The log cannot be read. Nothing is served: an offset that is not shown must not be taken for none.
    pub fn on_load_failed(&mut self) {
        if self.phase == Phase::Loading {
            self.phase = Phase::Failed;
        }
    }
}

impl Group {
    fn recover(&mut self, turn: &mut Turn<'_>, value: &GroupValue) {
        let protocol = value.protocol.as_deref().unwrap_or_default();
        self.generation = value.generation;
        self.state_since = value.state_since;
        for member in &value.members {
            let mut member = Member::recovered(member, protocol);
            if self.members.contains_key(&member.id)
                || member
                    .instance
                    .as_ref()
                    .is_some_and(|instance| self.instances.contains_key(instance))
            {
                continue;
            }
            let until = turn.after_ms(member.session_timeout_ms);
            member.deadline = Some(until);
            self.arm(until);
            self.add(member, &value.protocol_type);
        }
        self.protocol_type = Some(value.protocol_type.clone()).filter(|kind| !kind.is_empty());
        self.protocol.clone_from(&value.protocol);
        let is_member = |leader: &String| self.members.contains_key(leader);
        self.leader = value
            .leader
            .clone()
            .filter(is_member)
            .or(self.leader.take());
        if !self.members.is_empty() {
            self.state = GroupState::Stable;
        }
        self.subscribed = self.subscribed_topics();
        if self.members.len() > most(turn.settings) {
            // The limit was lowered: the last to come back will be turned away.
            self.prepare_rebalance(turn);
        }
    }
}

fn most(settings: &GroupSettings) -> usize {
    settings.members_max.min(GROUP_MEMBERS_MAX)
}
