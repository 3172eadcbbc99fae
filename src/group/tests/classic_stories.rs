//! Dynamic members: coming, staying, going, dying.

use super::world::*;
use crate::group::GroupError as Error;
use crate::group::*;

#[test]
fn a_new_member_is_first_told_its_id() {
    let mut world = World::new();
    let first = world.join(new_join(""));
    let told = world.joined(first);
    assert_eq!(told.result, Err(Error::MemberIdRequired));
    assert!(
        told.member.starts_with("client-") && told.member.len() == 7 + 36,
        "{}",
        told.member
    );
    assert_eq!(world.state(), GroupState::Empty);
    let second = world.join(new_join(&told.member));
    assert_eq!(world.state(), GroupState::PreparingRebalance);
    world.pass_ms(3_000);
    let (id, generation) = world.generation(second);
    assert_eq!((id, generation.generation), (told.member.clone(), 1));
    assert_eq!(generation.leader, told.member);
    assert_eq!(generation.members.len(), 1);
}

#[test]
fn an_id_given_out_expires_with_its_session() {
    let mut world = World::new();
    let first = world.join(new_join(""));
    let told = world.joined(first);
    world.pass_ms(SESSION_MS as u64 + 1);
    let late = world.join(new_join(&told.member));
    assert_eq!(world.joined(late).result, Err(Error::UnknownMemberId));
}

