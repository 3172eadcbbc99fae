//! Which shard owns a partition: a stable function of its id and the number of shards.

use crate::base::ids::{PartitionId, ShardId};

/// The partitions of one topic go to consecutive shards, beginning at one that the topic's id picks: one topic
/// loads all cores evenly, many small topics do too.
pub fn owner(partition: PartitionId, shards: u16) -> ShardId {
    assert!(shards > 0, "a broker has a shard");
    let (high, low) = partition.topic.0.split_at(8);
    let word = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    // Topic ids are random, except for their version bits; multiplying spreads those of ids that are not.
    let start = (word(high) ^ word(low)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let shard = (start + u64::from(partition.index)) % u64::from(shards);
    ShardId(u16::try_from(shard).expect("below the number of shards"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Uuid;
    use crate::base::prng::Prng;

    fn topic(prng: &mut Prng) -> Uuid {
        let bits = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
        Uuid::from_random(bits.to_be_bytes())
    }

    #[test]
    fn partitions_of_one_topic_are_spread_evenly() {
        let mut prng = Prng::new(1);
        for shards in [1, 2, 3, 8] {
            let topic = topic(&mut prng);
            let mut load = vec![0; usize::from(shards)];
            for index in 0..24 {
                let owner = owner(PartitionId { topic, index }, shards);
                load[usize::from(owner.0)] += 1;
            }
            assert_eq!(load, vec![24 / usize::from(shards); usize::from(shards)]);
        }
    }

    #[test]
    fn single_partition_topics_are_spread_over_all_shards() {
        let mut prng = Prng::new(2);
        let mut load = [0; 4];
        for _ in 0..4_000 {
            let topic = topic(&mut prng);
            load[usize::from(owner(PartitionId { topic, index: 0 }, 4).0)] += 1;
        }
        assert!(
            load.iter().all(|count| (850..1150).contains(count)),
            "{load:?}"
        );
    }

    #[test]
    fn the_rule_does_not_change_between_versions() {
        let topic = Uuid([7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let owners: Vec<u16> = (0..4)
            .map(|index| owner(PartitionId { topic, index }, 3).0)
            .collect();
        assert_eq!(owners, [0, 1, 2, 0]);
    }
}
