//! SyncGroup and Heartbeat: the leader's assignment on its way to the members, and the members' signs of life.

use super::action::{Answer, MemberRef, SyncRequest, Synced};
use super::classic::{Group, GroupState};
use super::error::GroupError;
use super::state_records::StateRecord;
use super::turn::Turn;
use super::writes::Effect;
use crate::base::ids::Ticket;
use bytes::Bytes;
use std::collections::BTreeMap;

impl Group {
    pub(super) fn sync(&mut self, turn: &mut Turn<'_>, request: SyncRequest, ticket: Ticket) {
        if let Err(error) = self.check_sync(turn, &request) {
            return turn.answer(ticket, Answer::Sync(Err(error)));
        }
        let id = request.who.member;
        self.unsynced.remove(&id);
        if self.unsynced.is_empty() {
            self.sync_timer = None;
        }
        if self.state == GroupState::Stable {
            return turn.answer(ticket, self.assigned(&id));
        }
        let is_leader = self.is_leader(&id);
        let member = self.members.get_mut(&id).expect("checked before");
        if let Some(older) = member.syncing.replace(ticket) {
            turn.answer(older, Answer::Sync(Err(GroupError::RebalanceInProgress)));
        }
        if is_leader {
            self.record_assignment(
                turn,
                request
                    .assignments
                    .into_iter()
                    .map(|each| (each.member, each.assignment))
                    .collect(),
            );
        }
    }

    fn check_sync(&self, turn: &Turn<'_>, request: &SyncRequest) -> Result<(), GroupError> {
        self.check_generation(&request.who)?;
        let differs =
            |given: &Option<String>, ours: &Option<String>| given.is_some() && given != ours;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if self.state == GroupState::PreparingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        let bytes = request.assignments.iter().map(|each| each.assignment.len());
        match bytes.sum::<usize>() <= turn.settings.group_bytes_max() {
            true => Ok(()),
            false => Err(GroupError::AssignmentTooLarge),
        }
    }

    /// The member exists and is of this generation.
    pub(super) fn check_generation(&self, who: &MemberRef) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => return Err(GroupError::NotAvailable),
            GroupState::Empty => return Err(GroupError::UnknownMemberId),
            _ => self.check_member(&who.member, who.instance.as_deref())?,
        }
        match who.generation == self.generation {
            true => Ok(()),
            false => Err(GroupError::IllegalGeneration),
        }
    }

    /// Nobody is told its part before all of it is durable.
    fn record_assignment(&mut self, turn: &mut Turn<'_>, assignment: BTreeMap<String, Bytes>) {
        let part = |id: &str| assignment.get(id).cloned().unwrap_or_default();
        let record = StateRecord::Group {
            group: self.id.clone(),
            value: Some(self.to_value(|member| part(&member.id))),
        };
        let effect = Effect::Assign {
            generation: self.generation,
            assignment,
        };
        turn.write(vec![record], effect);
    }

    /// The assignment is in the log. Another rebalance may have begun meanwhile.
    pub(super) fn on_assignment(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        mut assignment: BTreeMap<String, Bytes>,
        is_written: bool,
    ) {
        if self.state != GroupState::CompletingRebalance || self.generation != generation {
            return;
        }
        if !is_written {
            return self.prepare_rebalance_after_failure(turn);
        }
        self.transition(GroupState::Stable, turn.now.wall);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let member = self.members.get_mut(&id).expect("listed");
            member.assignment = assignment.remove(&id).unwrap_or_default();
            if let Some(ticket) = member.syncing.take() {
                member.deadline = Some(turn.after_ms(member.session_timeout_ms));
                let answer = self.assigned(&id);
                turn.answer(ticket, answer);
            }
        }
        self.rearm();
    }

    fn prepare_rebalance_after_failure(&mut self, turn: &mut Turn<'_>) {
        self.fail_syncs(turn, GroupError::NotAvailable);
        self.prepare_rebalance(turn);
    }

    fn assigned(&self, id: &str) -> Answer {
        let member = self.members.get(id).expect("checked before");
        Answer::Sync(Ok(Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.assignment.clone(),
        }))
    }

    pub(super) fn heartbeat(&mut self, turn: &Turn<'_>, who: &MemberRef) -> Result<(), GroupError> {
        self.check_generation(who)?;
        self.touch(turn, &who.member);
        match self.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// The member lives: its session begins anew.
    pub(super) fn touch(&mut self, turn: &Turn<'_>, id: &str) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let until = turn.after_ms(member.session_timeout_ms);
        member.deadline = Some(until);
        self.arm(until);
    }
}
