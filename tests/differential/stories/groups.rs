//! Members of groups, driven by hand.

use ottla::wire::ApiKey;
use ottla::wire::messages::delete_groups::*;
use ottla::wire::messages::describe_groups::*;
use ottla::wire::messages::heartbeat::*;
use ottla::wire::messages::join_group::*;
use ottla::wire::messages::leave_group::*;
use ottla::wire::messages::list_groups::*;
use ottla::wire::messages::sync_group::*;

use crate::session::{Asked, Client, Session};

/// The first version of JoinGroup with names that members bring.
const INSTANCES_FROM: i16 = 5;

/// A member, on a connection of its own.
pub(super) struct Member<'a> {
    pub(super) client: Client<'a>,
    name: &'static str,
    pub(super) group: String,
    pub(super) id: String,
    instance: Option<String>,
    protocols: &'static [&'static str],
    pub(super) generation: i32,
}

impl<'a> Member<'a> {
    pub(super) fn new(session: &'a Session<'a>, name: &'static str, group: &str) -> Member<'a> {
        Member {
            client: session.client(),
            name,
            group: session.name(group),
            id: String::new(),
            instance: None,
            protocols: &["range", "roundrobin"],
            generation: -1,
        }
    }

    fn fixed(
        session: &'a Session<'a>,
        name: &'static str,
        group: &str,
        instance: &str,
    ) -> Member<'a> {
        let instance = Some(session.name(instance));
        Member {
            instance,
            ..Member::new(session, name, group)
        }
    }

    fn what(&self, what: &str) -> String {
        format!("{} {what}", self.name)
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocol = |name: &&str| JoinGroupRequestProtocol {
            name: (*name).to_owned(),
            metadata: subscription(self.name).into(),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: self.protocols.iter().map(protocol).collect(),
            ..Default::default()
        }
    }

    /// Sends the join; a newcomer that is told its id says it again.
    fn begin_join(&mut self) -> Asked {
        let is_told = self.id.is_empty() && self.instance.is_none();
        if is_told && self.client.version(ApiKey::JoinGroup) >= 4 {
            let what = self.what("asks for an id");
            let answer = self.client.ask(&what, &self.join_request());
            self.id = answer.map_or(String::new(), |answer| answer.member_id);
        }
        let what = self.what("joins");
        self.client.send(&what, &self.join_request())
    }

    fn end_join(&mut self, asked: Asked) -> Vec<String> {
        let Some(answer) = self.client.receive::<JoinGroupRequest>(asked) else {
            return Vec::new();
        };
        if answer.error_code == 0 {
            self.id = answer.member_id;
            self.generation = answer.generation_id;
        }
        answer
            .members
            .into_iter()
            .map(|member| member.member_id)
            .collect()
    }

    pub(super) fn join(&mut self) -> Vec<String> {
        let asked = self.begin_join();
        self.end_join(asked)
    }

