//! Keys, how often each comes, and which partition they lead to: that of Kafka's default partitioner.

use ottla::base::prng::Prng;
use ottla::record::partition_of_key;

/// What stands in the key of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Keys {
    /// No key; partitions take turns.
    None,
    /// Every key of the key space in turn.
    Sequential,
    /// Each key as likely.
    Uniform,
    /// A few keys come often (exponent 0.99); their partitions get more.
    Zipf,
    /// The partition's number.
    Partition,
}

const ZIPF_EXPONENT: f64 = 0.99;

/// The keys that belong to one partition.
#[derive(Clone, Debug)]
pub(crate) struct PartitionKeys {
    keys: Vec<Vec<u8>>,
    /// Sums of the weights up to each key; `None` takes them in turn.
    sums: Option<Vec<f64>>,
    next: usize,
    /// Of the partition among all.
    pub(crate) weight: f64,
}

/// By partition. A partition to which no key leads has weight 0.
pub(crate) fn by_partition(keys: Keys, count: usize, partitions: usize) -> Vec<PartitionKeys> {
    let none = PartitionKeys {
        keys: Vec::new(),
        sums: None,
        next: 0,
        weight: 1.0,
    };
    match keys {
        Keys::None => vec![none; partitions],
        Keys::Partition => (0..partitions)
            .map(|partition| PartitionKeys {
                keys: vec![partition.to_string().into_bytes()],
                ..none.clone()
            })
            .collect(),
        Keys::Sequential | Keys::Uniform | Keys::Zipf => distributed(keys, count, partitions),
    }
}

fn distributed(keys: Keys, count: usize, partitions: usize) -> Vec<PartitionKeys> {
    let mut all: Vec<PartitionKeys> = (0..partitions)
        .map(|_| PartitionKeys {
            keys: Vec::new(),
            sums: (keys != Keys::Sequential).then(Vec::new),
            next: 0,
            weight: 0.0,
        })
        .collect();
    for number in 0..count {
        let key = format!("key-{number:08}").into_bytes();
        let weight = match keys {
            Keys::Zipf => ((number + 1) as f64).powf(-ZIPF_EXPONENT),
            _ => 1.0,
        };
        let partition = &mut all[partition_of_key(&key, partitions as i32) as usize];
        partition.weight += weight;
        partition.keys.push(key);
        if let Some(sums) = &mut partition.sums {
            sums.push(partition.weight);
        }
    }
    all
}

impl PartitionKeys {
    pub(crate) fn next(&mut self, prng: &mut Prng) -> Option<&[u8]> {
        if self.keys.is_empty() {
            return None;
        }
        let index = match &self.sums {
            None => {
                self.next = (self.next + 1) % self.keys.len();
                self.next
            }
            Some(sums) => {
                let drawn = prng.below(1 << 53) as f64 / (1u64 << 53) as f64 * self.weight;
                sums.partition_point(|&sum| sum <= drawn)
                    .min(self.keys.len() - 1)
            }
        };
        Some(&self.keys[index])
    }

    pub(crate) fn is_keyed(&self) -> bool {
        !self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_prefers_few_keys_and_uniform_none() {
        let mut prng = Prng::new(1);
        let share = |keys: Keys, prng: &mut Prng| {
            let mut one = by_partition(keys, 1_000, 1).remove(0);
            let first = (0..10_000).filter(|_| one.next(prng) == Some(b"key-00000000".as_slice()));
            first.count()
        };
        assert!(share(Keys::Zipf, &mut prng) > 1_000);
        assert!(share(Keys::Uniform, &mut prng) < 50);
        assert_eq!(share(Keys::Sequential, &mut prng), 10);
    }
}
