//! What time does to a group: members fall silent, phases end.

use super::classic::{Group, GroupState};
use super::turn::Turn;
use crate::base::time::Instant;

impl Group {
    /// Does what is due, and says when to come back.
    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        self.alarm = None;
        for id in due(self.expected.iter().map(|(id, at)| (id, *at)), now) {
            self.expected.remove(&id);
            // It never was a member of a generation.
            self.complete_if_joined(turn);
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
}

fn due<'a>(all: impl Iterator<Item = (&'a String, Instant)>, now: Instant) -> Vec<String> {
    all.filter(|(_, at)| *at <= now)
        .map(|(id, _)| id.clone())
        .collect()
}
