//! Which partition a record goes to: by key where Kafka's own clients put it, else where a batch is being filled.

use ottla::record::partition_of_key;

/// Of one topic.
pub(super) struct Partitioner {
    count: i32,
    /// Where records without a key go, until a batch is full.
    current: i32,
}

impl Partitioner {
    /// `count` partitions, of which there is one at least.
    pub(super) fn new(count: i32, random: u64) -> Partitioner {
        assert!(count > 0, "a topic has a partition");
        let current = (random % count as u64) as i32;
        Partitioner { count, current }
    }

    pub(super) fn of(&self, key: Option<&[u8]>) -> i32 {
        match key {
            Some(key) => partition_of_key(key, self.count),
            None => self.current,
        }
    }

    /// The batch of this partition has left.
    pub(super) fn batch_left(&mut self, partition: i32) {
        if partition == self.current {
            self.current = (partition + 1) % self.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_without_a_key_fill_one_batch_after_the_other() {
        let mut partitioner = Partitioner::new(3, 7);
        assert_eq!(partitioner.of(None), 1);
        partitioner.batch_left(2);
        assert_eq!(partitioner.of(None), 1);
        partitioner.batch_left(1);
        partitioner.batch_left(2);
        assert_eq!(partitioner.of(None), 0);
        assert_eq!(partitioner.of(Some(b"abc")), 479_470_107 % 3);
    }
}
