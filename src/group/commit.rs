//! OffsetCommit, OffsetFetch, OffsetDelete.

use super::action::{CommitRequest, DeleteOffsets, FetchOffsets, FoundCommit, MemberRef};
use super::classic::{Group, GroupState};
use super::error::GroupError;
use super::offsets::{Committed, OffsetKey, bytes_of};
use super::state_records::StateRecord;
use super::turn::Turn;
use super::writes::{Effect, Write};
use crate::base::ids::Ticket;
use crate::base::time::Timestamp;
use std::collections::BTreeSet;

type Results = Vec<Result<(), GroupError>>;

impl Group {
    /// Queues the commit, or says what became of it.
    pub(super) fn commit(
        &mut self,
        turn: &mut Turn<'_>,
        request: CommitRequest,
        ticket: Ticket,
    ) -> Option<Result<Results, GroupError>> {
        if let Err(error) = self.check_commit(&request.who) {
            return Some(Err(error));
        }
        if matches!(
            self.state,
            GroupState::Stable | GroupState::PreparingRebalance
        ) {
            self.touch(turn, &request.who.member);
        }
        let now = turn.now.wall;
        let expires = request
            .retention_ms
            .map(|ms| Timestamp(now.0.saturating_add(ms)));
        let mut results = Vec::with_capacity(request.items.len());
        let mut records = Vec::with_capacity(request.items.len());
        for item in request.items {
            if item.metadata.len() > turn.settings.metadata_bytes_max {
                results.push(Err(GroupError::OffsetMetadataTooLarge));
                continue;
            }
            results.push(Ok(()));
            let committed = Committed {
                offset: item.offset,
                leader_epoch: item.leader_epoch,
                metadata: item.metadata.into(),
                committed_at: now,
                expires,
            };
            records.push(self.offset_record((item.topic, item.partition), Some(committed)));
        }
        if records.is_empty() {
            return Some(Ok(results));
        }
        let write = Write::new(records, Effect::Commit { ticket, results });
        if write.bytes() > turn.settings.batch_bytes_max / 2 {
            return Some(Err(GroupError::InvalidCommitOffsetSize));
        }
        turn.writes.push(write);
        None
    }

    fn check_commit(&self, who: &MemberRef) -> Result<(), GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::NotAvailable);
        }
        if who.generation < 0 && self.state == GroupState::Empty {
            // From a tool, or a consumer that assigns its partitions itself.
            return Ok(());
        }
        if who.generation >= 0 || !who.member.is_empty() || who.instance.is_some() {
            self.check_member(&who.member, who.instance.as_deref())?;
            if who.generation != self.generation {
                return Err(GroupError::IllegalGeneration);
            }
        } else if self.state != GroupState::Empty {
            return Err(GroupError::UnknownMemberId);
        }
        match self.state {
            // The member has joined the new generation without knowing yet what it gets there.
            GroupState::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub(super) fn offset_record(&self, key: OffsetKey, value: Option<Committed>) -> StateRecord {
        StateRecord::Offset {
            group: self.id.clone(),
            topic: key.0,
            partition: key.1,
            value,
        }
    }

    /// What is durable. Of what nobody committed there is nothing to say, which is no error.
    pub(super) fn fetch_offsets(&self, request: FetchOffsets) -> Vec<FoundCommit> {
        let found = |key: &OffsetKey, committed: Option<&Committed>| FoundCommit {
            topic: key.0.clone(),
            partition: key.1,
            committed: committed.cloned(),
        };
        match request.wanted {
            None => self
                .offsets
                .iter()
                .map(|(key, committed)| found(key, Some(committed)))
                .collect(),
            Some(wanted) => wanted
                .iter()
                .map(|key| found(key, self.offsets.get(key)))
                .collect(),
        }
    }

    /// Queues the tombstones, or says what became of it.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        request: DeleteOffsets,
        ticket: Ticket,
    ) -> Option<Result<Results, GroupError>> {
        match self.state {
            GroupState::Dead => return Some(Err(GroupError::GroupIdNotFound)),
            GroupState::Empty => {}
            // What members of other types consume is not known.
            _ if self.speaks_consumer() => {}
            _ => return Some(Err(GroupError::NonEmptyGroup)),
        }
        let has_pending = turn.writes.has_pending(&self.id);
        let mut results = Vec::with_capacity(request.items.len());
        let mut records = Vec::new();
        let mut buried = BTreeSet::new();
        for key in request.items {
            if self.is_subscribed(&key.0) {
                results.push(Err(GroupError::GroupSubscribedToTopic));
                continue;
            }
            results.push(Ok(()));
            let exists = has_pending || self.offsets.get(&key).is_some();
            if exists && buried.insert(key.clone()) {
                records.push(self.offset_record(key, None));
            }
        }
        if records.is_empty() {
            return Some(Ok(results));
        }
        turn.write(records, Effect::DeleteOffsets { ticket, results });
        None
    }

    /// Tombstones for everything this group has or is about to have, the group itself last.
    pub(super) fn bury(&mut self, turn: &mut Turn<'_>, ticket: Option<Ticket>) {
        self.transition(GroupState::Dead, turn.now.wall);
        let mut keys: Vec<OffsetKey> = self.offsets.iter().map(|(key, _)| key.clone()).collect();
        if turn.writes.has_pending(&self.id) {
            let pending = turn.writes.pending_offsets();
            keys.extend(
                pending
                    .filter(|(group, _)| *group == self.id)
                    .map(|(_, key)| key),
            );
        }
        keys.sort();
        keys.dedup();
        let mut records: Vec<_> = keys
            .into_iter()
            .map(|key| self.offset_record(key, None))
            .collect();
        records.push(StateRecord::Group {
            group: self.id.clone(),
            value: None,
        });
        turn.write(records, Effect::DeleteGroup { ticket });
    }
}

/// What this commit would add to the memory of its coordinator, at most.
pub(super) fn commit_bytes(request: &CommitRequest) -> usize {
    let items = request.items.iter();
    items
        .map(|item| bytes_of(&item.topic, &item.metadata))
        .sum()
}
