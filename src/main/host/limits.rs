//! What else the kernel writes as small tables: control groups and their CPU quota, swap.

use std::path::{Path, PathBuf};

/// Where the CPU controller of this process keeps its files, as `/proc/self/cgroup` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CpuGroup {
    /// One hierarchy for all controllers.
    Unified(PathBuf),
    /// The controller's own.
    Legacy(PathBuf),
}

impl CpuGroup {
    pub(crate) fn parse(table: &str) -> Option<CpuGroup> {
        let rows = table.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?, parts.next()?))
        });
        let rows: Vec<(&str, &str)> = rows.collect();
        let legacy = rows
            .iter()
            .find(|(controllers, _)| controllers.split(',').any(|one| one == "cpu"));
        if let Some((_, path)) = legacy {
            return Some(CpuGroup::Legacy((*path).into()));
        }
        let unified = rows.iter().find(|(controllers, _)| controllers.is_empty());
        unified.map(|(_, path)| CpuGroup::Unified((*path).into()))
    }

    /// Files with the quota, of the process's group and of every one above it: the tightest counts. In a container the
    /// path is the host's while its own group is mounted at the top, which the last one covers.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let (top, path, name) = match self {
            CpuGroup::Unified(path) => ("/sys/fs/cgroup", path, "cpu.max"),
            CpuGroup::Legacy(path) => ("/sys/fs/cgroup/cpu", path, "cpu.cfs_quota_us"),
        };
        let groups = path
            .ancestors()
            .map(|group| group.strip_prefix("/").unwrap_or(group));
        groups
            .map(|group| Path::new(top).join(group).join(name))
            .collect()
    }
}

/// `max 100000` and `-1` are none; `150000 100000`, or `150000` per the usual 100 ms, are one and a half CPUs.
pub(crate) fn quota(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words
        .next()
        .map_or(Some(100_000.0), |period| period.parse().ok())?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// The places that `/proc/swaps` lists, without those in compressed memory.
pub(crate) fn swaps(table: &str) -> Vec<&str> {
    let places = table.lines().skip(1);
    let places = places.filter_map(|line| line.split_whitespace().next());
    places
        .filter(|place| !place.starts_with("/dev/zram"))
        .collect()
}

/// The value of a boot parameter.
pub(crate) fn boot_parameter<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let values = line.split_whitespace();
    let mut values = values.filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_found_in_either_kind_of_hierarchy() {
        for (table, files) in [
            (
                "0::/system.slice/ottla.service\n",
                vec![
                    "/sys/fs/cgroup/system.slice/ottla.service/cpu.max",
                    "/sys/fs/cgroup/system.slice/cpu.max",
                    "/sys/fs/cgroup/cpu.max",
                ],
            ),
            (
                "3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n0::/\n",
                vec![
                    "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us",
                    "/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us",
                    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
                ],
            ),
        ] {
            let group = CpuGroup::parse(table).expect("a group");
            let expected: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
            assert_eq!(group.files(), expected);
        }
        assert_eq!(CpuGroup::parse("3:cpuset:/\n"), None);
        for (text, cpus) in [
            ("max 100000", None),
            ("-1", None),
            ("150000 100000", Some(1.5)),
            ("50000", Some(0.5)),
            ("", None),
        ] {
            assert_eq!(quota(text), cpus, "{text}");
        }
    }

    #[test]
    fn swap_in_memory_is_no_swap() {
        let heading = "Filename\tType\tSize\tUsed\tPriority\n";
        assert!(swaps(heading).is_empty() && swaps("").is_empty());
        let table = format!("{heading}/dev/zram0 partition 1 0 5\n/dev/sda2 partition 1 0 -2\n");
        assert_eq!(swaps(&table), ["/dev/sda2"]);
    }

    #[test]
    fn the_last_of_a_boot_parameter_counts() {
        let line = "quiet rcu_nocbs=1 isolcpus=2-3 rcu_nocbs=2-3";
        assert_eq!(boot_parameter(line, "rcu_nocbs"), Some("2-3"));
        assert_eq!(boot_parameter(line, "rcu_nocb"), None);
        assert_eq!(boot_parameter(line, "quiet"), None);
    }
}
