//! Offsets: committed, shown, deleted, expired.

use super::world::*;
use crate::base::limits::OFFSETS_EXPIRED_PER_TURN;
use crate::group::GroupError as Error;
use crate::group::*;

const RETENTION_MS: u64 = 7 * 24 * 3_600_000;

#[test]
fn an_offset_is_shown_and_its_commit_answered_when_it_is_durable() {
    let mut world = World::new();
    world.writes_at_once = false;
    let commit = world.commit(0, 5);
    assert_eq!(world.taken(commit), None);
    assert_eq!(world.offsets(), []);
    world.write_ends(Ok(()));
    assert_eq!(world.committed(commit), Ok(()));
    assert_eq!(world.offsets(), [(0, 5)]);
    let ticket = world.ask(Command::FetchOffsets(FetchOffsets {
        group: GROUP.into(),
        wanted: Some(vec![("topic".into(), 0), ("topic".into(), 1)]),
    }));
    let Some(Answer::FetchOffsets(Ok(found))) = world.taken(ticket) else {
        panic!("no offsets")
    };
    let committed = found[0].committed.as_ref().expect("committed");
    assert_eq!((&*committed.metadata, committed.leader_epoch), ("note", 3));
    assert_eq!(
        found[1].committed, None,
        "never committed, which is no error"
    );
}

#[test]
fn commits_that_come_while_one_is_written_go_together() {
    let mut world = World::new();
    world.writes_at_once = false;
    let first = world.commit(0, 1);
    let later: Vec<_> = (2..5).map(|offset| world.commit(0, offset)).collect();
    world.write_ends(Ok(()));
    assert_eq!(world.committed(first), Ok(()));
    assert_eq!(world.offsets(), [(0, 1)]);
    world.write_ends(Ok(()));
    assert!(
        later
            .into_iter()
            .all(|commit| world.committed(commit) == Ok(()))
    );
    assert_eq!(world.offsets(), [(0, 4)]);
    assert!(world.under_way.is_empty());
}

#[test]
fn a_commit_that_fails_says_whether_it_may_be_written() {
    for (failure, error) in [
        (WriteError::Refused, Error::NotAvailable),
        (WriteError::Unknown, Error::FateUnknown),
    ] {
        let mut world = World::new();
        world.writes_at_once = false;
        let first = world.commit(0, 1);
        let behind = world.commit(0, 2);
        world.write_ends(Err(failure));
        assert_eq!(world.committed(first), Err(error));
        assert_eq!(world.committed(behind), Err(error));
        let next = world.commit(0, 3);
        match failure {
            WriteError::Refused => {
                world.write_ends(Ok(()));
                assert_eq!(world.committed(next), Ok(()));
                assert_eq!(world.offsets(), [(0, 3)]);
            }
            WriteError::Unknown => assert_eq!(world.committed(next), Err(Error::NotAvailable)),
        }
    }
}

#[test]
fn who_may_commit_follows_from_the_group() {
    let mut world = World::new();
    let missing = world.ask(Command::Commit(commit(who("m", 1), "topic", 0, 1)));
    assert_eq!(world.committed(missing), Err(Error::GroupIdNotFound));
    let old = CommitRequest {
        knows_missing_groups: false,
        ..commit(who("m", 1), "topic", 0, 1)
    };
    let old = world.ask(Command::Commit(old));
    assert_eq!(world.committed(old), Err(Error::IllegalGeneration));
    let ids = world.stable(1);
    let rows = [
        (who(&ids[0], 1), Ok(())),
        (who(&ids[0], 2), Err(Error::IllegalGeneration)),
        (who("ghost", 1), Err(Error::UnknownMemberId)),
        (who("", -1), Err(Error::UnknownMemberId)),
    ];
    for (who, expected) in rows {
        let what = format!("{who:?}");
        let ticket = world.ask(Command::Commit(commit(who, "topic", 0, 1)));
        assert_eq!(world.committed(ticket), expected, "{what}");
    }
    let join = world.join(old_join(&ids[0]));
    let (_, generation) = world.generation(join);
    let ticket = world.ask(Command::Commit(commit(
        who(&ids[0], generation.generation),
        "topic",
        0,
        2,
    )));
    assert_eq!(
        world.committed(ticket),
        Err(Error::RebalanceInProgress),
        "not yet synced"
    );
}

#[test]
fn a_commit_keeps_its_member_alive() {
    let mut world = World::new();
    let ids = world.stable(1);
    for offset in 0..4 {
        world.pass_ms(SESSION_MS as u64 - 1);
        let ticket = world.ask(Command::Commit(commit(who(&ids[0], 1), "topic", 0, offset)));
        assert_eq!(world.committed(ticket), Ok(()));
    }
    assert_eq!(world.state(), GroupState::Stable);
}

