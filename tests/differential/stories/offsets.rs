//! Offsets that groups commit.

use ottla::wire::ApiKey;
use ottla::wire::messages::delete_groups::*;
use ottla::wire::messages::offset_commit::*;
use ottla::wire::messages::offset_delete::*;
use ottla::wire::messages::offset_fetch::*;

use super::build::*;
use super::groups::Member;
use crate::session::{Client, Session};

fn commit(group: &str, topic: &Topic, offsets: &[(i32, i64, Option<&str>)]) -> OffsetCommitRequest {
    let partition = |&(partition_index, committed_offset, text): &(i32, i64, Option<&str>)| {
        OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_leader_epoch: partition_index - 1,
            committed_metadata: text.map(str::to_owned),
            ..Default::default()
        }
    };
    OffsetCommitRequest {
        group_id: group.to_owned(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.name.clone(),
            partitions: offsets.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// `None`: everything the group has.
fn read(client: &mut Client, what: &str, groups: &[&str], topics: Option<&[(&Topic, &[i32])]>) {
    let asked = topics.map(|topics| {
        let topic =
            |(topic, partitions): &(&Topic, &[i32])| (topic.name.clone(), partitions.to_vec());
        topics.iter().map(topic).collect::<Vec<_>>()
    });
    let of_group = |group: &&str| OffsetFetchRequestGroup {
        group_id: (*group).to_owned(),
        topics: asked.clone().map(|topics| {
            let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
                name,
                partition_indexes,
                ..Default::default()
            };
            topics.into_iter().map(topic).collect()
        }),
        ..Default::default()
    };
    let old = |(name, partition_indexes)| OffsetFetchRequestTopic {
        name,
        partition_indexes,
        ..Default::default()
    };
    let is_first = client.version(ApiKey::OffsetFetch) == 1;
    let none = is_first.then(Vec::new);
    let request = OffsetFetchRequest {
        group_id: groups[0].to_owned(),
        topics: asked
            .clone()
            .map(|topics| topics.into_iter().map(old).collect())
            .or(none),
        groups: groups.iter().map(of_group).collect(),
        require_stable: groups.len() > 1,
        ..Default::default()
    };
    client.ask(what, &request);
}

pub(super) fn of_nobody(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("offsets", 4, &[]);
    let (group, other) = (session.name("simple"), session.name("other"));
    read(&mut client, "before", &[&group], Some(&[(&topic, &[0, 1])]));
    read(&mut client, "all, before", &[&group], None);
    let some = [
        (0, 5, Some("text")),
        (1, 0, Some("")),
        (2, 7, None),
        (3, -1, Some("minus")),
    ];
    client.ask("four", &commit(&group, &topic, &some));
    client.ask(
        "two, one beyond",
        &commit(&group, &topic, &[(0, 6, None), (9, 1, None)]),
    );
    client.ask(
        "a topic of nobody",
        &commit(&group, &client.nowhere(), &[(0, 6, None)]),
    );
    client.ask(
        "twice the same",
        &commit(&group, &topic, &[(1, 3, None), (1, 4, None)]),
    );
    client.ask(
        "nothing",
        &OffsetCommitRequest {
            group_id: group.clone(),
            ..Default::default()
        },
    );
    for length in [4_096, 4_097] {
        let text = "t".repeat(length);
        let offsets = [(2, 8, Some(&*text)), (0, 9, None)];
        client.ask(
            &format!("a text of {length}"),
            &commit(&group, &topic, &offsets),
        );
    }
    as_strangers(&mut client, &topic, &group);
    read(
        &mut client,
        "some",
        &[&group],
        Some(&[(&topic, &[3, 0, 17, -1])]),
    );
    read(&mut client, "all", &[&group, &other], None);
    read(&mut client, "none asked", &[&group], Some(&[]));
    let nowhere = client.nowhere();
    read(
        &mut client,
        "of nowhere",
        &[&group],
        Some(&[(&nowhere, &[0])]),
    );
    read(&mut client, "of no group", &[""], Some(&[(&topic, &[0])]));
    deletions(&mut client, &topic, &group);
}

fn as_strangers(client: &mut Client, topic: &Topic, group: &str) {
    for (generation, member) in [
        (-1, "somebody"),
        (0, ""),
        (1, ""),
        (1, "somebody"),
        (-2, ""),
    ] {
        let mut request = commit(group, topic, &[(3, 2, None)]);
        request.generation_id_or_member_epoch = generation;
        request.member_id = member.to_owned();
        client.ask(&format!("as {member:?} in {generation}"), &request);
    }
    let mut request = commit(group, topic, &[(3, 1, None)]);
    request.group_instance_id = Some("instance".to_owned());
    client.ask("as an instance", &request);
    client.ask("of no group", &commit("", topic, &[(0, 1, None)]));
}

fn delete(group: &str, topic: &Topic, partitions: &[i32]) -> OffsetDeleteRequest {
    let partition = |&partition_index: &i32| OffsetDeleteRequestPartition {
        partition_index,
        ..Default::default()
    };
    OffsetDeleteRequest {
        group_id: group.to_owned(),
        topics: vec![OffsetDeleteRequestTopic {
            name: topic.name.clone(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn deletions(client: &mut Client, topic: &Topic, group: &str) {
    client.ask("delete two, one beyond", &delete(group, topic, &[0, 1, 9]));
    client.ask("delete of nowhere", &delete(group, &client.nowhere(), &[0]));
    client.ask("delete of no group", &delete("", topic, &[0]));
    client.ask(
        "delete of a group of nobody",
        &delete("nobody at all", topic, &[0]),
    );
    read(client, "after deletion", &[group], None);
    client.delete(topic);
    client.settle(|client| {
        let request = OffsetFetchRequest {
            group_id: group.to_owned(),
            topics: None,
            ..Default::default()
        };
        client
            .quietly(&request, 7)
            .is_none_or(|answer| answer.topics.is_empty())
    });
    read(client, "after the topic", &[group], None);
    let groups_names = vec![group.to_owned(), group.to_owned(), String::new()];
    client.ask(
        "the group is deleted",
        &DeleteGroupsRequest {
            groups_names,
            ..Default::default()
        },
    );
    read(client, "after the group", &[group], None);
}

pub(super) fn of_a_member(session: &Session) {
    let mut client = session.client();
    let topic = client.topic("offsets", 2, &[]);
    let mut member = Member::new(session, "a", "members");
    let group = member.group.clone();
    client.ask("before it joins", &commit(&group, &topic, &[(0, 1, None)]));
    let ids = member.join();
    let of = |member: &Member, generation: i32, id: &str, offset: i64| {
        let mut request = commit(&member.group, &topic, &[(0, offset, Some("m"))]);
        request.generation_id_or_member_epoch = generation;
        request.member_id = id.to_owned();
        request
    };
    let (generation, id) = (member.generation, member.id.clone());
    client.ask("before it syncs", &of(&member, generation, &id, 2));
    member.sync(&ids);
    client.ask("as a member", &of(&member, generation, &id, 3));
    client.ask(
        "in the next generation",
        &of(&member, generation + 1, &id, 4),
    );
    client.ask("in the one before", &of(&member, generation - 1, &id, 5));
    client.ask("as somebody else", &of(&member, generation, "somebody", 6));
    client.ask("as nobody", &of(&member, -1, "", 7));
    client.ask(
        "as nobody, of a generation",
        &of(&member, generation, "", 8),
    );
    client.ask("deletion while it reads", &delete(&group, &topic, &[0]));
    member.leave();
    client.ask("after it left", &of(&member, generation, &id, 9));
    client.ask("as nobody, after it left", &of(&member, -1, "", 10));
    read(&mut client, "in the end", &[&group], None);
    client.ask("deletion in the end", &delete(&group, &topic, &[0, 1]));
    read(
        &mut client,
        "nothing is left",
        &[&group],
        Some(&[(&topic, &[0, 1])]),
    );
}
