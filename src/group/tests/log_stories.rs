//! The log: what a restart finds, and how long it gets.

use super::world::*;
use crate::base::prng::Prng;
use crate::group::GroupError as Error;
use crate::group::*;
use std::collections::BTreeMap;

#[test]
fn a_stable_group_is_stable_after_a_restart() {
    let mut world = World::new();
    let ids = world.stable(3);
    let ticket = world.ask(Command::Commit(commit(who(&ids[1], 1), "topic", 0, 7)));
    assert_eq!(world.committed(ticket), Ok(()));
    let before = world.describe();
    world.restart();
    assert_eq!(world.describe(), before);
    assert_eq!(world.offsets(), [(0, 7)]);
    for id in &ids {
        assert_eq!(world.heartbeat(id, 1), Ok(()));
    }
    world.pass_ms(SESSION_MS as u64 + 1);
    assert_eq!(
        world.heartbeat(&ids[0], 1),
        Err(Error::UnknownMemberId),
        "its session was begun anew"
    );
}

#[test]
fn a_rebalance_that_a_restart_cuts_short_begins_anew() {
    let mut world = World::new();
    let ids = world.stable(2);
    world.join(old_join(""));
    world.restart();
    assert_eq!(world.state(), GroupState::Stable);
    assert_eq!(world.heartbeat(&ids[0], 1), Ok(()));
}

#[test]
fn a_group_over_a_lowered_limit_rebalances_after_the_restart() {
    let mut world = World::new();
    let ids = world.stable(3);
    world.settings.members_max = 2;
    world.restart();
    assert_eq!(world.state(), GroupState::PreparingRebalance);
    let joins: Vec<_> = ids.iter().map(|id| world.join(old_join(id))).collect();
    assert_eq!(
        world.joined(joins[2]).result,
        Err(Error::GroupMaxSizeReached)
    );
    assert_eq!(world.generation(joins[0]).1.generation, 2);
}

/// Many commits over few keys: the log stays a small multiple of what is live, and every restart finds the last ones.
#[test]
fn the_log_is_bounded_and_never_goes_back() {
    for seed in 0..8 {
        let mut prng = Prng::new(seed);
        let settings = GroupSettings {
            log_bytes_min: 4_000,
            batch_bytes_max: 2_000,
            ..GroupSettings::default()
        };
        let mut world = World::with(settings);
        world.writes_at_once = prng.chance(50);
        let mut acknowledged: BTreeMap<i32, i64> = BTreeMap::new();
        let mut open: Vec<_> = Vec::new();
        let mut most = 0;
        for offset in 0..3_000 {
            let partition = prng.below(20) as i32;
            open.push((world.commit(partition, offset), partition, offset));
            if !world.under_way.is_empty() && prng.chance(60) {
                let refused = prng.chance(5);
                world.write_ends(if refused {
                    Err(WriteError::Refused)
                } else {
                    Ok(())
                });
            }
            open.retain(|(ticket, partition, offset)| match world.taken(*ticket) {
                None => true,
                Some(Answer::Commit(result)) => {
                    if result == Ok(vec![Ok(())]) {
                        acknowledged.insert(*partition, *offset);
                    }
                    false
                }
                other => panic!("seed {seed}: {other:?}"),
            });
            let found: BTreeMap<i32, i64> = world.offsets().into_iter().collect();
            assert_eq!(found, acknowledged, "seed {seed} at {offset}");
            most = most.max(world.log_bytes());
            if prng.chance(1) {
                world.restart();
                open.clear();
                let found: BTreeMap<i32, i64> = world.offsets().into_iter().collect();
                assert_eq!(found, acknowledged, "seed {seed}: restart at {offset}");
            }
        }
        assert!(
            most < 60_000,
            "seed {seed}: {most} bytes at most, {} records",
            world.log.len()
        );
        assert!(
            world.log_start.0 > 1_000,
            "seed {seed}: {}",
            world.log_start
        );
    }
}

#[test]
fn groups_and_their_members_survive_a_rewrite() {
    let settings = GroupSettings {
        log_bytes_min: 2_000,
        ..GroupSettings::default()
    };
    let mut world = World::with(settings);
    let ids = world.stable(3);
    let before = world.describe();
    for offset in 0..500 {
        let ticket = world.ask(Command::Commit(commit(who(&ids[0], 1), "topic", 0, offset)));
        assert_eq!(world.committed(ticket), Ok(()));
    }
    assert!(world.log_start.0 > 100, "{}", world.log_start);
    world.restart();
    assert_eq!(world.describe(), before);
    assert_eq!(world.offsets(), [(0, 499)]);
}

#[test]
fn what_others_wrote_into_the_log_is_left_out() {
    use crate::record::batch::Codec;
    use crate::record::{BatchBuilder, NewRecord};
    let mut world = World::new();
    world.coordinator = Coordinator::new(world.settings);
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(&NewRecord::value(crate::base::time::Timestamp(1), b"noise"));
    let key = b"\0\x03\0\x01g".as_slice();
    builder.push(&NewRecord {
        key: Some(key),
        ..NewRecord::value(crate::base::time::Timestamp(1), b"of a newer release")
    });
    let unread = world
        .coordinator
        .replay(&builder.build(), world.log_start, world.now());
    assert_eq!(unread, 2);
    assert_eq!(
        world
            .coordinator
            .replay(b"garbage", world.log_start, world.now()),
        1
    );
    world.coordinator.on_loaded(|_| true, world.now());
    assert_eq!(world.coordinator.list(), Ok(Vec::new()));
}

#[test]
fn a_broker_may_stop_while_it_reads_the_log() {
    let mut world = World::new();
    let commit = world.commit(0, 1);
    assert_eq!(world.committed(commit), Ok(()));
    for ends_well in [true, false] {
        world.coordinator = Coordinator::new(world.settings);
        world.coordinator.close(world.now());
        let (_, batch) = world.log[0].clone();
        let unread = world
            .coordinator
            .replay(&batch, world.log_start, world.now());
        assert_eq!(unread, 0);
        match ends_well {
            true => world.coordinator.on_loaded(|_| true, world.now()),
            false => world.coordinator.on_load_failed(),
        }
        let late = world.commit(0, 2);
        assert_eq!(world.committed(late), Err(Error::NotCoordinator));
    }
}
