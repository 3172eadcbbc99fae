"""Whether the machine was ours: CPU that other processes took, CPU that the hypervisor took.

Ours is this process with everything it started. Kernel threads are nobody's: they do the work of whom is measured. A
process that ends is counted with the one that waited for it."""

import dataclasses
import os
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Of one core.
FOREIGN_MAX = 0.05
FOREIGN_LATENCY_MAX = 0.02
STEAL_MAX = 0.005
# How busy the disk may be before a round.
DISK_BUSY_MAX = 0.10
SAMPLE_SECONDS = 0.25
KERNEL_THREADS = 2


class Watch:
    """From its making to `end`."""

    def __init__(self, device):
        self.device = device
        self.began = time.monotonic()
        self.processes = foreign_ticks()
        self.stolen = stolen_ticks()
        self.disk = disk_busy_ms(device)

    def end(self):
        seconds = time.monotonic() - self.began
        now = foreign_ticks()
        # What a process used goes to the one that waits for it: the sum loses nothing by an end.
        used = max(0, total(now) - total(self.processes))
        busiest = max(now, key=lambda pid: now[pid].own - self.processes.get(pid, NEW).own, default=None)
        return Quiet(used / TICKS_PER_SECOND / seconds, (stolen_ticks() - self.stolen) / TICKS_PER_SECOND / seconds,
                     (disk_busy_ms(self.device) - self.disk) / 1e3 / seconds, now[busiest].name if busiest else "")


class Quiet:
    """Shares of one core; of the time that the disk was at work; the busiest foreign process."""

    def __init__(self, foreign, steal, disk, busiest):
        self.foreign, self.steal, self.disk, self.busiest = foreign, steal, disk, busiest

    def faults(self, latency):
        """Why a measurement beside this does not count."""
        bound = FOREIGN_LATENCY_MAX if latency else FOREIGN_MAX
        faults = []
        if self.foreign > bound:
            faults.append(f"other processes took {self.foreign:.1%} of a core (at most {bound:.0%}), "
                          f"most of it {self.busiest}")
        if self.steal > STEAL_MAX:
            faults.append(f"the hypervisor took {self.steal:.1%} of a core (at most {STEAL_MAX:.1%})")
        return faults


def wait(device, seconds_max, latency=True):
    """Returns the faults of the last sample: none when machine and disk came to rest in time."""
    deadline = time.monotonic() + seconds_max
    while True:
        watch = Watch(device)
        time.sleep(SAMPLE_SECONDS)
        quiet = watch.end()
        faults = quiet.faults(latency)
        if quiet.disk > DISK_BUSY_MAX:
            faults.append(f"the disk is busy for {quiet.disk:.0%} of the time")
        if not faults or time.monotonic() > deadline:
            return faults


@dataclasses.dataclass(frozen=True)
class Process:
    """CPU ticks so far: its own, and those of children that ended."""

    name: str
    parent: int
    own: int
    children: int


NEW = Process("", 0, 0, 0)


def total(processes):
    return sum(process.own + process.children for process in processes.values())


def foreign_ticks():
    """{pid: Process} of all that is neither ours nor the kernel's."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                text = file.read()
        except OSError:
            continue
        # The name stands in parentheses and may hold anything.
        command, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        found[int(name)] = Process(command, int(fields[1]), int(fields[11]) + int(fields[12]),
                                   int(fields[13]) + int(fields[14]))
    ours = os.getpid()
    return {pid: process for pid, process in found.items() if not {ours, KERNEL_THREADS} & set(ancestry(pid, found))}


def ancestry(pid, processes):
    while pid in processes:
        yield pid
        pid = processes[pid].parent


def stolen_ticks():
    with open("/proc/stat") as file:
        return int(file.readline().split()[8])


def disk_busy_ms(device):
    """`device` as in /proc/diskstats."""
    with open("/proc/diskstats") as file:
        for line in file:
            fields = line.split()
            if fields[2] == device:
                return int(fields[12])
    return 0
