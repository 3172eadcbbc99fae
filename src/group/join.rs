//! JoinGroup: who may come in, under which id, and whether that means a rebalance.

use super::action::{Answer, Generation, JoinRequest, Joined};
use super::classic::{Group, GroupState};
use super::error::GroupError;
use super::member::Member;
use super::turn::Turn;
use super::writes::Effect;
use crate::base::ids::{Ticket, Uuid};
use crate::base::limits::{GROUP_MEMBERS_MAX, NEW_MEMBER_JOIN_MS_MAX};
use crate::group::state_records::StateRecord;
use std::fmt::Write as _;

/// Of a client's name, so much begins a member id.
const MEMBER_ID_NAME_BYTES: usize = 1_000;

impl Group {
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, request: JoinRequest, ticket: Ticket) {
        if let Err((member, error)) = self.check_join(turn, &request) {
            let result = Err(error);
            turn.answer(ticket, Answer::Join(Joined { member, result }));
            if error == GroupError::GroupMaxSizeReached
                && self.members.contains_key(&request.member)
            {
                // It has lost its place, and nobody waits for it.
                self.turn_away(turn, &request.member);
                self.remove(&request.member);
                self.on_member_gone(turn);
            }
            return;
        }
        if request.member.is_empty() {
            self.join_new(turn, request, ticket);
        } else if self.expected.contains_key(&request.member) {
            let id = request.member.clone();
            self.join_added(turn, id, &request, ticket);
        } else {
            self.rejoin(turn, &request, ticket);
        }
    }

    fn check_join(
        &self,
        turn: &Turn<'_>,
        request: &JoinRequest,
    ) -> Result<(), (String, GroupError)> {
        let id = request.member.as_str();
        if !self.has_place(turn, request) {
            return Err((String::new(), GroupError::GroupMaxSizeReached));
        }
        let refused = |error| Err((request.member.clone(), error));
        if self.state == GroupState::Dead {
            return refused(GroupError::NotAvailable);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return refused(GroupError::InconsistentGroupProtocol);
        }
        if id.is_empty() {
            return Ok(());
        }
        if self.expected.contains_key(id) {
            // An id given out is a dynamic member's.
            return match request.instance {
                None => Ok(()),
                Some(_) => refused(GroupError::UnknownMemberId),
            };
        }
        self.check_member(id, request.instance.as_deref())
            .or_else(refused)
    }

    /// The member exists, and is the one its instance id stands for.
    pub(super) fn check_member(&self, id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(holder) if holder != id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        match self.members.contains_key(id) {
            true => Ok(()),
            false => Err(GroupError::UnknownMemberId),
        }
    }

    fn has_place(&self, turn: &Turn<'_>, request: &JoinRequest) -> bool {
        let known = self.members.get(&request.member);
        let held = known.map_or(0, Member::bytes);
        let bytes = self.member_bytes - held + Member::bytes_asked(request);
        if bytes > turn.settings.group_bytes_max() {
            return false;
        }
        let most = turn.settings.members_max.min(GROUP_MEMBERS_MAX);
        if self.expected.len() >= GROUP_MEMBERS_MAX && !self.expected.contains_key(&request.member)
        {
            return known.is_some();
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            // The last to come back to a group that has become too large are turned away.
            GroupState::PreparingRebalance => {
                known.is_some_and(|member| member.joining.is_some()) || self.joining_count() < most
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                known.is_some() || self.members.len() < most
            }
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, request: JoinRequest, ticket: Ticket) {
        let name = request.instance.as_deref().unwrap_or(&request.client_id);
        let id = member_id(name, request.fresh);
        let holder = request
            .instance
            .as_ref()
            .and_then(|instance| self.instances.get(instance));
        if let Some(old) = holder.cloned() {
            return self.replace_static(turn, &old, id, &request, ticket);
        }
        if request.instance.is_some() || !request.needs_known_id {
            return self.join_added(turn, id, &request, ticket);
        }
        let until = turn.after_ms(request.session_timeout_ms);
        self.expected.insert(id.clone(), until);
        self.arm(until);
        let result = Err(GroupError::MemberIdRequired);
        turn.answer(ticket, Answer::Join(Joined { member: id, result }));
    }

    fn join_added(
        &mut self,
        turn: &mut Turn<'_>,
        id: String,
        request: &JoinRequest,
        ticket: Ticket,
    ) {
        let mut member = Member::new(id, request);
        member.joining = Some(ticket);
        // It has no generation yet and sends no heartbeat; if its client has gone, nothing else would tell.
        let until = turn.after_ms(NEW_MEMBER_JOIN_MS_MAX);
        member.deadline = Some(until);
        self.arm(until);
        if self.state == GroupState::PreparingRebalance && self.previous == GroupState::Empty {
            self.has_grown = true;
        }
        self.add(member, &request.protocol_type);
        self.rebalance_or_complete(turn);
    }

    /// A member joins again.
    fn rejoin(&mut self, turn: &mut Turn<'_>, request: &JoinRequest, ticket: Ticket) {
        let id = request.member.as_str();
        let member = self.members.get(id).expect("checked before");
        let is_same = member.protocols == request.protocols;
        let answer_now = match self.state {
            GroupState::PreparingRebalance => false,
            // It may have missed the answer to its join.
            GroupState::CompletingRebalance => is_same,
            // A leader joins again to have the assignment made anew.
            GroupState::Stable => is_same && !self.is_leader(id),
            GroupState::Empty | GroupState::Dead => unreachable!("a member's group is not empty"),
        };
        if answer_now {
            let with_members = self.state == GroupState::CompletingRebalance && self.is_leader(id);
            let answer = self.generation_of(id, with_members, false);
            return turn.answer(ticket, answer);
        }
        self.update(turn, id, request, ticket);
        self.rebalance_or_complete(turn);
    }

    /// Parks the join of a known member. One that it parked before is answered as one that lost its place.
    fn update(&mut self, turn: &mut Turn<'_>, id: &str, request: &JoinRequest, ticket: Ticket) {
        let member = self.members.get_mut(id).expect("checked before");
        self.member_bytes -= member.bytes();
        member.protocols.clone_from(&request.protocols);
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.member_bytes += member.bytes();
        if let Some(older) = member.joining.replace(ticket) {
            let result = Err(GroupError::UnknownMemberId);
            let member = id.to_owned();
            turn.answer(older, Answer::Join(Joined { member, result }));
        }
    }

    /// The instance came back without its member id: it gets a new one, and whoever still uses the old one is fenced.
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        old: &str,
        id: String,
        request: &JoinRequest,
        ticket: Ticket,
    ) {
        let leader_before = self.leader.clone();
        let mut member = self
            .members
            .remove(old)
            .expect("an instance has its member");
        self.unsynced.remove(old);
        fence(turn, &mut member);
        member.id.clone_from(&id);
        let until = turn.after_ms(request.session_timeout_ms);
        member.deadline = Some(until);
        self.arm(until);
        self.instances
            .insert(request.instance.clone().expect("static"), id.clone());
        if self.is_leader(old) {
            self.leader = Some(id.clone());
        }
        self.members.insert(id.clone(), member);
        self.update(turn, &id, request, ticket);
        match self.state {
            GroupState::Stable if self.protocol.as_deref() == Some(&self.select_protocol()) => {
                self.keep_generation(turn, &id, leader_before, request.knows_skip);
            }
            GroupState::Stable => self.rebalance_or_complete(turn),
            // The old id may be on its way to the leader.
            GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance => self.complete_if_joined(turn),
            GroupState::Empty | GroupState::Dead => unreachable!("an instance is a member"),
        }
    }

    /// A static member is back in a stable group: nothing changes but its id, which must last.
    fn keep_generation(
        &mut self,
        turn: &mut Turn<'_>,
        id: &str,
        leader_before: Option<String>,
        knows_skip: bool,
    ) {
        let is_leader = self.is_leader(id);
        let mut answer = self.generation_of(id, is_leader && knows_skip, is_leader && knows_skip);
        if let (
            false,
            Answer::Join(Joined {
                result: Ok(generation),
                ..
            }),
        ) = (knows_skip, &mut answer)
        {
            // An older leader would assign anew if it were told that it leads.
            generation.leader = leader_before.unwrap_or_default();
        }
        let member = self.members.get_mut(id).expect("just replaced");
        let ticket = member.joining.take().expect("just parked");
        member.is_new = false;
        let value = self.to_value(|member| member.assignment.clone());
        let record = StateRecord::Group {
            group: self.id.clone(),
            value: Some(value),
        };
        turn.write(vec![record], Effect::Join { ticket, answer });
    }

    /// The answer to a member of this generation.
    pub(super) fn generation_of(
        &self,
        id: &str,
        with_members: bool,
        skip_assignment: bool,
    ) -> Answer {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().filter(|_| with_members);
        let generation = Generation {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment,
            members: members
                .map(|member| member.to_group_member(protocol))
                .collect(),
        };
        Answer::Join(Joined {
            member: id.to_owned(),
            result: Ok(generation),
        })
    }
}

fn fence(turn: &mut Turn<'_>, member: &mut Member) {
    let error = GroupError::FencedInstanceId;
    if let Some(ticket) = member.joining.take() {
        let member = member.id.clone();
        let result = Err(error);
        turn.answer(ticket, Answer::Join(Joined { member, result }));
    }
    if let Some(ticket) = member.syncing.take() {
        turn.answer(ticket, Answer::Sync(Err(error)));
    }
}

/// The name, then the identifier as Java writes it.
fn member_id(name: &str, fresh: Uuid) -> String {
    let mut id = name[..name.floor_char_boundary(MEMBER_ID_NAME_BYTES)].to_owned();
    for (index, byte) in fresh.0.iter().enumerate() {
        if matches!(index, 0 | 4 | 6 | 8 | 10) {
            id.push('-');
        }
        let _ = write!(id, "{byte:02x}");
    }
    id
}
