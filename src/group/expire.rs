//! What time does to a group: members fall silent, phases end, offsets grow old.

use super::classic::{Group, GroupState};
use super::offsets::{Committed, OffsetKey};
use super::turn::Turn;
use crate::base::time::Instant;

impl Group {
    /// Does what is due, and says when to come back.
    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        self.alarm = None;
        for id in due(self.expected.iter().map(|(id, at)| (id, *at)), now) {
            self.expected.remove(&id);
            self.on_member_gone_while_joining(turn);
        }
        let silent = self
            .members
            .values()
            .filter_map(|member| Some((&member.id, member.deadline?)));
        for id in due(silent, now) {
            self.on_silence(turn, &id);
        }
        if let Some(timer) = self.join_timer.take_if(|timer| timer.at() <= now)
            && self.state == GroupState::PreparingRebalance
        {
            self.on_join_timer(turn, timer);
        }
        if self.sync_timer.take_if(|at| *at <= now).is_some() {
            self.on_sync_timer(turn);
        }
        self.rearm();
    }

    /// The alarm is what is due first.
    pub(super) fn rearm(&mut self) {
        let members = self.members.values().filter_map(|member| member.deadline);
        let timers = self
            .join_timer
            .map(|timer| timer.at())
            .into_iter()
            .chain(self.sync_timer);
        let all = members.chain(timers).chain(self.expected.values().copied());
        self.alarm = all.min();
    }

    /// Nobody came with an id given out. Such an id never was a member of a generation.
    fn on_member_gone_while_joining(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::PreparingRebalance && self.have_all_joined() {
            self.complete_join(turn);
        }
    }

    fn on_silence(&mut self, turn: &mut Turn<'_>, id: &str) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        if member.is_waiting() {
            // Its session begins anew when it is answered.
            member.deadline = None;
            return;
        }
        self.turn_away(turn, id);
        self.remove(id);
        self.on_member_gone(turn);
    }

    /// Members that never asked for their assignment are out.
    fn on_sync_timer(&mut self, turn: &mut Turn<'_>) {
        let is_open = matches!(
            self.state,
            GroupState::CompletingRebalance | GroupState::Stable
        );
        if !is_open || self.unsynced.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.unsynced) {
            self.turn_away(turn, &id);
            self.remove(&id);
        }
        self.prepare_rebalance(turn);
    }

    /// Offsets nobody may miss any more. Those of topics the group consumes are kept.
    pub(super) fn expired_offsets(&self, turn: &Turn<'_>) -> Vec<OffsetKey> {
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

fn due<'a>(all: impl Iterator<Item = (&'a String, Instant)>, now: Instant) -> Vec<String> {
    all.filter(|(_, at)| *at <= now)
        .map(|(id, _)| id.clone())
        .collect()
}
