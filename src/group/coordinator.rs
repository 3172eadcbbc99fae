//! The groups of one partition of `__consumer_offsets`.

use super::action::{
    Action, Answer, Command, CommitRequest, GroupId, JoinRequest, Joined, ListedGroup, WriteError,
};
use super::classic::{Group, GroupState};
use super::commit::commit_bytes;
use super::error::GroupError;
use super::member::Member;
use super::settings::GroupSettings;
use super::state_records::StateRecord;
use super::stats::{Counted, GroupStats};
use super::turn::Turn;
use super::writes::{Effect, Write, Writes};
use crate::base::ids::Ticket;
use crate::base::limits::{GROUP_QUEUED_BYTES_MAX, GROUP_STATE_BYTES_MAX, GROUPS_MAX};
use crate::base::offset::Offset;
use crate::base::time::{Instant, Now};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The log is being read.
    Loading,
    Serving,
    /// The log cannot be read, or nobody knows what it holds.
    Failed,
    /// The broker stops.
    Closed,
}

/// Owned by the core of its partition. Give it a command or an event, then drain `poll_action` before the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coordinator {
    pub(super) settings: GroupSettings,
    pub(super) phase: Phase,
    pub(super) groups: BTreeMap<GroupId, Group>,
    /// Of every group with a deadline one, never later than its first.
    alarms: BTreeSet<(Instant, GroupId)>,
    pub(super) next_expiry: Instant,
    /// The last group that this round of expiry has looked at.
    pub(super) expiry_from: Option<GroupId>,
    pub(super) writes: Writes,
    pub(super) stats: GroupStats,
    /// Read from the log so far.
    pub(super) replayed_bytes: u64,
    actions: VecDeque<Action>,
}

impl Coordinator {
    /// Serves nothing before `on_loaded`.
    pub fn new(settings: GroupSettings) -> Coordinator {
        Coordinator {
            settings,
            phase: Phase::Loading,
            groups: BTreeMap::new(),
            alarms: BTreeSet::new(),
            next_expiry: Instant(u64::MAX),
            expiry_from: None,
            writes: Writes::new(&settings),
            stats: GroupStats::default(),
            replayed_bytes: 0,
            actions: VecDeque::new(),
        }
    }

    /// Answered under the ticket, now or later.
    pub fn command(&mut self, ticket: Ticket, command: Command, now: Now) {
        let refused = match self.phase {
            Phase::Serving => None,
            // A member that cannot be known yet is not declared dead.
            Phase::Loading if matches!(command, Command::Heartbeat(_)) => {
                return self.answer(ticket, Answer::Heartbeat(Ok(())));
            }
            Phase::Loading => Some(GroupError::LoadInProgress),
            Phase::Failed => Some(GroupError::NotAvailable),
            Phase::Closed => Some(GroupError::NotCoordinator),
        };
        if let Some(error) = refused {
            return self.answer(ticket, command.refusal(error));
        }
        match command {
            Command::Join(request) => self.join(ticket, request, now),
            Command::Commit(request) => self.commit(ticket, request, now),
            other => self.command_to_group(ticket, other, now),
        }
        self.settle(now);
    }

    /// Every group, for operators.
    pub fn list(&self) -> Result<Vec<ListedGroup>, GroupError> {
        match self.phase {
            Phase::Loading => Err(GroupError::LoadInProgress),
            Phase::Failed => Err(GroupError::NotAvailable),
            Phase::Serving | Phase::Closed => Ok(self.groups.values().map(Group::list).collect()),
        }
    }

    /// The batch under way is durable from `base` on, or not written.
    pub fn on_written(&mut self, result: Result<Offset, WriteError>, now: Now) {
        match result {
            Ok(base) => {
                let (writes, start) = self.writes.written(base, &self.settings);
                if let Some(before) = start {
                    self.actions.push_back(Action::Trim { before });
                }
                for write in writes {
                    self.apply(write, now);
                }
            }
            Err(error) => {
                for write in self.writes.failed() {
                    self.give_up(write, error, now);
                }
                if error == WriteError::Unknown {
                    // What the log holds will be known after a restart.
                    self.end(Phase::Failed, now);
                }
            }
        }
        self.settle(now);
    }

