//! One member, from its first join to its leaving.

use super::protocol::{PROTOCOL_NAME, PROTOCOL_TYPE, assigned, assignment, shares, subscription};
use crate::client::cluster::{Cluster, Topic, check, error_name, patiently};
use crate::client::connection::Connection;
use crate::failure::Failure;
use ottla::base::endpoint::endpoint;
use ottla::wire::ErrorCode;
use ottla::wire::messages::find_coordinator::FindCoordinatorRequest;
use ottla::wire::messages::heartbeat::HeartbeatRequest;
use ottla::wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use ottla::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla::wire::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use std::time::Duration;

const SESSION_TIMEOUT_MS: i32 = 10_000;
const REBALANCE_TIMEOUT_MS: i32 = 20_000;
const JOIN_ATTEMPTS_MAX: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Member {
    group: String,
    topic: Topic,
    coordinator: Connection,
    id: String,
    pub(crate) generation: i32,
    pub(crate) partitions: Vec<usize>,
}

/// What a heartbeat said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pulse {
    Fine,
    /// Another member came or went, or we were forgotten: join again.
    Rejoin,
}

impl Member {
    pub(crate) fn join(bootstrap: &str, group: &str, topic: &Topic) -> Result<Member, Failure> {
        // The broker that was named may not be ready for the group yet: then it is asked for again.
        patiently(|| {
            let mut member = Member {
                group: group.to_owned(),
                topic: topic.clone(),
                coordinator: coordinator(bootstrap, group)?,
                id: String::new(),
                generation: -1,
                partitions: Vec::new(),
            };
            member.rejoin()?;
            Ok(member)
        })
    }

    /// Until there is a generation with an assignment.
    pub(crate) fn rejoin(&mut self) -> Result<(), Failure> {
        for _ in 0..JOIN_ATTEMPTS_MAX {
            let joined = self.coordinator.ask(&self.join_request())?;
            match ErrorCode::from_code(joined.error_code) {
                Some(ErrorCode::None) => {}
                Some(ErrorCode::MemberIdRequired) => {
                    self.id = joined.member_id;
                    continue;
                }
                Some(ErrorCode::UnknownMemberId) => {
                    self.id = String::new();
                    continue;
                }
                Some(ErrorCode::RebalanceInProgress | ErrorCode::CoordinatorLoadInProgress) => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                _ => check("joining the group", joined.error_code)?,
            }
            self.id.clone_from(&joined.member_id);
            self.generation = joined.generation_id;
            if self.sync(&joined)? {
                return Ok(());
            }
        }
        Err(Failure::new(format!("group {} never settled", self.group)))
    }

    /// False when the group went on to another generation meanwhile.
    fn sync(&mut self, joined: &JoinGroupResponse) -> Result<bool, Failure> {
        let members: Vec<String> = joined
            .members
            .iter()
            .map(|member| member.member_id.clone())
            .collect();
        let assignments = match joined.leader == joined.member_id {
            false => Vec::new(),
            true => shares(&members, self.topic.partitions())
                .into_iter()
                .map(|(member, partitions)| SyncGroupRequestAssignment {
                    member_id: member.to_owned(),
                    assignment: assignment(&self.topic.name, &partitions),
                    ..SyncGroupRequestAssignment::default()
                })
                .collect(),
        };
        let synced = self.coordinator.ask(&SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: Some(PROTOCOL_NAME.into()),
            assignments,
            ..SyncGroupRequest::default()
        })?;
        match ErrorCode::from_code(synced.error_code) {
            Some(
                ErrorCode::RebalanceInProgress
                | ErrorCode::IllegalGeneration
                | ErrorCode::UnknownMemberId,
            ) => {
                return Ok(false);
            }
            _ => check("syncing the group", synced.error_code)?,
        }
        let partitions = assigned(synced.assignment);
        self.partitions =
            partitions.map_err(|error| Failure::new(format!("an assignment: {error}")))?;
        Ok(true)
    }

    fn join_request(&self) -> JoinGroupRequest {
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: self.id.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: PROTOCOL_NAME.into(),
                metadata: subscription(&self.topic.name),
                ..JoinGroupRequestProtocol::default()
            }],
            ..JoinGroupRequest::default()
        }
    }

    pub(crate) fn heartbeat(&mut self) -> Result<Pulse, Failure> {
        let answer = self.coordinator.ask(&HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..HeartbeatRequest::default()
        })?;
        Ok(match answer.error_code {
            0 => Pulse::Fine,
            _ => Pulse::Rejoin,
        })
    }

    /// Offsets by partition. The name of the error that any of them met.
    pub(crate) fn commit(&mut self, offsets: &[(usize, i64)]) -> Result<Option<String>, Failure> {
        let partitions = offsets
            .iter()
            .map(|&(partition, offset)| OffsetCommitRequestPartition {
                partition_index: partition as i32,
                committed_offset: offset,
                ..OffsetCommitRequestPartition::default()
            });
        let answer = self.coordinator.ask(&OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: self.topic.name.clone(),
                partitions: partitions.collect(),
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        })?;
        let mut results = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let failed = results.find(|partition| partition.error_code != 0);
        Ok(failed.map(|partition| error_name(partition.error_code)))
    }

    pub(crate) fn leave(mut self) {
        let request = LeaveGroupRequest {
            group_id: self.group.clone(),
            members: vec![MemberIdentity {
                member_id: self.id.clone(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        // A group that is not told finds out by the session timeout.
        let _ = self.coordinator.ask(&request);
    }
}

fn coordinator(bootstrap: &str, group: &str) -> Result<Connection, Failure> {
    let answer = Cluster::reach(bootstrap)?
        .any()?
        .ask(&FindCoordinatorRequest {
            coordinator_keys: vec![group.to_owned()],
            ..FindCoordinatorRequest::default()
        })?;
    let found = answer.coordinators.into_iter().next();
    let found = found.ok_or_else(|| Failure::new("no coordinator was named"))?;
    check(
        &format!("the coordinator of group {group}"),
        found.error_code,
    )?;
    Connection::open(&endpoint(&found.host, found.port))
}
