//! One member of a classic consumer group: joins, shares out when it leads, reports, commits, leaves.

use super::assignment::{
    RANGE, by_topic, decode_assignment, decode_subscription, encode_assignment,
    encode_subscription, range,
};
use crate::client::connection::Connection;
use crate::client::question::Question;
use crate::client::{Client, Found, Place, pause};
use crate::failure::Failure;
use crate::group::{offsets_question, offsets_told};
use ottla::base::limits::{TOOL_COMMIT_MS, TOOL_HEARTBEAT_MS, TOOL_REBALANCE_MS, TOOL_SESSION_MS};
use ottla::wire::ErrorCode;
use ottla::wire::messages::heartbeat::HeartbeatRequest;
use ottla::wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponseMember,
};
use ottla::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla::wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PROTOCOL_TYPE: &str = "consumer";

pub(super) struct Member {
    group: String,
    topics: Vec<String>,
    /// To the coordinator. A join waits longer for its answer than other questions.
    coordinator: Connection,
    timeout: Duration,
    /// Empty until the coordinator has named it.
    id: String,
    generation: i32,
    reported: Instant,
    committed: Instant,
}

impl Member {
    pub(super) fn new(
        client: &mut Client,
        group: &str,
        topics: &[String],
    ) -> Result<Member, Failure> {
        Ok(Member {
            group: group.to_owned(),
            topics: topics.to_vec(),
            coordinator: coordinator(client, group)?,
            timeout: client.timeout,
            id: String::new(),
            generation: -1,
            reported: Instant::now(),
            committed: Instant::now(),
        })
    }

    /// Enters the next generation; what this member is to read. Tried again as long as nothing but time is in the way.
    pub(super) fn join(&mut self, client: &mut Client) -> Result<Vec<Place>, Failure> {
        let mut deadline = Instant::now() + self.timeout;
        loop {
            let failure = match self.join_once(client) {
                Ok(places) => return Ok(places),
                Err(failure) => failure,
            };
            match failure.code() {
                Some(ErrorCode::MemberIdRequired) => continue,
                // Somebody came or went in between: that is progress.
                Some(ErrorCode::RebalanceInProgress) => deadline = Instant::now() + self.timeout,
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => self.id.clear(),
                Some(_) if failure.is_passing() => {}
                None if failure.is_connection() => {}
                _ => return Err(failure),
            }
            if Instant::now() > deadline {
                return Err(failure);
            }
            pause();
            if has_moved(&failure) {
                self.look_again(client);
            }
        }
    }

    /// Asks the coordinator, wherever it is by now. The member stays what it was.
    fn ask<Q: Question, T>(
        &mut self,
        client: &mut Client,
        question: &Q,
        judge: impl Fn(Q::Answer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.coordinator.ask(question).and_then(&judge) {
                Err(failure) if has_moved(&failure) && Instant::now() < deadline => {
                    pause();
                    self.look_again(client);
                }
                result => return result,
            }
        }
    }

    /// While nobody is found the old connection fails again.
    fn look_again(&mut self, client: &mut Client) {
        if let Ok(coordinator) = coordinator(client, &self.group) {
            self.coordinator = coordinator;
        }
    }

