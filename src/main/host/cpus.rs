//! Lists of CPUs as the kernel writes them: `0-3,8`.

use std::collections::BTreeSet;
use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cpus(BTreeSet<usize>);

/// More than any machine has: a list is no reason to count to a billion.
const CPU_MAX: usize = 1 << 16;

impl Cpus {
    pub(crate) fn parse(text: &str) -> Option<Cpus> {
        let mut cpus = BTreeSet::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last > CPU_MAX {
                return None;
            }
            cpus.extend(first..=last);
        }
        Some(Cpus(cpus))
    }

    pub(crate) fn without(&self, others: &Cpus) -> Cpus {
        Cpus(self.0.difference(&others.0).copied().collect())
    }

    pub(crate) fn is_within(&self, others: &Cpus) -> bool {
        self.0.is_subset(&others.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, cpu: usize) -> bool {
        self.0.contains(&cpu)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().copied()
    }
}

impl FromIterator<usize> for Cpus {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Cpus {
        Cpus(cpus.into_iter().collect())
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        for (index, (first, last)) in ranges.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_written_as_the_kernel_does() {
        for (text, written) in [
            ("0", Some("0")),
            ("0-3,8", Some("0-3,8")),
            ("3,1,2", Some("1-3")),
            ("0, 1", Some("0-1")),
            ("", Some("")),
            ("3-1", None),
            ("0-99999999999", None),
            ("(null)", None),
        ] {
            let read = Cpus::parse(text).map(|cpus| cpus.to_string());
            assert_eq!(read.as_deref(), written, "{text}");
        }
        let (all, shards) = (Cpus::from_iter(0..4), Cpus::from_iter([1, 2]));
        assert_eq!(all.without(&shards).to_string(), "0,3");
        assert!(shards.is_within(&all) && !all.is_within(&shards));
    }
}
