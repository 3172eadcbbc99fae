//! Facts of the host that change what a run measures, read from /proc and /sys. What cannot be read is absent.

use crate::result::Machine;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Block devices without a medium of their own.
const VIRTUAL_DEVICES: [&str; 4] = ["loop", "ram", "zram", "dm-"];

pub(crate) fn read() -> Machine {
    Host { root: "/".into() }.machine()
}

/// The files of a host, below a folder: its own, or that of a test.
struct Host {
    root: PathBuf,
}

impl Host {
    fn machine(&self) -> Machine {
        let memory = self.field("proc/meminfo", "MemTotal");
        let kibibytes = memory.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Machine {
            kernel: self.line("proc/sys/kernel/osrelease").unwrap_or_default(),
            cpu: self.field("proc/cpuinfo", "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes.unwrap_or(0) * 1024,
            facts: self.facts(),
        }
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let facts = [
            (
                "clock source",
                self.line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ),
            (
                "cpu governor",
                self.line("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            ),
            ("cpu quota", self.cpu_quota()),
            (
                "cpus allowed",
                self.field("proc/self/status", "Cpus_allowed_list"),
            ),
            ("load average", self.load_average()),
            ("steal since boot", self.steal()),
            ("system", self.line("sys/class/dmi/id/product_name")),
            ("timer frequency", self.timer_frequency()),
            (
                "transparent huge pages",
                self.chosen("sys/kernel/mm/transparent_hugepage/enabled"),
            ),
        ];
        let mut facts: BTreeMap<String, String> = facts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        facts.extend(self.disks());
        facts.extend(self.mounts());
        facts
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    /// Of lines `name : value`, the first of that name.
    fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.text(path)?;
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| field.trim() == name)?;
        Some(value.trim().to_owned())
    }

    /// Of `one [two] three`, the one in brackets.
    fn chosen(&self, path: &str) -> Option<String> {
        let line = self.line(path)?;
        let inside = line
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        Some(inside.map_or(line.clone(), |(chosen, _)| chosen.to_owned()))
    }

    /// The first three figures: the rest counts processes.
    fn load_average(&self) -> Option<String> {
        let line = self.line("proc/loadavg")?;
        Some(line.split(' ').take(3).collect::<Vec<_>>().join(" "))
    }

    /// Time another guest had our CPUs: the eighth figure, of the first eight.
    fn steal(&self) -> Option<String> {
        let line = self.line("proc/stat")?;
        let ticks = line.split_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = ticks.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let (steal, total) = (ticks.get(7)?, ticks.iter().sum::<u64>().max(1));
        Some(format!("{:.2} %", *steal as f64 * 100.0 / total as f64))
    }

    fn timer_frequency(&self) -> Option<String> {
        let release = self.line("proc/sys/kernel/osrelease")?;
        let config = self.text(&format!("boot/config-{release}"))?;
        let hertz = config
            .lines()
            .find_map(|line| line.strip_prefix("CONFIG_HZ="))?;
        Some(format!("{hertz} Hz"))
    }

    /// The tightest of the control groups (version 2) this process is in.
    fn cpu_quota(&self) -> Option<String> {
        let groups = self.text("proc/self/cgroup")?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let path = Path::new("sys/fs/cgroup").join(group);
        let quotas = path.ancestors().filter_map(|folder| {
            let line = self.line(folder.join("cpu.max").to_str()?)?;
            let (quota, period) = line.split_once(' ')?;
            Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
        });
        let tightest = quotas.min_by(f64::total_cmp);
        Some(tightest.map_or("none".into(), |cores| format!("{cores:.2} cores")))
    }

    fn disks(&self) -> Vec<(String, String)> {
        let Ok(devices) = fs::read_dir(self.root.join("sys/block")) else {
            return Vec::new();
        };
        let names = devices.filter_map(|device| device.ok()?.file_name().into_string().ok());
        let real = names.filter(|name| {
            !VIRTUAL_DEVICES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        real.filter_map(|name| Some((format!("disk {name}"), self.disk(&name)?)))
            .collect()
    }

    fn disk(&self, name: &str) -> Option<String> {
        let sectors: u64 = self.line(&format!("sys/block/{name}/size"))?.parse().ok()?;
        if sectors == 0 {
            return None;
        }
        let queue = |file: &str| format!("sys/block/{name}/queue/{file}");
        let mut words = vec![crate::numbers::bytes(sectors * 512)];
        words.extend(self.line(&format!("sys/block/{name}/device/model")));
        words.extend(
            self.chosen(&queue("scheduler"))
                .map(|name| format!("scheduler {name}")),
        );
        words.extend(
            self.line(&queue("write_cache"))
                .map(|mode| format!("write_cache {mode}")),
        );
        words.extend(self.line(&queue("fua")).map(|fua| format!("fua {fua}")));
        words.extend(
            self.line(&queue("rotational"))
                .map(|yes| format!("rotational {yes}")),
        );
        Some(words.join(", "))
    }

    /// File systems on devices: where a broker of this machine keeps its data.
    fn mounts(&self) -> BTreeMap<String, String> {
        let text = self.text("proc/self/mounts").unwrap_or_default();
        let mut mounts = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [device, folder, kind, options, ..] = words.as_slice() else {
                continue;
            };
            // Files bound into a container are not where anybody keeps data.
            if device.starts_with("/dev/")
                && self.root.join(folder.trim_start_matches('/')).is_dir()
            {
                mounts.insert(
                    format!("mount {folder}"),
                    format!("{kind} on {device} ({options})"),
                );
            }
        }
        mounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("proc/sys/kernel/osrelease", "6.12.9-amd64\n"),
        ("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: EPYC 9454P\n"),
        ("proc/loadavg", "0.08 0.11 0.06 1/93 4711\n"),
        (
            "proc/stat",
            "cpu  100 0 100 1700 50 0 0 50 0 0\ncpu0 1 2 3\n",
        ),
        ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-1\n"),
        ("proc/self/cgroup", "0::/system.slice/run\n"),
        (
            "proc/self/mounts",
            "proc /proc proc rw 0 0\n/dev/vda1 / ext4 rw,noatime 0 0\n",
        ),
        (
            "boot/config-6.12.9-amd64",
            "CONFIG_HZ_250=y\nCONFIG_HZ=250\n",
        ),
        ("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/system.slice/run/cpu.max", "max 100000\n"),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never\n",
        ),
        ("sys/block/vda/size", "2097152\n"),
        ("sys/block/vda/queue/scheduler", "[none] mq-deadline\n"),
        ("sys/block/vda/queue/write_cache", "write back\n"),
        ("sys/block/vda/queue/fua", "0\n"),
        ("sys/block/loop0/size", "8\n"),
        ("sys/block/sr0/size", "0\n"),
    ];

    #[test]
    fn a_host_is_read_from_its_files() {
        let root =
            std::env::temp_dir().join(format!("ottla-loadgen-machine-{}", std::process::id()));
        for (path, text) in FILES {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder"))
                .expect("a folder that can be made");
            fs::write(path, text).expect("a file that can be written");
        }
        let machine = Host { root: root.clone() }.machine();
        fs::remove_dir_all(&root).expect("it was made here");
        assert_eq!(
            (machine.kernel.as_str(), machine.cpu.as_str()),
            ("6.12.9-amd64", "EPYC 9454P")
        );
        assert_eq!(machine.memory_bytes, 16 << 20);
        let facts: Vec<_> = machine
            .facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            facts,
            [
                "cpu quota: 1.50 cores",
                "cpus allowed: 0-1",
                "disk vda: 1.00 GiB, scheduler none, write_cache write back, fua 0",
                "load average: 0.08 0.11 0.06",
                "mount /: ext4 on /dev/vda1 (rw,noatime)",
                "steal since boot: 2.50 %",
                "timer frequency: 250 Hz",
                "transparent huge pages: madvise",
            ]
        );
    }

    #[test]
    fn a_host_that_hides_its_files_is_no_error() {
        let machine = Host {
            root: "/nowhere".into(),
        }
        .machine();
        assert!(machine.facts.is_empty());
    }
}