#[test]
fn texts_and_requests_have_a_largest_size() {
    let mut world = World::new();
    let mut request = commit(who("", -1), "topic", 0, 1);
    request.items[0].metadata = "x".repeat(4_097);
    let long = world.ask(Command::Commit(request.clone()));
    assert_eq!(world.committed(long), Err(Error::OffsetMetadataTooLarge));
    request.items[0].metadata.pop();
    let item = request.items[0].clone();
    let fits = world.ask(Command::Commit(request.clone()));
    assert_eq!(world.committed(fits), Ok(()));
    request.items = (0..1_000)
        .map(|partition| CommitItem {
            partition,
            ..item.clone()
        })
        .collect();
    let large = world.ask(Command::Commit(request.clone()));
    assert_eq!(
        world.taken(large),
        Some(Answer::Commit(Err(Error::NotAvailable))),
        "more than may be queued"
    );
    request.items.truncate(600);
    let large = world.ask(Command::Commit(request));
    assert_eq!(
        world.taken(large),
        Some(Answer::Commit(Err(Error::InvalidCommitOffsetSize)))
    );
}

#[test]
fn offsets_in_use_are_not_deleted() {
    let mut world = World::new();
    let ids = world.stable(1);
    for topic in ["topic", "other"] {
        let ticket = world.ask(Command::Commit(commit(who(&ids[0], 1), topic, 0, 1)));
        assert_eq!(world.committed(ticket), Ok(()));
    }
    let delete = Command::DeleteOffsets(DeleteOffsets {
        group: GROUP.into(),
        items: vec![
            ("topic".into(), 0),
            ("other".into(), 0),
            ("other".into(), 7),
        ],
    });
    let ticket = world.ask(delete.clone());
    let results = vec![Err(Error::GroupSubscribedToTopic), Ok(()), Ok(())];
    assert_eq!(
        world.taken(ticket),
        Some(Answer::DeleteOffsets(Ok(results)))
    );
    assert_eq!(world.offsets().len(), 1);
    let opaque = World::opaque_group();
    let mut world = opaque;
    let ticket = world.ask(delete);
    assert_eq!(
        world.taken(ticket),
        Some(Answer::DeleteOffsets(Err(Error::NonEmptyGroup)))
    );
}

#[test]
fn an_offset_that_is_named_often_is_deleted_once() {
    let mut world = World::new();
    let ticket = world.ask(Command::Commit(commit(who("", -1), "topic", 0, 1)));
    assert_eq!(world.committed(ticket), Ok(()));
    let before = world.log_bytes();
    let ticket = world.ask(Command::DeleteOffsets(DeleteOffsets {
        group: GROUP.into(),
        items: vec![("topic".into(), 0); 1_000],
    }));
    assert_eq!(
        world.taken(ticket),
        Some(Answer::DeleteOffsets(Ok(vec![Ok(()); 1_000])))
    );
    assert_eq!(world.offsets(), []);
    assert!(world.log_bytes() - before < 300);
}

impl World {
    fn opaque_group() -> World {
        let mut world = World::new();
        let request = JoinRequest {
            protocol_type: "connect".into(),
            ..old_join("")
        };
        let join = world.join(request);
        world.pass_ms(3_000);
        let joined = vec![world.generation(join)];
        world.settle(joined);
        world
    }
}

#[test]
fn only_a_group_without_members_is_deleted_and_it_stays_deleted() {
    let mut world = World::new();
    let missing = world.delete();
    assert_eq!(world.deleted(missing), Err(Error::GroupIdNotFound));
    let ids = world.stable(1);
    let live = world.delete();
    assert_eq!(world.deleted(live), Err(Error::NonEmptyGroup));
    assert_eq!(world.leave(&ids[0], None), Ok(()));
    world.writes_at_once = false;
    while !world.under_way.is_empty() {
        world.write_ends(Ok(()));
    }
    // One commit is under way, another waits, then the group is deleted.
    let commits = [world.commit(0, 1), world.commit(1, 1)];
    let delete = world.delete();
    let late = world.commit(2, 1);
    assert_eq!(world.committed(late), Err(Error::NotAvailable));
    world.write_ends(Ok(()));
    world.write_ends(Ok(()));
    for commit in commits {
        assert_eq!(world.committed(commit), Ok(()));
    }
    assert_eq!(world.deleted(delete), Ok(()));
    assert_eq!(world.offsets(), []);
    world.restart();
    assert_eq!(
        world.offsets(),
        [],
        "its tombstones cover what was under way"
    );
    assert_eq!(world.describe(), Err(Error::GroupIdNotFound));
}

#[test]
fn offsets_of_an_empty_group_expire_after_their_retention() {
    let mut world = World::new();
    let ids = world.stable(1);
    let ticket = world.ask(Command::Commit(commit(who(&ids[0], 1), "topic", 0, 1)));
    assert_eq!(world.committed(ticket), Ok(()));
    let beat_ms = SESSION_MS as u64 - 1;
    for _ in 0..(RETENTION_MS + 600_000) / beat_ms + 1 {
        world.pass_ms(beat_ms);
        assert_eq!(world.heartbeat(&ids[0], 1), Ok(()));
    }
    assert_eq!(world.offsets(), [(0, 1)], "consumed: kept, however old");
    assert_eq!(world.leave(&ids[0], None), Ok(()));
    world.pass_ms(RETENTION_MS - 1);
    assert_eq!(world.offsets(), [(0, 1)]);
    world.pass_ms(600_001);
    assert_eq!(world.describe(), Err(Error::GroupIdNotFound));
    world.restart();
    assert_eq!(world.offsets(), []);
}

