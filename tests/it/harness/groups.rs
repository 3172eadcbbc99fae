//! Members of consumer groups, one request at a time.

use super::client::Connection;
use super::wait::wait_for;
use ottla::wire::ErrorCode;
use ottla::wire::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use ottla::wire::messages::find_coordinator::FindCoordinatorRequest;
use ottla::wire::messages::heartbeat::HeartbeatRequest;
use ottla::wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use ottla::wire::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla::wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla::wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla::wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use std::collections::BTreeMap;

pub const SESSION_MS: i32 = 6_000;

/// A member and its own connection, for its joins wait.
pub struct Member {
    pub client: Connection,
    pub group: String,
    pub id: String,
    pub instance: Option<String>,
    pub generation: i32,
    pub joining: Option<i32>,
    pub syncing: Option<i32>,
}

impl Member {
    pub fn new(address: &str, group: &str) -> Member {
        let mut client = Connection::open(address);
        client.find_coordinator(group);
        Member {
            client,
            group: group.into(),
            id: String::new(),
            instance: None,
            generation: -1,
            joining: None,
            syncing: None,
        }
    }

    pub fn with_instance(address: &str, group: &str, instance: &str) -> Member {
        Member {
            instance: Some(instance.into()),
            ..Member::new(address, group)
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: 30_000,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".into(),
                // Version 0, one topic "t", no user data.
                metadata: b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff".to_vec().into(),
                ..JoinGroupRequestProtocol::default()
            }],
            reason: Some("a story".into()),
            ..JoinGroupRequest::default()
        }
    }

    /// Sends the join; a new dynamic member asks for its id first.
    pub fn start_join(&mut self) {
        if self.id.is_empty() && self.instance.is_none() {
            let request = self.join_request();
            let told = self.client.call(&request, 9);
            assert_eq!(told.error_code, ErrorCode::MemberIdRequired.code());
            self.id = told.member_id;
        }
        let request = self.join_request();
        self.joining = Some(self.client.send(&request, 9).expect("sent"));
    }

    pub fn finish_join(&mut self) -> JoinGroupResponse {
        let correlation = self.joining.take().expect("it joins");
        let answer = self.client.receive::<JoinGroupRequest>(9, correlation);
        let answer = answer.expect("an answer");
        assert_eq!(answer.error_code, 0, "{answer:?}");
        self.id.clone_from(&answer.member_id);
        self.generation = answer.generation_id;
        answer
    }

    pub fn start_sync(&mut self, parts: &BTreeMap<String, String>) {
        let assignments = parts
            .iter()
            .map(|(member, part)| SyncGroupRequestAssignment {
                member_id: member.clone(),
                assignment: part.clone().into_bytes().into(),
                ..SyncGroupRequestAssignment::default()
            });
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        self.syncing = Some(self.client.send(&request, 5).expect("sent"));
    }

    pub fn finish_sync(&mut self) -> String {
        let correlation = self.syncing.take().expect("it syncs");
        let answer = self.client.receive::<SyncGroupRequest>(5, correlation);
        let answer: SyncGroupResponse = answer.expect("an answer");
        assert_eq!(answer.error_code, 0, "{answer:?}");
        String::from_utf8(answer.assignment.to_vec()).expect("text")
    }

    /// The error code.
    pub fn heartbeat(&mut self) -> i16 {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            ..HeartbeatRequest::default()
        };
        self.client.call(&request, 4).error_code
    }

    /// Sends heartbeats until the group rebalances.
    pub fn wait_for_rebalance(&mut self) {
        wait_for("a rebalance", || match self.heartbeat() {
            0 => None,
            code if code == ErrorCode::RebalanceInProgress.code() => Some(()),
            code => panic!("{:?}", ErrorCode::from_code(code)),
        });
    }

    pub fn leave(&mut self) {
        let request = LeaveGroupRequest {
            group_id: self.group.clone(),
            members: vec![MemberIdentity {
                member_id: self.id.clone(),
                group_instance_id: self.instance.clone(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        let answer = self.client.call(&request, 5);
        assert_eq!((answer.error_code, answer.members[0].error_code), (0, 0));
    }

    /// The error code.
    pub fn commit(&mut self, topic: &str, partition: i32, offset: i64) -> i16 {
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            ..commit_request(&self.group, topic, &[(partition, offset)])
        };
        self.client.call(&request, 9).topics[0].partitions[0].error_code
    }
}

/// All have sent their join, and go through join and sync together. Who got what.
pub fn complete(members: &mut [&mut Member]) -> Vec<String> {
    let joined: Vec<_> = members
        .iter_mut()
        .map(|member| member.finish_join())
        .collect();
    let generation = joined[0].generation_id;
    assert!(
        joined
            .iter()
            .all(|answer| answer.generation_id == generation)
    );
    let of_leader = joined
        .iter()
        .find(|answer| answer.leader == answer.member_id);
    let of_leader = of_leader.expect("one of them leads");
    let ids = of_leader
        .members
        .iter()
        .map(|member| member.member_id.clone());
    let parts: BTreeMap<_, _> = ids
        .enumerate()
        .map(|(part, id)| (id, format!("part {part}")))
        .collect();
    for (member, answer) in members.iter_mut().zip(&joined) {
        let leads = answer.leader == answer.member_id;
        member.start_sync(if leads {
            &parts
        } else {
            const { &BTreeMap::new() }
        });
    }
    members
        .iter_mut()
        .map(|member| member.finish_sync())
        .collect()
}

pub fn commit_request(group: &str, topic: &str, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions = offsets
        .iter()
        .map(|(partition, offset)| OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            committed_leader_epoch: 0,
            committed_metadata: Some(format!("at {offset}")),
            ..OffsetCommitRequestPartition::default()
        });
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: partitions.collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

impl Connection {
    pub fn find_coordinator(&mut self, group: &str) {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![group.into()],
            ..FindCoordinatorRequest::default()
        };
        let found = self.call(&request, 6).coordinators.remove(0);
        assert_eq!(found.error_code, 0, "{found:?}");
        assert!(found.node_id >= 0 && found.port > 0);
    }

    /// As a tool commits: outside of any generation. Asked again while the coordinator loads.
    pub fn commit_offsets(&mut self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        wait_for("a commit", || {
            let answer = self.call(&commit_request(group, topic, offsets), 9);
            let codes = answer.topics[0]
                .partitions
                .iter()
                .map(|part| part.error_code);
            let codes: Vec<i16> = codes.collect();
            match codes.iter().all(|code| *code == 0) {
                true => Some(()),
                false => {
                    let loads = ErrorCode::CoordinatorLoadInProgress.code();
                    assert!(codes.iter().all(|code| *code == loads), "{codes:?}");
                    None
                }
            }
        });
    }

    /// Partition, offset and text of everything the group has in the topic.
    pub fn committed(&mut self, group: &str, topic: &str) -> Vec<(i32, i64, String)> {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: group.into(),
                topics: None,
                ..OffsetFetchRequestGroup::default()
            }],
            require_stable: true,
            ..OffsetFetchRequest::default()
        };
        let group = wait_for("the offsets", || {
            let found = self.call(&request, 9).groups.remove(0);
            let loads = ErrorCode::CoordinatorLoadInProgress.code();
            assert!([0, loads].contains(&found.error_code), "{found:?}");
            (found.error_code == 0).then_some(found)
        });
        let topics = group.topics.into_iter().filter(|found| found.name == topic);
        let partitions = topics.flat_map(|found| found.partitions);
        let found = partitions.map(|part| {
            (
                part.partition_index,
                part.committed_offset,
                part.metadata.unwrap_or_default(),
            )
        });
        found.collect()
    }

    /// The offset of one partition, -1 without one, at any version.
    pub fn committed_at(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        version: i16,
    ) -> (i16, i64) {
        let name = topic.to_string();
        let one = OffsetFetchRequestTopics {
            name: name.clone(),
            partition_indexes: vec![partition],
            ..OffsetFetchRequestTopics::default()
        };
        let old = ottla::wire::messages::offset_fetch::OffsetFetchRequestTopic {
            name,
            partition_indexes: vec![partition],
            ..Default::default()
        };
        let mut request = OffsetFetchRequest::default();
        if version < 8 {
            request.group_id = group.into();
            request.topics = Some(vec![old]);
            let answer = self.call(&request, version);
            let part = &answer.topics[0].partitions[0];
            return (
                answer.error_code.max(part.error_code),
                part.committed_offset,
            );
        }
        request.groups = vec![OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: Some(vec![one]),
            ..OffsetFetchRequestGroup::default()
        }];
        let answer = self.call(&request, version);
        let part = &answer.groups[0].topics[0].partitions[0];
        (
            answer.groups[0].error_code.max(part.error_code),
            part.committed_offset,
        )
    }

    pub fn describe_group(&mut self, group: &str, version: i16) -> DescribedGroup {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            ..DescribeGroupsRequest::default()
        };
        self.call(&request, version).groups.remove(0)
    }
}
