//! Which version of each API a round speaks.

use std::collections::BTreeMap;

use ottla::wire::ApiKey;
use ottla::wire::version::VersionRange;

/// Rounds until each API has been asked in each version: Fetch has the most.
pub(crate) const ROUNDS: usize = 15;

pub(crate) struct Versions(BTreeMap<ApiKey, i16>);

impl Versions {
    /// Highest first, and the seed moves the APIs against each other.
    pub(crate) fn of_round(
        shared: &BTreeMap<ApiKey, VersionRange>,
        round: usize,
        seed: u64,
    ) -> Versions {
        let version = |(&api, range): (&ApiKey, &VersionRange)| {
            let count = i64::from(range.last - range.first) + 1;
            let shift = (seed >> (api.number() % 32)) as i64 & 7;
            let back = (round as i64 + shift) % count;
            (api, range.last - back as i16)
        };
        Versions(shared.iter().map(version).collect())
    }

    pub(crate) fn of(&self, api: ApiKey) -> i16 {
        self.0.get(&api).copied().unwrap_or(0)
    }
}
