//! Requests about consumer groups. Nobody is a member of any: a join that is let in waits for others, which no hostile
//! frame has the time for.

use ottla::wire::messages::*;

use super::Fate::{Error, Valid};
use super::{Cases, NOWHERE, PARTITION_BEYOND};

const GROUP: &str = "hostile-group";

impl Cases<'_> {
    /// There are no transactions and no share groups yet: whoever names one is refused.
    pub(super) fn find_coordinator(&mut self) {
        use find_coordinator::*;
        let request = |key_type: i8, keys: &[&str]| FindCoordinatorRequest {
            key: keys.first().unwrap_or(&"").to_string(),
            key_type,
            coordinator_keys: keys.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        if self.version >= 4 {
            self.add(Valid, "nobody", &request(0, &[]));
            self.add(Valid, "many groups", &request(0, &["x"; 1_000]));
        }
        self.add(Valid, "a group", &request(0, &[GROUP]));
        self.add(Valid, "a group without a name", &request(0, &[""]));
        if self.version >= 1 {
            self.add(Error, "a transactional id", &request(1, &["id"]));
            self.add(Error, "a share group", &request(2, &["share"]));
            self.add(Error, "nothing known", &request(-7, &["x", "y"]));
        }
    }

    pub(super) fn offset_commit(&mut self) {
        use offset_commit::*;
        fn part(request: &mut OffsetCommitRequest) -> &mut OffsetCommitRequestPartition {
            &mut request.topics[0].partitions[0]
        }
        let good = OffsetCommitRequest {
            group_id: GROUP.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: self.world.topic.clone(),
                partitions: vec![OffsetCommitRequestPartition::default()],
                ..Default::default()
            }],
            ..Default::default()
        };
        self.add(Valid, "an offset", &good);
        self.changed(Valid, "nothing", &good, |request| request.topics.clear());
        self.changed(Valid, "no partition", &good, |request| {
            request.topics[0].partitions.clear();
        });
        self.changed(Valid, "a group without a name", &good, |request| {
            request.group_id.clear();
        });
        for offset in [-1, i64::MIN, i64::MAX] {
            self.changed(Valid, format!("offset {offset}"), &good, |request| {
                part(request).committed_offset = offset;
            });
        }
        self.changed(Error, "a generation of nobody", &good, |request| {
            request.generation_id_or_member_epoch = 5;
            request.member_id = "nobody".to_owned();
        });
        self.changed(Error, "a topic that is not there", &good, |request| {
            request.topics[0].name = NOWHERE.to_owned();
        });
        for index in [-1, PARTITION_BEYOND, i32::MIN] {
            self.changed(Error, format!("partition {index}"), &good, |request| {
                part(request).partition_index = index;
            });
        }
        self.changed(Error, "a long text", &good, |request| {
            part(request).committed_metadata = Some("x".repeat(30_000));
        });
        self.changed(Error, "too much at once", &good, |request| {
            part(request).committed_metadata = Some("x".repeat(4_096));
            let one = request.topics[0].partitions[0].clone();
            request.topics[0].partitions = vec![one; 700];
        });
        if (2..=4).contains(&self.version) {
            self.changed(Valid, "a retention from before time", &good, |request| {
                request.retention_time_ms = i64::MIN;
            });
        }
    }

    pub(super) fn offset_fetch(&mut self) {
        use offset_fetch::*;
        let names = [self.world.topic.clone(), NOWHERE.to_owned()];
        let indexes = vec![0, -1, PARTITION_BEYOND, i32::MIN];
        if self.version >= 8 {
            let topics = names.map(|name| OffsetFetchRequestTopics {
                name,
                partition_indexes: indexes.clone(),
                ..Default::default()
            });
            let group = |group: &str, topics| OffsetFetchRequestGroup {
                group_id: group.to_owned(),
                topics,
                ..Default::default()
            };
            let request = |groups| OffsetFetchRequest {
                groups,
                ..Default::default()
            };
            self.add(Valid, "no group", &request(Vec::new()));
            let some = group(GROUP, Some(topics.to_vec()));
            self.add(Valid, "offsets nobody has", &request(vec![some]));
            let many = vec![group("", None); 1_000];
            self.add(Valid, "everything of nobody", &request(many));
            return;
        }
        let topics = names.map(|name| OffsetFetchRequestTopic {
            name,
            partition_indexes: indexes.clone(),
            ..Default::default()
        });
        let good = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            topics: Some(topics.to_vec()),
            ..Default::default()
        };
        self.add(Valid, "offsets nobody has", &good);
        self.changed(Valid, "of a group without a name", &good, |request| {
            request.group_id.clear();
        });
        if self.version >= 2 {
            self.changed(Valid, "everything", &good, |request| request.topics = None);
        }
    }

    pub(super) fn join_group(&mut self) {
        use join_group::*;
        let nobody = JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            member_id: "nobody".to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        self.add(Error, "a member nobody knows", &nobody);
        self.changed(Error, "a group without a name", &nobody, |request| {
            request.group_id.clear();
        });
        for timeout in [0, -1, i32::MIN, i32::MAX] {
            self.changed(
                Error,
                format!("a session of {timeout}"),
                &nobody,
                |request| {
                    request.session_timeout_ms = timeout;
                },
            );
        }
        let newcomer = JoinGroupRequest {
            member_id: String::new(),
            ..nobody
        };
        self.changed(Error, "no protocol", &newcomer, |request| {
            request.protocols.clear()
        });
        self.changed(Error, "no type", &newcomer, |request| {
            request.protocol_type.clear()
        });
        self.changed(Error, "a long story", &newcomer, |request| {
            request.protocols[0].metadata = vec![7; 2 << 20].into();
        });
        if self.version >= 4 {
            self.add(Error, "a newcomer, who is told an id", &newcomer);
        }
        if self.version >= 5 {
            self.changed(Error, "an instance nobody knows", &newcomer, |request| {
                request.member_id = "nobody".to_owned();
                request.group_instance_id = Some(NOWHERE.to_owned());
            });
        }
    }

    pub(super) fn sync_group(&mut self) {
        use sync_group::*;
        let nobody = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: 1,
            member_id: "nobody".to_owned(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            assignments: vec![SyncGroupRequestAssignment::default(); 100],
            ..Default::default()
        };
        self.add(Error, "a member nobody knows", &nobody);
        self.changed(Error, "a group without a name", &nobody, |request| {
            request.group_id.clear();
        });
        if self.version >= 5 {
            self.changed(Error, "no protocol", &nobody, |request| {
                request.protocol_name = None
            });
        }
    }

    pub(super) fn heartbeat(&mut self) {
        use heartbeat::*;
        for (what, group_id, generation_id) in [
            ("a member nobody knows", GROUP, 1),
            ("a group without a name", "", 1),
            ("a generation before time", GROUP, i32::MIN),
        ] {
            let request = HeartbeatRequest {
                group_id: group_id.to_owned(),
                generation_id,
                member_id: "nobody".to_owned(),
                ..Default::default()
            };
            self.add(Error, what, &request);
        }
    }

    pub(super) fn leave_group(&mut self) {
        use leave_group::*;
        let request = |group: &str, count| LeaveGroupRequest {
            group_id: group.to_owned(),
            member_id: "nobody".to_owned(),
            members: vec![MemberIdentity::default(); count],
            ..Default::default()
        };
        self.add(Error, "a member nobody knows", &request(GROUP, 1));
        self.add(Error, "many of them", &request(GROUP, 1_000));
        self.add(Error, "a group without a name", &request("", 1));
        if self.version >= 3 {
            self.add(Valid, "nobody leaves", &request(GROUP, 0));
        }
    }

    pub(super) fn describe_groups(&mut self) {
        use describe_groups::*;
        let request = |groups: &[&str]| DescribeGroupsRequest {
            groups: groups.iter().map(ToString::to_string).collect(),
            include_authorized_operations: true,
            ..Default::default()
        };
        self.add(Valid, "no group", &request(&[]));
        // Before version 6 what is unknown is dead.
        let fate = if self.version >= 6 { Error } else { Valid };
        self.add(fate, "a group nobody knows", &request(&[NOWHERE]));
        self.add(fate, "many of them", &request(&[NOWHERE; 1_000]));
    }

    pub(super) fn list_groups(&mut self) {
        use list_groups::*;
        self.add(Valid, "all", &ListGroupsRequest::default());
        let odd = || vec![String::new(), "\u{1f4a9}".to_owned(), "x".repeat(30_000)];
        if self.version >= 4 {
            let request = ListGroupsRequest {
                states_filter: odd(),
                types_filter: if self.version >= 5 { odd() } else { Vec::new() },
                ..Default::default()
            };
            self.add(Valid, "of states that are none", &request);
        }
    }

    pub(super) fn delete_groups(&mut self) {
        use delete_groups::*;
        let request = |groups: &[&str]| DeleteGroupsRequest {
            groups_names: groups.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        self.add(Valid, "no group", &request(&[]));
        self.add(Error, "a group nobody knows", &request(&[NOWHERE]));
        self.add(Error, "many of them", &request(&[NOWHERE; 1_000]));
    }

    pub(super) fn offset_delete(&mut self) {
        use offset_delete::*;
        let request = |group: &str, topic: &str, partition_index| OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.to_owned(),
                partitions: vec![OffsetDeleteRequestPartition {
                    partition_index,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let topic = self.world.topic.clone();
        self.add(Valid, "offsets of no member", &request(GROUP, &topic, 0));
        self.add(Error, "a group nobody knows", &request(NOWHERE, &topic, 0));
        self.add(
            Error,
            "a topic that is not there",
            &request(GROUP, NOWHERE, 0),
        );
        self.add(
            Error,
            "a partition that is not there",
            &request(GROUP, &topic, -1),
        );
    }
}
