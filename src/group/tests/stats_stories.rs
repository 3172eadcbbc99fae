//! What operators are told of all groups.

use super::world::*;
use crate::group::*;

#[test]
fn generations_are_counted_once_and_not_again_after_a_restart() {
    let mut world = World::new();
    let ids = world.stable(2);
    assert_eq!(world.coordinator.stats().rebalances, 1);
    let stats = world.coordinator.stats();
    assert_eq!(
        (stats.members, stats.groups[GroupState::Stable as usize]),
        (2, 1)
    );
    for id in &ids {
        assert_eq!(world.leave(id, None), Ok(()));
    }
    world.pass_ms(REBALANCE_MS as u64);
    let stats = world.coordinator.stats();
    assert_eq!(
        (stats.members, stats.groups[GroupState::Empty as usize]),
        (0, 1)
    );
    assert!(
        stats.rebalances > 1,
        "the generation without members is one"
    );
    world.restart();
    let stats = world.coordinator.stats();
    assert_eq!(
        (stats.rebalances, stats.groups[GroupState::Empty as usize]),
        (0, 1)
    );
}

/// In parts of any size, each offset comes once, in order.
#[test]
fn committed_offsets_can_be_walked_in_parts() {
    let mut world = World::new();
    let mut expected = Vec::new();
    for group in ["a", "b", "b2", "c"] {
        for (topic, partition) in [("one", 0), ("one", 2), ("two", 1)] {
            let offset = expected.len() as i64;
            let mut who = who("", -1);
            who.group = group.into();
            let ticket = world.ask(Command::Commit(commit(who, topic, partition, offset)));
            assert_eq!(world.committed(ticket), Ok(()));
            expected.push((group.to_owned(), topic.to_owned(), partition, offset));
        }
    }
    assert_eq!(world.coordinator.stats().offsets, expected.len());
    for count_max in 1..=expected.len() + 1 {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let part = world
                .coordinator
                .committed_behind(after.as_ref(), count_max);
            assert!(part.len() <= count_max);
            let Some((last, _)) = part.last() else { break };
            after = Some(last.clone());
            walked.extend(part.into_iter().map(|(place, offset)| {
                let OffsetPlace {
                    group,
                    topic,
                    partition,
                } = place;
                (group.to_string(), topic.to_string(), partition, offset)
            }));
        }
        assert_eq!(walked, expected, "{count_max} at a time");
    }
    let groups = |after: Option<&GroupId>| -> Vec<String> {
        let behind = world.coordinator.members_behind(after, 2).into_iter();
        behind
            .map(|(group, members)| format!("{group} {members}"))
            .collect()
    };
    assert_eq!(groups(None), ["a 0", "b 0"]);
    assert_eq!(groups(Some(&"b".into())), ["b2 0", "c 0"]);
    assert_eq!(groups(Some(&"c".into())), [] as [&str; 0]);
}