    pub fn on_deadline(&mut self, now: Now) {
        while let Some((at, id)) = self.alarms.first().cloned() {
            if at > now.instant {
                break;
            }
            self.with_group(&id, now, |group, turn| group.on_deadline(turn));
        }
        if self.next_expiry <= now.instant {
            self.expire(now);
        }
        self.settle(now);
    }

    /// Answers everybody who waits. What is under way is still answered as it ends.
    pub fn close(&mut self, now: Now) {
        self.end(Phase::Closed, now);
    }

    fn end(&mut self, phase: Phase, now: Now) {
        self.phase = phase;
        for write in self.writes.drain() {
            self.give_up(write, WriteError::Refused, now);
        }
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with_group(&id, now, |group, turn| group.dismiss(turn));
        }
        // What giving up and dismissing wanted to be written is not.
        drop(self.writes.drain());
        self.alarms.clear();
        self.next_expiry = Instant(u64::MAX);
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `on_deadline` has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = self.alarms.first().map(|(at, _)| *at);
        let expiry = Some(self.next_expiry).filter(|at| *at < Instant(u64::MAX));
        first.into_iter().chain(expiry).min()
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.actions.push_back(Action::Answer { ticket, answer });
    }

    /// Lets one group decide, and keeps the books about it. `None`: there is none.
    pub(super) fn with_group<T>(
        &mut self,
        id: &str,
        now: Now,
        decide: impl FnOnce(&mut Group, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(id)?;
        let (alarm, before) = (group.alarm, Counted::of(group));
        let mut turn = Turn {
            settings: &self.settings,
            now,
            actions: &mut self.actions,
            writes: &mut self.writes,
        };
        let decided = decide(group, &mut turn);
        self.stats.changed(before, group);
        if group.alarm != alarm {
            let id = group.id.clone();
            if let Some(at) = alarm {
                self.alarms.remove(&(at, id.clone()));
            }
            if let Some(at) = group.alarm {
                self.alarms.insert((at, id));
            }
        }
        Some(decided)
    }

    pub(super) fn insert(&mut self, group: Group) {
        self.stats.add(Counted::of(&group));
        let before = self.groups.insert(group.id.clone(), group);
        assert!(before.is_none(), "a group begins once");
    }

    pub(super) fn remove(&mut self, id: &str) {
        let group = self.groups.remove(id).expect("an existing group ends");
        self.stats.subtract(Counted::of(&group));
        if let Some(at) = group.alarm {
            self.alarms.remove(&(at, group.id));
        }
    }

    fn join(&mut self, ticket: Ticket, request: JoinRequest, now: Now) {
        let session = self.settings.session_ms_min..=self.settings.session_ms_max;
        let exists = self.groups.contains_key(&request.group);
        let refused = if request.group.is_empty() {
            Some(GroupError::InvalidGroupId)
        } else if !session.contains(&request.session_timeout_ms) {
            Some(GroupError::InvalidSessionTimeout)
        } else if !exists && !request.member.is_empty() {
            Some(GroupError::UnknownMemberId)
        } else if !self.has_room(Member::bytes_asked(&request))
            || !(exists || self.groups.len() < GROUPS_MAX)
        {
            Some(GroupError::NotAvailable)
        } else {
            None
        };
        if let Some(error) = refused {
            let (member, result) = (request.member, Err(error));
            return self.answer(ticket, Answer::Join(Joined { member, result }));
        }
        let id = request.group.clone();
        if !exists {
            self.insert(Group::new(id.clone(), now.wall));
        }
        self.with_group(&id, now, |group, turn| group.join(turn, request, ticket));
    }

    fn commit(&mut self, ticket: Ticket, request: CommitRequest, now: Now) {
        let id = request.who.group.clone();
        let exists = self.groups.contains_key(&id);
        let refused = if !exists && request.who.generation >= 0 {
            Some(match request.knows_missing_groups {
                true => GroupError::GroupIdNotFound,
                false => GroupError::IllegalGeneration,
            })
        } else if !self.has_room(commit_bytes(&request))
            || !(exists || self.groups.len() < GROUPS_MAX)
        {
            Some(GroupError::NotAvailable)
        } else {
            None
        };
        if let Some(error) = refused {
            return self.answer(ticket, Answer::Commit(Err(error)));
        }
        if !exists {
            self.insert(Group::new(id.clone(), now.wall));
        }
        let decide = |group: &mut Group, turn: &mut Turn<'_>| group.commit(turn, request, ticket);
        if let Some(result) = self.with_group(&id, now, decide).flatten() {
            self.answer(ticket, Answer::Commit(result));
        }
    }

    /// Whether so much more may be remembered and queued.
    fn has_room(&self, bytes: usize) -> bool {
        self.stats.bytes + self.writes.queued_bytes() + bytes <= GROUP_STATE_BYTES_MAX
            && self.writes.queued_bytes() + bytes <= GROUP_QUEUED_BYTES_MAX
    }

    /// What a group that does not exist can answer too.
    fn command_to_group(&mut self, ticket: Ticket, command: Command, now: Now) {
        let id = command.group().clone();
        // Offsets can be committed for the group without a name; it has no members all the same.
        if id.is_empty()
            && matches!(
                command,
                Command::Sync(_)
                    | Command::Heartbeat(_)
                    | Command::Leave(_)
                    | Command::DeleteOffsets(_)
            )
        {
            return self.answer(ticket, command.refusal(GroupError::InvalidGroupId));
        }
        let missing = match &command {
            Command::FetchOffsets(fetch) => {
                let none = Group::new(id.clone(), now.wall);
                Answer::FetchOffsets(Ok(none.fetch_offsets(fetch.clone())))
            }
            Command::DeleteOffsets(_) | Command::Describe(_) | Command::Delete(_) => {
                command.refusal(GroupError::GroupIdNotFound)
            }
            _ => command.refusal(GroupError::UnknownMemberId),
        };
        let decide = |group: &mut Group, turn: &mut Turn<'_>| group.decide(turn, command, ticket);
        match self.with_group(&id, now, decide) {
            None => self.answer(ticket, missing),
            Some(Some(answer)) => self.answer(ticket, answer),
            Some(None) => {}
        }
    }

    /// Its records are durable: they become what is seen.
    fn apply(&mut self, write: Write, now: Now) {
        let id = write.group().clone();
        for record in &write.records {
            let apply = |group: &mut Group, _: &mut Turn<'_>| group.apply(record);
            self.with_group(&id, now, apply);
        }
        match write.effect {
            Effect::None => {}
            Effect::Join { ticket, answer } => self.answer(ticket, answer),
            Effect::Commit { ticket, results } => self.answer(ticket, Answer::Commit(Ok(results))),
            Effect::DeleteOffsets { ticket, results } => {
                self.answer(ticket, Answer::DeleteOffsets(Ok(results)));
            }
            Effect::Assign {
                generation,
                assignment,
            } => {
                self.with_group(&id, now, |group, turn| {
                    group.on_assignment(turn, generation, assignment, true);
                });
            }
            Effect::DeleteGroup { ticket } => {
                self.remove(&id);
                if let Some(ticket) = ticket {
                    self.answer(ticket, Answer::Delete(Ok(())));
                }
            }
        }
    }

    fn give_up(&mut self, write: Write, error: WriteError, now: Now) {
        let id = write.group().clone();
        let error = match error {
            WriteError::Refused => GroupError::NotAvailable,
            WriteError::Unknown => GroupError::FateUnknown,
        };
        match write.effect {
            Effect::None => {}
            Effect::Join { ticket, answer } => {
                let Answer::Join(Joined { member, .. }) = answer else {
                    unreachable!("a join is answered as one")
                };
                let result = Err(GroupError::NotAvailable);
                self.answer(ticket, Answer::Join(Joined { member, result }));
            }
            Effect::Commit { ticket, .. } => self.answer(ticket, Answer::Commit(Err(error))),
            Effect::DeleteOffsets { ticket, .. } => {
                self.answer(ticket, Answer::DeleteOffsets(Err(error)));
            }
            Effect::Assign {
                generation,
                assignment,
            } => {
                self.with_group(&id, now, |group, turn| {
                    group.on_assignment(turn, generation, assignment, false);
                });
            }
            Effect::DeleteGroup { ticket } => {
                self.with_group(&id, now, |group, turn| {
                    group.transition(GroupState::Empty, turn.now.wall);
                });
                if let Some(ticket) = ticket {
                    self.answer(ticket, Answer::Delete(Err(error)));
                }
            }
        }
    }

    /// Gives the log what there is, unless it is busy.
    pub(super) fn settle(&mut self, now: Now) {
        if self.phase != Phase::Serving {
            return;
        }
        let batch = self
            .writes
            .next_batch(&self.groups, &self.settings, now.wall);
        if let Some(batch) = batch {
            self.actions.push_back(Action::Append { batch });
        }
    }
}

