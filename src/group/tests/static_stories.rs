//! Static members: their instance id outlives their process (KIP-345).

use super::world::*;
use crate::group::GroupError as Error;
use crate::group::*;

fn stable_statics(world: &mut World) -> Vec<(String, String)> {
    let joins: Vec<_> = ["i1", "i2"]
        .iter()
        .map(|name| (world.join(static_join("", name)), *name))
        .collect();
    world.pass_until(joins[0].0);
    let mut joined = Vec::new();
    let mut named = Vec::new();
    for (join, name) in joins {
        let (id, generation) = world.generation(join);
        named.push((id.clone(), name.to_owned()));
        joined.push((id, generation));
    }
    let leader = joined[0].1.leader.clone();
    world.settle(joined);
    named.sort_by_key(|(id, _)| *id != leader);
    named
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut world = World::new();
    let named = stable_statics(&mut world);
    let (old, instance) = named[1].clone();
    assert!(old.starts_with(&instance), "{old}");
    world.writes_at_once = false;
    let back = world.join(static_join("", &instance));
    assert_eq!(world.taken(back), None, "its new id must last");
    world.write_ends(Ok(()));
    let (id, generation) = world.generation(back);
    assert_ne!(id, old);
    assert_eq!((generation.generation, generation.members.len()), (1, 0));
    assert!(!generation.skip_assignment, "only a leader may skip");
    assert_eq!(world.state(), GroupState::Stable);
    let sync = world.sync(&id, 1, &[]);
    assert_eq!(world.synced(sync), Ok("1".into()), "what it had");
    let stale = MemberRef {
        instance: Some(instance.clone()),
        ..who(&old, 1)
    };
    let stale = world.ask(Command::Heartbeat(stale));
    assert_eq!(
        world.taken(stale),
        Some(Answer::Heartbeat(Err(Error::FencedInstanceId)))
    );
}

#[test]
fn a_static_leader_that_comes_back_keeps_the_assignment() {
    let mut world = World::new();
    let named = stable_statics(&mut world);
    let (old, instance) = named[0].clone();
    let back = world.join(static_join("", &instance));
    let (id, generation) = world.generation(back);
    assert!(generation.skip_assignment);
    assert_eq!(
        (generation.leader.as_str(), generation.members.len()),
        (id.as_str(), 2)
    );
    // An older client would assign anew if it knew that it leads.
    let back = world.join(JoinRequest {
        knows_skip: false,
        ..static_join("", &instance)
    });
    let (newer, generation) = world.generation(back);
    assert_eq!((generation.leader, generation.skip_assignment), (id, false));
    assert_ne!(newer, old);
}

#[test]
fn a_second_holder_of_an_instance_fences_the_first() {
    let mut world = World::new();
    let first = world.join(static_join("", "i1"));
    let second = world.join(static_join("", "i1"));
    assert_eq!(world.joined(first).result, Err(Error::FencedInstanceId));
    world.pass_until(second);
    let (id, _) = world.generation(second);
    let named = world.ask(Command::Heartbeat(MemberRef {
        instance: Some("i1".into()),
        ..who("other", 1)
    }));
    assert_eq!(
        world.taken(named),
        Some(Answer::Heartbeat(Err(Error::FencedInstanceId)))
    );
    let unknown = world.ask(Command::Heartbeat(MemberRef {
        instance: Some("i9".into()),
        ..who(&id, 1)
    }));
    assert_eq!(
        world.taken(unknown),
        Some(Answer::Heartbeat(Err(Error::UnknownMemberId)))
    );
}

#[test]
fn a_static_member_that_speaks_differently_begins_a_rebalance() {
    let mut world = World::new();
    let named = stable_statics(&mut world);
    let other = JoinRequest {
        protocols: protocols(&["other", "range"]),
        ..static_join("", &named[1].1)
    };
    let back = world.join(other);
    let (_, kept) = world.generation(back);
    assert_eq!(
        kept.generation, 1,
        "the others know nothing else: the choice is the same"
    );
    world.pass_ms(1);
    let gone = JoinRequest {
        protocols: protocols(&["other"]),
        ..static_join("", &named[1].1)
    };
    let refused = world.join(gone);
    assert_eq!(
        world.joined(refused).result,
        Err(Error::InconsistentGroupProtocol)
    );
}

#[test]
fn a_static_member_is_waited_for_and_keeps_its_place_until_its_session_ends() {
    let mut world = World::new();
    let named = stable_statics(&mut world);
    let third = world.join(old_join(""));
    let first = world.join(static_join(&named[0].0, &named[0].1));
    world.pass_ms(SESSION_MS as u64 + 1);
    let (_, generation) = world.generation(third);
    let (_, other) = world.generation(first);
    let members = generation.members.len() + other.members.len();
    assert_eq!(
        (generation.generation, members),
        (2, 2),
        "its session has ended"
    );
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance() {
    let mut world = World::new();
    stable_statics(&mut world);
    assert_eq!(world.leave("", Some("i9")), Err(Error::UnknownMemberId));
    assert_eq!(
        world.leave("ghost", Some("i2")),
        Err(Error::FencedInstanceId)
    );
    assert_eq!(world.leave("", Some("i2")), Ok(()));
    assert_eq!(world.state(), GroupState::PreparingRebalance);
}
