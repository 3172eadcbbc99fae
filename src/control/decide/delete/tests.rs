use crate::control::command::{Command, Outcome, TopicRef};
use crate::control::controller::{Controller, Proposal};
use crate::control::fixture::*;
use crate::control::image::Tombstone;

fn delete(controller: &mut Controller, topics: Vec<TopicRef>) -> (Proposal, Vec<String>) {
    let proposal = controller.propose(Command::DeleteTopics { topics });
    let Outcome::TopicsDeleted(results) = &proposal.outcome else {
        panic!("not a deletion: {:?}", proposal.outcome)
    };
    let texts = texts(results);
    (proposal, texts)
}

fn name(name: &str) -> TopicRef {
    TopicRef::Name(name.to_owned())
}

#[test]
fn a_deleted_topic_stays_as_a_tombstone_until_its_files_are_gone() {
    let mut controller = with_topics(&["a", "b"]);
    let before = controller.image().clone();
    let (proposal, texts) = delete(&mut controller, vec![name("a"), TopicRef::Id(id(2))]);
    assert_eq!(texts, ["ok", "ok"]);
    let image = &proposal.image;
    assert_eq!((image.topics().len(), image.partition_count()), (0, 0));
    assert!(image.topic_by_id(id(1)).is_none());
    let tombstone = |name: &str| Tombstone {
        name: name.into(),
        partitions: 1,
    };
    let kept: Vec<_> = image.tombstones().map(|(id, t)| (id, t.clone())).collect();
    assert_eq!(kept, [(id(1), tombstone("a")), (id(2), tombstone("b"))]);
    let deleted: Vec<_> = image.changes_since(&before).deleted;
    assert_eq!(deleted.len(), 2);

    let gone = controller.propose(Command::RemoveTombstone { topic: id(1) });
    assert_eq!(gone.outcome, Outcome::TombstoneRemoved);
    assert_eq!(
        gone.image
            .tombstones()
            .map(|(id, _)| id)
            .collect::<Vec<_>>(),
        [id(2)]
    );
    let again = controller.propose(Command::RemoveTombstone { topic: id(1) });
    assert!(again.records.is_empty());
}

#[test]
fn a_topic_created_again_is_another_topic() {
    let mut controller = with_topics(&["a.b"]);
    delete(&mut controller, vec![name("a.b")]);
    let proposal = controller.propose(create(vec![topic("a_b", 9)]));
    assert_eq!(texts(created(&proposal)), ["ok"]);
    assert!(proposal.image.topic_by_id(id(1)).is_none());
    assert_eq!(proposal.image.tombstones().len(), 1);
}

#[test]
fn each_deletion_fails_alone() {
    let mut controller = with_topics(&["a", "b", "c", "d"]);
    let wanted = vec![
        name("a"),
        name("none"),
        name("b"),
        name("b"),
        TopicRef::Id(id(3)),
        TopicRef::Id(id(3)),
        TopicRef::Id(id(99)),
        TopicRef::Id(id(0)),
        name("d"),
        TopicRef::Id(id(4)),
    ];
    let (proposal, texts) = delete(&mut controller, wanted);
    assert_eq!(
        texts,
        [
            "ok",
            "The topic 'none' does not exist.",
            "Duplicate topic name.",
            "Duplicate topic name.",
            "Duplicate topic id.",
            "Duplicate topic id.",
            "No topic has the id Y2NjY2NjY2NjY2NjY2NjYw.",
            "Neither topic name nor id were specified.",
            // Named by name and by id.
            "Duplicate topic name.",
            "Duplicate topic id.",
        ]
    );
    assert_eq!(proposal.records.len(), 1);
    let left: Vec<_> = proposal.image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(left, ["b", "c", "d"]);
}

#[test]
fn nothing_is_deleted_where_deletion_is_switched_off() {
    let mut controller = controller(&[("delete.topic.enable", "false")]);
    controller.propose(create(vec![topic("a", 1)]));
    let (proposal, texts) = delete(&mut controller, vec![name("a"), name("none")]);
    assert_eq!(texts, ["Topic deletion is disabled."; 2]);
    assert_eq!(proposal.image.topics().len(), 1);
}