impl Group {
    /// `None`: the answer comes later.
    fn decide(&mut self, turn: &mut Turn<'_>, command: Command, ticket: Ticket) -> Option<Answer> {
        let is_dead = self.state == GroupState::Dead;
        match command {
            Command::Sync(request) => {
                self.sync(turn, request, ticket);
                None
            }
            Command::Heartbeat(who) => Some(Answer::Heartbeat(self.heartbeat(turn, &who))),
            Command::Leave(request) => Some(Answer::Leave(self.leave(turn, &request.leavers))),
            Command::FetchOffsets(fetch) => {
                Some(Answer::FetchOffsets(Ok(self.fetch_offsets(fetch))))
            }
            Command::DeleteOffsets(request) => {
                let result = self.delete_offsets(turn, request, ticket);
                result.map(Answer::DeleteOffsets)
            }
            Command::Describe(_) | Command::Delete(_) if is_dead => {
                Some(command.refusal(GroupError::GroupIdNotFound))
            }
            Command::Describe(_) => Some(Answer::Describe(Ok(self.describe()))),
            Command::Delete(_) if self.state != GroupState::Empty => {
                Some(command.refusal(GroupError::NonEmptyGroup))
            }
            Command::Delete(_) => {
                self.bury(turn, Some(ticket));
                None
            }
            Command::Join(_) | Command::Commit(_) => unreachable!("they may make their group"),
        }
    }

    /// A durable record. The members' part of it is known already.
    pub(super) fn apply(&mut self, record: &StateRecord) {
        match record {
            StateRecord::Offset {
                topic,
                partition,
                value,
                ..
            } => self.offsets.set((topic.clone(), *partition), value.clone()),
            StateRecord::Group { value, .. } => self.recorded.clone_from(value),
        }
    }

    /// The coordinator ends here.
    fn dismiss(&mut self, turn: &mut Turn<'_>) {
        let error = GroupError::NotCoordinator;
        for member in self.members.values_mut() {
            if let Some(ticket) = member.joining.take() {
                let (member, result) = (member.id.clone(), Err(error));
                turn.answer(ticket, Answer::Join(Joined { member, result }));
            }
            if let Some(ticket) = member.syncing.take() {
                turn.answer(ticket, Answer::Sync(Err(error)));
            }
        }
        self.alarm = None;
    }
}
