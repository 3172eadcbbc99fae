//! Percentiles of a few samples, and none that they cannot carry.

/// Samples that must lie above a percentile for it to mean anything.
const ABOVE_MIN: usize = 10;

pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn new(mut samples: Vec<u64>) -> Samples {
        samples.sort_unstable();
        Samples(samples)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The least sample that `per_mille` of all do not exceed.
    pub(crate) fn at(&self, per_mille: usize) -> Option<u64> {
        assert!(per_mille < 1_000, "{per_mille}");
        let count = self.0.len();
        let rank = (count * per_mille).div_ceil(1_000).max(1);
        (count >= rank + ABOVE_MIN).then(|| self.0[rank - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_has_ten_samples_above_it() {
        for (count, per_mille, value) in [
            (0, 500, None),
            (19, 500, None),
            (20, 500, Some(10)),
            (999, 990, None),
            (1_000, 990, Some(990)),
            (9_999, 999, None),
            (10_000, 999, Some(9_990)),
            (11, 0, Some(1)),
        ] {
            let samples = Samples::new((1..=count).rev().collect());
            assert_eq!(samples.at(per_mille), value, "{count} {per_mille}");
            assert_eq!(samples.count() as u64, count);
        }
    }
}