    fn sync_request(&self, members: &[String]) -> SyncGroupRequest {
        // Oneself first: the order of the others is the broker's.
        let mut members: Vec<&String> = members.iter().collect();
        members.sort_by_key(|&id| *id != self.id);
        let assignments =
            members
                .into_iter()
                .enumerate()
                .map(|(index, id)| SyncGroupRequestAssignment {
                    member_id: id.clone(),
                    assignment: vec![index as u8; index].into(),
                    ..Default::default()
                });
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some(self.protocols[0].to_owned()),
            assignments: assignments.collect(),
            ..Default::default()
        }
    }

    pub(super) fn sync(&mut self, members: &[String]) {
        let (what, request) = (self.what("syncs"), self.sync_request(members));
        self.client.ask(&what, &request);
    }

    fn heartbeat_request(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            ..Default::default()
        }
    }

    pub(super) fn beat(&mut self) {
        let (what, request) = (self.what("beats"), self.heartbeat_request());
        self.client.ask(&what, &request);
    }

    pub(super) fn leave(&mut self) {
        let (what, request) = (self.what("leaves"), self.leave_request());
        self.client.ask(&what, &request);
    }

    fn leave_request(&self) -> LeaveGroupRequest {
        LeaveGroupRequest {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            members: vec![MemberIdentity {
                member_id: self.id.clone(),
                group_instance_id: self.instance.clone(),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    pub(super) fn describe(&mut self, what: &str) {
        let request = DescribeGroupsRequest {
            groups: vec![self.group.clone()],
            include_authorized_operations: self.generation % 2 == 0,
            ..Default::default()
        };
        self.client.ask(what, &request);
    }

    /// Until the group has so many members in this state.
    fn settle_group(&mut self, members: usize, state: &str) {
        let request = DescribeGroupsRequest {
            groups: vec![self.group.clone()],
            ..Default::default()
        };
        self.client.settle(|client| {
            let answer = client.quietly(&request, 5);
            answer.is_some_and(|answer| {
                let group = &answer.groups[0];
                group.members.len() == members && group.group_state == state
            })
        });
    }
}

/// A consumer's subscription to one topic. Kafka reads it, and leaves a join without an answer when it cannot.
fn subscription(text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 5];
    bytes.extend(b"topic");
    bytes.extend((text.len() as i32).to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// One member from its first question to the group's deletion.
pub(super) fn alone(session: &Session) {
    let mut member = Member::new(session, "a", "alone");
    member.describe("before");
    let ids = member.join();
    member.describe("joined");
    member.beat();
    member.sync(&ids);
    member.describe("synced");
    member.beat();
    wrong(&mut member);
    delete(&mut member, "delete of a live group");
    list(&mut member.client, "while it lives");
    member.join();
    member.beat();
    member.describe("joined again");
    member.sync(&ids);
    member.leave();
    member.describe("left");
    member.beat();
    member.leave();
    delete(&mut member, "delete");
    delete(&mut member, "delete again");
    member.describe("deleted");
}

/// What a member must not say.
fn wrong(member: &mut Member) {
    for generation in [-1, 0, 2, 99] {
        let mut request = member.heartbeat_request();
        request.generation_id = generation;
        member
            .client
            .ask(&format!("beats in {generation}"), &request);
        let mut request = member.sync_request(&[]);
        request.generation_id = generation;
        member
            .client
            .ask(&format!("syncs in {generation}"), &request);
    }
    for id in ["", "nobody"] {
        let mut request = member.heartbeat_request();
        request.member_id = id.to_owned();
        member.client.ask(&format!("beats as {id:?}"), &request);
        let mut request = member.sync_request(&[]);
        request.member_id = id.to_owned();
        member.client.ask(&format!("syncs as {id:?}"), &request);
        let mut request = member.join_request();
        request.member_id = id.to_owned();
        request.protocols[0].name = "other".to_owned();
        request.protocols.truncate(1);
        member
            .client
            .ask(&format!("joins as {id:?} with another protocol"), &request);
        request.protocol_type = "connect".to_owned();
        member
            .client
            .ask(&format!("joins as {id:?} with another type"), &request);
        let mut request = member.leave_request();
        request.member_id = id.to_owned();
        request.members[0].member_id = id.to_owned();
        member.client.ask(&format!("leaves as {id:?}"), &request);
    }
    let mut request = member.sync_request(&[]);
    request.protocol_name = Some("other".to_owned());
    member.client.ask("syncs with another protocol", &request);
    let mut request = member.sync_request(&[]);
    request.protocol_type = Some("connect".to_owned());
    member.client.ask("syncs with another type", &request);
    for timeout in [5_999, 6_000, 1_800_000, 1_800_001] {
        let mut request = member.join_request();
        request.member_id = "nobody".to_owned();
        request.session_timeout_ms = timeout;
        member
            .client
            .ask(&format!("joins with a session of {timeout}"), &request);
    }
    let mut request = member.heartbeat_request();
    request.group_instance_id = Some("of nobody".to_owned());
    member
        .client
        .ask("beats as an instance of nobody", &request);
}

fn delete(member: &mut Member, what: &str) {
    let groups_names = vec![member.group.clone(), "of nobody".to_owned()];
    member.client.ask(
        what,
        &DeleteGroupsRequest {
            groups_names,
            ..Default::default()
        },
    );
}

fn list(client: &mut Client, what: &str) {
    let request = |states: &[&str], types: &[&str]| ListGroupsRequest {
        states_filter: states.iter().map(ToString::to_string).collect(),
        types_filter: types.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    client.ask(what, &request(&["Stable"], &[]));
    client.ask(
        "of two states, in other letters",
        &request(&["stable", "EMPTY"], &[]),
    );
    client.ask("of a type", &request(&["Stable"], &["classic"]));
    client.ask("of the other type", &request(&[], &["consumer"]));
    client.ask("of a state of nobody", &request(&["Asleep"], &[]));
    client.ask("of a type of nobody", &request(&[], &["modern"]));
}

/// Two members, who come, rebalance and go.
pub(super) fn two(session: &Session) {
    let mut first = Member::new(session, "a", "two");
    let mut second = Member::new(session, "b", "two");
    let ids = first.join();
    first.sync(&ids);
    let asked = second.begin_join();
    first.settle_group(2, "PreparingRebalance");
    first.describe("while two rebalance");
    first.beat();
    first.sync(&ids);
    let again = first.begin_join();
    second.end_join(asked);
    let ids = first.end_join(again);
    first.describe("two joined");
    second.beat();
    let waiting = {
        let (what, request) = (second.what("syncs"), second.sync_request(&[]));
        second.client.send(&what, &request)
    };
    first.sync(&ids);
    second.client.receive::<SyncGroupRequest>(waiting);
    first.describe("two synced");
    first.beat();
    second.beat();
    // Who follows is told again what it has, who leads begins anew.
    second.join();
    second.sync(&[]);
    second.leave();
    first.settle_group(1, "PreparingRebalance");
    first.describe("one left");
    first.beat();
    let ids = first.join();
    first.sync(&ids);
    first.beat();
    first.leave();
    first.describe("both left");
}

/// Members with a name of their own.
pub(super) fn fixed(session: &Session) {
    if session.versions.of(ApiKey::JoinGroup) < INSTANCES_FROM {
        return;
    }
    let mut first = Member::fixed(session, "a", "fixed", "one");
    let ids = first.join();
    first.sync(&ids);
    first.describe("one instance");
    first.beat();
    let old = first.id.clone();
    // The same instance from another place takes over.
    first.id = String::new();
    first.join();
    first.describe("it came again");
    let new = std::mem::replace(&mut first.id, old);
    first.beat();
    first.sync(&[]);
    first.join();
    first.leave();
    first.id = new;
    first.beat();
    let ids = vec![first.id.clone()];
    first.sync(&ids);
    first.describe("it leads on");
    let mut second = Member::fixed(session, "b", "fixed", "two");
    let asked = second.begin_join();
    first.settle_group(2, "PreparingRebalance");
    let ids = first.join();
    second.end_join(asked);
    first.sync(&ids);
    second.sync(&[]);
    second.describe("two instances");
    let members = ["one", "two", "three"].map(|instance| MemberIdentity {
        member_id: String::new(),
        group_instance_id: Some(session.name(instance)),
        ..Default::default()
    });
    let request = LeaveGroupRequest {
        group_id: first.group.clone(),
        member_id: second.id.clone(),
        members: members.to_vec(),
        ..Default::default()
    };
    first.client.ask("removed by name", &request);
    first.describe("after removal");
    first.beat();
}

/// A group of one, and what the seed draws.
pub(super) fn walk(session: &Session) {
    let mut prng = session.prng();
    let mut member = Member::new(session, "a", "walk");
    for _ in 0..40 {
        match prng.below(9) {
            0 | 1 => {
                let ids = member.join();
                if prng.chance(70) {
                    member.sync(&ids);
                }
            }
            2 => member.sync(&[]),
            3 | 4 => member.beat(),
            5 => member.describe("described"),
            6 => {
                member.leave();
                if prng.chance(50) {
                    member.id = String::new();
                }
            }
            7 => delete(&mut member, "deleted"),
            _ => member.generation += prng.below(3) as i32 - 1,
        }
    }
}