#[test]
fn the_first_rebalance_waits_for_more_members_while_they_come() {
    let mut world = World::new();
    let first = world.join(old_join(""));
    world.pass_ms(2_000);
    let second = world.join(old_join(""));
    world.pass_ms(1_000);
    assert_eq!(
        world.taken(first),
        None,
        "somebody came: it waits once more"
    );
    world.pass_ms(3_000);
    let (_, one) = world.generation(first);
    let (_, two) = world.generation(second);
    assert_eq!((one.generation, two.generation), (1, 1));
    assert_eq!(
        one.members.len() + two.members.len(),
        2,
        "the leader alone sees the members"
    );
    assert_eq!(world.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_member_that_leaves_during_the_first_delay_does_not_end_it() {
    let mut world = World::new();
    let first = world.join(old_join(""));
    world.pass_ms(2_000);
    let second = world.join(old_join(""));
    let leaver = world.describe().expect("a group").members[0].member.clone();
    assert_eq!(world.leave(&leaver, None), Ok(()));
    world.pass_ms(500);
    let answered = [first, second].map(|join| world.taken(join).is_some());
    assert_ne!(answered[0], answered[1], "the other one waits on");
    world.pass_ms(10_000);
    assert_eq!(world.state(), GroupState::CompletingRebalance);
}

#[test]
fn without_a_delay_the_first_rebalance_is_over_at_once() {
    let mut world = World::with(GroupSettings {
        initial_delay_ms: 0,
        ..GroupSettings::default()
    });
    let join = world.join(old_join(""));
    world.pass_ms(0);
    assert_eq!(world.generation(join).1.generation, 1);
}

#[test]
fn everybody_gets_the_leaders_assignment_once_it_is_durable() {
    let mut world = World::new();
    let joins = [world.join(old_join("")), world.join(old_join(""))];
    world.pass_until(joins[0]);
    let joined = joins.map(|join| world.generation(join));
    let leader = joined[0].1.leader.clone();
    let follower = joined
        .iter()
        .map(|(id, _)| id.clone())
        .find(|id| *id != leader)
        .unwrap();
    world.writes_at_once = false;
    let waiting = world.sync(&follower, 1, &[]);
    let leading = world.sync(&leader, 1, &[(&leader, "mine"), (&follower, "yours")]);
    assert_eq!(world.taken(waiting), None);
    assert_eq!(world.taken(leading), None, "not before it is durable");
    assert_eq!(world.state(), GroupState::CompletingRebalance);
    world.write_ends(Ok(()));
    assert_eq!(world.synced(waiting), Ok("yours".into()));
    assert_eq!(world.synced(leading), Ok("mine".into()));
    assert_eq!(world.state(), GroupState::Stable);
    let again = world.sync(&follower, 1, &[]);
    assert_eq!(world.synced(again), Ok("yours".into()), "asked again");
}

#[test]
fn an_assignment_that_cannot_be_written_begins_another_rebalance() {
    for (result, error) in [
        (WriteError::Refused, Error::NotAvailable),
        (WriteError::Unknown, Error::NotAvailable),
    ] {
        let mut world = World::new();
        let join = world.join(old_join(""));
        world.pass_ms(3_000);
        let (id, _) = world.generation(join);
        world.writes_at_once = false;
        let sync = world.sync(&id, 1, &[(&id, "x")]);
        world.write_ends(Err(result));
        assert_eq!(world.synced(sync), Err(error));
        if result == WriteError::Refused {
            assert_eq!(world.state(), GroupState::PreparingRebalance);
        } else {
            assert_eq!(
                world.describe(),
                Err(Error::NotAvailable),
                "until a restart"
            );
        }
    }
}

#[test]
fn a_member_that_comes_makes_the_others_join_again() {
    let mut world = World::new();
    let ids = world.stable(2);
    let third = world.join(old_join(""));
    assert_eq!(world.heartbeat(&ids[0], 1), Err(Error::RebalanceInProgress));
    let early = world.sync(&ids[1], 1, &[]);
    assert_eq!(world.synced(early), Err(Error::RebalanceInProgress));
    let again = [world.join(old_join(&ids[0])), world.join(old_join(&ids[1]))];
    let mut joined = vec![world.generation(third)];
    joined.extend(again.map(|join| world.generation(join)));
    assert!(
        joined
            .iter()
            .all(|(_, generation)| generation.generation == 2)
    );
    assert_eq!(world.settle(joined).len(), 3);
    assert_eq!(world.heartbeat(&ids[0], 1), Err(Error::IllegalGeneration));
    assert_eq!(world.heartbeat(&ids[0], 2), Ok(()));
}

#[test]
fn a_silent_member_is_out_after_its_session() {
    let mut world = World::new();
    let ids = world.stable(3);
    world.pass_ms(SESSION_MS as u64 - 1);
    assert_eq!(world.heartbeat(&ids[0], 1), Ok(()));
    assert_eq!(world.heartbeat(&ids[1], 1), Ok(()));
    world.pass_ms(2);
    assert_eq!(world.state(), GroupState::PreparingRebalance);
    assert_eq!(world.heartbeat(&ids[2], 1), Err(Error::UnknownMemberId));
    let again = [world.join(old_join(&ids[0])), world.join(old_join(&ids[1]))];
    let joined = again.map(|join| world.generation(join)).to_vec();
    assert_eq!(world.settle(joined).len(), 2);
}

#[test]
fn a_leader_that_does_not_come_back_is_replaced() {
    let mut world = World::new();
    let ids = world.stable(3);
    assert_eq!(world.leave(&ids[1], None), Ok(()));
    let join = world.join(old_join(&ids[2]));
    assert_eq!(world.taken(join), None);
    // The leader lives but does not join.
    for _ in 0..REBALANCE_MS / (SESSION_MS / 2) {
        let _ = world.heartbeat(&ids[0], 1);
        world.pass_ms(SESSION_MS as u64 / 2);
    }
    let (id, generation) = world.generation(join);
    assert_eq!((generation.leader, generation.generation), (id, 2));
    assert_eq!(world.heartbeat(&ids[0], 2), Err(Error::UnknownMemberId));
}

#[test]
fn members_that_never_sync_are_out() {
    let mut world = World::new();
    let joins = [world.join(old_join("")), world.join(old_join(""))];
    world.pass_until(joins[0]);
    let joined = joins.map(|join| world.generation(join));
    let leader = joined[0].1.leader.clone();
    let lazy = joined
        .iter()
        .map(|(id, _)| id.clone())
        .find(|id| *id != leader)
        .unwrap();
    let sync = world.sync(&leader, 1, &[]);
    assert_eq!(
        world.synced(sync),
        Ok(String::new()),
        "nothing was assigned: nothing it is"
    );
    for _ in 0..REBALANCE_MS / (SESSION_MS / 2) {
        let _ = world.heartbeat(&lazy, 1);
        let _ = world.heartbeat(&leader, 1);
        world.pass_ms(SESSION_MS as u64 / 2);
    }
    assert_eq!(world.heartbeat(&lazy, 1), Err(Error::UnknownMemberId));
}

#[test]
fn a_follower_that_joins_again_unchanged_learns_the_generation() {
    let mut world = World::new();
    let ids = world.stable(2);
    let same = world.join(old_join(&ids[1]));
    assert_eq!(world.generation(same).1.generation, 1);
    assert_eq!(world.state(), GroupState::Stable);
    let changed = JoinRequest {
        protocols: protocols(&["range", "other"]),
        ..old_join(&ids[1])
    };
    let changed = world.join(changed);
    assert_eq!(world.taken(changed), None);
    assert_eq!(world.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_leader_that_joins_again_has_the_assignment_made_anew() {
    let mut world = World::new();
    let ids = world.stable(1);
    let again = world.join(old_join(&ids[0]));
    assert_eq!(world.generation(again).1.generation, 2);
}

#[test]
fn a_lost_answer_to_a_join_is_given_again() {
    let mut world = World::new();
    let join = world.join(old_join(""));
    world.pass_ms(3_000);
    let (id, first) = world.generation(join);
    let again = world.join(old_join(&id));
    assert_eq!(world.generation(again).1, first);
}

#[test]
fn the_protocol_most_members_prefer_among_the_common_ones_is_chosen() {
    let mut world = World::new();
    let wishes = [
        &["b", "a", "c"][..],
        &["c", "b"],
        &["a", "c", "b"],
        &["c", "b", "x"],
    ];
    let joins: Vec<_> = wishes
        .iter()
        .map(|names| {
            world.join(JoinRequest {
                protocols: protocols(names),
                ..old_join("")
            })
        })
        .collect();
    world.pass_until(joins[0]);
    let (_, generation) = world.generation(joins[0]);
    assert_eq!(generation.protocol.as_deref(), Some("c"));
    let stranger = world.join(JoinRequest {
        protocols: protocols(&["a", "x"]),
        ..old_join("")
    });
    assert_eq!(
        world.joined(stranger).result,
        Err(Error::InconsistentGroupProtocol)
    );
    let other_type = JoinRequest {
        protocol_type: "connect".into(),
        ..old_join("")
    };
    let other_type = world.join(other_type);
    assert_eq!(
        world.joined(other_type).result,
        Err(Error::InconsistentGroupProtocol)
    );
}

#[test]
fn the_last_member_that_leaves_leaves_an_empty_group() {
    let mut world = World::new();
    let ids = world.stable(2);
    assert_eq!(world.leave("nobody", None), Err(Error::UnknownMemberId));
    for id in &ids {
        assert_eq!(world.leave(id, None), Ok(()));
    }
    assert_eq!(world.state(), GroupState::Empty);
    let join = world.join(old_join(""));
    world.pass_ms(3_000);
    assert_eq!(
        world.generation(join).1.generation,
        3,
        "generations never go back"
    );
}

#[test]
fn a_group_has_a_largest_size() {
    let mut world = World::with(GroupSettings {
        members_max: 2,
        ..GroupSettings::default()
    });
    let ids = world.stable(2);
    let third = world.join(old_join(""));
    let refused = world.joined(third);
    assert_eq!(
        (refused.member.as_str(), refused.result),
        ("", Err(Error::GroupMaxSizeReached))
    );
    let known = world.join(old_join(&ids[1]));
    assert_eq!(world.generation(known).1.generation, 1);
    let large = vec![Protocol {
        name: "range".into(),
        metadata: vec![0; 2 << 20].into(),
    }];
    assert_eq!(world.leave(&ids[0], None), Ok(()));
    let large = world.join(JoinRequest {
        protocols: large,
        ..old_join("")
    });
    assert_eq!(world.joined(large).result, Err(Error::GroupMaxSizeReached));
}

#[test]
fn what_is_asked_wrongly_is_refused_by_name() {
    let mut world = World::new();
    let rows: Vec<(JoinRequest, Error)> = vec![
        (
            JoinRequest {
                group: "".into(),
                ..old_join("")
            },
            Error::InvalidGroupId,
        ),
        (
            JoinRequest {
                session_timeout_ms: 5_999,
                ..old_join("")
            },
            Error::InvalidSessionTimeout,
        ),
        (
            JoinRequest {
                session_timeout_ms: 1_800_001,
                ..old_join("")
            },
            Error::InvalidSessionTimeout,
        ),
        (
            JoinRequest {
                protocols: Vec::new(),
                ..old_join("")
            },
            Error::InconsistentGroupProtocol,
        ),
        (
            JoinRequest {
                protocol_type: String::new(),
                ..old_join("")
            },
            Error::InconsistentGroupProtocol,
        ),
        (old_join("ghost"), Error::UnknownMemberId),
        (static_join("ghost", "instance"), Error::UnknownMemberId),
    ];
    for (request, error) in rows {
        let what = format!("{request:?}");
        let join = world.join(request);
        assert_eq!(world.joined(join).result, Err(error), "{what}");
    }
    let sync = world.sync("ghost", 1, &[]);
    assert_eq!(world.synced(sync), Err(Error::UnknownMemberId));
    assert_eq!(world.heartbeat("ghost", 1), Err(Error::UnknownMemberId));
    let ids = world.stable(1);
    let early = world.sync(&ids[0], 2, &[]);
    assert_eq!(world.synced(early), Err(Error::IllegalGeneration));
    let other = world.ask(Command::Sync(SyncRequest {
        who: who(&ids[0], 1),
        protocol_type: Some("consumer".into()),
        protocol: Some("other".into()),
        assignments: Vec::new(),
    }));
    assert_eq!(world.synced(other), Err(Error::InconsistentGroupProtocol));
    let join = world.join(old_join(&ids[0]));
    let (id, generation) = world.generation(join);
    let large = "x".repeat(2 << 20);
    let large = world.sync(&id, generation.generation, &[(&id, &large)]);
    assert_eq!(world.synced(large), Err(Error::AssignmentTooLarge));
}

#[test]
fn a_new_member_whose_client_has_gone_is_forgotten() {
    let mut world = World::new();
    let ids = world.stable(1);
    let lost = world.join(JoinRequest {
        rebalance_timeout_ms: 900_000,
        ..old_join("")
    });
    for _ in 0..302_000 / (SESSION_MS / 2) {
        let _ = world.heartbeat(&ids[0], 1);
        world.pass_ms(SESSION_MS as u64 / 2);
    }
    assert_eq!(world.joined(lost).result, Err(Error::UnknownMemberId));
}

#[test]
fn a_coordinator_that_ends_answers_everybody() {
    let mut world = World::new();
    let ids = world.stable(2);
    let join = world.join(old_join(&ids[0]));
    world.coordinator.close(world.now());
    world.drain();
    assert_eq!(world.joined(join).result, Err(Error::NotCoordinator));
    assert_eq!(world.heartbeat(&ids[1], 1), Err(Error::NotCoordinator));
    assert_eq!(world.coordinator.next_deadline(), None);
}

#[test]
fn a_stable_group_is_described_with_what_members_say_and_get() {
    let mut world = World::new();
    assert_eq!(world.describe(), Err(Error::GroupIdNotFound));
    let ids = world.stable(1);
    let found = world.describe().expect("a group");
    assert_eq!(
        (found.protocol_type.as_str(), found.protocol.as_str()),
        ("consumer", "range")
    );
    assert_eq!(found.members[0].member, ids[0]);
    assert_eq!(found.members[0].client_host, "/127.0.0.1");
    assert_eq!(found.members[0].metadata, subscription("topic"));
    assert_eq!(&found.members[0].assignment[..], b"0");
    let listed = world.coordinator.list().expect("serving");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, GroupState::Stable);
    assert_eq!(world.leave(&ids[0], None), Ok(()));
    assert_eq!(world.describe().expect("empty").protocol, "");
}

#[test]
fn when_the_log_fails_everybody_who_waits_is_answered() {
    let mut world = World::new();
    let ids = world.stable(3);
    world.writes_at_once = false;
    let joins = [world.join(old_join(&ids[0])), world.join(old_join(&ids[1]))];
    let commit = world.ask(Command::Commit(commit(who(&ids[2], 1), "topic", 0, 1)));
    world.write_ends(Err(WriteError::Unknown));
    assert_eq!(world.committed(commit), Err(Error::FateUnknown));
    for join in joins {
        assert_eq!(world.joined(join).result, Err(Error::NotCoordinator));
    }
    assert_eq!(world.heartbeat(&ids[2], 1), Err(Error::NotAvailable));
    assert_eq!(world.coordinator.next_deadline(), None);
    assert!(world.under_way.is_empty());
}
