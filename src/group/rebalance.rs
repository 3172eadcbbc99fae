//! From one generation to the next: waiting for the members, then telling each that it is in.

use super::action::{Answer, Joined};
use super::classic::{Group, GroupState, JoinTimer};
use super::error::GroupError;
use super::state_records::StateRecord;
use super::turn::Turn;
use super::writes::Effect;
use bytes::Bytes;
use std::time::Duration;

impl Group {
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(turn);
            }
            GroupState::PreparingRebalance | GroupState::Dead => self.complete_if_joined(turn),
        }
    }

    /// From here on members learn by heartbeat, sync or commit that they have to join again.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.fail_syncs(turn, GroupError::RebalanceInProgress);
        }
        self.unsynced.clear();
        self.sync_timer = None;
        let is_first = self.state == GroupState::Empty;
        self.transition(GroupState::PreparingRebalance, turn.now.wall);
        if is_first {
            let delay_ms = turn.settings.initial_delay_ms;
            let longest = u64::try_from(self.rebalance_timeout_ms()).unwrap_or(0);
            self.has_grown = false;
            self.wait_for_more(turn, delay_ms, longest.saturating_sub(delay_ms));
        } else if self.have_all_joined() {
            self.complete_join(turn);
        } else {
            self.wait_for_members(turn);
        }
    }

    fn wait_for_more(&mut self, turn: &Turn<'_>, delay_ms: u64, left_ms: u64) {
        let at = turn.now.instant.plus(Duration::from_millis(delay_ms));
        self.arm(at);
        self.join_timer = Some(JoinTimer::Initial {
            at,
            delay_ms,
            left_ms,
        });
    }

    fn wait_for_members(&mut self, turn: &Turn<'_>) {
        let at = turn.after_ms(self.rebalance_timeout_ms());
        self.arm(at);
        self.join_timer = Some(JoinTimer::Rebalance { at });
    }

    /// The first rebalance of an empty group takes its time, whoever has joined.
    pub(super) fn complete_if_joined(&mut self, turn: &mut Turn<'_>) {
        let waits =
            self.state == GroupState::PreparingRebalance && self.previous != GroupState::Empty;
        if waits && self.have_all_joined() {
            self.complete_join(turn);
        }
    }

    /// Members came while the first ones waited: wait on, while there is time.
    pub(super) fn on_join_timer(&mut self, turn: &mut Turn<'_>, timer: JoinTimer) {
        match timer {
            JoinTimer::Initial {
                delay_ms, left_ms, ..
            } if self.has_grown && left_ms > 0 => {
                self.has_grown = false;
                let next_ms = turn.settings.initial_delay_ms.min(left_ms);
                self.wait_for_more(turn, next_ms, left_ms.saturating_sub(delay_ms));
            }
            _ => self.complete_join(turn),
        }
    }

    /// Ends the phase of joining. Dynamic members that did not come are out; static ones keep their place until their
    /// session ends.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        assert_eq!(self.state, GroupState::PreparingRebalance);
        self.join_timer = None;
        let members = self.members.values();
        let missing =
            members.filter(|member| member.joining.is_none() && member.instance.is_none());
        let missing: Vec<String> = missing.map(|member| member.id.clone()).collect();
        for id in missing {
            self.remove(&id);
        }
        if self.members.is_empty() {
            return self.become_empty(turn);
        }
        if !self.elect_joined_leader() {
            // Nobody came back: until their sessions end they may.
            return self.wait_for_members(turn);
        }
        self.generation += 1;
        self.protocol = Some(self.select_protocol());
        self.subscribed = self.subscribed_topics();
        self.transition(GroupState::CompletingRebalance, turn.now.wall);
        self.answer_joins(turn);
        self.unsynced = self.members.keys().cloned().collect();
        let at = turn.after_ms(self.rebalance_timeout_ms());
        self.arm(at);
        self.sync_timer = Some(at);
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.generation += 1;
        self.protocol = None;
        self.subscribed = self.subscribed_topics();
        self.unsynced.clear();
        self.transition(GroupState::Empty, turn.now.wall);
        let record = StateRecord::Group {
            group: self.id.clone(),
            value: Some(self.to_value(|_| Bytes::new())),
        };
        turn.write(vec![record], Effect::None);
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.generation_of(&id, self.is_leader(&id), false);
            let member = self.members.get_mut(&id).expect("listed");
            member.is_new = false;
            member.assignment = Bytes::new();
            let until = turn.after_ms(member.session_timeout_ms);
            member.deadline = Some(until);
            if let Some(ticket) = member.joining.take() {
                turn.answer(ticket, answer);
            }
            self.arm(until);
        }
    }

    pub(super) fn fail_syncs(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(ticket) = member.syncing.take() {
                member.deadline = Some(turn.after_ms(member.session_timeout_ms));
                turn.answer(ticket, Answer::Sync(Err(error)));
            }
        }
        self.rearm();
    }

    /// Answers whatever waits for this member, as one that is no member any more.
    pub(super) fn turn_away(&mut self, turn: &mut Turn<'_>, id: &str) {
        let error = GroupError::UnknownMemberId;
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        if let Some(ticket) = member.joining.take() {
            let (member, result) = (String::new(), Err(error));
            turn.answer(ticket, Answer::Join(Joined { member, result }));
        }
        if let Some(ticket) = member.syncing.take() {
            turn.answer(ticket, Answer::Sync(Err(error)));
        }
    }

    /// A member or an id given out has gone.
    pub(super) fn on_member_gone(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance => self.complete_if_joined(turn),
            GroupState::Empty | GroupState::Dead => {}
        }
    }
}