    fn join_once(&mut self, client: &mut Client) -> Result<Vec<Place>, Failure> {
        let question = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: TOOL_SESSION_MS,
            rebalance_timeout_ms: TOOL_REBALANCE_MS,
            member_id: self.id.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: RANGE.into(),
                metadata: encode_subscription(&self.topics),
                ..JoinGroupRequestProtocol::default()
            }],
            ..JoinGroupRequest::default()
        };
        let joined = self.coordinator.ask(&question)?;
        if !joined.member_id.is_empty() {
            self.id.clone_from(&joined.member_id);
        }
        Failure::check(&self.subject(), joined.error_code, None)?;
        self.generation = joined.generation_id;
        let assignments = match joined.leader == joined.member_id && !joined.skip_assignment {
            true => share_out(client, joined.members)?,
            false => Vec::new(),
        };
        let question = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(RANGE.into()),
            assignments,
            ..SyncGroupRequest::default()
        };
        let synced = self.coordinator.ask(&question)?;
        Failure::check(&self.subject(), synced.error_code, None)?;
        self.reported = Instant::now();
        let places = decode_assignment(synced.assignment);
        places.map_err(|error| Failure::new(format!("{}: its assignment: {error}", self.subject())))
    }

    /// Reports and commits when it is time. False: the group rebalances, or has lost this member.
    pub(super) fn go_on(
        &mut self,
        client: &mut Client,
        positions: &Found,
    ) -> Result<bool, Failure> {
        if self.committed.elapsed() >= Duration::from_millis(TOOL_COMMIT_MS) {
            self.commit(client, positions)?;
        }
        if self.reported.elapsed() < Duration::from_millis(TOOL_HEARTBEAT_MS) {
            return Ok(true);
        }
        let question = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..HeartbeatRequest::default()
        };
        let subject = self.subject();
        let result = self.ask(client, &question, |answer| {
            Failure::check(&subject, answer.error_code, None)
        });
        self.reported = Instant::now();
        match result {
            Ok(()) => Ok(true),
            Err(failure) if has_gone_on(&failure) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// What cannot be committed because the group has gone on is read once more by somebody.
    pub(super) fn commit(&mut self, client: &mut Client, positions: &Found) -> Result<(), Failure> {
        if positions.is_empty() {
            return Ok(());
        }
        let question = OffsetCommitRequest {
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            ..commit_request(&self.group, positions)
        };
        let subject = self.subject();
        let result = self.ask(client, &question, |answer| {
            let mut rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
            rows.try_for_each(|row| Failure::check(&subject, row.error_code, None))
        });
        self.committed = Instant::now();
        match result {
            Err(failure) if has_gone_on(&failure) => Ok(()),
            result => result,
        }
    }

    /// Offsets the group has of these places.
    pub(super) fn committed(
        &mut self,
        client: &mut Client,
        places: &[Place],
    ) -> Result<Found, Failure> {
        let question = offsets_question(&self.group, Some(places));
        let group = self.group.clone();
        self.ask(client, &question, |answer| offsets_told(&group, answer))
    }

    /// The others need not wait for this one's session to end.
    pub(super) fn leave(&mut self, client: &mut Client) -> Result<(), Failure> {
        if self.id.is_empty() {
            return Ok(());
        }
        let question = LeaveGroupRequest {
            group_id: self.group.clone(),
            members: vec![MemberIdentity {
                member_id: self.id.clone(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        let subject = self.subject();
        let result = self.ask(client, &question, |answer| {
            Failure::check(&subject, answer.error_code, None)
        });
        match result {
            Err(failure) if has_gone_on(&failure) => Ok(()),
            result => result,
        }
    }

    fn subject(&self) -> String {
        format!("group {}", self.group)
    }
}

/// The group is in another generation, or without this member.
fn has_gone_on(failure: &Failure) -> bool {
    let code = failure.code();
    code.is_some_and(|code| {
        matches!(
            code,
            ErrorCode::RebalanceInProgress
                | ErrorCode::UnknownMemberId
                | ErrorCode::IllegalGeneration
        )
    })
}

/// The coordinator may be another one, or the same in a moment.
fn has_moved(failure: &Failure) -> bool {
    failure.is_passing() || failure.is_connection()
}

fn coordinator(client: &mut Client, group: &str) -> Result<Connection, Failure> {
    let node = client.coordinator(group)?;
    client.connect_for(node, Duration::from_millis(TOOL_REBALANCE_MS as u64))
}

/// What each member gets, told by the leader.
fn share_out(
    client: &mut Client,
    members: Vec<JoinGroupResponseMember>,
) -> Result<Vec<SyncGroupRequestAssignment>, Failure> {
    let mut wishes = BTreeMap::new();
    for member in members {
        // Whoever speaks something else gets nothing.
        let topics = decode_subscription(member.metadata).unwrap_or_default();
        wishes.insert(member.member_id, topics);
    }
    let mut names: Vec<&str> = wishes.values().flatten().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let topics = client.metadata(Some(&names))?.topics;
    let partitions = topics
        .into_iter()
        .filter(|topic| topic.error_code == 0)
        .map(|topic| {
            let count = topic.partitions.len() as i32;
            (topic.name.unwrap_or_default(), count)
        });
    let shares = range(&wishes, &partitions.collect());
    let assignments = shares
        .into_iter()
        .map(|(member_id, places)| SyncGroupRequestAssignment {
            member_id,
            assignment: encode_assignment(&places),
            ..SyncGroupRequestAssignment::default()
        });
    Ok(assignments.collect())
}

/// A commit of nobody in particular.
pub(crate) fn commit_request(group: &str, positions: &Found) -> OffsetCommitRequest {
    let places: Vec<Place> = positions.keys().cloned().collect();
    let topics = by_topic(&places).into_iter().map(|(name, partitions)| {
        let partitions = partitions
            .into_iter()
            .map(|partition| OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: positions[&Place::new(&name, partition)],
                committed_leader_epoch: -1,
                committed_metadata: Some(String::new()),
                ..OffsetCommitRequestPartition::default()
            });
        OffsetCommitRequestTopic {
            partitions: partitions.collect(),
            name: name.clone(),
            ..OffsetCommitRequestTopic::default()
        }
    });
    OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: -1,
        topics: topics.collect(),
        ..OffsetCommitRequest::default()
    }
}