#[test]
fn a_group_that_only_commits_loses_each_offset_for_itself() {
    let mut world = World::new();
    let first = world.commit(0, 1);
    assert_eq!(world.committed(first), Ok(()));
    world.pass_ms(RETENTION_MS / 2);
    let second = world.commit(1, 1);
    assert_eq!(world.committed(second), Ok(()));
    let own = CommitRequest {
        retention_ms: Some(1),
        ..commit(who("", -1), "topic", 2, 1)
    };
    let own = world.ask(Command::Commit(own));
    assert_eq!(world.committed(own), Ok(()));
    world.pass_ms(600_001);
    assert_eq!(
        world.offsets(),
        [(0, 1), (1, 1)],
        "one brought its own retention"
    );
    world.pass_ms(RETENTION_MS / 2);
    assert_eq!(world.offsets(), [(1, 1)]);
}

#[test]
fn an_offset_that_is_committed_again_does_not_expire_under_way() {
    let mut world = World::new();
    let first = world.commit(0, 1);
    assert_eq!(world.committed(first), Ok(()));
    world.pass_ms(RETENTION_MS - 1_000);
    world.writes_at_once = false;
    let again = world.commit(0, 2);
    world.pass_ms(700_000);
    world.write_ends(Ok(()));
    assert_eq!(world.committed(again), Ok(()));
    assert_eq!(world.offsets(), [(0, 2)]);
}

#[test]
fn offsets_go_with_their_topic() {
    let mut world = World::new();
    world.writes_at_once = false;
    let first = world.commit(0, 1);
    world.write_ends(Ok(()));
    assert_eq!(world.committed(first), Ok(()));
    let under_way = world.commit(1, 1);
    let other = world.ask(Command::Commit(commit(who("", -1), "other", 0, 9)));
    world.coordinator.on_topics_deleted(&["topic"], world.now());
    world.drain();
    world.write_ends(Ok(()));
    world.write_ends(Ok(()));
    assert_eq!(world.committed(under_way), Ok(()));
    assert_eq!(world.committed(other), Ok(()));
    assert_eq!(world.offsets(), [(0, 9)]);
    world.restart();
    assert_eq!(world.offsets(), [(0, 9)]);
}

#[test]
fn offsets_of_a_topic_that_is_gone_after_a_start_go_too() {
    let mut world = World::new();
    for topic in ["topic", "gone"] {
        let ticket = world.ask(Command::Commit(commit(who("", -1), topic, 0, 1)));
        assert_eq!(world.committed(ticket), Ok(()));
    }
    world.missing_topics = vec!["gone"];
    world.restart();
    assert_eq!(world.offsets(), [(0, 1)]);
    world.missing_topics.clear();
    world.restart();
    assert_eq!(world.offsets(), [(0, 1)], "for good");
}

#[test]
fn old_offsets_of_many_groups_expire_in_several_turns() {
    let mut world = World::with(GroupSettings {
        expiry_check_ms: RETENTION_MS,
        ..GroupSettings::default()
    });
    let count = 2 * OFFSETS_EXPIRED_PER_TURN;
    for number in 0..count {
        let mut who = who("", -1);
        who.group = format!("group-{number}").into();
        let ticket = world.ask(Command::Commit(commit(who, "topic", 0, 1)));
        assert_eq!(world.committed(ticket), Ok(()));
    }
    let groups = |world: &World| world.coordinator.list().expect("serving").len();
    world.pass_ms(RETENTION_MS - 1);
    assert_eq!(groups(&world), count);
    let at = world.coordinator.next_deadline().expect("expiry");
    world.pass_to(at);
    let left = groups(&world);
    assert!((1..count).contains(&left), "{left} after the first turn");
    world.pass_ms(0);
    assert_eq!(groups(&world), 0);
}

#[test]
fn nothing_is_served_before_the_log_is_read() {
    let mut world = World::new();
    world.coordinator = Coordinator::new(world.settings);
    assert_eq!(world.heartbeat("m", 1), Ok(()), "nobody is declared dead");
    assert_eq!(world.coordinator.list(), Err(Error::LoadInProgress));
    let commit = world.commit(0, 1);
    assert_eq!(world.committed(commit), Err(Error::LoadInProgress));
    world.coordinator.on_load_failed();
    let fetch = world.ask(Command::FetchOffsets(FetchOffsets {
        group: GROUP.into(),
        wanted: None,
    }));
    assert_eq!(
        world.taken(fetch),
        Some(Answer::FetchOffsets(Err(Error::NotAvailable))),
        "not: no offset"
    );
}
