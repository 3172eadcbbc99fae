//! A host made of files: a server with one NVMe drive and four CPUs, for a broker on the first two.

use super::directory::Directory;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub struct Host {
    directory: Directory,
}

/// What the files say that a broker wants otherwise.
const FILES: &[(&str, &str)] = &[
    ("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n"),
    ("proc/sys/kernel/io_uring_disabled", "0\n"),
    ("proc/sys/kernel/numa_balancing", "1\n"),
    ("proc/sys/kernel/random/boot_id", "first\n"),
    ("proc/sys/net/core/somaxconn", "128\n"),
    ("proc/sys/net/core/busy_poll", "0\n"),
    ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1\n"),
    ("proc/sys/vm/swappiness", "60\n"),
    (
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n",
    ),
    ("proc/cmdline", "quiet\n"),
    ("proc/self/cgroup", "0::/system.slice/ottla.service\n"),
    (
        "sys/fs/cgroup/system.slice/ottla.service/cpu.max",
        "150000 100000\n",
    ),
    (
        "proc/interrupts",
        "      CPU0 CPU1 CPU2 CPU3\n 51: 7 0 0 2 PCI-MSIX 0-edge nvme0q0\n 52: 9 0 0 0 PCI-MSIX 1-edge nvme0q1\n \
         60: 0 9 0 0 PCI-MSIX 0-edge eth0-rx\nNMI: 0 0 0 0 Non-maskable interrupts\n",
    ),
    ("proc/irq/51/smp_affinity_list", "0-3\n"),
    ("proc/irq/52/smp_affinity_list", "0\n"),
    ("proc/irq/60/smp_affinity_list", "0\n"),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/nvme0n1p1/partition",
        "1\n",
    ),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue/scheduler",
        "none [mq-deadline] kyber\n",
    ),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue/nomerges",
        "0\n",
    ),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue/rq_affinity",
        "1\n",
    ),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue/write_cache",
        "write through\n",
    ),
    (
        "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue/fua",
        "1\n",
    ),
    ("sys/devices/pci0000:00/0000:00:01.0/numa_node", "1\n"),
    ("sys/devices/pci0000:00/0000:00:01.0/irq", "51\n"),
    ("sys/devices/pci0000:00/0000:00:01.0/msi_irqs/51", "msix\n"),
    ("sys/devices/pci0000:00/0000:00:01.0/msi_irqs/52", "msix\n"),
    ("sys/devices/pci0000:00/0000:00:02.0/irq", "60\n"),
    ("sys/devices/pci0000:00/0000:00:02.0/msi_irqs/60", "msix\n"),
    ("sys/devices/pci0000:00/0000:00:02.0/net/eth0/mtu", "1500\n"),
    ("sys/devices/system/cpu/online", "0-3\n"),
    ("sys/devices/system/cpu/isolated", "\n"),
    ("sys/devices/system/node/node0/cpulist", "0-1\n"),
    ("sys/devices/system/node/node1/cpulist", "2-3\n"),
    (
        "sys/devices/system/clocksource/clocksource0/current_clocksource",
        "hpet\n",
    ),
    (
        "sys/kernel/mm/transparent_hugepage/enabled",
        "[always] madvise never\n",
    ),
    ("run/chrony/chronyd.pid", "1\n"),
];

const LINKS: &[(&str, &str)] = &[
    (
        "sys/dev/block/259:1",
        "../../devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/nvme0n1p1",
    ),
    (
        "sys/block/nvme0n1",
        "../devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1",
    ),
    (
        "sys/class/net/eth0",
        "../../devices/pci0000:00/0000:00:02.0/net/eth0",
    ),
    (
        "sys/devices/pci0000:00/0000:00:02.0/net/eth0/device",
        "../../../0000:00:02.0",
    ),
];

impl Host {
    pub fn new(test: &str) -> Host {
        let host = Host {
            directory: Directory::new(test),
        };
        fs::create_dir_all(host.data()).expect("writable");
        for (path, text) in FILES {
            host.write(path, text);
        }
        for cpu in 0..4 {
            let cpu = format!("sys/devices/system/cpu/cpu{cpu}");
            host.write(&format!("{cpu}/cpufreq/scaling_governor"), "powersave\n");
            for (state, name, latency) in [(0, "POLL", 0), (1, "C1", 2), (2, "C6", 133)] {
                let state = format!("{cpu}/cpuidle/state{state}");
                host.write(&format!("{state}/name"), &format!("{name}\n"));
                host.write(&format!("{state}/latency"), &format!("{latency}\n"));
                host.write(&format!("{state}/disable"), "0\n");
            }
        }
        for (cpu, threads) in [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")] {
            let file = format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            host.write(&file, &format!("{threads}\n"));
        }
        host.mount("259:1", "xfs", "rw,relatime");
        for (path, target) in LINKS {
            let path = host.path(path);
            fs::create_dir_all(path.parent().expect("a name")).expect("writable");
            symlink(target, path).expect("writable");
        }
        host
    }

    /// Its top.
    pub fn root(&self) -> PathBuf {
        self.path("")
    }

    /// A real directory, on a drive of the host's own.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a name")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("it is there")
    }

    /// What the data directory lies on.
    pub fn mount(&self, device: &str, file_system: &str, options: &str) {
        let data = self.data();
        let data = data.canonicalize().expect("it was made");
        let table = format!(
            "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
             40 27 {device} / {} {options} - {file_system} /dev/nvme0n1p1 rw\n",
            data.display()
        );
        self.write("proc/self/mountinfo", &table);
    }

    /// Every file and its bytes.
    pub fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.root(), &mut files);
        files.sort();
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("an entry").file_type();
        if kind.is_dir() {
            collect(&path, files);
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("a file");
            files.push((path, bytes));
        }
    }
}
